"""The published training recipe for Max-of-K, at any size and seed.

The one-layer attention-only transformer, every weight from N(0, (0.8 / sqrt(d_model))^2); AdamW at a constant
learning rate of 1e-3, betas (0.9, 0.999), weight decay 0.01; 3000 batches of 128 i.i.d. uniform sequences;
cross-entropy of the largest token at the last position.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from compact_proofs.errors import BadInput
from compact_proofs.models.attention_only import AttentionOnlyConfig, AttentionOnlyTransformer
from compact_proofs.tasks.max_of_k.task import MaxOfK
from compact_proofs.train import Recipe, Sampler, Schedule, TrainingResult, normal_weights, train_model, uniform_tokens

INIT_SCALE = 0.8
"""The weights start with the standard deviation INIT_SCALE / sqrt(d_model)."""


@dataclass(frozen=True, kw_only=True)
class TrainingConfig(Recipe):
    """The sizes of a Max-of-K model with the recipe; what is not given is as published.

    Parameters
    ----------
    n_ctx : int
        K, the length of a sequence.
    d_vocab : int
        v; tokens are 0 .. v-1.
    d_model : int
        d, the width of the residual stream and of the head.

    The rest, among it `seed` and `steps`, is in `compact_proofs.train.Recipe`.

    Raises
    ------
    BadInput
        If an option has no meaning.
    """

    n_ctx: int = 4
    d_vocab: int = 64
    d_model: int = 32

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.d_vocab < 2:
            raise BadInput(f"d_vocab = {self.d_vocab}: Max-of-K needs at least 2 tokens")
        _ = self.sizes  # rejects the other sizes

    @property
    def sizes(self) -> AttentionOnlyConfig:
        """The sizes of the model; the head is as wide as the residual stream."""
        return AttentionOnlyConfig(self.d_vocab, self.n_ctx, self.d_model, self.d_model)


def uniform_sequences(n_ctx: int, d_vocab: int) -> Sampler:
    """Sample i.i.d. uniform sequences, int64 [n, n_ctx], with their largest tokens, int64 [n]."""
    return uniform_tokens(n_ctx, d_vocab, lambda tokens: tokens.amax(-1))


def initial_model(config: TrainingConfig) -> AttentionOnlyTransformer:
    """Make the untrained float32 model of the seed; parameters are drawn in the order of their definition."""
    scale = INIT_SCALE / math.sqrt(config.d_model)
    return normal_weights(AttentionOnlyTransformer(config.sizes), config.seed, lambda name, weight: scale)


def train(config: TrainingConfig) -> TrainingResult[AttentionOnlyTransformer]:
    """Train a Max-of-K model.

    Parameters
    ----------
    config : TrainingConfig
        ``TrainingConfig(n_ctx=4, seed=0)`` is the published recipe.

    Returns
    -------
    TrainingResult
        ``.model`` has the weights of the last step; ``.save(path)`` writes the model with its metadata and curves.

    Raises
    ------
    BadInput
        If the training diverges.
    """
    return train_model(
        initial_model(config),
        MaxOfK.name,
        uniform_sequences(config.n_ctx, config.d_vocab),
        config,
        Schedule(window=10),
        description=f"max-of-{config.n_ctx}, {config.d_vocab} tokens, seed {config.seed}",
    )
