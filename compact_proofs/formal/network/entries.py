"""Tensors as functions from places to entries, and what only moves entries about."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor
from torch.fx import Node

from compact_proofs.formal.network.language import Index, Scalar, fixed, quotient, remainder, scaled, shifted
from compact_proofs.program.simplify import name_of

Places = list[Index]


@dataclass(frozen=True)
class Entries:
    """A tensor of real numbers that is not written down yet.

    Attributes
    ----------
    shape
        Its dimensions.
    at
        Its entry at places, one for each axis, where `depth` axes are in use.
    masked
        Of attention scores: where they count; elsewhere they are minus infinity.
    """

    shape: tuple[int, ...]
    at: Callable[[Places, int], Scalar]
    masked: Tensor | None = None

    @property
    def size(self) -> int:
        """Number of entries."""
        return math.prod(self.shape)


@dataclass(frozen=True)
class Tokens:
    """A tensor of integers that are tokens of the input, moved about, or other indices.

    Attributes
    ----------
    shape
        Its dimensions.
    at
        Its entry at places.
    """

    shape: tuple[int, ...]
    at: Callable[[Places], Index]


Value = Entries | Tokens


def moved(value: Value, shape: Sequence[int], places: Callable[[Places], Places]) -> Value:
    """The tensor whose entry at p is the entry of `value` at ``places(p)``."""
    if isinstance(value, Tokens):
        return Tokens(tuple(shape), lambda p: value.at(places(p)))
    return replace(value, shape=tuple(shape), at=lambda p, depth: value.at(places(p), depth))


def broadcast(value: Value, shape: Sequence[int]) -> Value:
    """Repeat along leading axes and axes of size 1."""
    lead, own = len(shape) - len(value.shape), value.shape
    if tuple(shape) == own:
        return value
    return moved(value, shape, lambda p: [fixed(0) if n == 1 else i for n, i in zip(own, p[lead:], strict=True)])


def reshaped(source: Sequence[int], target: Sequence[int]) -> Callable[[Places], Places]:
    """Places of the source from places of the target, where both have their entries in the same order.

    Runs of axes of equal size are matched; in a run, the entry's number is written from the target's places, and split.
    """
    old_axes = [k for k, n in enumerate(source) if n != 1]
    new_axes = [k for k, n in enumerate(target) if n != 1]
    runs, i, j = [], 0, 0
    while i < len(old_axes) or j < len(new_axes):
        first_i, first_j = i, j
        i, j = i + 1, j + 1
        while (a := math.prod(source[k] for k in old_axes[first_i:i])) != (b := math.prod(target[k] for k in new_axes[first_j:j])):
            i, j = (i + 1, j) if a < b else (i, j + 1)
        runs.append((old_axes[first_i:i], new_axes[first_j:j]))

    def places(p: Places) -> Places:
        found: Places = [fixed(0)] * len(source)
        for old, new in runs:
            if len(old) == len(new) == 1:
                found[old[0]] = p[new[0]]
                continue
            entry, stride = fixed(0), 1
            for k in reversed(new):
                entry, stride = shifted(scaled(p[k], stride), entry), stride * target[k]
            for k in old:
                stride //= source[k]
                part = quotient(entry, stride)
                found[k] = part if k == old[0] else remainder(part, source[k])
        return found

    return places


def move(node: Node, value: Value) -> Value:
    """What an operation of `MOVES` makes of its first argument."""
    shape, args = tuple(node.meta["val"].shape), node.args[1:]
    return moved(value, shape, _MOVES[name_of(node)](value.shape, shape, *args))


def _transpose(source: Sequence[int], target: Sequence[int], a: int, b: int) -> Callable[[Places], Places]:
    order = list(range(len(source)))
    order[a], order[b] = order[b], order[a]
    return lambda p: [p[k] for k in order]


def _permute(source: Sequence[int], target: Sequence[int], order: Sequence[int]) -> Callable[[Places], Places]:
    places = [d % len(source) for d in order]
    return lambda p: [p[places.index(d)] for d in range(len(source))]


def _select(source: Sequence[int], target: Sequence[int], dim: int, number: int) -> Callable[[Places], Places]:
    dim, number = dim % len(source), number % source[dim]
    return lambda p: [*p[:dim], fixed(number), *p[dim:]]


def _slice(
    source: Sequence[int], target: Sequence[int], dim: int = 0, start: int | None = None, end: Any = None, step: int = 1
) -> Callable[[Places], Places]:
    dim = dim % len(source)
    first, _, _ = slice(start, None, step).indices(source[dim])
    return lambda p: [*p[:dim], shifted(fixed(first), scaled(p[dim], step)), *p[dim + 1 :]]


def _expand(source: Sequence[int], target: Sequence[int], *given: Any) -> Callable[[Places], Places]:
    lead = len(target) - len(source)
    return lambda p: [fixed(0) if n == 1 else i for n, i in zip(source, p[lead:], strict=True)]


_MOVES: dict[str, Callable[..., Callable[[Places], Places]]] = {
    **dict.fromkeys(
        ("view", "_unsafe_view", "reshape", "unsqueeze", "squeeze"), lambda source, target, *given: reshaped(source, target)
    ),
    **dict.fromkeys(("_to_copy", "clone", "detach", "alias"), lambda source, target, *given: lambda p: p),
    "t": lambda source, target: lambda p: p[::-1],
    "transpose": _transpose,
    "permute": _permute,
    "select": _select,
    "slice": _slice,
    "expand": _expand,
}

MOVES = frozenset(_MOVES)
"""Operations that only move entries about."""
