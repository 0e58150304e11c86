"""Q: one number for how good a set of proofs of many lengths is."""

from __future__ import annotations

import math
from collections.abc import Iterable

from compact_proofs.errors import BadInput


def q_metric(points: Iterable[tuple[float, float]], shortest: float, longest: float) -> float:
    """Mean, over lengths between two ends on a logarithmic axis, of the best bound of at most that length.

    ``Q = 1 / ln(B / E) * integral from E to B of a(l) dl / l``: 0 for no proof, 1 for a bound of 1 already at the shortest length.

    Parameters
    ----------
    points
        (length, bound) of each proof.
    shortest, longest
        E, the cost of reading the weights, and B, the cost of brute force.

    Raises
    ------
    BadInput
        Unless 0 < E < B.
    """
    if not 0 < shortest < longest:
        raise BadInput(f"Q needs 0 < shortest < longest, not {shortest} and {longest}")
    best, at, area = 0.0, float(shortest), 0.0
    for length, bound in sorted(points):
        if bound <= best or length >= longest:
            continue
        start = max(float(length), shortest)
        area += best * math.log(start / at)
        best, at = bound, start
    return (area + best * math.log(longest / at)) / math.log(longest / shortest)
