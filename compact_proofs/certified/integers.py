"""Lower bounds of real numbers as integers: what is counted afterwards is exact, whatever was rounded before."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from compact_proofs.enclosure import lower, upper
from compact_proofs.length import unseen

BITS = 44
"""The largest finite number of a row has so many bits, so that rounding loses at most 2^-43 of it."""
LIMIT = 2**BITS
NEVER = -(2**55)
"""In place of what is not bounded below: more than any sum of numbers up to 2^44 can make up for."""
MOST_POSITIONS = 100
"""So that sums fit 64 bits, and 2^44 at each position is less than 2^55."""


def lower_bounds(x: Tensor) -> np.ndarray:
    """Lower bounds of a real tensor, as numbers that are exactly known: float64, of the tensor's shape; NaN counts as -inf."""
    with unseen("lower bounds, rounded down to integers and charged by number"):
        bounds = lower(x).detach().cpu().double().numpy()
    return np.where(np.isnan(bounds), -np.inf, bounds)


def upper_bounds(x: Tensor) -> np.ndarray:
    """Upper bounds of a real tensor, as numbers that are exactly known: float64, of the tensor's shape; NaN counts as inf."""
    with unseen("upper bounds, rounded up to integers and charged by number"):
        bounds = upper(x).detach().cpu().double().numpy()
    return np.where(np.isnan(bounds), np.inf, bounds)


def exponents(numbers: np.ndarray) -> np.ndarray:
    """The e, along the last axis, for which the largest finite |x| 2^e lies in [2^43, 2^44): int64; 0 where all are 0."""
    largest = np.where(np.isfinite(numbers), np.abs(numbers), 0.0).max(-1, initial=0.0)
    return np.where(largest > 0, BITS - np.frexp(largest)[1], 0)


def integers_below(x: np.ndarray, exponent: np.ndarray) -> np.ndarray:
    """Return, for each x, an integer that is at most x 2^exponent, int64; `exponent` is that of `exponents` for numbers with x.

    Scaling by a power of two is exact except where the result is smaller than all float64, and then a negative x still becomes -1.
    +inf is lowered to 2^44, and -inf stands as `NEVER`. Cost: one multiplication and one rounding a number, charged by the caller.
    """
    with np.errstate(over="ignore", under="ignore"):
        scaled = np.floor(np.ldexp(x, exponent))
    scaled = np.where((x < 0) & (scaled > -1), -1.0, scaled)
    return np.where(x == -np.inf, NEVER, np.clip(scaled, -LIMIT, LIMIT)).astype(np.int64)
