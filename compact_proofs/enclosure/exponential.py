"""exp, expm1, tanh and sigmoid: one reduction modulo ln 2, one polynomial."""

from __future__ import annotations

import math
from fractions import Fraction

import torch
from torch import Tensor

from compact_proofs.enclosure.approximation import (
    INTEGER_SHIFT,
    LN2,
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

LN2_HI, LN2_LO = split(LN2, 42)
"""k LN2_HI is exact for integers |k| <= 2^11; LN2_LO < 2^-42, and the two miss ln 2 by at most 2^-95."""

_HALF_LN2 = Fraction(355, 1024)
"""0.34668, which is more than ln 2 / 2 = 0.34657."""

_COFACTOR, _error = polynomial(*power_series(lambda n: Fraction(1, math.factorial(n + 1)), _HALF_LN2), -_HALF_LN2, _HALF_LN2, 10)
"""(e^s - 1) / s, which is between 0.845 and 1.2, for |s| <= 0.34668, with an error of at most 1.85 u."""
confirm(_error, 1.85 * UNIT_ROUNDOFF)

EXP_ERROR = 6.2 * UNIT_ROUNDOFF
EXPM1_ERROR = 6.5 * UNIT_ROUNDOFF
TANH_ERROR = 8.0 * UNIT_ROUNDOFF
SIGMOID_ERROR = 8.4 * UNIT_ROUNDOFF

_INVERSE_LN2 = float(1 / LN2)
_SCALE_SHIFT = INTEGER_SHIFT + 1023
"""Adding it rounds to an integer k and leaves the exponent field of 2^k in the last twelve bits."""

_EXPM1_LOWEST, _EXPM1_HIGHEST = -708.0, 709.25
_NARROW = 2.0**-4
_MAX = torch.finfo(torch.float64).max


def _scaled_expm1(x: Tensor) -> tuple[Tensor, Tensor]:
    """Return (2^k, p) with e^x = 2^k e^s, |s| <= 0.34668, k integer and p close to e^s - 1, for -708 <= x <= 709.25.

    k is the integer nearest to the rounded x / ln 2, which is off by less than 2^-41, so s stays in its range, and
    -1022 < k < 1024. Reduction: if k = 0, s = x. Otherwise |x| > 0.34, so x and the exact product k LN2_HI are
    multiples of 2^-54, and their difference, below 1/2, is exact. Subtracting k LN2_LO < 2^-31 (rounded by 2^-84)
    rounds s by at most 2^-55 = u/4; with the 2^-95 |k| missing in LN2_HI + LN2_LO, |s computed - s| <= 0.251 u, and 0
    if k = 0.

    With the computed s, p = s Q(s) has the relative error 1.85u / 0.845 + u <= 3.2 u (and TINY/2 on underflow).
    """
    scale = x.mul(_INVERSE_LN2).add_(_SCALE_SHIFT)
    k = scale - _SCALE_SHIFT
    s = x.sub(k, alpha=LN2_HI).sub_(k, alpha=LN2_LO)
    # The last twelve bits, moved to the front, are the sign and the exponent field of 2^k; the rest falls off.
    scale.view(torch.int64).bitwise_left_shift_(52)
    return scale, _COFACTOR(s).mul_(s)


def _exp(x: Tensor) -> Tensor:
    """Return e^x with relative error 6.2 u, or TINY on underflow, or +inf on overflow, for |x| <= 800.

    It is (e^(x/2))^2, so that only the last operation can over- or underflow (x/2 is exact but for a change by TINY/2).
    2^k + 2^k p is 1 + p rounded once. From p, 1 + p takes over 3.2 u |p| / (1+p) <= 1.33 u (at p = -0.293); s
    contributes 0.251 u, the rounding u: together 2.59 u. Squaring doubles that and rounds: 6.18 u, and terms of second
    order.
    """
    scale, p = _scaled_expm1(x * 0.5)
    root = torch.addcmul(scale, scale, p)
    return root.mul_(root)


def _expm1(x: Tensor) -> Tensor:
    """Return t = e^x - 1 with relative error 6.5 u, or TINY on underflow, for -708 <= x <= 709.25.

    It is 2^k p + (2^k - 1), with the error 3.2 u 2^k |p| from p, 0.251 u 2^k (1+p) from s, and the roundings of the
    difference (none for |k| <= 53) and of the sum. Here -0.293 <= p <= 0.4143, and |p| <= 0.415 (1+p).

    - k = 0: t = p, no further error: 3.2 u.
    - k = 1: t >= 0.414; worst at p = -0.293: (3.2 * 0.586 + 0.251 * 1.415) u / 0.414 + u <= 6.5 u.
    - k >= 2: t >= 0.646 * 2^k (1+p): (3.2 * 0.415 + 0.251) u / 0.646 + u/0.7 + u <= 5 u.
    - k = -1: -0.647 <= t <= -0.292; worst at p = 0.4143: (3.2 * 0.2072 + 0.251 * 0.708) u / 0.292 + u <= 3.9 u.
    - k <= -2: t <= -0.646: 2^k <= 1/4, (3.2 * 0.1037 + 0.251 * 0.354) u / 0.646 + 2u <= 2.7 u.
    """
    scale, p = _scaled_expm1(x)
    return p.mul_(scale).add_(scale.sub_(1.0))


def _tanh(x: Tensor) -> Tensor:
    """Return tanh x with relative error 8 u, or 2 TINY on underflow.

    For |x| <= 20 it is t / (t + 2) with t = e^2x - 1; a relative error of t reaches the result times 2 / (t + 2). In
    the order of the list in `_expm1`, that makes at most 3.2 u * 1.18, 6.5 u * 0.83, 5 u * 0.53, 3.9 u * 1.48 and
    2.7 u * 2, so at most 5.8 u, plus two roundings. Beyond 20, tanh x differs from the value there by less than
    2 e^-40 < 0.08 u.
    """
    t = _expm1(x.clamp(-20.0, 20.0).mul_(2.0))
    return t.div_(t + 2.0)


def _sigmoid(x: Tensor) -> Tensor:
    """Return 1 / (1 + e^-x) with relative error 8.4 u, or 2 TINY on underflow.

    It is e / (1 + e) with e = e^min(x, 40): a relative error of e reaches the result times 1 / (1 + e) <= 1, so 6.2 u
    and two roundings; beyond 40 the value changes by less than e^-40 < 0.04 u.
    """
    e = _exp(x.clamp(-800.0, 40.0))
    return e.div_(e + 1.0)


@in_blocks
def exp(lo: Tensor, hi: Tensor) -> Bounds:
    """Enclose e^x: relative error at most 6.2 u below and 8.8 u above, each widened by 4 u on rounding outward.

    Beyond |x| = 800 the result over- or underflows, so bounds are clamped there; of -inf it is [0, 6 TINY].
    If hi - lo <= 1/16 everywhere, e^x is evaluated at lo only: with w = fl(hi - lo), e^(hi - lo) <= e^w (1 + 0.07 u)
    and e^w <= 1 + w + 0.52 w^2 (since sum_{n>=3} w^n/n! <= 0.02 w^2), and this is computed with an error below 1.2 u;
    one more rounding multiplies it to e^lo. That makes (6.2 + 0.07 + 1.2 + 1) u <= 8.8 u.
    """
    low = lo.clamp(-800.0, 800.0)
    high = low if lo is hi else hi.clamp(-800.0, 800.0)
    width = high - low
    if low is high or width.is_meta or not bool((width <= _NARROW).all()):
        bottom, top = at_both_ends(_exp, low, high)
    else:
        bottom = _exp(low)
        top = width.mul(0.52).add_(1.0).mul_(width).add_(1.0).mul_(bottom)
    # A value that overflowed is at least (1 - error) times the largest finite number.
    return below(bottom.clamp(max=_MAX), EXP_ERROR).clamp_(min=0.0), above(top, 8.8 * UNIT_ROUNDOFF)


@in_blocks
def expm1(lo: Tensor, hi: Tensor) -> Bounds:
    """Enclose e^x - 1: relative error at most 6.5 u, also near 0, widened by 4 u on rounding outward.

    Below -708 the value is -1 + 2^-1021 at most, above 709.25 the upper bound is +inf.
    """
    bottom, top = at_both_ends(lambda x: _expm1(x.clamp(_EXPM1_LOWEST, _EXPM1_HIGHEST)), lo, hi)
    upper = above(top, EXPM1_ERROR).masked_fill_(hi > _EXPM1_HIGHEST, math.inf)
    return below(bottom, EXPM1_ERROR).clamp_(min=-1.0), upper


@in_blocks
def tanh(lo: Tensor, hi: Tensor) -> Bounds:
    """Enclose tanh x within [-1, 1]: relative error at most 8 u, widened by 4 u on rounding outward."""
    bottom, top = at_both_ends(_tanh, lo, hi)
    return below(bottom, TANH_ERROR).clamp_(min=-1.0), above(top, TANH_ERROR).clamp_(max=1.0)


@in_blocks
def sigmoid(lo: Tensor, hi: Tensor) -> Bounds:
    """Enclose 1 / (1 + e^-x) within [0, 1]: relative error at most 8.4 u, widened by 4 u on rounding outward."""
    bottom, top = at_both_ends(_sigmoid, lo, hi)
    return below(bottom, SIGMOID_ERROR).clamp_(min=0.0), above(top, SIGMOID_ERROR).clamp_(max=1.0)
