"""sin and cos: reduction modulo pi/2 in three parts, two polynomials, and the extrema inside an interval."""

from __future__ import annotations

import math
from fractions import Fraction

import torch
from torch import Tensor

from compact_proofs.enclosure.approximation import (
    INTEGER_SHIFT,
    PI_RATIONAL,
    Bounds,
    above,
    at_both_ends,
    below,
    confirm,
    in_blocks,
    polynomial,
    power_series,
    split,
)
from compact_proofs.enclosure.rounding import UNIT_ROUNDOFF

PI = (math.nextafter(float(PI_RATIONAL), 0.0), math.nextafter(float(PI_RATIONAL), 4.0))
"""Two binary64 numbers around pi."""

LARGEST_ARGUMENT = 2.0**20
"""Beyond it the enclosures of sin and cos are [-1, 1]."""

_PART_1, _PART_2, _PART_3 = split(PI_RATIONAL / 2, 32, 65)
"""pi/2 in parts of 33, 33 and 53 bits."""

_SQUARE = Fraction(618, 1000)
"""More than (pi/4 + 2^-30)^2 = 0.61685."""

_SIN, _error = polynomial(
    *power_series(lambda n: Fraction((-1) ** (n + 1), math.factorial(2 * n + 3)), _SQUARE), Fraction(0), _SQUARE, 5
)
"""(sin(r)/r - 1) / r^2 as a function of r^2, which is between -0.1667 and -0.161, with an error of at most 0.5 u."""
confirm(_error, 0.5 * UNIT_ROUNDOFF)

_COS, _error = polynomial(
    *power_series(lambda n: Fraction((-1) ** (n + 1), math.factorial(2 * n + 2)), _SQUARE), Fraction(0), _SQUARE, 6
)
"""(cos(r) - 1) / r^2 as a function of r^2, which is between -1/2 and -0.47, with an error of at most 0.6 u."""
confirm(_error, 0.6 * UNIT_ROUNDOFF)

_TWO_OVER_PI = float(2 / PI_RATIONAL)
_INVERSE_PERIOD = float(1 / (2 * PI_RATIONAL))
SINE_ERROR = 5.3 * UNIT_ROUNDOFF
_REDUCTION_ERROR = 2.0**-113
"""Times |x|, the absolute part of the error; subtracting it from a bound rounds by u, which SINE_ERROR includes."""


def _sine(x: Tensor, quarter: int) -> Tensor:
    """Return sin(x + quarter pi/2) with error at most 4.2 u |result| + 2^-114 |x| + 2 TINY, for |x| <= 2^20.

    Reduction: k is the integer nearest to fl(x 2/pi), off by less than 2^-31, so |k| < 2^20, and |r| <= pi/4 + 2^-30
    for r = x - k pi/2. If k = 0, r = x. Otherwise |k| <= 1.3 |x|; k PART_1 is exact, x and it are multiples of 2^-53,
    so their difference, below 1, is exact. k PART_2 is exact, and subtracting it rounds by u (|r| + 2^-65 |k|).
    k PART_3 < 2^-65 |k| rounds by 2^-118 |k| and misses as much; subtracting it rounds by u |r|. Together
    2.01 u |r| + 2^-116 |k|. The first part changes sin r by at most 2.01 u |sin r| and cos r by at most
    2.01 u r tan r |cos r| <= 1.6 u |cos r|, the second changes either by at most 2^-115 |x|.

    sin r = r + r (r^2 P(r^2)): the factor in brackets, at most 0.104 in size, has the relative error 1.1 u from r^2,
    0.5u/0.161 from P and u from the product: 0.55 u in all; its product with r rounds by 0.104 u times |r|, the sum by
    u times itself. Relative to |sin r| >= 0.895 |r|: 0.74 u + u, and 3.8 u with the reduction.

    cos r = 1 + r^2 P(r^2): the product, at most 0.3 in size, has the relative error 1.1 u + 0.6u/0.47 + u, so 1.02 u;
    relative to cos r >= 0.707: 1.45 u, and u for the sum; 4.1 u with the reduction.
    """
    shifted = x.mul(_TWO_OVER_PI).add_(INTEGER_SHIFT)
    k = shifted - INTEGER_SHIFT
    r = x.sub(k, alpha=_PART_1).sub_(k, alpha=_PART_2).sub_(k, alpha=_PART_3)
    square = r * r
    sine = torch.addcmul(r, r, _SIN(square).mul_(square))
    cosine = _COS(square).mul_(square).add_(1.0)
    quadrant = shifted.view(torch.int64).add_(quarter)
    value = torch.where((quadrant & 1).bool(), cosine, sine)
    # In quadrants 2 and 3 the sign is the other one: bit 1 of the quadrant moves to the sign bit.
    value.view(torch.int64).bitwise_xor_(quadrant.bitwise_and_(2).bitwise_left_shift_(62))
    return value


def _may_meet(lo: Tensor, hi: Tensor, phase: float) -> Tensor:
    """Return False only where no integer m has lo <= 2 pi (m + phase) <= hi, for bounds of size at most 2^20.

    fl(x / 2 pi) is off by at most 2^-34, and the other roundings by less than 2^-34, which 2^-32 covers. A wrong True
    means that a bound is within 2^-28.9 of an extremum, where the sine differs from +-1 by less than 2^-58.
    """
    slack = 2.0**-32
    return hi.mul(_INVERSE_PERIOD).add_(slack - phase).floor_() >= lo.mul(_INVERSE_PERIOD).sub_(slack + phase)


def _sinusoid(lo: Tensor, hi: Tensor, quarter: int) -> Bounds:
    """Enclose sin(x + quarter pi/2): the values at both ends, and +-1 where an extremum may lie between them."""
    a = lo.clamp(-LARGEST_ARGUMENT, LARGEST_ARGUMENT)
    b = a if lo is hi else hi.clamp(-LARGEST_ARGUMENT, LARGEST_ARGUMENT)
    at_a, at_b = at_both_ends(lambda x: _sine(x, quarter), a, b)
    a_error, b_error = a.abs().mul_(_REDUCTION_ERROR), b.abs().mul_(_REDUCTION_ERROR)
    lower = torch.minimum(below(at_a, SINE_ERROR).sub_(a_error), below(at_b, SINE_ERROR).sub_(b_error)).clamp_(min=-1.0)
    upper = torch.maximum(above(at_a, SINE_ERROR).add_(a_error), above(at_b, SINE_ERROR).add_(b_error)).clamp_(max=1.0)
    unreduced = (lo < -LARGEST_ARGUMENT) | (hi > LARGEST_ARGUMENT)
    lower.masked_fill_(_may_meet(a, b, 0.75 - quarter / 4) | unreduced, -1.0)
    upper.masked_fill_(_may_meet(a, b, 0.25 - quarter / 4) | unreduced, 1.0)
    return lower, upper


@in_blocks
def sin(lo: Tensor, hi: Tensor) -> Bounds:
    """Enclose sin x within [-1, 1]: error at most 4.2 u |sin x| + 2^-114 |x|, widened by 5 u on rounding outward.

    The second term matters only near multiples of pi other than 0. Beyond |x| = 2^20 the result is [-1, 1].
    """
    return _sinusoid(lo, hi, 0)


@in_blocks
def cos(lo: Tensor, hi: Tensor) -> Bounds:
    """Enclose cos x within [-1, 1]: error at most 4.2 u |cos x| + 2^-114 |x|, widened by 5 u on rounding outward.

    The second term matters only near odd multiples of pi/2. Beyond |x| = 2^20 the result is [-1, 1].
    """
    return _sinusoid(lo, hi, 1)
