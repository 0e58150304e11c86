"""Timing on one thread: the median of interleaved runs."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence

REPEATS = 5


def interleaved(
    runs: Mapping[str, Callable[[], object]], repeats: int = REPEATS, clock: Callable[[], float] = time.perf_counter
) -> dict[str, float]:
    """Median seconds of each run after one of each to warm up; they take turns, so that what disturbs one disturbs all."""
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for turn in range(repeats + 1):
        for name, run in runs.items():
            started = clock()
            run()
            if turn:
                seconds[name].append(clock() - started)
    return {name: statistics.median(values) for name, values in seconds.items()}


def markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table; the first column is text, the others are numbers."""
    align = ["---", *("---:" for _ in header[1:])]
    return "\n".join("| " + " | ".join(row) + " |" for row in (header, align, *rows))
