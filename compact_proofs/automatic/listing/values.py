"""What `listing` knows of a tensor of the program before any input is given: tables over tokens, or a step for each input."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import torch
from torch import Tensor

from compact_proofs.automatic.reading.owners import structure


@dataclass(frozen=True)
class Table:
    """Entries that depend on the token at one position each.

    Attributes
    ----------
    data : [v, *shape]
        ``data[t, e]`` is entry e where the position ``owner[e]`` holds t.
    owner : int64 [*shape]
        -1 for entries that depend on none.
    """

    data: Tensor
    owner: Tensor


@dataclass(frozen=True)
class Softmaxes:
    """Softmaxes of scores of pairs, as tables: share s is ``w_s / D``, D the sum of w over all shares of its softmax.

    Attributes
    ----------
    weights : [v, v, S]
        ``weights[u, t, s]`` > 0, or 0 where a mask leaves the share out: where the softmax's own position holds u, and the position
        that the share is about holds t.
    first : int64 [S]
        The softmax's own position, the same for all shares of one.
    second : int64 [S]
        The position that each share is about.
    group : int64 [S]
        The softmax that each share is of, from 0.
    """

    weights: Tensor
    first: Tensor
    second: Tensor
    group: Tensor


@dataclass(frozen=True)
class Shares:
    """Entries of softmaxes.

    Attributes
    ----------
    of
        The softmaxes.
    entry : int64 [*shape]
        Which share each entry is.
    """

    of: Softmaxes
    entry: Tensor

    @property
    def shape(self) -> torch.Size:
        """The shape of the value for one input."""
        return self.entry.shape


@dataclass(frozen=True)
class Weighted:
    """A sum of shares times tables.

    Attributes
    ----------
    source
        Where shares come from: a `Dense` value, or softmaxes; None where a share is its factor alone.
    entry : int64 [S]
        Which entry of the source, in row-major order, each share is.
    owner : int64 [S]
        The position whose token each share's table reads. For softmaxes it is the share's first or second.
    tables : [v, S, *shape]
        ``tables[t, s, e]`` is what share s is multiplied by for entry e.
    used : bool [S, *shape]
        For which entries each share counts; elsewhere its table is 0.
    factor, by : int64 [S]
        If given, share s is multiplied by entry ``by[s]`` of a `Dense` value; a source of None must have a factor, and a `Dense`
        source none.
    """

    source: Dense | Softmaxes | None
    entry: Tensor
    owner: Tensor
    tables: Tensor
    used: Tensor
    factor: Dense | None = None
    by: Tensor | None = None

    def read_as(self, tables: Tensor, used: Tensor) -> Weighted:
        """The same shares times other tables."""
        return replace(self, tables=tables, used=used).needed()

    def needed(self) -> Weighted:
        """Without shares that count for no entry."""
        with structure():
            some = self.used.flatten(1).any(1)
            if bool(some.all()):
                return self
            kept = some.nonzero()[:, 0]
            by = None if self.by is None else self.by[kept]
        tables = self.tables[:, kept.to(self.tables.device)]
        return Weighted(self.source, self.entry[kept], self.owner[kept], tables, self.used[kept], self.factor, by)


@dataclass(frozen=True)
class Affine:
    """``sum of tables + sum of weighted tables``."""

    tables: tuple[Table, ...]
    weighted: tuple[Weighted, ...] = ()


@dataclass(frozen=True)
class Pair:
    """Entries that depend on the tokens at two positions each: ``data[u, t, e]``, u at ``first[e]`` and t at ``second[e]``."""

    data: Tensor
    first: Tensor
    second: Tensor


@dataclass(frozen=True)
class Dense:
    """A value of each input, computed in a step of the run.

    Attributes
    ----------
    step
        The number of the step.
    shape
        Of the value for one input.
    on
        The positions whose tokens it depends on: inputs that agree there share it.
    zeros
        Is it known to be >= 0, and likely to be 0 in many entries?
    """

    step: int
    shape: torch.Size
    on: frozenset[int]
    zeros: bool = False


@dataclass(frozen=True)
class View:
    """Entries of a `Dense` value in other places: entry e is number ``index[e]`` of the value, in row-major order."""

    x: Dense
    index: Tensor

    @property
    def shape(self) -> torch.Size:
        """The shape of the value for one input."""
        return self.index.shape


@dataclass(frozen=True)
class Mapped:
    """Entries of a product x W, plus constants.

    Attributes
    ----------
    x
        [B, K, d].
    W : [B, d, E]
        A constant.
    entry : int64 [*shape]
        Which entry of the product [B, K, E] each entry is, in row-major order.
    constant, place : int64 [*shape], optional
        ``constant[place[e]]`` is added to entry e.
    """

    x: View
    W: Tensor
    entry: Tensor
    constant: Tensor | None = None
    place: Tensor | None = None

    @property
    def shape(self) -> torch.Size:
        """The shape of the value for one input."""
        return self.entry.shape

    @property
    def parts(self) -> tuple[Tensor, Tensor, Tensor]:
        """For each entry, its batch b, its row of x, numbered through all batches, and its column e of W."""
        (_, K, _), E = self.x.shape, self.W.shape[2]
        return self.entry // (K * E), self.entry // E, self.entry % E


Value: TypeAlias = Tensor | Affine | Pair | Shares | View | Mapped | Dense
Reader: TypeAlias = Callable[[Dense], Tensor]
Step: TypeAlias = Callable[[Tensor, Reader], Tensor]
"""From inputs [L, n], and a function that gives the values [L, ...] of earlier steps, to values [L, *shape]."""


def moves(x: Any) -> bool:
    """Does a value depend on the input?"""
    return isinstance(x, (Affine, Pair, Shares, View, Mapped, Dense))


def shape_of(x: Any) -> torch.Size:
    """The shape of a value for one input."""
    if isinstance(x, Affine):
        return x.tables[0].data.shape[1:] if x.tables else x.weighted[0].tables.shape[2:]
    if isinstance(x, Pair):
        return x.data.shape[2:]
    return x.shape


def positions_of(x: Any) -> frozenset[int]:
    """The positions whose tokens a value depends on."""
    with structure():
        if isinstance(x, Pair):
            return _places(x.first, x.second)
        if isinstance(x, Shares):
            return _places(x.of.first, x.of.second)
        if not isinstance(x, Affine):
            return frozenset()
        found = _places(*(t.owner for t in x.tables), *(w.owner for w in x.weighted))
        for w in x.weighted:
            if isinstance(w.source, Softmaxes):
                found |= _places(w.source.first, w.source.second)
            found |= frozenset[int]().union(*(d.on for d in (w.source, w.factor) if isinstance(d, Dense)))
        return found


def _places(*owners: Tensor) -> frozenset[int]:
    return frozenset(i for o in owners for i in o.unique().tolist() if i >= 0)


def first_of(result: Any) -> Any:
    """The first of several results."""
    return result[0] if isinstance(result, (tuple, list)) else result
