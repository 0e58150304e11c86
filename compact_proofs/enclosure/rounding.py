"""Outward rounding: the few facts about binary64 on which every bound rests.

Assumed of the machine (and nothing else): ``+ - * /`` on float64 tensors are IEEE 754 binary64, rounded to nearest,
with gradual underflow (``torch.set_flush_denormal`` off); a sum or an inner product is evaluated by *some* order of
such additions and multiplications, fused or not. Nothing is assumed of sqrt, exp, log or any other library function.
"""

from __future__ import annotations

import functools
import math

import torch
from torch import Tensor

from compact_proofs.errors import UnsoundMachine

UNIT_ROUNDOFF = 2.0**-53
"""u: one rounding to nearest changes a real z into z(1+d) + e with \\|d\\| <= u and \\|e\\| <= TINY/2 (e = 0 for + and -)."""

TINY = 2.0**-1074
"""The smallest positive binary64 number."""

LARGEST = torch.finfo(torch.float64).max
"""The largest finite binary64 number."""

NEAR_OVERFLOW = 2.0**1022
"""A bound of a sum that is not below this in size is given up: some partial sum may have overflowed."""


def down_(x: Tensor) -> Tensor:
    """Move every entry of `x` to the next smaller binary64 number, in place.

    If x = fl(z) for a real z, rounded to nearest, then the result is <= z: z lies within half a step of x on either
    side, and on overflow to +inf the result is the largest finite number, which is below z. NaN stays NaN.
    """
    return torch.nextafter(x, _on_device(-math.inf, x.device), out=x)


def up_(x: Tensor) -> Tensor:
    """Move every entry of `x` to the next larger binary64 number, in place; the mirror image of `down_`."""
    return torch.nextafter(x, _on_device(math.inf, x.device), out=x)


@functools.cache
def _on_device(value: float, device: torch.device) -> Tensor:
    return torch.tensor(value, dtype=torch.float64, device=device)


def gamma(n: int) -> float:
    """Return a factor c with |fl(sum) - sum| <= c * fl(sum of absolute values), for n terms (or n products), any order.

    The classical bound is |fl(s) - s| <= gamma_n S with gamma_n = nu/(1-nu), u = 2^-53 and S the exact sum of absolute
    values (Higham, Accuracy and Stability, section 3.1; true for every order of summation, with and without fused
    multiply-add). S itself is computed by the same kind of sum, so S <= fl(S)/(1-gamma_n). For n < 2^40 the product of
    both factors is below (n+4) 2u, half of which would do; the other half absorbs the roundings of c * fl(S).
    """
    if n >= 2**40:
        raise ValueError(f"a sum of {n} terms is too long for the error bound")
    return (n + 4) * 2.0 * UNIT_ROUNDOFF


GRAIN = 2**15
"""torch gives each of its threads at least so many entries of an elementwise operation (its GRAIN_SIZE)."""


def check_machine() -> None:
    """Raise if float64 arithmetic visibly breaks an assumption: no gradual underflow, or rounding not to nearest.

    The flags of the processor that decide this belong to a thread, and a worker thread keeps those of whoever made it. So the
    operations are made on as many entries as let each of torch's threads have its share (its matrix products use the same threads).

    Raises
    ------
    UnsoundMachine
        For example after ``torch.set_flush_denormal(True)``; after a later ``set_flush_denormal(False)`` too, if threads were made
        in between.
    """
    threads = torch.get_num_threads()
    one = torch.ones(16 if threads == 1 else threads * GRAIN, dtype=torch.float64)
    half, above_half = one + UNIT_ROUNDOFF, one + 1.5 * UNIT_ROUNDOFF
    subnormal = one * 2.0**-1022 * 0.5
    nearest = bool((half == 1).all()) and bool((above_half > 1).all()) and bool((-half == -1).all())
    if not nearest or float((subnormal * 2.0**52).amin()) != 2.0**-971:
        raise UnsoundMachine(
            "float64 arithmetic does not round to nearest with gradual underflow in every thread of torch, so no bound would hold. "
            "Was torch.set_flush_denormal turned on? Threads keep it: start Python anew without it, or use torch.set_num_threads(1)"
        )
