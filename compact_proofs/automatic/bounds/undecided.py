"""What remains to be counted: rows that are proven on their whole box are dropped, the others become additive functions."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from compact_proofs.automatic.bounds.rows import Jobs, Rows, Weights, additive, by_heads, of_one_head
from compact_proofs.automatic.reading.owners import structure
from compact_proofs.enclosure import provably
from compact_proofs.length import stage


@dataclass(frozen=True)
class Open:
    """Rows that are not proven on a whole box, each as an additive function below a positive multiple of it.

    Attributes
    ----------
    box : int64 [I]
        The box of each.
    constant : [I]
    tables : [I, n - 1, v]
        The row is positive on an input of the box where ``constant + sum_i tables[i, x_i] > 0``.
    """

    box: Tensor
    constant: Tensor
    tables: Tensor


def open_rows(rows: Rows, th: Tensor, weights: Weights, jobs: Jobs) -> Open:
    """Bound rows on their boxes: head by head, and by additive functions where that is not enough.

    Parameters
    ----------
    th : [J, R, H]
        Hints for the ratio rule; not read for one head without sums, where none is needed.

    Notes
    -----
    Cost: that of `by_heads` for all rows, that of `additive` for the rows that are left, in the boxes where they are.
    """
    heads = rows.own.shape[-1]
    if heads == 1 and rows.sums is None:
        with stage("rows"):
            found = of_one_head(rows, weights, jobs)
            allowed = jobs.allowed[:, None]
            lowest = found.constant + torch.where(allowed, found.tables, torch.inf).amin(-1).sum(-1)
            with structure():
                box, row = (~provably(lowest > 0)).nonzero(as_tuple=True)
            return Open(box, found.constant[box, row], jobs.at_all_tokens(found.tables[box, row], jobs.of[box]))
    with stage("heads"):
        proven = provably(by_heads(rows, th, weights, jobs) > 0)
    with structure():
        box, row = (~proven).nonzero(as_tuple=True)
        number = jobs.of[box] * proven.shape[1] + row
        kept, of = number.unique(return_inverse=True)
        job, single = kept // proven.shape[1], kept % proven.shape[1]
        copies = jobs.copies(job, box, of)
    with stage("additive"):
        picked = additive(rows.pick(job, single), th[job, single][:, None], weights.pick(job, box), copies)
    return Open(box, picked.constant[:, 0], jobs.at_all_tokens(picked.tables[:, 0], jobs.of[box]))


@dataclass(frozen=True)
class Undecided:
    """The boxes of some jobs, as far as they are proven.

    Attributes
    ----------
    proven : int64 [P]
        The boxes on which every row is proven.
    boxes : int64 [B]
        The others.
    constant : [B, R]
    tables : [B, R, n - 1, v]
        An input of box b is certified if ``constant[b, r] + sum_i tables[b, r, i, x_i] > 0`` for every r with ``rows[b, r]``.
    rows : bool [B, R]
    """

    proven: Tensor
    boxes: Tensor
    constant: Tensor
    tables: Tensor
    rows: Tensor


def by_box(found: Open, number: int) -> Undecided:
    """Put open rows together, for boxes 0 ... number - 1."""
    with structure():
        order = found.box.argsort(stable=True)
        counts = torch.bincount(found.box, minlength=number)
        proven, boxes = (counts == 0).nonzero()[:, 0], counts.nonzero()[:, 0]
        first = (counts.cumsum(0) - counts)[boxes]
        slot = torch.arange(int(counts.max()) if number else 0)
        rows = slot < counts[boxes, None]
        at = order[torch.where(rows, first[:, None] + slot, 0)] if len(order) else torch.zeros(rows.shape, dtype=torch.int64)
    return Undecided(proven, boxes, found.constant[at], found.tables[at], rows)


def nothing(jobs: Jobs) -> Undecided:
    """No box is proven, and no input: one row that is negative everywhere."""
    with structure():
        B, n, v = jobs.masks.shape
        boxes = torch.arange(B)
        constant, tables = torch.full((B, 1), -1.0, dtype=torch.float64), torch.zeros(B, 1, n - 1, v, dtype=torch.float64)
        return Undecided(boxes[:0], boxes, constant, tables, torch.ones(B, 1, dtype=torch.bool))
