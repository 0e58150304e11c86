"""Boxes of inputs, by their labels and last tokens, as hints to the checker of ``formal/FractionChecker.v``.

Nothing of this is trusted: Coq checks that boxes are apart and that each has its label.
"""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from torch import Tensor

from compact_proofs.formal.goal.boxes import Box, Interval
from compact_proofs.sequences.boxes import MIXED, Boxes


@dataclass(frozen=True)
class Group:
    """The boxes of a label.

    Attributes
    ----------
    label
        The right output.
    pieces
        Sizes of pieces of the tokens, from the first one, in which boxes are bounded before their tokens are looked at one by one.
    queries
        Last tokens, each with the intervals of the tokens before, for each box.
    """

    label: int
    pieces: tuple[int, ...]
    queries: dict[int, tuple[tuple[Interval, ...], ...]]

    def entries(self, n_ctx: int) -> int:
        """How many pieces there are at all positions of all boxes; the last token is one."""
        starts = list(itertools.accumulate(self.pieces, initial=0))
        meeting = Counter(i for boxes in self.queries.values() for box in boxes for i in box)
        found = sum(
            count * sum(start < a + n and a < start + size for start, size in zip(starts, self.pieces, strict=False))
            for (a, n), count in meeting.items()
        )
        return found + meeting.total() // max(n_ctx - 1, 1)


def boxes_in(found: Boxes) -> list[Box]:
    """Boxes of one label each, divided so that every token takes its values from an interval, and the last token has one value."""
    divided = []
    for mask, label in zip(found.masks, found.labels.tolist(), strict=True):
        if label == MIXED:
            continue
        runs = [_runs(row) for row in mask]
        runs[-1] = [(a + k, 1) for a, n in runs[-1] for k in range(n)]
        divided += [Box(label, intervals) for intervals in itertools.product(*runs)]
    return divided


def _runs(allowed: Tensor) -> list[Interval]:
    """The intervals that make up a set of tokens, bool [v]."""
    found: list[Interval] = []
    for u in allowed.nonzero().flatten().tolist():
        if found and sum(found[-1]) == u:
            found[-1] = (found[-1][0], found[-1][1] + 1)
        else:
            found.append((u, 1))
    return found


def groups_of(boxes: Iterable[Box]) -> tuple[Group, ...]:
    """Group boxes by label and last token."""
    by_label: dict[int, dict[int, list[tuple[Interval, ...]]]] = defaultdict(lambda: defaultdict(list))
    for box in boxes:
        *before, (last, _) = box.intervals
        by_label[box.label][last].append(tuple(before))
    return tuple(
        Group(label, _pieces(queries), {q: tuple(found) for q, found in sorted(queries.items())})
        for label, queries in sorted(by_label.items())
    )


def _pieces(queries: dict[int, list[tuple[Interval, ...]]]) -> tuple[int, ...]:
    """Pieces that begin and end where intervals do; between these, they double in size from the last token down."""
    intervals: set[Interval] = {i for boxes in queries.values() for box in boxes for i in box}
    ends = sorted({0, max(queries) + 1} | {a for a, _ in intervals} | {a + n for a, n in intervals})
    return tuple(size for start, end in itertools.pairwise(ends) for size in _doubling(end - start))


def _doubling(n: int) -> Sequence[int]:
    sizes: list[int] = []
    while n:
        sizes.insert(0, min(n, 2 ** max(len(sizes) - 1, 0)))
        n -= sizes[0]
    return sizes
