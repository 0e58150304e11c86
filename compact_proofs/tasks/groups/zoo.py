"""The group models of the zoo: the published recipe, stopped when the linear-cost verifier proves every pair.

The published 10 to 50 thousand epochs are cut: accuracy, margins and circuits do not change after the first thousand or two.
"""

from __future__ import annotations

from functools import partial

from compact_proofs.tasks.groups.training import TrainingConfig, train

RECIPES: dict[str, TrainingConfig] = {
    **{f"s4-seed-{seed}": TrainingConfig(group="S4", seed=seed) for seed in range(4)},
    **{
        f"a5-seed-{seed}": TrainingConfig(group="A5", d_embed=256, width=256, share=0.6, weight_decay=1e-4, seed=seed)
        for seed in range(2)
    },
    **{
        f"s5-seed-{seed}": TrainingConfig(group="S5", d_embed=128, width=128, share=0.4, steps=3000, seed=seed) for seed in range(4)
    },
    "c31-seed-0": TrainingConfig(group="C31", width=128),
    "d12-seed-0": TrainingConfig(group="D12", steps=5000),
    "c2xc2xs3-seed-0": TrainingConfig(group="C2xC2xS3", steps=4000),
}

ZOO = {name: partial(train, config) for name, config in RECIPES.items()}
