"""The Clopper-Pearson bound of a success probability, from k successes in n draws; rounding never makes it too high."""

from __future__ import annotations

from collections.abc import Callable
from decimal import MAX_EMAX, MIN_EMIN, ROUND_CEILING, ROUND_FLOOR, Context, Decimal, Inexact
from fractions import Fraction

from compact_proofs.errors import BadInput

RESOLUTION = 40
"""Bounds are multiples of 2^-RESOLUTION."""
_DIGITS = 60


def clopper_pearson(k: int, n: int, delta: Fraction) -> Fraction:
    """Bound a probability from below with confidence 1 - delta, from k successes in n independent draws.

    Returns L(k), the largest multiple of 2^-40 for which ``P[Bin(n, L) >= k] <= delta`` is established, 0 for k = 0.

    For every p, ``P[L(X) > p] <= delta`` if X ~ Bin(n, p): let k* be the least k with L(k) > p. Then the event implies X >= k*,
    whose probability grows with p, so that it is at most P[Bin(n, L(k*)) >= k*] <= delta. (That L is the *largest* such number
    matters for its quality only, so the search for it is not trusted.)

    Parameters
    ----------
    k, n
        0 <= k <= n.
    delta
        In (0, 1), exactly.

    Raises
    ------
    BadInput
        For numbers outside these ranges.

    Notes
    -----
    Clopper and Pearson (1934). 40 evaluations of a binomial tail of min(k, n - k + 1) terms in 60 decimal digits.
    """
    if not (0 <= k <= n and n >= 1 and 0 < delta < 1):
        raise BadInput(f"the Clopper-Pearson bound needs 0 <= k <= n, n >= 1 and 0 < delta < 1, not {k}, {n} and {delta}")
    if k == 0:
        return Fraction(0)
    allowed = _down.divide(Decimal(delta.numerator), Decimal(delta.denominator))
    enough, too_much = 0, 2**RESOLUTION
    while too_much - enough > 1:
        middle = (enough + too_much) // 2
        if tail_at_most(k, n, middle) <= allowed:
            enough = middle
        else:
            too_much = middle
    return Fraction(enough, 2**RESOLUTION)


def tail_at_most(k: int, n: int, numerator: int) -> Decimal:
    """Return a number that is at least P[Bin(n, p) >= k] for p = numerator / 2^40, in (0, 1).

    Either the terms i = n, n - 1, ..., k rounded up, or 1 minus the terms i = 0 ... k - 1 rounded down, whichever are fewer. Every
    operation is on numbers that are not negative and rounded in one direction.
    """
    p = _exact.divide(Decimal(numerator), Decimal(2**RESOLUTION))
    q = _exact.subtract(Decimal(1), p)
    if n - k + 1 <= k:
        return _sum(_up, p, q, n, n - k + 1)
    return max(_up.subtract(Decimal(1), _sum(_down, q, p, n, k)), Decimal(0))


def _sum(rounded: Context, p: Decimal, q: Decimal, n: int, terms: int) -> Decimal:
    """Sum of C(n, j) p^(n - j) q^j over j < terms, every step rounded in one direction."""
    total = term = _power(rounded.multiply, p, n)
    odds = rounded.divide(q, p)
    for j in range(1, terms):
        term = rounded.divide(rounded.multiply(rounded.multiply(term, Decimal(n - j + 1)), odds), Decimal(j))
        total = rounded.add(total, term)
    return total


def _power(multiply: Callable[[Decimal, Decimal], Decimal], p: Decimal, n: int) -> Decimal:
    result = Decimal(1)
    for bit in bin(n)[2:]:
        result = multiply(result, result)
        if bit == "1":
            result = multiply(result, p)
    return result


def _context(rounding: str, traps: list[type] | None = None) -> Context:
    return Context(prec=_DIGITS, rounding=rounding, Emin=MIN_EMIN, Emax=MAX_EMAX, traps=traps or [])


_exact = _context(ROUND_FLOOR, [Inexact])  # a multiple of 2^-40 has 40 digits after the point
_up, _down = _context(ROUND_CEILING), _context(ROUND_FLOOR)
