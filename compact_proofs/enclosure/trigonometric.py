"""sin and cos: reduction modulo pi/2 in three parts, two polynomials, and the extrema inside an interval."""

from __future__ import annotations

import math
from fractions import Fraction

import torch
from torch import Tensor

from compact_proofs.enclosure.approximation import (
    INTEGER_SHIFT,
    PI_RATIONAL,
    above,
    at_both_ends,
    below,
    checked,
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

_SIN, _sin_error = polynomial(
    *power_series(lambda n: Fraction((-1) ** (n + 1), math.factorial(2 * n + 3)), _SQUARE), Fraction(0), _SQUARE, 5
)
_SIN_ERROR = checked(_sin_error, 0.3 * UNIT_ROUNDOFF)
"""The error of the polynomial for (sin(r)/r - 1) / r^2, as a function of r^2, between -0.1667 and -0.161."""

_COS, _cos_error = polynomial(
    *power_series(lambda n: Fraction((-1) ** (n + 1), math.factorial(2 * n + 2)), _SQUARE), Fraction(0), _SQUARE, 6
)
_COS_ERROR = checked(_cos_error, 0.7 * UNIT_ROUNDOFF)
"""The error of the polynomial for (cos(r) - 1) / r^2, as a function of r^2, between -1/2 and -0.47."""

SINE_ERROR = 5.0 * UNIT_ROUNDOFF
_REDUCTION_ERROR = 2.0**-113


def _sine(x: Tensor, quarter: int) -> Tensor:
    """Return sin(x + quarter pi/2) with error at most 5 u |result| + 2^-114 |x| + 2 TINY, for |x| <= 2^20.

    Reduction: k is the integer nearest to fl(x 2/pi), off by less than 2^-31, so |r| <= pi/4 + 2^-30, r = x - k pi/2. If
    k = 0, r = x. Otherwise |k| <= 1.3 |x| < 2^20.4, and k < 2^20, so k PART_1 is exact; x and it are multiples of 2^-53,
    so their difference, below 1, is exact. k PART_2 is exact, and subtracting it rounds by u (|r| + 2^-65 |k|). k PART_3
    < 2^-65 |k| rounds by u times that and misses k 2^-118; subtracting it rounds by u |r|. Together
    2.01 u |r| + 2^-115 |k|. The first changes sin r by at most 2.01 u |sin r|, and cos r by 2.01 u r tan r |cos r| <=
    1.6 u |cos r|; the second changes either by at most 2^-114 |x|.

    sin r = r + r (r^2 P(r^2)): the factor in brackets, at most 0.104 in size, has the relative error u for r^2 (twice,
    counting its influence on P), 0.3u/0.161 for P and u for the product: 0.5 u in all; its product with r rounds by
    0.104 u, the sum by u of itself. Relative to sin r >= 0.89 r: 0.7 u + u, and 3.8 u with the reduction.
    cos r = 1 + r^2 P(r^2): the product, at most 0.31, has the relative error 2u + 0.7u/0.47 + u, that is 1.4 u; with
    cos r >= 0.707, 2 u, and u for the sum; 4.6 u with the reduction.
    """
    shifted = x.mul(2 / math.pi).add_(INTEGER_SHIFT)
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
    scale, slack = 0.5 / math.pi, 2.0**-32
    return hi.mul(scale).add_(slack - phase).floor_() >= lo.mul(scale).sub_(slack + phase)


def _sinusoid(lo: Tensor, hi: Tensor, quarter: int) -> tuple[Tensor, Tensor]:
    """Enclose sin(x + quarter pi/2): the values at both ends, and +-1 where an extremum may lie between them."""
    a, b = (x.clamp(-LARGEST_ARGUMENT, LARGEST_ARGUMENT) for x in (lo, hi))
    at_a, at_b = at_both_ends(lambda x: _sine(x, quarter), a, a if lo is hi else b)
    a_error, b_error = a.abs().mul_(_REDUCTION_ERROR), b.abs().mul_(_REDUCTION_ERROR)
    lower = torch.minimum(below(at_a, SINE_ERROR).sub_(a_error), below(at_b, SINE_ERROR).sub_(b_error)).clamp_(min=-1.0)
    upper = torch.maximum(above(at_a, SINE_ERROR).add_(a_error), above(at_b, SINE_ERROR).add_(b_error)).clamp_(max=1.0)
    unreduced = (lo < -LARGEST_ARGUMENT) | (hi > LARGEST_ARGUMENT)
    lower.masked_fill_(_may_meet(a, b, 0.75 - quarter / 4) | unreduced, -1.0)
    upper.masked_fill_(_may_meet(a, b, 0.25 - quarter / 4) | unreduced, 1.0)
    return lower, upper


def sin(lo: Tensor, hi: Tensor) -> tuple[Tensor, Tensor]:
    """Enclose sin x within [-1, 1]: error at most 5 u |sin x| + 2^-113 |x|, widened by 4 u on rounding outward.

    The second term matters only near multiples of pi other than 0. Beyond |x| = 2^20 the result is [-1, 1].
    """
    return _sinusoid(lo, hi, 0)


def cos(lo: Tensor, hi: Tensor) -> tuple[Tensor, Tensor]:
    """Enclose cos x within [-1, 1]: error at most 5 u |cos x| + 2^-113 |x|, widened by 4 u on rounding outward.

    The second term matters only near odd multiples of pi/2. Beyond |x| = 2^20 the result is [-1, 1].
    """
    return _sinusoid(lo, hi, 1)
