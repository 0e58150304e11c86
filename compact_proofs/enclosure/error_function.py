"""erf: a table of its values at multiples of 1/8, and a polynomial for the rest."""

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
    Polynomial,
    above,
    at_both_ends,
    below,
    checked,
    exp_rational,
    polynomial,
)
from compact_proofs.enclosure.rounding import UNIT_ROUNDOFF

ERF_ERROR = 6.5 * UNIT_ROUNDOFF

_CENTRES = 48
"""The centres are j/8 for |j| <= 48, that is, up to 6 on either side."""

_RADIUS = Fraction(1, 16)
_DEGREE = 9
_TAYLOR = 18
_TWO_OVER_SQRT_PI = 2 / Fraction(math.isqrt(math.floor(PI_RATIONAL * 4**240)), 2**240)


def _erf_rational(c: Fraction) -> Fraction:
    """Return erf c for 0 <= c <= 6 within 8 CONSTANT_ERROR.

    erf c = 2/sqrt(pi) e^(-c^2) sum_n 2^n c^(2n+1) / (2n+1)!!, where all terms are positive; from the 300th on they at
    least shrink by 8 and are below 2^-240. The factor e^(-c^2) multiplies a sum that is at most sqrt(pi)/2 e^(c^2):
    rounded constants, relative to 2^-300 at least, stay within the bound.
    """
    total, term = Fraction(0), c
    for n in range(300):
        total += term
        term = Fraction(math.floor(term * 2 * c * c / (2 * n + 3) * 2**300), 2**300)
    return _TWO_OVER_SQRT_PI * exp_rational(c * c) * total


def _taylor_cofactor(c: Fraction) -> tuple[list[Fraction], Fraction]:
    """Return the Taylor coefficients of (erf(c + d) - erf(c)) / d in d and a bound of the remainder for |d| <= 1/16.

    The (n+1)-st derivative of erf is 2/sqrt(pi) (-1)^n H_n(c) e^(-c^2), with the Hermite polynomials H_n, and by Cramer's
    inequality |H_n(x)| e^(-x^2) <= 1.09 2^(n/2) sqrt(n!), whose square root is bounded by 2^n n! here (crudely). Lagrange's
    remainder after n = N-1 is thus at most 1.13 * 1.09 * 2^(N/2) sqrt(N!) / (N+1)! |d|^N. The rational coefficients are
    wrong by at most 2^40 CONSTANT_ERROR together.
    """
    weight = _TWO_OVER_SQRT_PI * exp_rational(c * c)
    previous, hermite = Fraction(0), Fraction(1)
    coefficients = []
    for n in range(_TAYLOR):
        coefficients.append((-1) ** n * weight * hermite / math.factorial(n + 1))
        previous, hermite = hermite, 2 * c * hermite - 2 * n * previous
    growth = math.isqrt(2**_TAYLOR * math.factorial(_TAYLOR)) + 1
    remainder = Fraction(5, 4) * growth * _RADIUS**_TAYLOR / math.factorial(_TAYLOR + 1)
    return coefficients, remainder + 2**40 * CONSTANT_ERROR
