"""The induction models of the zoo, as trained and tuned for provability.

A name says the length of the sequences, the number of tokens if it is not 16, the seed if there are several, and whether the model
is tuned.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from compact_proofs.models.attention_stack import AttentionStack
from compact_proofs.tasks.induction.finetuning import config_for, finetune
from compact_proofs.tasks.induction.training import TrainingConfig, train
from compact_proofs.train import TrainingResult

RECIPES: dict[str, TrainingConfig] = {
    **{f"induction-6-seed-{seed}": TrainingConfig(n_ctx=6, seed=seed) for seed in (0, 1, 2)},
    "induction-8-seed-0": TrainingConfig(n_ctx=8),
    "induction-12-v32-seed-0": TrainingConfig(n_ctx=12, d_vocab=32, d_model=64, d_head=32, learning_rate=1e-3, steps=10000),
    "induction-16-v32-seed-0": TrainingConfig(n_ctx=16, d_vocab=32, d_model=64, d_head=32),
    "induction-32-v64-seed-0": TrainingConfig(n_ctx=32, d_vocab=64, d_model=128, d_head=64, learning_rate=1e-3, steps=4000),
}
ONLY_TUNED = ("induction-32-v64-seed-0",)
"""Models whose untuned weights no proof of ours reaches."""


def tune(config: TrainingConfig) -> TrainingResult[AttentionStack]:
    """Train a model, and tune it."""
    model = train(config).model
    return finetune(model, config_for(model))


ZOO: dict[str, Callable[[], TrainingResult[AttentionStack]]] = {
    **{name: partial(train, config) for name, config in RECIPES.items() if name not in ONLY_TUNED},
    **{f"{name}-tuned": partial(tune, config) for name, config in RECIPES.items()},
}
