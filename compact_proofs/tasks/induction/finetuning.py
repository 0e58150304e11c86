"""Fine-tuning for provability: the loss reads the verifier of the circuit certificate itself.

`circuit.circuit_bounds`, which proves, is differentiable: the same function on plain tensors gives the log-slack of every case,
and its gradient says how to change the weights so that the proof succeeds. A *soft* phase adds that loss, attention to the previous
place, and pressure on what composes through the first head's output other than keys. A *hard* phase then keeps W_Q2, W_V2 and W_U
in the orthogonal complement of the row space of W_O1, so that those paths are gone (up to the rounding of the stored weights,
which the proof accounts for). The result is another network: `distance` measures how far it is from the first.
"""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import log_softmax, softplus

from compact_proofs.errors import BadInput
from compact_proofs.models.attention_stack import AttentionStack
from compact_proofs.options import Positive
from compact_proofs.tasks.induction.circuit import circuit_bounds
from compact_proofs.tasks.induction.task import Induction
from compact_proofs.tasks.induction.training import TrainingConfig, uniform_inputs
from compact_proofs.train import Schedule, TrainingResult, function_distance, train_model

LEAST_GAIN = 0.1
"""Gains below it count as this much in the loss's ratios, so that they stay finite."""


@dataclass(frozen=True, kw_only=True)
class FinetuningConfig(TrainingConfig):
    """Options of `finetune`; the sizes are the model's.

    Parameters
    ----------
    hard_steps : int
        The last steps, with the composition projected away and a falling learning rate.
    target : float
        Log-slack that the loss asks of every case.
    bound : float
        Weight of the mean shortfall of log-slacks.
    worst : float
        Weight of the largest shortfall.
    previous : float
        Weight of the negative log-attention of layer 1 to the place before.
    composition : float
        Weight of the squared products of W_O1 with W_Q2, W_V2 and W_U in the soft phase.
    """

    steps: Positive = 3000
    batch_size: Positive = 128
    hard_steps: Positive = 1500
    target: float = 3.0
    bound: float = 0.5
    worst: float = 0.1
    previous: float = 0.3
    composition: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.hard_steps >= self.steps:
            raise BadInput(f"finetuning needs hard_steps < steps, not {self.hard_steps} and {self.steps}")


def finetune(model: AttentionStack, config: FinetuningConfig) -> TrainingResult[AttentionStack]:
    """Fine-tune a copy of a model so that the circuit certificate proves it.

    Returns
    -------
    TrainingResult
        The tuned model in float32, its curves and metrics on uniform inputs.
    """
    tuned = copy.deepcopy(model).float().requires_grad_(True)
    soft = config.steps - config.hard_steps
    sample = uniform_inputs(config.n_ctx, config.d_vocab)
    generator = torch.Generator().manual_seed(config.seed)

    def penalty(step: int) -> Tensor:
        loss = bound_loss(tuned, config) + config.previous * previous_token_loss(tuned, sample(generator, config.batch_size)[0])
        if step <= soft:
            loss = loss + config.composition * min(1.0, 1.5 * step / soft) * composition(tuned)
        return loss

    def after_step(step: int) -> None:
        if step >= soft:
            project(tuned)

    def rate(step: int) -> float:
        t, length = (step, soft) if step <= soft else (step - soft, config.hard_steps)
        return min(1.0, t / 50) * (1 - 0.9 * t / length)

    schedule = Schedule(penalty=penalty, after_step=after_step, rate=rate, clip=5.0)
    return train_model(
        tuned,
        Induction.name,
        sample,
        config,
        schedule,
        description="fine-tuning",
        finish=lambda trained: trained.requires_grad_(False),
    )


def bound_loss(model: AttentionStack, config: FinetuningConfig) -> Tensor:
    """How far the circuit certificate is from proving every case, in nats of slack; the bounds are the verifier's own."""
    bounds = circuit_bounds(model)
    slack, _ = bounds.log_slack(LEAST_GAIN)
    D = model.d_vocab
    different = ~torch.eye(D, dtype=torch.bool)
    shortfall = config.target - slack[different[:, None].expand_as(slack)]
    gain = bounds.gain.masked_fill(~different, math.inf).amin(1)
    return config.bound * softplus(shortfall).mean() + torch.relu(2 - gain).mean() + config.worst * torch.relu(shortfall).amax()


def previous_token_loss(model: AttentionStack, inputs: Tensor) -> Tensor:
    """Mean negative log-attention of layer 1 to the place before, for places 1 ... n - 2."""
    head = model.head(0)
    x = model.W_E[inputs] + model.W_pos
    scores = (x @ head.W_Q) @ (x @ head.W_K).mT / head.attn_scale()
    causal = torch.ones(model.n_ctx, model.n_ctx, dtype=torch.bool).tril()
    log_pattern = log_softmax(scores.masked_fill(~causal, -math.inf), -1)
    return -log_pattern[:, 1:-1].diagonal(dim1=1, dim2=2).mean()


def composition(model: AttentionStack) -> Tensor:
    """Squared norm of W_O1 times what reads the residual stream other than the second head's keys."""
    W_O, second = model.head(0).W_O, model.head(1)
    return torch.stack([(W_O @ W).square().sum() for W in (second.W_Q, second.W_V, model.W_U)]).sum()


@torch.no_grad()
def project(model: AttentionStack) -> None:
    """Take the row space of W_O1 out of the columns of W_Q2, W_V2 and W_U, in place (in float64, then rounded)."""
    second = model.head(1)
    basis = torch.linalg.qr(model.head(0).W_O.mT.double()).Q
    for W in (second.W_Q, second.W_V, model.W_U):
        W.copy_(W.double() - basis @ (basis.mT @ W.double()))


def config_for(model: AttentionStack, **options: Any) -> FinetuningConfig:
    """Make the options for a model: its sizes, and what is given."""
    s = model.config
    return FinetuningConfig(n_ctx=s.n_ctx, d_vocab=s.d_vocab, d_model=s.d_model, d_head=s.d_head, **options)


def distance(model: AttentionStack, tuned: AttentionStack, inputs: int = 2**14, seed: int = 0) -> float:
    """Root mean square difference of the centred logits on uniform inputs: how far the tuned function is from the first."""
    generator = torch.Generator().manual_seed(seed)
    tokens, _ = uniform_inputs(model.n_ctx, model.d_vocab)(generator, inputs)
    return function_distance(model, tuned, tokens)
