"""Rows: a maximum and some of the queries up to it, whose bounds are shared; and the classes of queries that are counted apart."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import torch
from torch import Tensor

from compact_proofs.length import address_table
from compact_proofs.tasks.max_of_k.paths import query_max_pairs


@dataclass(frozen=True)
class QueryClasses:
    """Queries that are counted together: of one row, and of one kind.

    Attributes
    ----------
    row : int64 [n]
    kind : int64 [n]
        m - q for the queries of the window and m itself, G + 1 for all smaller ones together.
    queries : int64 [n]
        How many queries belong to the class.
    """

    row: Tensor
    kind: Tensor
    queries: Tensor


class CountedRows(Protocol):
    """What counting asks of rows."""

    @property
    def m(self) -> Tensor:
        """int64 [rows]: the maximum of each row."""
        ...

    @property
    def d_vocab(self) -> int:
        """The number of tokens."""
        ...

    @property
    def group(self) -> Tensor:
        """int64 [rows]: which bounds of positional factors are those of each row."""
        ...

    def classes(self, G: int) -> QueryClasses:
        """The classes of the rows, for windows of G tokens."""
        ...


class GridRows(CountedRows, Protocol):
    """Rows of which every pair of a query and a maximum has one."""

    @property
    def of_pair(self) -> Tensor:
        """int64 [pairs]: the row of each pair (q, m) of `query_max_pairs`; any number where the maximum is not looked at."""
        ...


@dataclass(frozen=True)
class Rows:
    """The (group, m) for which some query of the group is at most m: what the queries' groups decide.

    Attributes
    ----------
    group, m : int64 [rows]
        Group and maximum of each row; the rows of a group are consecutive, by rising m.
    first : tuple of int
        The least query of each group (d_vocab for an empty group).
    group_of : int64 [v]
        The group of each query.
    """

    group: Tensor
    m: Tensor
    first: tuple[int, ...]
    group_of: Tensor

    @cached_property
    def of_pair(self) -> Tensor:
        """The row of each pair (q, m) of `query_max_pairs`, int64 [pairs]."""
        return self.number(*query_max_pairs(len(self.group_of), device=self.m.device))

    def number(self, q: Tensor, m: Tensor) -> Tensor:
        """The row of each query and maximum; one addition for each."""
        _, _, start = _rows(len(self.group_of), *self.first, device=self.m.device)
        return start[self.group_of[q]] + m

    @classmethod
    def of(cls, group_of: Tensor, groups: int, device: torch.device, least: int = 0) -> Rows:
        """List the rows that an assignment of queries to groups needs, for maxima from `least` on."""
        v = len(group_of)
        first = torch.full((groups,), v).scatter_reduce(0, group_of.cpu(), torch.arange(v), "amin")
        needed = tuple(max(query, least) for query in first.tolist())
        group, m, _ = _rows(v, *needed, device=device)
        return cls(group, m, needed, group_of.to(device))

    @property
    def d_vocab(self) -> int:
        return len(self.group_of)

    def classes(self, G: int) -> QueryClasses:
        """Each query near each maximum, then for each row the smaller ones together."""
        v, groups = len(self.group_of), len(self.first)
        device = self.group_of.device
        m, kind = near_queries(v, G, min(self.first), device=device)
        belongs = self.group_of == torch.arange(groups, device=device)[:, None]  # [groups, v]
        padded = torch.cat([torch.zeros(groups, 1, dtype=torch.int64, device=device), belongs.to(torch.int64)], 1)
        upto = padded.cumsum(1)  # [groups, n]: members below n
        far = upto[self.group, _beyond(v, G, device=device)[self.m]]
        row = torch.cat([self.number(m - kind, m), torch.arange(len(self.m), device=device)])
        return QueryClasses(row, torch.cat([kind, torch.full_like(far, G + 1)]), torch.cat([torch.ones_like(m), far]))


@address_table
def _rows(v: int, *first: int) -> tuple[Tensor, Tensor, Tensor]:
    """Group and maximum of each row (g, m), m >= first[g]; and for each group the offset with which row (g, m) is offset + m."""
    lengths = v - torch.tensor(first)
    offset = torch.cumsum(lengths, 0) - v
    group = torch.repeat_interleave(torch.arange(len(first)), lengths)
    return group, torch.arange(len(group)) - offset[group], offset


@address_table
def near_queries(v: int, G: int, least: int) -> tuple[Tensor, Tensor]:
    """m and m - q for every m >= least and q = m, m - 1, ..., m - G that is a token."""
    m, below = torch.cartesian_prod(torch.arange(least, v), torch.arange(G + 1)).T
    return m[below <= m], below[below <= m]


@address_table
def _beyond(v: int, G: int) -> Tensor:
    """For each m: how many tokens lie below m - G."""
    return (torch.arange(v) - G).clamp(min=0)
