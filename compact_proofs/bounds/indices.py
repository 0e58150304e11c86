"""Index tables: other outputs, pairs of tokens, windows of tokens, which depend on sizes alone and are free; neurons by cluster."""

from __future__ import annotations

import torch
from torch import Tensor

from compact_proofs.length import address_table, charge_integers


@address_table
def others(v: int) -> Tensor:
    """int64 [v, v - 1]: row m lists every output but m, in rising order."""
    x = torch.arange(v - 1).expand(v, v - 1)
    return x + (x >= torch.arange(v)[:, None])


def away_from(X: Tensor, rows: Tensor, m: Tensor) -> Tensor:
    """X[row, x] - X[row, m] for every x != m: [n, v - 1] for n pairs (row, m). Cost: 1 for each entry."""
    return X[rows[:, None], others(X.shape[1], device=X.device)[m]] - X[rows, m][:, None]


@address_table
def window_tokens(v: int, G: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """For each m: the tokens m - 1 ... m - G (0 where negative), which are real, the largest beyond, whether one is."""
    m = torch.arange(v)
    token = m[:, None] - torch.arange(1, G + 1)
    return token.clamp(min=0), token >= 0, (m - G - 1).clamp(min=0), m > G


@address_table
def window_pairs(v: int, G: int) -> tuple[Tensor, Tensor]:
    """All (t, m) with m - G <= t < m, ordered by m, then by falling t."""
    m = torch.arange(v)
    lengths = m.clamp(max=G)
    top = torch.repeat_interleave(m, lengths)
    return top - 1 - count_up(lengths), top


def count_up(lengths: Tensor) -> Tensor:
    """0 ... n - 1 for each n of `lengths`, one after the other."""
    starts = torch.cumsum(lengths, 0) - lengths
    return torch.arange(int(lengths.sum())) - torch.repeat_interleave(starts, lengths)


def by_cluster(cluster: Tensor, K: int) -> tuple[Tensor, list[int]]:
    """Order neurons by their cluster, int64 [m]; return their numbers and the sizes of the K clusters. m integer operations."""
    charge_integers(len(cluster))
    members: list[list[int]] = [[] for _ in range(K)]
    for i, k in enumerate(cluster.tolist()):
        members[k].append(i)
    return torch.tensor([i for group in members for i in group], dtype=torch.int64), [len(group) for group in members]
