"""The group models of the zoo: the published recipe, stopped when the linear-cost verifier proves every pair.

The published 10 to 50 thousand epochs are cut: accuracy, margins and circuits do not change after the first thousand or two.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from compact_proofs.models.pair_mlp import PairMLP
from compact_proofs.tasks.groups.training import TrainingConfig, train
from compact_proofs.train import TrainingResult

RECIPES: dict[str, Callable[[], TrainingConfig]] = {
    **{f"s4-seed-{seed}": partial(TrainingConfig, group="S4", seed=seed) for seed in range(4)},
    **{
        f"a5-seed-{seed}": partial(TrainingConfig, group="A5", d_embed=256, width=256, share=0.6, weight_decay=1e-4, seed=seed)
        for seed in range(2)
    },
    **{
        f"s5-seed-{seed}": partial(TrainingConfig, group="S5", d_embed=128, width=128, share=0.4, steps=3000, seed=seed)
        for seed in range(4)
    },
    "c31-seed-0": partial(TrainingConfig, group="C31", width=128),
    **{f"d{n}-seed-0": partial(TrainingConfig, group=f"D{n}", steps=4000) for n in (6, 8, 16)},
    "d12-seed-0": partial(TrainingConfig, group="D12", steps=5000),
    "c2xc2xs3-seed-0": partial(TrainingConfig, group="C2xC2xS3", steps=4000),
}
"""By name, and made when they are asked for: each makes its group, which takes a while for S5."""


def _train(recipe: Callable[[], TrainingConfig]) -> TrainingResult[PairMLP]:
    return train(recipe())


ZOO = {name: partial(_train, recipe) for name, recipe in RECIPES.items()}
