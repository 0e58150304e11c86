"""Options of `Dictionary` for a model: to compare kinds, to search among, to test with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from torch import nn

from compact_proofs.dictionaries.strategy import Dictionary, shape_of
from compact_proofs.errors import BadInput
from compact_proofs.inputs.task import Task
from compact_proofs.models.component import Component

LINEAR = ("pca", "metric-pca", "fourier", "random")
TRAINED = ("topk-bound", "topk-mse", "l1-bound", "l1-mse")
NAMES = ("tokens", *LINEAR, *TRAINED)
"""What a dictionary may be called; autoencoders with what they are trained for."""


def named_dictionary(
    name: str,
    component: Component,
    features: int | None = None,
    active: int | None = None,
    options: Mapping[str, Any] | None = None,
) -> Dictionary:
    """The strategy with a dictionary of some name, of the usual sizes unless told otherwise.

    Linear dictionaries have 16 features, all in every code; autoencoders 64, 16 of them in a code; of `tokens` each is one.

    Raises
    ------
    BadInput
        For an unknown name or option, and sizes of tokens, which the model decides.
    """
    given: dict[str, Any] = dict(options or {})
    if name not in NAMES:
        raise BadInput(f"there is no dictionary {name!r}; there are {', '.join(NAMES)}")
    if name == "tokens":
        together = 1 if given.get("codes") == "tokens" else len(component.tables)
        given |= {"found": name, "features": component.tokens()[1], "active": together}
    elif name in TRAINED:
        found, objective = name.split("-")
        given |= {"found": found, "objective": objective, "features": features or 64, "active": active or min(16, features or 64)}
    else:
        given |= {"found": name, "features": features or 16, "active": active or features or 16}
    strategy = Dictionary.from_options(given)
    assert isinstance(strategy, Dictionary)
    return strategy


def dictionary_candidates(model: nn.Module, task: Task) -> Sequence[Dictionary]:
    """What a search tries: features of tokens in various numbers, with groups of neurons, shortest proofs first."""
    c = shape_of(model, task)
    if len(c.tables) < 2:
        return [Dictionary(features=L, active=L) for L in (16, 24)]
    base = Dictionary(codes="tokens", linear="features", groups=4)
    return [replace(base, features=L, active=L, rank=rank) for L, rank in ((16, 3), (16, 4), (24, 4), (32, 6))]


def dictionary_variants(model: nn.Module, additive: bool = True) -> Sequence[Dictionary]:
    """Options that matter at the size of a specimen, one for each model; `additive`: whether tokens add to its activations."""
    options = [
        Dictionary("metric-pca", 4, 4, rank=2, metric=3),
        Dictionary("tokens", 28, 2, groups=2, rank=3, metric=2, drop=0.2),
        Dictionary("pca", 6, 3, groups=3, rank=1, metric=4, drop=0.5, linear="features"),
        Dictionary("tokens", 28, 1, codes="tokens", groups=2, rank=4, metric=0, linear="features"),
        Dictionary("fourier", 4, 4, codes="tokens", rank=12, metric=8),
        Dictionary("random", 8, 2, groups=2, rank=0, metric=1, drop=0.9),
        Dictionary("topk", 8, 4, rank=12, steps=3),
        Dictionary("l1", 6, 6, groups=2, rank=3, steps=3, objective="mse", refit=True),
    ]
    if not additive:
        options = [s for s in options if s.codes == "inputs" and s.found not in ("tokens", "fourier")]
    size = sum(p.numel() for p in model.parameters())
    return [options[(size + size // len(options)) % len(options)]]
