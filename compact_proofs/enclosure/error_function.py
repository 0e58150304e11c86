"""erf: a table of its values at multiples of 1/8, and a polynomial around each of them."""

from __future__ import annotations

import functools
import math
from fractions import Fraction

import torch
from torch import Tensor

from compact_proofs.enclosure.approximation import (
    CONSTANT_ERROR,
    INTEGER_SHIFT,
    PI_RATIONAL,
    Bounds,
    above,
    at_both_ends,
    below,
    confirm,
    exp_rational,
    in_blocks,
    polynomial,
    rounded_down,
)
from compact_proofs.enclosure.rounding import UNIT_ROUNDOFF

_CENTRES = 48
"""The centres are j/8 for |j| <= 48, that is, up to 6 on either side."""

_RADIUS = Fraction(1, 16)
_DEGREE = 9
_TABLE_ERROR = 5.7 * UNIT_ROUNDOFF
ERF_ERROR = 6.0 * UNIT_ROUNDOFF

_TWO_OVER_SQRT_PI = 2 / Fraction(math.isqrt(math.floor(PI_RATIONAL * 4**240)), 2**240)


def _erf_rational(c: Fraction, derivative: Fraction) -> Fraction:
    """Return erf c for 0 <= c <= 6 within 8 CONSTANT_ERROR, given its derivative 2/sqrt(pi) e^(-c^2).

    erf c = 2/sqrt(pi) e^(-c^2) sum_n 2^n c^(2n+1) / (2n+1)!!, where all terms are positive. The terms from the 240th on
    sum to less than 2^-300; rounding the terms down, with what follows from it in later terms, changes the sum by less
    than 240 e^36 2^-300 < 2^-240. The derivative's error, below 2 CONSTANT_ERROR times e^(-c^2) (exp_rational is 1/e^x
    with a relative error that small), meets a sum of at most e^(c^2).
    """
    total, term = Fraction(0), c
    for n in range(240):
        total += term
        term = rounded_down(term * 2 * c * c / (2 * n + 3))
    return derivative * total


def _taylor_cofactor(c: Fraction, derivative: Fraction) -> tuple[list[Fraction], Fraction]:
    """Return the Taylor coefficients in d of (erf(c + d) - erf c) / d, and a bound of the remainder for |d| <= 1/16.

    The (n+1)-st derivative of erf is 2/sqrt(pi) (-1)^n H_n(c) e^(-c^2) with the Hermite polynomials H_n. By Cramer's
    inequality |H_n(x)| e^(-x^2) <= 1.09 sqrt(2^n n!), so Lagrange's remainder after N terms is at most
    1.13 * 1.09 sqrt(2^N N!) |d|^N / (N+1)!. As sum_n |H_n(c)| / n! <= e^(2c+1) < 2^19, an error of the derivative
    below 2 CONSTANT_ERROR adds less than 2^20 CONSTANT_ERROR.
    """
    terms = 16
    previous, hermite = Fraction(0), Fraction(1)
    coefficients = []
    for n in range(terms):
        coefficients.append((-1) ** n * derivative * hermite / math.factorial(n + 1))
        previous, hermite = hermite, 2 * c * hermite - 2 * n * previous
    growth = math.isqrt(2**terms * math.factorial(terms)) + 1
    remainder = Fraction(5, 4) * growth * _RADIUS**terms / math.factorial(terms + 1)
    return coefficients, remainder + 2**20 * CONSTANT_ERROR


@functools.cache
def _table(device: torch.device) -> tuple[Tensor, ...]:
    """Return for n = 0, ..., 9 the n-th coefficients of the polynomials around -6, -5.875, ..., 6.

    Around c it is erf c + d Q(d), with |d| <= 1/16. If c = 0 the sum is exact, and the relative error is that of Q,
    which is at least 1.12, plus u for the product. Otherwise, as |Q| <= 1.13 and |erf| >= |erf c| - 1.13/16, it is at
    most (error of erf c + (error of Q + 1.13 u) / 16) / (|erf c| - 1.13/16) + u, the last for the sum.
    """
    u, steepest = Fraction(UNIT_ROUNDOFF), Fraction(113, 100)
    rows: dict[int, list[float]] = {}
    for j in range(_CENTRES + 1):
        c = Fraction(j, 8)
        derivative = rounded_down(_TWO_OVER_SQRT_PI * exp_rational(c * c))
        cofactor, error = polynomial(*_taylor_cofactor(c, derivative), -_RADIUS, _RADIUS, _DEGREE - 1)
        value = _erf_rational(c, derivative)
        row = [float(value), *cofactor.coefficients]
        if j == 0:
            relative = error / Fraction(112, 100) + u
        else:
            value_error = abs(Fraction(row[0]) - value) + 8 * CONSTANT_ERROR
            relative = (value_error + (error + steepest * u) * _RADIUS) / (value - steepest * _RADIUS) + u
        confirm(relative, _TABLE_ERROR)
        rows[j], rows[-j] = row, [a if n % 2 else -a for n, a in enumerate(row)]
    columns = zip(*(rows[j] for j in range(-_CENTRES, _CENTRES + 1)), strict=True)
    return tuple(torch.tensor(column, dtype=torch.float64, device=device) for column in columns)


def _erf(x: Tensor) -> Tensor:
    """Return erf x with relative error 6 u, or TINY on underflow.

    For |x| <= 6 let c = j/8 be the multiple of 1/8 nearest to x. 8x is exact, so |d| <= 1/16 for d = x - c, and d is
    exact: it is x if j = 0, and otherwise x is a multiple of 2^-56. So the error is that of the polynomials, 5.7 u. For
    |x| > 6, erf x differs from erf(+-6) by less than 1 - erf 6 <= e^-36 / (6 sqrt(pi)) < 0.2 u.
    """
    x = x.clamp(-6.0, 6.0)
    shift = INTEGER_SHIFT + _CENTRES
    index = x.mul(8.0).add_(shift)
    d = x.sub_(index - shift, alpha=0.125)
    j = index.view(torch.int64).bitwise_and_(127).reshape(-1)
    *rest, last = _table(x.device)
    value = last.index_select(0, j).view(d.shape)
    for column in reversed(rest):
        torch.addcmul(column.index_select(0, j).view(d.shape), value, d, out=value)
    return value


@in_blocks
def erf(lo: Tensor, hi: Tensor) -> Bounds:
    """Enclose erf x within [-1, 1]: relative error at most 6 u, also near 0, widened by 4 u on rounding outward."""
    bottom, top = at_both_ends(_erf, lo, hi)
    return below(bottom, ERF_ERROR).clamp_(min=-1.0), above(top, ERF_ERROR).clamp_(max=1.0)
