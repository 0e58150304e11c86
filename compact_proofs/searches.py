"""Numerical searches that explanations are found by, for any task: untrusted, so that every result is sound, good or bad."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from compact_proofs.core.strategy import finite


def cluster_rows(rows: Tensor, groups: int, rounds: int = 30, seed: int = 0) -> Tensor:
    """Assign each row to one of `groups` clusters by k-means (Lloyd's algorithm from a k-means++ start).

    Parameters
    ----------
    rows : [n, features]
    groups
        Number of clusters, at most n.

    Returns
    -------
    int64 [n]
        Cluster of each row, in 0 ... groups - 1.
    """
    if groups == 1:
        return torch.zeros(len(rows), dtype=torch.int64)
    rows = finite(rows)  # any grouping will do for a broken model
    generator = torch.Generator().manual_seed(seed)
    chosen = [int(torch.randint(len(rows), (1,), generator=generator))]
    while len(chosen) < groups:
        distance = torch.cdist(rows, rows[chosen]).amin(1)
        likelihood = (distance / distance.max().clamp(min=1e-300)).square() + 1e-12
        chosen.append(int(torch.multinomial(likelihood, 1, generator=generator)))
    centres = rows[chosen].clone()
    assignment = torch.zeros(len(rows), dtype=torch.int64)
    for _ in range(rounds):
        assignment = torch.cdist(rows, centres).argmin(1)
        for g in range(groups):
            if bool((assignment == g).any()):
                centres[g] = rows[assignment == g].mean(0)
    return assignment


def split_by_size(numbers: Tensor, groups: int) -> Tensor:
    """Assign each of n numbers to one of `groups` intervals, so that the sum over all numbers of their interval's largest is least.

    A bound that holds for a group is as bad as its largest member. Dynamic programming over the numbers in order: O(n^2 groups).

    Returns
    -------
    int64 [n]
        Interval of each number, in rising order, in 0 ... groups - 1.
    """
    n = len(numbers)
    order = numbers.argsort()
    top = numbers[order].nan_to_num(posinf=1e100).clamp(max=1e100).double()
    i = torch.arange(n + 1)
    cost = (i - i[:, None]) * torch.cat([torch.zeros(1), top])  # [j, i]: numbers j ... i - 1 in one interval
    cost = torch.where(i[:, None] < i, cost, math.inf)
    best = torch.where(i == 0, 0.0, math.inf).double()  # of the first i numbers, in the intervals so far
    starts = []
    for _ in range(groups):
        best, start = (best[:, None] + cost).min(0)
        starts.append(start)
    interval, end = torch.zeros(n, dtype=torch.int64), n
    for g in reversed(range(groups)):
        first = int(starts[g][end])
        interval[order[first:end]] = g
        end = first
    return interval


def leading_directions(matrix: Tensor, rank: int) -> Tensor:
    """Orthonormal leading right singular vectors as columns, [columns, rank]; a broken matrix gets coordinate directions."""
    if not bool(matrix.isfinite().all()):
        return torch.eye(matrix.shape[1], rank, dtype=matrix.dtype)
    return torch.linalg.svd(matrix).Vh[:rank].mT.contiguous()


def leading_pair(matrix: Tensor) -> tuple[Tensor, Tensor]:
    """Vectors a, b for which a b^T comes nearest to a matrix; zeros for a broken one."""
    if not bool(matrix.isfinite().all()):
        return torch.zeros_like(matrix[:, 0]), torch.zeros_like(matrix[0])
    U, S, Vh = torch.linalg.svd(matrix)
    return U[:, 0] * S[0], Vh[0].clone()


def smallest_ball(points: Tensor, rounds: int = 300) -> Tensor:
    """Centre of a small ball around some points [n, d], [d]: steps of falling length towards the farthest (Badoiu and Clarkson)."""
    if not len(points):
        return torch.zeros_like(points.sum(0))
    centre = points.mean(0)
    for i in range(rounds):
        farthest = points[(points - centre).square().sum(1).argmax()]
        centre = centre + (farthest - centre) / (i + 2)
    return centre


def rank_two(W: Tensor) -> tuple[Tensor, Tensor]:
    """Factor W [n, d] as closely as rank 2 allows: ``W ~ reads^T basis``, reads [2, n], basis [2, d] orthonormal rows."""
    U, S, Vh = torch.linalg.svd(finite(W), full_matrices=False)
    reads, basis = torch.zeros(2, len(W), dtype=W.dtype), torch.zeros(2, W.shape[1], dtype=W.dtype)
    r = min(2, len(S))
    reads[:r], basis[:r] = (U[:, :r] * S[:r]).T, Vh[:r]
    return reads, basis
