"""Polynomials with proven errors, and the step from an error bound to an enclosure.

Two halves meet here. At import, exact rational arithmetic derives the constants and the polynomials, and bounds
everything that separates the polynomial a machine evaluates from the function it stands for. At run time, `below` and
`above` turn a value with a known error into a bound. Both rest on the assumptions stated in `rounding`.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

import torch
from torch import Tensor

from compact_proofs.enclosure.rounding import TINY, UNIT_ROUNDOFF

CONSTANT_ERROR = Fraction(1, 2**190)
"""How far the rational approximations of irrational constants below may be from their real values."""

INTEGER_SHIFT = 1.5 * 2.0**52
"""Adding it to x with |x| < 2^50 rounds x to an integer k, held in the last bits of the sum: bits = (bits of 0) + k."""

BLOCK = 2**15
"""How many entries a thread treats at a time on the CPU: few enough for its cache, and as many as torch gives it."""

Bounds = tuple[Tensor, Tensor]


def below(value: Tensor, error: float) -> Tensor:
    """Return a lower bound of f, given |value - f| <= error |f| + 2 TINY, where error <= 2^-40 and value is finite.

    The result is y - c|y| - 4 TINY with y = value and c = error + 4u. The product rounds by u c|y| and TINY/2, the
    first difference by u|y|, the last one not at all upwards (rounding is monotone). If |y| >= 2^-1021, the absolute
    errors are 2.5 TINY <= 2.5 u|y|, and 3.5 u|y| and the terms of second order fit into 4 u|y|. If |y| < 2^-1021, both
    differences are exact and the absolute errors fit into 4 TINY.
    """
    return value.sub(value.abs(), alpha=error + 4 * UNIT_ROUNDOFF).sub_(4 * TINY)


def above(value: Tensor, error: float) -> Tensor:
    """Return an upper bound of f, given |value - f| <= error |f| + 2 TINY; the mirror image of `below`.

    The value may be +inf if f is at least the largest finite number times 1 - error.
    """
    return value.add(value.abs(), alpha=error + 4 * UNIT_ROUNDOFF).add_(4 * TINY)


def at_both_ends(function: Callable[[Tensor], Tensor], lo: Tensor, hi: Tensor) -> Bounds:
    """Return (function(lo), function(hi)), evaluated once for one and the same tensor, in one sweep for small ones."""
    if lo is hi:
        value = function(lo)
        return value, value
    if lo.numel() > BLOCK // 2:
        return function(lo), function(hi)
    low, high = function(torch.stack((lo, hi))).unbind(0)
    return low, high


def in_blocks(function: Callable[[Tensor, Tensor], Bounds]) -> Callable[[Tensor, Tensor], Bounds]:
    """Make a function of bounds, entry by entry, run over blocks of them that stay in the processor's cache."""

    @functools.wraps(function)
    def blockwise(lo: Tensor, hi: Tensor) -> Bounds:
        block = BLOCK * torch.get_num_threads()
        if lo.numel() <= block or lo.device.type != "cpu":
            return function(lo, hi)
        lower, upper = (torch.empty(lo.shape, dtype=torch.float64) for _ in range(2))
        low_blocks = lo.reshape(-1).split(block)
        high_blocks = low_blocks if lo is hi else hi.reshape(-1).split(block)
        results = zip(lower.view(-1).split(block), upper.view(-1).split(block), strict=True)
        for low, high, (lower_block, upper_block) in zip(low_blocks, high_blocks, results, strict=True):
            bottom, top = function(low, high)
            lower_block.copy_(bottom)
            upper_block.copy_(top)
        return lower, upper

    return blockwise


@dataclass(frozen=True)
class Polynomial:
    """A polynomial with binary64 coefficients, lowest degree first, evaluated by Horner's rule."""

    coefficients: tuple[float, ...]

    def __call__(self, x: Tensor) -> Tensor:
        """Return the polynomial at every entry of x, as a new tensor."""
        *rest, second, first = constants_on(self.coefficients, x.device)
        value = torch.addcmul(second, x, first)
        for coefficient in reversed(rest):
            torch.addcmul(coefficient, value, x, out=value)
        return value


@functools.cache
def constants_on(values: tuple[float, ...], device: torch.device) -> tuple[Tensor, ...]:
    """Return the numbers as 0-d tensors on a device."""
    return tuple(torch.tensor(value, dtype=torch.float64, device=device) for value in values)


def polynomial(
    series: Sequence[Fraction], remainder: Fraction, low: Fraction, high: Fraction, degree: int
) -> tuple[Polynomial, Fraction]:
    """Return a polynomial of the given degree and a bound on |computed value - f(x)| for all binary64 x in [low, high].

    f is a function with |f(x) - sum_n series[n] x^n| <= remainder on [low, high]. The error is the sum of

    - the remainder;
    - economization (Lanczos): while the degree is too high, a multiple a T_n of the Chebyshev polynomial of [low, high]
      is subtracted to cancel the leading term, which changes the value by at most |a|;
    - rounding the coefficients to binary64;
    - Horner's rule. With |x| <= R, and a partial value of size at most m computed with error at most e, the step
      c + value * x has size at most m' = |c| + m R and error at most e R + u (m+e) R + TINY (the product, absent if
      fused) + u times what is then added, at most m' plus these errors.

    All of it is computed in exact arithmetic, so the bound needs no further argument.
    """
    radius = max(abs(low), abs(high))
    exact = list(series)
    error = remainder
    while len(exact) > degree + 1:
        chebyshev = _chebyshev(len(exact) - 1, low, high)
        factor = exact[-1] / chebyshev[-1]
        exact = [a - factor * t for a, t in zip(exact[:-1], chebyshev, strict=False)]
        error += abs(factor)
    rounded = tuple(float(a) for a in exact)
    error += sum(abs(Fraction(c) - a) * radius**n for n, (c, a) in enumerate(zip(rounded, exact, strict=True)))

    u, tiny = Fraction(UNIT_ROUNDOFF), Fraction(TINY)
    size, rounding = abs(Fraction(rounded[-1])), Fraction(0)
    for c in reversed(rounded[:-1]):
        product_error = rounding * radius + u * (size + rounding) * radius + tiny
        size = abs(Fraction(c)) + size * radius
        rounding = product_error + u * (size + product_error)
    return Polynomial(rounded), error + rounding


@functools.cache
def _chebyshev(n: int, low: Fraction, high: Fraction) -> tuple[Fraction, ...]:
    """Return the coefficients of T_n((2x - low - high) / (high - low)), which is at most 1 in size on [low, high]."""
    if n == 0:
        return (Fraction(1),)
    slope, shift = 2 / (high - low), -(low + high) / (high - low)
    if n == 1:
        return (shift, slope)
    result = [Fraction(0)] * (n + 1)
    for k, t in enumerate(_chebyshev(n - 1, low, high)):
        result[k] += 2 * shift * t
        result[k + 1] += 2 * slope * t
    for k, t in enumerate(_chebyshev(n - 2, low, high)):
        result[k] -= t
    return tuple(result)


def power_series(term: Callable[[int], Fraction], radius: Fraction) -> tuple[list[Fraction], Fraction]:
    """Return the first 24 coefficients and a bound on the sum of all others for |x| <= radius.

    The bound is twice the first omitted term; the caller's series must have terms that at least halve from there on.
    """
    count = 24
    return [term(n) for n in range(count)], 2 * abs(term(count)) * radius**count


def confirm(error: Fraction, claim: float) -> None:
    """Compare the proven error of a polynomial with the claimed one, which proofs in docstrings use."""
    if error > Fraction(claim):
        raise AssertionError(f"proven error {float(error)} exceeds the claimed one {claim}")


def split(value: Fraction, *quanta: int) -> tuple[float, ...]:
    """Return binary64 numbers that sum to almost `value` > 0: a multiple of 2^-q for every q given, and the rest.

    Every part is the remaining value rounded down to a multiple of 2^-q, so that the next part is below 2^-q; the last
    part is what remains, rounded to nearest, hence wrong by at most u 2^-q.
    """
    parts = []
    for q in quanta:
        part = Fraction(math.floor(value * 2**q), 2**q)
        parts.append(exactly(part))
        value -= part
    return (*parts, float(value))


def exactly(value: Fraction) -> float:
    """Return a rational number as a float, which must represent it exactly."""
    if Fraction(float(value)) != value:
        raise AssertionError(f"{value} is not a binary64 number")
    return float(value)


def exp_rational(x: Fraction) -> Fraction:
    """Return e^-x for 0 <= x <= 40 within CONSTANT_ERROR, as 1 / e^x with 220 terms of the series of e^x.

    The terms from the 220th on sum to less than 2 * 40^220 / 220! < 2^-200; rounding the terms down, with what follows
    from it in later terms, changes the sum by less than 220 e^40 2^-300 < 2^-230. Both are relative errors of 1 / e^x
    at most, as e^x >= 1.
    """
    total, term = Fraction(0), Fraction(1)
    for n in range(1, 221):
        total += term
        term = rounded_down(term * x / n)
    return rounded_down(1 / total)


def rounded_down(x: Fraction) -> Fraction:
    """Return x rounded down to a multiple of 2^-300, so that sums of a few hundred terms stay small fractions."""
    return Fraction(math.floor(x * 2**300), 2**300)


def _arctan_inverse(n: int) -> Fraction:
    """Return arctan(1/n) for n >= 5 within 2^-450, by 100 terms of its alternating series."""
    return sum((Fraction((-1) ** k, (2 * k + 1) * n ** (2 * k + 1)) for k in range(100)), Fraction(0))


LN2 = rounded_down(sum((Fraction(2, (2 * k + 1) * 3 ** (2 * k + 1)) for k in range(120)), Fraction(0)))
"""ln 2 = 2 artanh(1/3); the terms from the 120th on sum to less than 3^-240 < 2^-380."""

PI_RATIONAL = rounded_down(16 * _arctan_inverse(5) - 4 * _arctan_inverse(239))
"""pi by Machin's formula."""
