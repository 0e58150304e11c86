"""Fine-tuning a network of copying layers towards a circuit certificate: what induction and lagged induction share.

The functions that compute a certificate's bounds are differentiable: on plain tensors the same function that proves gives the
log-slack of every case, and its gradient says how to change the weights so that the proof succeeds. A *soft* phase adds that loss,
attention to the previous place in every layer but the last, and pressure on what is read of copies by anything but the explained
path. A *hard* phase keeps these reads at 0 by a projection after every step, which is the task's own.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from operator import methodcaller
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor
from torch.nn.functional import log_softmax, softplus

from compact_proofs.errors import BadInput
from compact_proofs.models.attention_stack import AttentionStack
from compact_proofs.options import Positive
from compact_proofs.tasks.induction.circuit import CircuitBounds
from compact_proofs.train import Recipe, Sampler, Schedule, TrainingResult, train_model

LEAST_GAIN = 0.1
"""Gains below it count as this much in the loss's ratios, so that they stay finite."""


@dataclass(frozen=True, kw_only=True)
class CircuitTuning(Recipe):
    """What the loss weighs, and for how long; a task's configuration adds its sizes.

    Parameters
    ----------
    hard_steps : int
        The last steps, with all other reads projected away and a falling learning rate.
    soft_decay : float
        The share of the learning rate that is gone at the end of the soft phase.
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

    Raises
    ------
    BadInput
        If an option has no meaning.
    """

    hard_steps: Positive = 1500
    soft_decay: Annotated[float, Field(ge=0, lt=1)] = 0.9
    target: float = 3.0
    bound: float = 0.5
    worst: float = 0.1
    previous: float = 0.3
    composition: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.hard_steps >= self.steps:
            raise BadInput(f"finetuning needs hard_steps < steps, not {self.hard_steps} and {self.steps}")


def tune(
    model: AttentionStack,
    task: str,
    config: CircuitTuning,
    sample: Sampler,
    bounds: Callable[[AttentionStack], CircuitBounds],
    project: Callable[[AttentionStack], None],
) -> TrainingResult[AttentionStack]:
    """Fine-tune a copy of a network so that a circuit certificate proves it.

    Parameters
    ----------
    model
        A trained network of at least two layers.
    task
        The task's name.
    config
        Weights and steps.
    sample
        Draws inputs with their labels.
    bounds
        The verifier's own bounds.
    project
        Takes away, in place, what the hard phase keeps at 0.

    Returns
    -------
    TrainingResult
        The tuned network in float32, its curves and metrics.
    """
    tuned = copy.deepcopy(model).float().requires_grad_(True)
    soft = config.steps - config.hard_steps
    generator = torch.Generator().manual_seed(config.seed)

    def penalty(step: int) -> Tensor:
        loss = bound_loss(bounds(tuned), config)
        loss = loss + config.previous * previous_token_loss(tuned, sample(generator, config.batch_size)[0])
        if step <= soft:
            loss = loss + config.composition * min(1.0, 1.5 * step / soft) * composition(tuned)
        return loss

    def after_step(step: int) -> None:
        if step >= soft:
            project(tuned)

    def rate(step: int) -> float:
        t, length, decay = (step, soft, config.soft_decay) if step <= soft else (step - soft, config.hard_steps, 0.9)
        return min(1.0, t / 50) * (1 - decay * t / length)

    schedule = Schedule(penalty=penalty, after_step=after_step, rate=rate, clip=5.0)
    finish = methodcaller("requires_grad_", False)
    return train_model(tuned, task, sample, config, schedule, description="fine-tuning", finish=finish)


def bound_loss(bounds: CircuitBounds, config: CircuitTuning) -> Tensor:
    """How far a certificate is from proving every case, in nats of slack."""
    slack, _ = bounds.log_slack(LEAST_GAIN)
    different = ~torch.eye(len(bounds.gain), dtype=torch.bool)
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


def row_space(W: Tensor) -> Tensor:
    """An orthonormal basis of the row space of a matrix of full rank [h, d], float64 [d, h]."""
    return torch.linalg.qr(W.mT.double()).Q


def take_out(W: Tensor, basis: Tensor) -> None:
    """Take a subspace with this orthonormal basis [d, r] out of the columns of a matrix [d, k], in place."""
    W.copy_(W.double() - basis @ (basis.mT @ W.double()))
