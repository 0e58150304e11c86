"""Numbers drawn from a law, exactly: each is known to lie in a small interval, between two quantiles.

If U is uniform between 0 and 1, the quantile of U has the law. Of U the first 52 binary digits are drawn, so that k / 2^52 <= U <=
(k+1) / 2^52; the others are any. What is proven of every number between the two quantiles is true of one that has the law.
"""

from __future__ import annotations

import torch
from torch import Tensor

from compact_proofs.draws import Draws
from compact_proofs.enclosure import Enclosure, provably
from compact_proofs.length import unseen

DIGITS = 52
WIDENED = 4e-12
"""By how much a guessed quantile is widened, relative to 1 + its size, before it is verified."""


def uniform_digits(shape: tuple[int, ...], draws: Draws) -> Tensor:
    """Draw k for numbers of a shape, int64: each from 0 to 2^52 - 1."""
    return draws.below(torch.full(shape, 2**DIGITS))


def between(low: Tensor, high: Tensor) -> Tensor:
    """Numbers that lie between two plain tensors: Enclosures in the sound reading, the middle in others."""
    if not isinstance(enclosed_zero(), Enclosure):
        return (low + high) / 2
    with unseen("bounds of draws, put together"):
        return Enclosure(low, high)


def enclosed_zero() -> Tensor:
    """0, by an operation that the sound reading encloses."""
    one = torch.ones((), dtype=torch.float64)
    return one - one


def uniform_quantiles(k: Tensor) -> Tensor:
    """Uniform numbers between 0 and 1, from their digits."""
    with unseen("numbers from their digits: k / 2^52 and (k + 1) / 2^52 are float64"):
        low, high = k.double() / 2**DIGITS, (k + 1).double() / 2**DIGITS
    return between(low, high)


def normal_quantiles(k: Tensor) -> Tensor:
    """Standard normal numbers, from the digits of U.

    The quantile is guessed, widened, and verified: where Phi(low) <= k / 2^52 is proven, low is at most the quantile of any U from
    there on, since Phi increases; otherwise low is -inf. Likewise above. Phi(x) = (1 + erf(x / sqrt 2)) / 2 is enclosed. Far out,
    where the roundings of Phi are more than the widening changes it, numbers are unbounded.

    *Cost.* About 10 operations a number.
    """
    with unseen("a guess of quantiles, which is verified, and numbers from their digits"):
        u_low, u_high = k.double() / 2**DIGITS, (k + 1).double() / 2**DIGITS
        guess = torch.special.ndtri((k.double() + 0.5) / 2**DIGITS)
        widened = WIDENED * (1 + guess.abs())
        low, high = guess - widened, guess + widened
    root = torch.full((), 2.0, dtype=torch.float64).sqrt()
    below = provably((1 + torch.erf(low / root)) / 2 <= u_low)
    above = provably((1 + torch.erf(high / root)) / 2 >= u_high)
    with unseen("bounds of draws, put together"):
        low, high = torch.where(below, low, -torch.inf), torch.where(above, high, torch.inf)
    return between(low, high)
