"""The modular addition models of the zoo.

A name says p, the architecture and the seed of the training. What ends in ``projected`` was projected and written canonically; what
ends in ``tuned`` was also trained on in between; what ends in ``transplanted`` has new embeddings for another p. Each of these is
another network than the raw one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from compact_proofs import zoo
from compact_proofs.tasks.modular_addition.training import TrainingConfig, train
from compact_proofs.tasks.modular_addition.transplanting import transplant
from compact_proofs.tasks.modular_addition.tuning import config_for, tune
from compact_proofs.train import TrainingResult

RECIPES: dict[str, TrainingConfig] = {
    **{f"mod-59-attn-seed-{seed}": TrainingConfig(p=59, architecture="attn", seed=seed) for seed in (0, 1, 2)},
    **{f"mod-59-mlp-seed-{seed}": TrainingConfig(p=59, architecture="mlp", seed=seed) for seed in (0, 1)},
    "mod-113-attn-seed-0": TrainingConfig(p=113, architecture="attn", seed=0),
}


def _tuned(raw: str, train: bool) -> TrainingResult[Any]:
    """A projected form of a model that is in the zoo already."""
    model = zoo.load(raw)
    return tune(model, config_for(model, train=train))


def _transplanted(source: str, p: int) -> TrainingResult[Any]:
    return transplant(zoo.load(source), p)


ZOO: Mapping[str, Callable[[], TrainingResult[Any]]] = {
    **{name: partial(train, config) for name, config in RECIPES.items()},
    "mod-59-attn-seed-0-projected": partial(_tuned, "mod-59-attn-seed-0", train=False),
    "mod-59-attn-seed-1-tuned": partial(_tuned, "mod-59-attn-seed-1", train=True),
    "mod-59-mlp-seed-0-tuned": partial(_tuned, "mod-59-mlp-seed-0", train=True),
    "mod-113-attn-seed-0-tuned": partial(_tuned, "mod-113-attn-seed-0", train=True),
    "mod-211-mlp-transplanted": partial(_transplanted, "mod-59-mlp-seed-0-tuned", 211),
}
