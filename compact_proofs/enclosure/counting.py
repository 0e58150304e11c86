"""Counting what is proven, without comparing every pair."""

from __future__ import annotations

import torch
from torch import Tensor

from compact_proofs.enclosure.tensor import lower, upper


def count_below(ordered: Tensor, thresholds: Tensor) -> Tensor:
    """Count, for each threshold, the entries of its row that are provably smaller.

    Parameters
    ----------
    ordered : [..., n]
        Numbers sorted ascending along the last axis (``torch.sort(x).values``, which is sound on Enclosures).
    thresholds : [..., m]

    Returns
    -------
    int64 [..., m]
        At most the number of entries x_j < threshold; all of them where bounds are exact and `ordered` is ascending.

    Notes
    -----
    x_j <= hi_j <= max_{i<=j} hi_i =: h_j, and h is ascending whatever `ordered` is, so bisection finds the number of h_j below
    lower(threshold), and each such x_j is proven smaller. Cost: n - 1 comparisons a row for the running maximum and
    ceil(log2(n + 1)) comparisons a threshold.
    """
    highest = torch.cummax(upper(ordered), dim=-1).values
    return torch.searchsorted(highest, lower(thresholds).contiguous())
