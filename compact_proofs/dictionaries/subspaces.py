"""Grouping vectors so that each group lies near a subspace of its own. Free and untrusted."""

from __future__ import annotations

import torch
from torch import Tensor

from compact_proofs.train import make_generator

TRIALS = 4
"""Random starts."""
ROUNDS = 20
"""Rounds of each, at most."""


def subspaces(rows: Tensor, groups: int, rank: int) -> tuple[Tensor, Tensor]:
    """Group the rows of [n, C] by the subspaces of dimension `rank` that hold most of them.

    Starts at rows that are far apart; then every row goes to the subspace that leaves least of it, and each subspace becomes that
    of its group's leading singular vectors, until nothing moves. The best of a few starts.

    Returns
    -------
    group : int64 [n]
    directions : [groups, rank, C]
        Orthonormal rows, or zeros where there are fewer.
    """
    generator = make_generator(0, "subspaces")
    size = rows.square().sum(1)
    best: tuple[float, Tensor, Tensor] | None = None
    for _ in range(TRIALS if groups > 1 else 1):
        group = _start(rows, size, groups, generator)
        for _ in range(ROUNDS):
            directions = torch.stack([_leading(rows[group == g], rank) for g in range(groups)])
            left = torch.stack([size - (rows @ V.T).square().sum(1) for V in directions], 1)
            moved = left.argmin(1)
            if torch.equal(moved, group):
                break
            group = moved
        cost = float(left.gather(1, group[:, None]).clamp(min=0).sqrt().sum())
        if best is None or cost < best[0]:
            best = (cost, group, directions)
    assert best is not None
    return best[1], best[2]


def _start(rows: Tensor, size: Tensor, groups: int, generator: torch.Generator) -> Tensor:
    """Seeds drawn by their size and their distance from the seeds before; each row goes to the most parallel one."""
    unit = torch.nn.functional.normalize(rows, dim=1)
    parallel = torch.zeros(len(rows), groups, dtype=rows.dtype)
    for g in range(groups):
        weight = size / size.sum().clamp(min=1e-300) * (1 - parallel.amax(1)).clamp(min=0) + 1e-12
        seed = int(torch.multinomial(weight, 1, generator=generator))
        parallel[:, g] = (unit @ unit[seed]).square()
    return parallel.argmax(1)


def _leading(rows: Tensor, rank: int) -> Tensor:
    """The leading singular vectors [rank, C], zeros where there are fewer."""
    directions = rows.new_zeros(rank, rows.shape[1])
    if len(rows) and rank:
        V = torch.linalg.svd(rows, full_matrices=False).Vh[:rank]
        directions[: len(V)] = V
    return directions
