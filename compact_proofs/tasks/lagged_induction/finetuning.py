"""Fine-tuning for provability: the loss reads the verifier of the deep circuit certificate itself.

As for induction (`compact_proofs.tasks.induction.circuit_tuning`), with copying layers that write into orthogonal subspaces, in
which embeddings have no part: each subspace is read by the values of the next copying layer only, the last one by the last layer's
keys. What is left is rounding, which the proof accounts for. A network that found another way, such as to look two places back at
once, learns to copy twice on the way.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Tensor

from compact_proofs.models.attention_stack import AttentionStack
from compact_proofs.options import Positive
from compact_proofs.tasks.induction.circuit_tuning import CircuitTuning, row_space, take_out, tune
from compact_proofs.tasks.lagged_induction.deep_circuit import deep_bounds
from compact_proofs.tasks.lagged_induction.task import LaggedInduction
from compact_proofs.tasks.lagged_induction.training import TrainingConfig, uniform_inputs
from compact_proofs.train import TrainingResult, function_distance


@dataclass(frozen=True, kw_only=True)
class FinetuningConfig(TrainingConfig, CircuitTuning):
    """Options of `finetune`; the sizes are the network's, the rest is in `CircuitTuning`."""

    steps: Positive = 4000
    batch_size: Positive = 128
    hard_steps: Positive = 2500
    soft_decay: Annotated[float, Field(ge=0, lt=1)] = 0.0


def finetune(model: AttentionStack, config: FinetuningConfig) -> TrainingResult[AttentionStack]:
    """Fine-tune a copy of a network so that `DeepCircuit` proves it.

    Returns
    -------
    TrainingResult
        The tuned network in float32, its curves and metrics on uniform inputs.
    """
    return tune(model, LaggedInduction.name, config, uniform_inputs(config.task), deep_bounds, project)


@torch.no_grad()
def project(model: AttentionStack) -> None:
    """Give each copying layer a subspace of its own, which only the explained path reads, in place (float64, then rounded)."""
    last = len(model.blocks) - 1
    bases: list[Tensor] = []  # [d, h], of the row space of each W_O
    for layer in range(last):
        W_O = model.head(layer).W_O
        if bases:
            take_out(W_O.mT, torch.cat(bases, 1))
        bases.append(row_space(W_O))
    every = torch.cat(bases, 1)
    for written in (model.W_E, model.W_pos):
        take_out(written.mT, every)
    for layer in range(last):
        head = model.head(layer)
        for W in (head.W_Q, head.W_K):
            take_out(W, every)
        if layer == 0:
            take_out(head.W_V, every)
        else:
            before = bases[layer - 1]
            head.W_V.copy_(before @ (before.mT @ head.W_V.double()))
    head = model.head(last)
    for W in (head.W_Q, head.W_V, model.W_U):
        take_out(W, every)
    if last > 1:
        take_out(head.W_K, torch.cat(bases[:-1], 1))


def config_for(model: AttentionStack, **options: Any) -> FinetuningConfig:
    """Make the options for a network: its sizes, and what is given."""
    s = model.config
    return FinetuningConfig(n_ctx=s.n_ctx, d_vocab=s.d_vocab, d_model=s.d_model, d_head=s.d_head, n_layers=s.n_layers, **options)


def distance(model: AttentionStack, tuned: AttentionStack, inputs: int = 2**14, seed: int = 0) -> float:
    """Root mean square difference of the centred logits on uniform inputs: how far the tuned function is from the first."""
    tokens, _ = uniform_inputs(LaggedInduction.of(model))(torch.Generator().manual_seed(seed), inputs)
    return function_distance(model, tuned, tokens)
