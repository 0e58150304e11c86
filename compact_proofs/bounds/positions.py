"""Positional factors of attention: a token's weight at position i is w[q, t] r[q, i], where r = exp of the position's own score."""

from __future__ import annotations

import torch
from torch import Tensor

from compact_proofs.bounds.ranges import ends_by_group


def extreme_sums(r: Tensor) -> tuple[Tensor, Tensor]:
    """The sums of the c smallest and of the c largest factors of each row, for every c.

    If c unknown positions hold some tokens, their factors add up to something between the two. Exact: sorted sums.

    Parameters
    ----------
    r : [q, n]
        Factors of each query.

    Returns
    -------
    least, most : [q, n + 1]
        At c = 0, 1, ..., n. Cost: sorting, and 2 n additions a row.
    """
    ordered = torch.sort(r, dim=1).values
    none = torch.zeros(len(r), 1, dtype=torch.float64, device=r.device)
    return torch.cat([none, ordered.cumsum(1)], 1), torch.cat([none, ordered.flip(1).cumsum(1)], 1)


def factors_by_group(scores: Tensor, group: Tensor, groups: int) -> tuple[Tensor, Tensor]:
    """Least and largest positional factor over the queries of each group, with their geometric mean made 1 for every query.

    A factor common to all positions of a query cancels in its attention, so each row of scores may be centred first.

    Parameters
    ----------
    scores : [q, K]
        Scores of positions.
    group : int64 [q]

    Returns
    -------
    low, high : [groups, K]
        Cost: about 5 for each score, and 2 exponentials for each entry of the result.
    """
    low, high = ends_by_group(scores - scores.mean(1, keepdim=True), group, groups)
    return torch.exp(low), torch.exp(high)
