"""The cases (q, i, a) of the task and the places and tokens that are free in them: index tables from sizes alone."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from compact_proofs.length import address_table


class Answers(NamedTuple):
    """All (query, answer), in lexicographic order: D (D - 1) rows.

    Attributes
    ----------
    q, a : int64 [rows]
        Query and answer, q != a.
    free : int64 [rows, D - 2]
        The tokens other than q and a, ascending.
    """

    q: Tensor
    a: Tensor
    free: Tensor

    def __getitem__(self, rows: slice | Tensor) -> Answers:  # type: ignore[override]
        return Answers(self.q[rows], self.a[rows], self.free[rows])


@address_table
def answers(D: int) -> Answers:
    """Number the pairs (query, answer)."""
    q, j = torch.arange(D * (D - 1)) // (D - 1), torch.arange(D * (D - 1)) % (D - 1)
    a = j + (j >= q)
    token = torch.arange(D).expand(len(q), D)
    return Answers(q, a, token[(token != q[:, None]) & (token != a[:, None])].reshape(-1, D - 2))


@address_table
def answer_number(D: int) -> Tensor:
    """The row of (q, a) in `answers`, int64 [D, D] (D (D - 1), one past the last, for q = a)."""
    q, a, _ = answers(D)
    number = torch.full((D, D), len(q))
    number[q, a] = torch.arange(len(q))
    return number


@address_table
def place_among_free(D: int) -> Tensor:
    """The place of token t in ``answers(D).free``, int64 [rows, D] (0 where t is not free)."""
    _, _, free = answers(D)
    return torch.zeros(len(free), D, dtype=torch.int64).scatter(1, free, torch.arange(D - 2).expand(len(free), D - 2))


def free_places(n: int, i: int) -> list[int]:
    """The places whose tokens are not known in a case: all but i, i + 1 and n - 1."""
    return [m for m in range(n - 1) if m not in (i, i + 1)]


@address_table
def all_different(D: int, axes: int) -> Tensor:
    """bool [D - 2] * axes: are the free tokens of these numbers all different?"""
    tokens = torch.meshgrid(*[torch.arange(D - 2)] * axes, indexing="ij") if axes else ()
    different = torch.ones((D - 2,) * axes, dtype=torch.bool)
    for x in range(axes):
        for y in range(x):
            different &= tokens[x] != tokens[y]
    return different
