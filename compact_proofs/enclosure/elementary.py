"""Elementary functions on interval bounds, with proven error bounds.

Each function takes two float64 tensors `lo` <= `hi` of one shape, without NaN, where -inf and +inf stand for an
unbounded side, and returns two new tensors that enclose f(x) for every real x between them. The proofs, in the
docstrings of the modules named below, use the assumptions stated in `rounding` and exact operations (comparisons,
rounding to integers, scaling by powers of two, operations on bits), never a library's exp or log. u = 2^-53 is the unit
roundoff, and TINY the smallest positive number. The constants and polynomials come from exact rational arithmetic
(`approximation`).

    exponential       exp, expm1, tanh, sigmoid
    logarithm         log, log1p
    trigonometric     sin, cos, PI
    error_function    erf
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from compact_proofs.enclosure.error_function import erf
from compact_proofs.enclosure.exponential import exp, expm1, sigmoid, tanh
from compact_proofs.enclosure.logarithm import log, log1p
from compact_proofs.enclosure.rounding import down_, up_
from compact_proofs.enclosure.trigonometric import PI, cos, sin

__all__ = ["PI", "cos", "erf", "exp", "expm1", "log", "log1p", "sigmoid", "sin", "sqrt", "tanh"]


def sqrt(lo: Tensor, hi: Tensor) -> tuple[Tensor, Tensor]:
    """Enclose the square root: torch's proposal, moved outward by two numbers and checked by a multiplication.

    A number s >= 0 is at most sqrt(x) if s^2 <= x, which holds if ``up_(s * s) <= x``, and at least if ``down_(s * s) >= x``.
    So nothing is assumed of torch's root, which is not rounded to nearest where it calls a vector library. Numbers below 2^-500 are
    scaled by 2^600, exactly, so that no square underflows; where s^2 overflows, it is above every finite x. What fails the check
    is bounded by 0 or inf; sqrt(0) = 0. If lo < 0 nothing is known and the result is [-inf, +inf].
    """
    undefined = lo < 0.0
    x, unscale = _scaled(lo.clamp(min=0.0))
    root = down_(down_(torch.sqrt(x))).clamp_(min=0.0)
    lower = torch.where(up_(root * root) <= x, root * unscale, 0.0)
    x, unscale = _scaled(hi.clamp(min=0.0))
    root = up_(up_(torch.sqrt(x)))
    upper = torch.where(down_(root * root) >= x, root * unscale, math.inf).masked_fill_(x == 0.0, 0.0)
    return lower.masked_fill_(undefined, -math.inf), upper.masked_fill_(undefined, math.inf)


def _scaled(x: Tensor) -> tuple[Tensor, Tensor]:
    """x, times 2^600 where it is small, and what the root of that has to be multiplied by; all products are exact."""
    small = x < 2.0**-500
    return torch.where(small, x * 2.0**600, x), torch.ones_like(x).masked_fill_(small, 2.0**-300)
