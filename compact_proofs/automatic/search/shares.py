"""How much of each box is certified, and how far from it the others are, estimated on drawn inputs: for searches."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from compact_proofs.automatic.bounds.rows import Jobs
from compact_proofs.automatic.bounds.undecided import Undecided
from compact_proofs.enclosure import lower
from compact_proofs.results import result_class

FEWEST, MOST = 64, 1024
"""Inputs drawn from each box that is not proven as a whole."""
LARGEST = 2**23
LARGEST_DEFICIT = 1e30
"""In place of a bound that is none."""


@result_class
@dataclass(frozen=True)
class Estimate:
    """What is estimated of each box [B].

    Attributes
    ----------
    share
        The certified share of its inputs.
    rows
        How many of its rows are not proven on the whole of it.
    deficit
        By how much bounds fall short of 0, on average over its inputs.
    """

    share: Tensor
    rows: Tensor
    deficit: Tensor


def shares(jobs: Jobs, u: Undecided, generator: torch.Generator) -> Estimate:
    """Of boxes of one label each."""
    right, rows, deficit = torch.zeros(3, len(jobs.of), dtype=torch.float64)
    right[u.proven] = 1.0
    if len(u.boxes):
        rows[u.boxes] = u.rows.sum(1).double()
        masks = jobs.masks[u.boxes][:, jobs.free]
        number = min(max(LARGEST // u.tables[..., 0].numel(), FEWEST), MOST)
        x = torch.multinomial(masks.double().flatten(0, 1), number, True, generator=generator)
        x = x.reshape(len(masks), -1, number).mT  # [B, N, n - 1]
        lowest = _lowest(u, x)
        right[u.boxes] = (lowest > 0).double().sum(1) / (number + 1)  # some may be missed
        deficit[u.boxes] = -lowest.clamp(max=0).mean(1)
    return Estimate(right, rows, deficit)


def shares_mixed(jobs: Jobs, found: list[Undecided], labels: Callable[[Tensor], Tensor], generator: torch.Generator) -> Estimate:
    """Of boxes of mixed label, from what is left to decide for each label."""
    n, B = jobs.masks.shape[1], len(jobs.of)
    entries = sum(u.tables[..., 0].numel() for u in found)
    number = min(max(LARGEST // max(entries, 1), FEWEST), MOST)
    x = torch.multinomial(jobs.masks.double().flatten(0, 1), number, True, generator=generator).reshape(B, n, number).mT
    own = labels(x.flatten(0, 1)).reshape(B, number)
    right, lacking = torch.zeros(B, number, dtype=torch.bool), torch.zeros(B, number, dtype=torch.float64)
    rows = torch.zeros(B, dtype=torch.float64)
    for label, u in enumerate(found):
        lowest = torch.full((B, number), torch.inf, dtype=torch.float64)
        if len(u.boxes):
            lowest[u.boxes] = _lowest(u, x[u.boxes][:, :, jobs.free])
            rows[u.boxes] += u.rows.sum(1)
        right |= (lowest > 0) & (own == label)
        lacking += torch.where(own == label, -lowest.clamp(max=0), 0.0)
    return Estimate(right.double().sum(1) / (number + 1), rows, lacking.mean(1))


def _lowest(u: Undecided, x: Tensor) -> Tensor:
    """The least bound [B, N] of an input's rows, for inputs int64 [B, N, n - 1] of the boxes that are left."""
    box = torch.arange(len(u.boxes))[:, None, None]
    tables = lower(u.tables).movedim(1, 3)  # [B, n - 1, v, R]
    value = tables[box, torch.arange(x.shape[-1]), x].sum(2) + lower(u.constant)[:, None]
    return value.masked_fill(~u.rows[:, None], torch.inf).nan_to_num(-LARGEST_DEFICIT, posinf=torch.inf).amin(-1)


def by_job(values: Tensor, jobs: Jobs) -> Tensor:
    """Sums [J] over the boxes of each job."""
    return torch.zeros(len(jobs), dtype=torch.float64).index_add(0, jobs.of, values)
