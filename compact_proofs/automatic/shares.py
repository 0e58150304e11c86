"""How much of each job is certified, estimated on drawn inputs: for searches."""

from __future__ import annotations

import torch
from torch import Tensor

from compact_proofs.automatic.rows import Jobs
from compact_proofs.automatic.undecided import Undecided
from compact_proofs.enclosure import lower

FEWEST, MOST = 64, 1024
"""Inputs drawn from each box that is not proven as a whole."""
LARGEST = 2**23


def shares(jobs: Jobs, u: Undecided, generator: torch.Generator) -> Tensor:
    """The certified share of each job [J], by the sizes of its boxes."""
    sizes = jobs.masks.sum(-1).double().prod(-1)
    right = torch.zeros_like(sizes)
    right[u.proven] = 1.0
    if len(u.boxes):
        masks = jobs.masks[u.boxes][:, jobs.free]
        number = min(max(LARGEST // u.tables[..., 0].numel(), FEWEST), MOST)
        x = torch.multinomial(masks.double().flatten(0, 1), number, True, generator=generator)
        x = x.reshape(len(masks), -1, number).mT  # [B, N, n - 1]
        box = torch.arange(len(masks))[:, None, None]
        tables = lower(u.tables).movedim(1, 3)  # [B, n - 1, v, R]
        value = tables[box, torch.arange(x.shape[-1]), x].sum(2) + lower(u.constant)[:, None]
        right[u.boxes] = ((value > 0) | ~u.rows[:, None]).all(-1).double().mean(1)
    total = torch.zeros(len(jobs), dtype=torch.float64).index_add(0, jobs.of, sizes)
    return torch.zeros(len(jobs), dtype=torch.float64).index_add(0, jobs.of, sizes * right) / total


def sizes(jobs: Jobs) -> Tensor:
    """Inputs of each job, as real numbers."""
    each = jobs.masks.sum(-1).double().prod(-1)
    return torch.zeros(len(jobs), dtype=torch.float64).index_add(0, jobs.of, each)
