"""How much of each box is certified, estimated on drawn inputs: for searches."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from compact_proofs.automatic.rows import Jobs
from compact_proofs.automatic.undecided import Undecided
from compact_proofs.enclosure import lower

FEWEST, MOST = 64, 1024
"""Inputs drawn from each box that is not proven as a whole."""
LARGEST = 2**23


def shares(jobs: Jobs, u: Undecided, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """The certified share of each box [B], and how many of its rows are not proven on the whole of it [B]."""
    right = torch.zeros(len(jobs.of), dtype=torch.float64)
    rows = torch.zeros_like(right)
    right[u.proven] = 1.0
    if len(u.boxes):
        rows[u.boxes] = u.rows.sum(1).double()
        masks = jobs.masks[u.boxes][:, jobs.free]
        number = min(max(LARGEST // u.tables[..., 0].numel(), FEWEST), MOST)
        x = torch.multinomial(masks.double().flatten(0, 1), number, True, generator=generator)
        x = x.reshape(len(masks), -1, number).mT  # [B, N, n - 1]
        box = torch.arange(len(masks))[:, None, None]
        tables = lower(u.tables).movedim(1, 3)  # [B, n - 1, v, R]
        value = tables[box, torch.arange(x.shape[-1]), x].sum(2) + lower(u.constant)[:, None]
        right[u.boxes] = ((value > 0) | ~u.rows[:, None]).all(-1).double().sum(1) / (number + 1)  # some may be missed
    return right, rows


def shares_mixed(
    jobs: Jobs, found: list[Undecided], labels: Callable[[Tensor], Tensor], generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """As `shares`, for boxes of mixed label, from what is left to decide for each label."""
    n, B = jobs.masks.shape[1], len(jobs.of)
    entries = sum(u.tables[..., 0].numel() for u in found)
    number = min(max(LARGEST // max(entries, 1), FEWEST), MOST)
    x = torch.multinomial(jobs.masks.double().flatten(0, 1), number, True, generator=generator).reshape(B, n, number).mT
    own = labels(x.flatten(0, 1)).reshape(B, number)
    right = torch.zeros(B, number, dtype=torch.bool)
    rows = torch.zeros(B, dtype=torch.float64)
    for label, u in enumerate(found):
        good = torch.ones(B, number, dtype=torch.bool)
        if len(u.boxes):
            tables = lower(u.tables).movedim(1, 3)
            box = torch.arange(len(u.boxes))[:, None, None]
            value = tables[box, torch.arange(n - 1), x[u.boxes][:, :, jobs.free]].sum(2) + lower(u.constant)[:, None]
            good[u.boxes] = ((value > 0) | ~u.rows[:, None]).all(-1)
            rows[u.boxes] += u.rows.sum(1)
        right |= good & (own == label)
    return right.double().sum(1) / (number + 1), rows


def by_job(values: Tensor, jobs: Jobs) -> Tensor:
    """Sums [J] over the boxes of each job."""
    return torch.zeros(len(jobs), dtype=torch.float64).index_add(0, jobs.of, values)
