"""Pareto-optimal proofs: those with a higher bound than every shorter one."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from fractions import Fraction
from typing import TypeVar

T = TypeVar("T")


def pareto_optimal(items: Iterable[T], point: Callable[[T], tuple[float, Fraction | float]]) -> list[T]:
    """Keep the items with a bound above 0 and above that of every shorter item, shortest first.

    Parameters
    ----------
    point
        Length and bound of an item. Of items that agree in both, the first is kept.
    """
    kept: list[T] = []
    highest: Fraction | float = 0
    for item in sorted(items, key=lambda i: (point(i)[0], -point(i)[1])):
        if point(item)[1] > highest:
            kept.append(item)
            highest = point(item)[1]
    return kept
