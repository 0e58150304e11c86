"""Fine-tuning for provability: the loss reads the verifier of the deep circuit certificate itself.

As for induction (`compact_proofs.tasks.induction.finetuning`): a *soft* phase adds the certificate's log-slack, attention to the
previous place in every copying layer, and pressure on what is read of copies by anything but the explained path. A *hard* phase
keeps these reads at 0: copying layers write into orthogonal subspaces, in which embeddings have no part, and each subspace is read
by the values of the next copying layer only, the last one by the last layer's keys. What is left is rounding, which the proof
accounts for. A network that found another way, such as to look two places back at once, learns to copy twice on the way.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import log_softmax, softplus

from compact_proofs.errors import BadInput
from compact_proofs.models.attention_stack import AttentionStack
from compact_proofs.options import Positive
from compact_proofs.tasks.lagged_induction.deep_circuit import deep_bounds
from compact_proofs.tasks.lagged_induction.task import LaggedInduction
from compact_proofs.tasks.lagged_induction.training import TrainingConfig, uniform_inputs
from compact_proofs.train import Schedule, TrainingResult, function_distance, train_model

LEAST_GAIN = 0.1
"""Gains below it count as this much in the loss's ratios, so that they stay finite."""


@dataclass(frozen=True, kw_only=True)
class FinetuningConfig(TrainingConfig):
    """Options of `finetune`; the sizes are the network's.

    Parameters
    ----------
    hard_steps : int
        The last steps, with all other reads projected away and a falling learning rate.
    target : float
        Log-slack that the loss asks of every case.
    bound : float
        Weight of the mean shortfall of log-slacks.
    worst : float
        Weight of the largest shortfall.
    previous : float
        Weight of the negative log-attention of copying layers to the place before.
    composition : float
        Weight of the squared products of what copying layers write with what must not read it, in the soft phase.
    """

    steps: Positive = 4000
    batch_size: Positive = 128
    hard_steps: Positive = 2500
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
    """Fine-tune a copy of a network so that `DeepCircuit` proves it.

    Returns
    -------
    TrainingResult
        The tuned network in float32, its curves and metrics on uniform inputs.
    """
    tuned = copy.deepcopy(model).float().requires_grad_(True)
    soft = config.steps - config.hard_steps
    sample = uniform_inputs(config.task)
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
        if step <= soft:
            return min(1.0, step / 50)
        return min(1.0, (step - soft) / 50) * (1 - 0.9 * (step - soft) / config.hard_steps)

    schedule = Schedule(penalty=penalty, after_step=after_step, rate=rate, clip=5.0)
    return train_model(
        tuned,
        LaggedInduction.name,
        sample,
        config,
        schedule,
        description="fine-tuning",
        finish=lambda trained: trained.requires_grad_(False),
    )


def bound_loss(model: AttentionStack, config: FinetuningConfig) -> Tensor:
    """How far the certificate is from proving every case, in nats of slack; the bounds are the verifier's own."""
    bounds = deep_bounds(model)
    slack, _ = bounds.log_slack(LEAST_GAIN)
    different = ~torch.eye(model.d_vocab, dtype=torch.bool)
    shortfall = config.target - slack[different[:, None].expand_as(slack)]
    gain = bounds.gain.masked_fill(~different, math.inf).amin(1)
    return config.bound * softplus(shortfall).mean() + torch.relu(2 - gain).mean() + config.worst * torch.relu(shortfall).amax()


def previous_token_loss(model: AttentionStack, inputs: Tensor) -> Tensor:
    """Mean negative log-attention of copying layers to the place before, for places 1 ... n - 2; added up over layers."""
    causal = torch.ones(model.n_ctx, model.n_ctx, dtype=torch.bool).tril()
    residual, losses = model.W_E[inputs] + model.W_pos, []
    for layer in range(len(model.blocks) - 1):
        head = model.head(layer)
        scores = (residual @ head.W_Q) @ (residual @ head.W_K).mT / head.attn_scale()
        log_pattern = log_softmax(scores.masked_fill(~causal, -math.inf), -1)
        losses.append(-log_pattern[:, 1:-1].diagonal(dim1=1, dim2=2).mean())
        residual = residual + (log_pattern.exp() @ (residual @ head.W_V)) @ head.W_O
    return torch.stack(losses).sum()


def composition(model: AttentionStack) -> Tensor:
    """Squared norm of the products of what copying layers write with what must not read it."""
    return torch.stack([(model.head(j).W_O @ W).square().sum() for j, W in _strangers(model)]).sum()


def _strangers(model: AttentionStack) -> Iterator[tuple[int, Tensor]]:
    """Copying layers j, each with every matrix that reads the residual stream after it and is not on the explained path."""
    last = len(model.blocks) - 1
    for j in range(last):
        for layer in range(j + 1, last + 1):
            head = model.head(layer)
            yield j, head.W_Q
            if layer < last or j < last - 1:
                yield j, head.W_K
            if layer == last or j < layer - 1:
                yield j, head.W_V
        yield j, model.W_U


@torch.no_grad()
def project(model: AttentionStack) -> None:
    """Give each copying layer a subspace of its own, which only the explained path reads, in place (float64, then rounded)."""
    last = len(model.blocks) - 1
    bases: list[Tensor] = []  # [d, h], of the row space of each W_O
    for layer in range(last):
        W_O = model.head(layer).W_O
        if bases:
            _without(W_O.mT, torch.cat(bases, 1))
        bases.append(torch.linalg.qr(W_O.mT.double()).Q)
    every = torch.cat(bases, 1)
    for written in (model.W_E, model.W_pos):
        _without(written.mT, every)
    for layer in range(last):
        head = model.head(layer)
        for W in (head.W_Q, head.W_K):
            _without(W, every)
        if layer == 0:
            _without(head.W_V, every)
        else:
            before = bases[layer - 1]
            head.W_V.copy_(before @ (before.mT @ head.W_V.double()))
    head = model.head(last)
    for W in (head.W_Q, head.W_V, model.W_U):
        _without(W, every)
    if last > 1:
        _without(head.W_K, torch.cat(bases[:-1], 1))


def _without(W: Tensor, basis: Tensor) -> None:
    """Take a subspace out of the columns of a matrix, in place."""
    W.copy_(W.double() - basis @ (basis.mT @ W.double()))


def config_for(model: AttentionStack, **options: Any) -> FinetuningConfig:
    """Make the options for a network: its sizes, and what is given."""
    s = model.config
    return FinetuningConfig(n_ctx=s.n_ctx, d_vocab=s.d_vocab, d_model=s.d_model, d_head=s.d_head, n_layers=s.n_layers, **options)


def distance(model: AttentionStack, tuned: AttentionStack, inputs: int = 2**14, seed: int = 0) -> float:
    """Root mean square difference of the centred logits on uniform inputs: how far the tuned function is from the first."""
    tokens, _ = uniform_inputs(LaggedInduction.of(model))(torch.Generator().manual_seed(seed), inputs)
    return function_distance(model, tuned, tokens)
