"""The Max-of-K models of the zoo: the published recipe at d_model = 32.

A name says the length of the sequences, the number of tokens if it is not 64, and the seed.
"""

from __future__ import annotations

from functools import partial

from compact_proofs.tasks.max_of_k.training import TrainingConfig, train

RECIPES: dict[str, TrainingConfig] = {
    **{f"max-of-4-seed-{seed}": TrainingConfig(n_ctx=4, seed=seed) for seed in (50, 104, 123, 500, 999)},
    **{f"max-of-5-seed-{seed}": TrainingConfig(n_ctx=5, seed=seed) for seed in (0, 1)},
    **{f"max-of-10-seed-{seed}": TrainingConfig(n_ctx=10, seed=seed) for seed in (0, 1)},
    "max-of-10-v128-seed-0": TrainingConfig(n_ctx=10, d_vocab=128, seed=0),
    "max-of-20-seed-0": TrainingConfig(n_ctx=20, seed=0),
}

ZOO = {name: partial(train, config) for name, config in RECIPES.items()}
