"""Training recipe for induction models, at any size and seed.

An attention-only transformer of two layers, every weight from N(0, 1 / fan-in); AdamW at a constant learning rate of 3e-3, betas
(0.9, 0.98), weight decay 1e-4; 6000 batches of 256 uniform inputs; cross-entropy at the last position.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from compact_proofs.models.attention_stack import AttentionStack, AttentionStackConfig
from compact_proofs.options import Positive, Rate
from compact_proofs.tasks.induction.task import Induction
from compact_proofs.tasks.model_task import ModelTask
from compact_proofs.train import Recipe, Sampler, TrainingResult, normal_weights, train_model


@dataclass(frozen=True, kw_only=True)
class TrainingConfig(Recipe):
    """The sizes of an induction model with the recipe.

    Parameters
    ----------
    n_ctx : int
        n, the length of a sequence.
    d_vocab : int
        D; tokens are 0 .. D-1.
    d_model : int
        d, the width of the residual stream.
    d_head : int
        h, the width of each head.

    The rest, among it `seed` and `steps`, is in `compact_proofs.train.Recipe`.

    Raises
    ------
    BadInput
        If an option has no meaning.
    """

    n_ctx: int = 6
    d_vocab: int = 16
    d_model: int = 32
    d_head: int = 16
    steps: Positive = 6000
    batch_size: Positive = 256
    learning_rate: Rate = 3e-3
    betas: tuple[float, float] = (0.9, 0.98)
    weight_decay: float = 1e-4
    evaluation_samples: Positive = 2**17

    def __post_init__(self) -> None:
        super().__post_init__()
        _ = self.sizes, self.task  # each rejects what it cannot be

    @property
    def sizes(self) -> AttentionStackConfig:
        """The sizes of the model."""
        return AttentionStackConfig(self.d_vocab, self.n_ctx, self.d_model, self.d_head, n_layers=2)

    @property
    def task(self) -> ModelTask:
        """The task."""
        return Induction(self.d_vocab, self.n_ctx)


def uniform_inputs(n_ctx: int, d_vocab: int, lag: int = 1) -> Sampler:
    """Sample uniform inputs, int64 [k, n_ctx], with their labels, int64 [k]: what stands `lag` places after the query."""

    def sample(generator: torch.Generator, k: int) -> tuple[Tensor, Tensor]:
        distinct = torch.rand(k, d_vocab, generator=generator).argsort(1)[:, : n_ctx - 1]
        i = torch.randint(0, n_ctx - 1 - lag, (k, 1), generator=generator)
        return torch.cat([distinct, distinct.gather(1, i)], 1), distinct.gather(1, i + lag).squeeze(1)

    return sample


def initial_model(config: TrainingConfig) -> AttentionStack:
    """Make the untrained float32 model of the seed; parameters are drawn in the order of their definition."""
    return normal_weights(AttentionStack(config.sizes), config.seed, lambda name, weight: 1 / math.sqrt(weight.shape[0]))


def train(config: TrainingConfig) -> TrainingResult[AttentionStack]:
    """Train an induction model.

    Parameters
    ----------
    config : TrainingConfig
        ``TrainingConfig(n_ctx=6, seed=0)`` is the recipe's smallest model.

    Raises
    ------
    BadInput
        If the training diverges.
    """
    return train_model(
        initial_model(config),
        Induction.name,
        uniform_inputs(config.n_ctx, config.d_vocab),
        config,
        description=f"induction, {config.n_ctx} places, {config.d_vocab} tokens, seed {config.seed}",
    )
