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
    """Enclose the square root: off by less than one unit in the last place, moved outward by two numbers.

    (One would do for a root that is rounded to nearest; torch's is not where it calls a vector library.) Two steps up from s are at
    least one unit in the last place of s, and two steps down as well, also where s is a power of two and the numbers below it
    are twice as dense. If lo < 0 nothing is known and the result is [-inf, +inf].
    """
    undefined = lo < 0.0
    lower = down_(down_(torch.sqrt(lo.clamp(min=0.0)))).clamp_(min=0.0)
    upper = up_(up_(torch.sqrt(hi.clamp(min=0.0))))
    return lower.masked_fill_(undefined, -math.inf), upper.masked_fill_(undefined, math.inf)
