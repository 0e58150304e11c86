"""Ranges: the largest difference of two entries of a row, and the extremes of rows that belong together."""

from __future__ import annotations

import torch
from torch import Tensor


def spread(x: Tensor, dim: int | tuple[int, ...] = -1) -> Tensor:
    """max - min along some axes: the largest difference of two entries. Cost: two comparisons for each entry.

    A prediction compares logits, so that of a vector w over outputs only differences matter: ``|w_z - w_z'| <= spread(w)`` for all
    z and z'. For rows u and w, ``spread(u + w) <= spread(u) + spread(w)``.
    """
    return x.amax(dim) - x.amin(dim)


def largest_by_group(x: Tensor, group: Tensor, groups: int) -> Tensor:
    """The entrywise maximum of the rows of each group: [groups, k]; 0 for a group without rows.

    Parameters
    ----------
    x : [n, k]
    group : int64 [n]
        The group of each row, in 0 ... groups - 1.

    Cost: one comparison for each entry.
    """
    return _by_group(x, group, groups, "amax")


def ends_by_group(x: Tensor, group: Tensor, groups: int) -> tuple[Tensor, Tensor]:
    """The entrywise minimum and maximum of the rows of each group, [groups, k] each; see `largest_by_group`.

    What is bounded by its ends holds for every row of a group at once. Cost: two comparisons for each entry.
    """
    return _by_group(x, group, groups, "amin"), _by_group(x, group, groups, "amax")


def _by_group(x: Tensor, group: Tensor, groups: int, extreme: str) -> Tensor:
    out = torch.zeros(groups, x.shape[1], dtype=torch.float64, device=x.device)
    return out.scatter_reduce(0, group[:, None].expand(-1, x.shape[1]), x, extreme, include_self=False)
