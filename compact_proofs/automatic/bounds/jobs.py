"""Jobs of a proof: the leaves of the split trees, each a box with one last token and one label, bounded together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from compact_proofs.automatic.bounds.rows import Jobs, tokens_allowed
from compact_proofs.automatic.reading.owners import structure
from compact_proofs.length import charge_integers
from compact_proofs.sequences.boxes import MIXED, Boxes


def jobs_of(boxes: Boxes, group: Tensor, context: int, rest: Tensor | None = None) -> Jobs:
    """The first result of `numbered_jobs`, for boxes of one label each."""
    return numbered_jobs(boxes, group, context, rest)[0]


def numbered_jobs(
    boxes: Boxes, group: Tensor, context: int, rest: Tensor | None = None, mixed: bool = False
) -> tuple[Jobs, Tensor]:
    """Divide boxes by the context's token, and put together those of one token, one label and one group.

    Parameters
    ----------
    boxes
        Disjoint; boxes of `MIXED` label are left out, unless `mixed`.
    group : int64 [B]
        Hints: any numbers.
    rest : bool [B], optional
        Boxes whose inputs are wanted, as far as they are not proven.

    Returns
    -------
    Jobs
        In rising order of (token, label, group); the boxes in the order of their jobs. Disjoint parts of the given boxes.
    int64 [B']
        Of which given box each box of a job is a part.

    Notes
    -----
    Cost: v integer operations for each box, and 3 for each part of one.
    """
    with structure():
        named = torch.arange(len(boxes)) if mixed else (boxes.labels != MIXED).nonzero()[:, 0]
        box, token = boxes.masks[named, context].nonzero(as_tuple=True)
        box = named[box]
        masks = boxes.masks[box].clone()
        masks[:, context] = torch.arange(boxes.d_vocab) == token[:, None]
        keys = torch.stack([token, boxes.labels[box], group[box]], 1)
        found, of = keys.unique(dim=0, return_inverse=True)
        order = of.argsort(stable=True)
        wanted = None if rest is None else rest[box][order]
        jobs = Jobs(found[:, 0], found[:, 1], masks[order], of[order], context, wanted)
    charge_integers(len(boxes) * boxes.d_vocab + 3 * len(jobs.of))
    return jobs, box[order]


def of_similar_tokens(jobs: Jobs) -> tuple[Jobs, Tensor]:
    """Jobs in rising order of how many tokens their boxes allow, so that tables of neighbours are of about equal size.

    Returns
    -------
    Jobs
        The same, in another order.
    int64 [B]
        Which box each of their boxes was.

    Notes
    -----
    Cost: an integer operation for each box, free position and token, and one for each job.
    """
    widths = tokens_allowed(jobs).sum(-1)
    with structure():
        order = widths.amax(1).argsort(stable=True)
        place = order.argsort()
        of = place[jobs.of]
        box = of.argsort(stable=True)
        rest = None if jobs.rest is None else jobs.rest[box]
        return Jobs(jobs.query[order], jobs.label[order], jobs.masks[box], of[box], jobs.context, rest), box


def tokens_of(jobs: Jobs) -> Tensor:
    """The tokens that some box allows at a free position, int64, rising."""
    with structure():
        return jobs.masks[:, jobs.free].any(0).any(0).nonzero()[:, 0]


@dataclass(frozen=True)
class Batch:
    """Some consecutive jobs.

    Attributes
    ----------
    jobs
        Numbered from 0.
    start, stop
        Their numbers among all.
    boxes
        Which boxes are theirs.
    """

    jobs: Jobs
    start: int
    stop: int
    boxes: slice


def batches(jobs: Jobs, entries_per_box: int, largest: int = 2**24) -> Iterator[Batch]:
    """Divide jobs into batches whose boxes have at most `largest` entries together (or one job)."""
    with structure():
        ends = torch.bincount(jobs.of, minlength=len(jobs)).cumsum(0).tolist()
    room = max(1, largest // max(entries_per_box, 1))
    start = first = 0
    for stop, end in enumerate(ends, 1):
        if stop == len(ends) or ends[stop] - first > room:
            own = slice(first, end)
            rest = None if jobs.rest is None else jobs.rest[own]
            part = Jobs(jobs.query[start:stop], jobs.label[start:stop], jobs.masks[own], jobs.of[own] - start, jobs.context, rest)
            yield Batch(part, start, stop, own)
            start, first = stop, end
