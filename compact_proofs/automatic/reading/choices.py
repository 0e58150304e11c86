"""Choices between tensors of the program by truth values that no input changes: masks, and guards against what never happens."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from compact_proofs.automatic.reading.owners import structure
from compact_proofs.automatic.reading.values import Shares, constant, data_of, is_constant, is_value
from compact_proofs.enclosure import Enclosure, provably
from compact_proofs.enclosure.tensor import exact_number


def chosen(condition: Any, yes: Any, no: Any, shape: torch.Size) -> list[tuple[Any, Tensor | None]] | None:
    """`yes` where a condition holds, else `no`: values that add up to it, each with where it counts (bool), or None if everywhere.

    Elsewhere it is to be replaced by 0, not to be multiplied by it: a number may be infinite, as that of a mask of scores is.

    None if an input may change the condition, or if a number may be none (NaN).

    Cost: for constants two operations an entry.
    """
    holds = data_of(condition) if is_constant(condition) else None
    if holds is None or isinstance(holds, Enclosure) or holds.dtype != torch.bool:
        return None
    with structure():
        holds = holds.expand(shape)
        every, some = bool(holds.all()), bool(holds.any())
    if every or not some:
        taken = yes if every else no
        return [(taken, None)] if is_value(taken) and taken.shape == shape else None
    terms: list[tuple[Any, Tensor | None]] = []
    for x, own in ((yes, holds), (no, ~holds)):
        if is_value(x) and not is_constant(x):
            terms.append((x, own))
            continue
        kept = torch.where(own, data_of(x) if is_value(x) else exact_number(x), 0.0)
        if not bool(provably(kept == kept).all()):
            return None
        if not bool(provably(kept == 0).all()):
            terms.append((constant(kept), None))
    return terms


def shares_times(x: Shares, factor: Tensor | float) -> Shares | None:
    """Shares times constants that broadcast to their shape; None if the product has another shape.

    Cost: one multiplication for each constant of shares that have some already.
    """
    constants = torch.tensor(exact_number(factor), dtype=torch.float64) if isinstance(factor, (int, float)) else factor
    if torch.broadcast_shapes(constants.shape, x.shape) != x.shape:
        return None
    wide = constants.expand(x.shape)
    return replace(x, factor=wide if x.factor is None else x.factor * wide)


def constant_like(target: Any, args: tuple[Any, ...], kwargs: dict[str, Any], shape: torch.Size) -> Tensor:
    """What ``zeros_like``, ``ones_like`` or ``full_like`` make of any tensor of a shape."""
    found: Tensor = target(torch.zeros(shape, dtype=torch.float64), *args[1:], **kwargs)
    return found.double() if found.is_floating_point() else found
