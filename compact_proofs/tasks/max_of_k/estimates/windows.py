"""Which tokens and which rival outputs an estimate looks at, for every maximum m."""

from __future__ import annotations

import itertools
import math

import torch
from torch import Tensor

from compact_proofs.length import address_table

FAR_TOKENS = 3
"""Tokens that stand for all that are far below the maximum."""


@address_table
def rivals(v: int, R: int) -> Tensor:
    """int64 [v, R]: the outputs nearest to m, without m: m - 1, m + 1, m - 2, ... as far as there are."""
    near = [[x for o in range(1, v) for x in (m - o, m + o) if 0 <= x < v][:R] for m in range(v)]
    return torch.tensor(near)


@address_table
def symbols(v: int, G: int) -> tuple[Tensor, Tensor, Tensor]:
    """For each m: the tokens m, m - 1, ..., m - G (0 where negative), tokens spread over those below m - G, and multiplicities.

    Returns
    -------
    near : int64 [v, G + 1]
    far : int64 [v, FAR_TOKENS]
    many : int64 [v, G + 2]
        How many tokens m, m - 1, ..., m - G and the far symbol stand for.
    """
    m = torch.arange(v)[:, None]
    near = m - torch.arange(G + 1)
    beyond = (m - G).clamp(min=0)
    far = beyond * (2 * torch.arange(FAR_TOKENS) + 1) // (2 * FAR_TOKENS)
    many = torch.cat([(near >= 0).to(torch.int64), beyond], 1)
    return near.clamp(min=0), far, many


@address_table
def multisets(K: int, n: int) -> tuple[Tensor, Tensor]:
    """All ways to hold K symbols out of n, the first of them at least once.

    Returns
    -------
    counts : int64 [ways, n]
    orders : int64 [ways]
        In how many orders the symbols can stand.
    """
    counts, orders = [], []
    for others in range(K):
        for chosen in itertools.combinations_with_replacement(range(1, n), others):
            held = [K - others, *(chosen.count(i) for i in range(1, n))]
            counts.append(held)
            orders.append(math.factorial(K) // math.prod(math.factorial(h) for h in held))
    return torch.tensor(counts), torch.tensor(orders)
