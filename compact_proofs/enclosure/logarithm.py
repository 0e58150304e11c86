"""log and log1p: the exponent times ln 2, plus the logarithm of a number near 1."""

from __future__ import annotations

import math
from fractions import Fraction

import torch
from torch import Tensor

from compact_proofs.enclosure.approximation import (
    Bounds,
    above,
    at_both_ends,
    below,
    confirm,
    in_blocks,
    polynomial,
    power_series,
)
from compact_proofs.enclosure.exponential import LN2_HI, LN2_LO
from compact_proofs.enclosure.rounding import TINY, UNIT_ROUNDOFF

_SQUARE = Fraction(483, 16384)
"""0.02948, which is more than ((sqrt 2 - 1) / (sqrt 2 + 1))^2 = 0.029437."""

_COFACTOR, _error = polynomial(*power_series(lambda n: Fraction(1, 2 * n + 3), _SQUARE), Fraction(0), _SQUARE, 6)
"""(artanh(f)/f - 1) / f^2 as a function of f^2, which is between 1/3 and 0.34, with an error of at most 1.85 u."""
confirm(_error, 1.85 * UNIT_ROUNDOFF)

LOG_ERROR = 5.1 * UNIT_ROUNDOFF
LOG1P_ERROR = 8.1 * UNIT_ROUNDOFF

_SQRT_HALF = torch.tensor(math.sqrt(0.5), dtype=torch.float64).view(torch.int64).item()
"""The bits of S, the binary64 number nearest to sqrt(1/2)."""

_SMALLEST_NORMAL = 2.0**-1022
_MAX = torch.finfo(torch.float64).max


def _decompose(x: Tensor) -> tuple[Tensor, Tensor]:
    """Return (e, m - 1) with x = m 2^e and S <= m < 2S, exactly, for positive finite x.

    Bits of positive normal numbers grow with them, and adding 2^52 to the bits doubles the number: so the exponent is
    the difference to the bits of S, shifted down. Subnormal numbers are scaled by 2^54 first. m - 1 is exact because
    1/2 <= m <= 2 (Sterbenz).
    """
    subnormal = x < _SMALLEST_NORMAL
    bits = torch.where(subnormal, x * 2.0**54, x).view(torch.int64)
    exponent = bits.sub(_SQRT_HALF).bitwise_right_shift_(52)
    m = bits.sub_(exponent.bitwise_left_shift(52)).view(torch.float64)
    return exponent.add_(subnormal, alpha=-54).to(torch.float64), m.sub_(1.0)


def _log_near_one(d: Tensor) -> Tensor:
    """Return log(1 + d) with relative error 3.2 u, or 2 TINY on underflow, for S - 1 - u <= d <= 2S - 1 + 2u.

    It is 2 artanh f = 2f (1 + f^2 P(f^2)) with f = d / (2 + d), |f| <= 0.1716: f has the error 2u (with terms of second
    order). f^2 P(f^2) is at most 0.0102; its relative error is 5.1 u from the square, 1.85u/0.33 from P, u from the
    product: 0.12 u in all. The last multiplication and addition round by 0.011 u and u.
    """
    f = d / (d + 2.0)
    square = f * f
    return torch.addcmul(f, f, _COFACTOR(square).mul_(square)).mul_(2.0)


def _combine(exponent: Tensor, log_m: Tensor) -> Tensor:
    """Return log m + e ln 2 with relative error 5.1 u.

    For e = 0 it is log m with its own 3.2 u. Otherwise e LN2_HI is exact (|e| < 2^11), |log m| <= 0.3466 brings
    3.2 u * 0.3466 = 1.11 u, adding e LN2_LO <= 2^-31 rounds by u/4, the missing 2^-95 |e| is nothing, and the result is
    at least 0.3465 in size (the worst case is |e| = 1): 1.37 u / 0.3465 + u for the last rounding is below 5.0 u.
    """
    return log_m.add_(exponent, alpha=LN2_LO).add_(exponent, alpha=LN2_HI)


def _log(x: Tensor) -> Tensor:
    exponent, d = _decompose(x.clamp(TINY, _MAX))
    return _combine(exponent, _log_near_one(d))


def _log1p(x: Tensor) -> Tensor:
    """Return log(1 + x) with relative error 8.1 u, for x > -1; any finite value at -1 and below.

    If w = fl(1 + x) is in [S, 2S), its logarithm is taken of x itself. Otherwise w = (1+x)(1+d) with |d| <= u, which
    changes the logarithm, at least 0.3465 in size, by 1.01 u, relatively 2.92 u.
    """
    exponent, d = _decompose(x.add(1.0).clamp_(TINY, _MAX))
    return _combine(exponent, _log_near_one(torch.where(exponent == 0, x, d)))


def _outside_domain_(lower: Tensor, upper: Tensor, lo: Tensor, hi: Tensor, pole: float) -> Bounds:
    """Put the right bounds where the interval is unbounded above, or reaches the pole or beyond, in place."""
    upper.masked_fill_(hi == math.inf, math.inf).masked_fill_(lo < pole, math.inf)
    return lower.masked_fill_(lo <= pole, -math.inf), upper


@in_blocks
def log(lo: Tensor, hi: Tensor) -> Bounds:
    """Enclose log x: relative error at most 5.1 u, also near 1, widened by 4 u on rounding outward.

    The lower bound is -inf if lo = 0; if lo < 0 nothing is known and the result is [-inf, +inf].
    """
    bottom, top = at_both_ends(_log, lo, hi)
    return _outside_domain_(below(bottom, LOG_ERROR), above(top, LOG_ERROR), lo, hi, pole=0.0)


@in_blocks
def log1p(lo: Tensor, hi: Tensor) -> Bounds:
    """Enclose log(1 + x): relative error at most 8.1 u, also near 0, widened by 4 u on rounding outward.

    The lower bound is -inf if lo = -1; if lo < -1 nothing is known and the result is [-inf, +inf].
    """
    bottom, top = at_both_ends(_log1p, lo, hi)
    return _outside_domain_(below(bottom, LOG1P_ERROR), above(top, LOG1P_ERROR), lo, hi, pole=-1.0)
