"""Fine-tuning for provability: the loss reads the verifier of the circuit certificate itself.

`circuit.circuit_bounds`, which proves, is differentiable (`compact_proofs.tasks.induction.circuit_tuning`). The hard phase keeps
W_Q2, W_V2 and W_U in the orthogonal complement of the row space of W_O1, so that what the first head writes is read by the second
head's keys alone (up to the rounding of the stored weights, which the proof accounts for). The result is another network:
`distance` measures how far it is from the first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from compact_proofs.models.attention_stack import AttentionStack
from compact_proofs.options import Positive
from compact_proofs.tasks.induction.circuit import circuit_bounds
from compact_proofs.tasks.induction.circuit_tuning import CircuitTuning, row_space, take_out, tune
from compact_proofs.tasks.induction.task import Induction
from compact_proofs.tasks.induction.training import TrainingConfig, uniform_inputs
from compact_proofs.train import TrainingResult, function_distance


@dataclass(frozen=True, kw_only=True)
class FinetuningConfig(TrainingConfig, CircuitTuning):
    """Options of `finetune`; the sizes are the model's, the rest is in `CircuitTuning`."""

    steps: Positive = 3000
    batch_size: Positive = 128
    hard_steps: Positive = 1500


def finetune(model: AttentionStack, config: FinetuningConfig) -> TrainingResult[AttentionStack]:
    """Fine-tune a copy of a model so that the circuit certificate proves it.

    Returns
    -------
    TrainingResult
        The tuned model in float32, its curves and metrics on uniform inputs.
    """
    return tune(model, Induction.name, config, uniform_inputs(config.n_ctx, config.d_vocab), circuit_bounds, project)


@torch.no_grad()
def project(model: AttentionStack) -> None:
    """Take the row space of W_O1 out of the columns of W_Q2, W_V2 and W_U, in place (in float64, then rounded)."""
    second, basis = model.head(1), row_space(model.head(0).W_O)
    for W in (second.W_Q, second.W_V, model.W_U):
        take_out(W, basis)


def config_for(model: AttentionStack, **options: Any) -> FinetuningConfig:
    """Make the options for a model: its sizes, and what is given."""
    s = model.config
    return FinetuningConfig(n_ctx=s.n_ctx, d_vocab=s.d_vocab, d_model=s.d_model, d_head=s.d_head, **options)


def distance(model: AttentionStack, tuned: AttentionStack, inputs: int = 2**14, seed: int = 0) -> float:
    """Root mean square difference of the centred logits on uniform inputs: how far the tuned function is from the first."""
    generator = torch.Generator().manual_seed(seed)
    tokens, _ = uniform_inputs(model.n_ctx, model.d_vocab)(generator, inputs)
    return function_distance(model, tuned, tokens)
