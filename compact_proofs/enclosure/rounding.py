"""Outward rounding: the few facts about binary64 on which every bound rests.

Assumed of the machine (and nothing else): ``+ - * / sqrt`` on float64 tensors are IEEE 754 binary64, rounded to nearest,
with gradual underflow (``torch.set_flush_denormal`` off); a sum or an inner product is evaluated by *some* order of
such additions and multiplications, fused or not. Nothing is assumed of exp, log or any other library function.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

UNIT_ROUNDOFF = 2.0**-53
"""u: one rounding to nearest changes a real z into z(1+d) + e with \\|d\\| <= u and \\|e\\| <= TINY/2 (e = 0 for + and -)."""

TINY = 2.0**-1074
"""The smallest positive binary64 number."""

_NEG_INF = torch.tensor(-math.inf, dtype=torch.float64)
_POS_INF = torch.tensor(math.inf, dtype=torch.float64)


def down_(x: Tensor) -> Tensor:
    """Move every entry of `x` to the next smaller binary64 number, in place.

    If x = fl(z) for a real z, rounded to nearest, then the result is <= z: z lies within half a step of x on either
    side, and on overflow to +inf the result is the largest finite number, which is below z. NaN stays NaN.
    """
    return torch.nextafter(x, _NEG_INF if x.device.type == "cpu" else _NEG_INF.to(x.device), out=x)


def up_(x: Tensor) -> Tensor:
    """Move every entry of `x` to the next larger binary64 number, in place; the mirror image of `down_`."""
    return torch.nextafter(x, _POS_INF if x.device.type == "cpu" else _POS_INF.to(x.device), out=x)


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
