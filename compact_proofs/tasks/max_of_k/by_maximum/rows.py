"""Rows: a maximum and some of the queries up to it, for each maximum by itself."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from compact_proofs.length import address_table
from compact_proofs.tasks.max_of_k.additive.rows import QueryClasses, near_queries
from compact_proofs.tasks.max_of_k.paths import pair_number


@dataclass(frozen=True)
class RowsByMaximum:
    """A partition of the pairs (q, m), m >= least, into rows of one maximum each.

    Attributes
    ----------
    m : int64 [rows]
        Rising.
    of_pair : int64 [v (v + 1) / 2]
        The row of each pair of `query_max_pairs`; 0 where m < least.
    least, d_vocab
        The smallest maximum that has rows, and the number of tokens.
    """

    m: Tensor
    of_pair: Tensor
    least: int
    d_vocab: int

    @classmethod
    def of(cls, further: Tensor, group_of: Tensor, v: int, least: int, device: torch.device) -> RowsByMaximum:
        """Read a hint, which is a partition whatever its numbers are.

        Parameters
        ----------
        further : int64 [n]
            Maxima that have one row more than the one of every maximum, as often as they stand here: least ... v - 1.
        group_of : int64 [pairs]
            For each pair with m >= least, its group among those of m, of which the remainder by their number is taken.

        Cost: sorting the rows, and two operations for each pair.
        """
        maxima, of_pair = torch.arange(least, v), maximum_of_pair(v, least)
        m = torch.sort(torch.cat([maxima, further.cpu()])).values
        ends = torch.searchsorted(m, maxima, right=True)
        first = torch.cat([torch.zeros(1, dtype=torch.int64), ends[:-1]])
        row = first[of_pair] + group_of.cpu() % (ends - first)[of_pair]
        below = torch.zeros(least * (least + 1) // 2, dtype=torch.int64)
        return cls(m.to(device), torch.cat([below, row]).to(device), least, v)

    @property
    def group(self) -> Tensor:
        """Every row has positional factors of its own."""
        return torch.arange(len(self.m), device=self.m.device)

    def classes(self, G: int) -> QueryClasses:
        """Each query near each maximum, then for each row the smaller ones together."""
        near, kind, far = _class_pairs(self.d_vocab, G, self.least, device=self.m.device)
        row = torch.cat([self.of_pair[near], self.group])
        smaller = torch.zeros_like(self.m).index_add(0, self.of_pair[far], torch.ones_like(far))
        return QueryClasses(row, torch.cat([kind, torch.full_like(smaller, G + 1)]), torch.cat([torch.ones_like(near), smaller]))


@dataclass(frozen=True)
class SomeRows:
    """Rows to try, which may share queries.

    Attributes
    ----------
    m : int64 [rows]
    members : bool [rows, v]
        Their queries.
    """

    m: Tensor
    members: Tensor

    @property
    def d_vocab(self) -> int:
        return self.members.shape[1]

    @property
    def group(self) -> Tensor:
        return torch.arange(len(self.m))

    def classes(self, G: int) -> QueryClasses:
        """For each row, every kind of query, with 0 queries where it has none."""
        n = len(self.m)
        query = self.m[:, None] - torch.arange(G + 1)
        near = self.members.gather(1, query.clamp(min=0)) & (query >= 0)
        far = (self.members & (torch.arange(self.d_vocab) < (self.m - G)[:, None])).sum(1, keepdim=True)
        kind = torch.arange(G + 2).expand(n, -1)
        return QueryClasses(
            self.group.repeat_interleave(G + 2), kind.flatten(), torch.cat([near.to(torch.int64), far], 1).flatten()
        )


@address_table
def maximum_of_pair(v: int, least: int) -> Tensor:
    """m - least for each pair (q, m) with m >= least, ordered by m, then q."""
    return torch.repeat_interleave(torch.arange(v - least), torch.arange(least, v) + 1)


@address_table
def _class_pairs(v: int, G: int, least: int) -> tuple[Tensor, Tensor, Tensor]:
    """Numbers of the pairs (m - k, m), k = 0 ... G; k; and numbers of the pairs with q < m - G. All for m >= least."""
    m, kind = near_queries(v, G, least)
    top, query = torch.tril_indices(v, v)
    far = ((query < top - G) & (top >= least)).nonzero().squeeze(1)
    return pair_number(m - kind, m), kind, far
