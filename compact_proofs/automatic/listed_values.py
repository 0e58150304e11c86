"""What `listing` knows of a tensor of the program before any input is given: tables over tokens, or a step for each input."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from torch import Tensor

from compact_proofs.automatic.owners import structure


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
class Weighted:
    """A sum of shares times tables.

    Attributes
    ----------
    shares
        A `Dense` value; its entries are numbered in row-major order.
    owner : int64 [S]
        The position whose token each share's table reads.
    tables : [v, S, *shape]
        ``tables[t, s, e]`` is what share s is multiplied by for entry e.
    used : bool [S, *shape]
        For which entries each share counts; elsewhere its table is 0.
    """

    shares: Dense
    owner: Tensor
    tables: Tensor
    used: Tensor


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
    """

    step: int
    shape: torch.Size
    on: frozenset[int]


Value: TypeAlias = Tensor | Affine | Pair | Dense
Reader: TypeAlias = Callable[[Dense], Tensor]
Step: TypeAlias = Callable[[Tensor, Reader], Tensor]
"""From inputs [L, n], and a function that gives the values [L, ...] of earlier steps, to values [L, *shape]."""


def moves(x: Any) -> bool:
    """Does a value depend on the input?"""
    return isinstance(x, (Affine, Pair, Dense))


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
        if isinstance(x, Affine):
            owners = [t.owner for t in x.tables] + [w.owner for w in x.weighted]
            shares = [w.shares.on for w in x.weighted]
        else:
            owners, shares = [x.first, x.second] if isinstance(x, Pair) else [], []
        return frozenset(i for o in owners for i in o.unique().tolist() if i >= 0).union(*shares)


def first_of(result: Any) -> Any:
    """The first of several results."""
    return result[0] if isinstance(result, (tuple, list)) else result
