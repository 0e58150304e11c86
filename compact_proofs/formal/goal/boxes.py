"""Boxes of inputs: each token takes its values from an interval."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from compact_proofs.errors import BadInput

Interval = tuple[int, int]
"""The first of the values, and how many there are."""


@dataclass(frozen=True)
class Box:
    """Inputs with one label whose tokens take their values from intervals, independently.

    Attributes
    ----------
    label
        The right output, the same for all of them.
    intervals
        One for each token.
    """

    label: int
    intervals: tuple[Interval, ...]

    @property
    def size(self) -> int:
        """How many inputs it holds."""
        return math.prod(n for _, n in self.intervals)


Kind = tuple[Box, ...]
"""Boxes about which one goal is stated: the enclosures in it hold on all of them."""


def maximum_kinds(n_ctx: int, d_vocab: int, gap: int, least: int = 0) -> tuple[Kind, ...]:
    """Sequences in which one token is at least `least`, and all others are smaller than it by `gap` or more.

    Parameters
    ----------
    n_ctx, d_vocab
        Length of a sequence, and number of tokens.
    gap
        At least 1, so that boxes have no input in common.
    least
        The smallest maximum.

    Returns
    -------
    tuple of Kind
        One kind for each place of the maximum, with one box for each value of it.

    Raises
    ------
    BadInput
        If there are no such sequences.
    """
    if not 1 <= gap < d_vocab or least >= d_vocab:
        raise BadInput(f"gap={gap} least={least}: the gap is a number from 1 to {d_vocab - 1}, and least below {d_vocab}")
    others = range(max(gap, least), d_vocab)
    return tuple(
        tuple(Box(m, tuple((m, 1) if i == place else (0, m - gap + 1) for i in range(n_ctx))) for m in others)
        for place in range(n_ctx)
    )


def check_kinds(kinds: Sequence[Kind], values: Sequence[int]) -> None:
    """Check that kinds are boxes of inputs whose tokens have so many values.

    Raises
    ------
    BadInput
        If one is empty, or does not fit.
    """
    if not kinds or not all(kinds):
        raise BadInput("a goal needs kinds of boxes, each with at least one box")
    for box in (box for kind in kinds for box in kind):
        fits = len(box.intervals) == len(values) and all(
            a >= 0 and n > 0 and a + n <= v for (a, n), v in zip(box.intervals, values, strict=True)
        )
        if not fits:
            raise BadInput(f"{box}: it holds no inputs of the task, whose tokens have {tuple(values)} values")
