"""Boxes whose inputs have several labels: bounds for every label, of which each input needs those of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from compact_proofs.automatic.bounds.jobs import numbered_jobs
from compact_proofs.automatic.bounds.margins import Readout, margins
from compact_proofs.automatic.bounds.relaxed import Relaxed
from compact_proofs.automatic.bounds.rows import Jobs
from compact_proofs.automatic.bounds.undecided import Undecided
from compact_proofs.automatic.explanation import Reader
from compact_proofs.automatic.proof import Piece, at_all_positions, by_ranges
from compact_proofs.automatic.reading.blocks import Network
from compact_proofs.automatic.reading.owners import structure
from compact_proofs.certified import LARGEST_MIXED, disjoint, mixed_tables
from compact_proofs.sequences.boxes import Boxes

Labels = Callable[[Tensor], Tensor]
"""From sequences int64 [N, n] to their labels, negative for those outside the task."""


def all_labels(relaxed: Relaxed, readout: Readout, kept: int) -> list[Undecided]:
    """The margins of each output against every other, by the same relaxations. Cost: that of `margins` for each output."""
    return [margins(relaxed.about(label), readout, kept) for label in range(relaxed.network.logits.shape[0])]


def proven_mixed(
    network: Network,
    boxes: Boxes,
    rest: Tensor,
    group: Tensor,
    numbers: Tensor,
    kept: int,
    labels: Labels,
    first: Callable[[], None],
) -> Iterator[Piece]:
    """Prove boxes of mixed label, in parts: as `compact_proofs.automatic.proof.proven`.

    An input of label y is certified if the margin of y over every other output is proven positive there. Boxes of more than 2^24
    inputs are left out, since every input is looked at.

    Parameters
    ----------
    rest : bool [B]
        Boxes whose inputs are wanted, as far as they are not proven.
    """
    with structure():
        small = torch.tensor([size <= LARGEST_MIXED for size in boxes.sizes], dtype=torch.bool)
    jobs, _ = numbered_jobs(boxes[small], Reader(group).take(len(boxes))[small], network.context, rest[small], mixed=True)
    if not len(jobs):
        return

    def piece(own: Jobs, bounds: Relaxed, readout: Readout) -> Piece:
        return _counted(own, all_labels(bounds, readout, kept), labels)

    yield from by_ranges(network, jobs, Reader(numbers), piece, first)


def _counted(jobs: Jobs, found: list[Undecided], labels: Labels) -> Piece:
    """The certified inputs of boxes, from what is left to decide for each label; and the others of those whose rest is wanted."""
    constant, tables, about = [], [], []
    for label, u in enumerate(found):
        with structure():
            B, R = len(jobs.of), max(u.rows.shape[1], 1)
            place = torch.full((B,), len(u.boxes))
            place[u.boxes] = torch.arange(len(u.boxes))
            exist = torch.zeros(len(u.boxes) + 1, R, dtype=torch.bool)
            exist[:-1, : u.rows.shape[1]] = u.rows
            exist[-1, 0] = True  # where nothing is left to decide for a label: one row that is positive everywhere
            about.append(torch.where(exist[place], label, -1))
        n, v = u.tables.shape[2:]
        own = torch.zeros(len(u.boxes), R - u.rows.shape[1], dtype=torch.float64)
        one = torch.ones(1, R, dtype=torch.float64)
        constant.append(torch.cat([torch.cat([u.constant, own], 1), one])[place])
        zero = torch.zeros(1, R, n, v, dtype=torch.float64)
        tables.append(torch.cat([torch.cat([u.tables, own[..., None, None].expand(*own.shape, n, v)], 1), zero])[place])
    rows = torch.cat(constant, 1), at_all_positions(torch.cat(tables, 1), jobs.context)
    looked = mixed_tables(*rows, jobs.masks, torch.cat(about, 1), labels)
    everything = disjoint(looked)
    _ = everything.size
    wanted = [box.others for box, want in zip(looked, [] if jobs.rest is None else jobs.rest.tolist(), strict=True) if want]
    return everything, torch.cat([torch.zeros(0, jobs.masks.shape[1], dtype=torch.int64), *wanted])
