"""Interval arithmetic on Enclosures: + - * / powers, sums and products of matrices, each with its error bound.

In every function the operands are Enclosures (float64) and the result encloses the exact real result for all real operands in
them. An endpoint computed by one rounding is moved one step outward (`rounding.down_`, `rounding.up_`); sums and inner products
carry the a-priori bound `rounding.gamma`, which holds for every order of summation.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from compact_proofs.enclosure.rounding import LARGEST, TINY, down_, gamma, up_
from compact_proofs.enclosure.tensor import Enclosure, enclose


def _outward(lo: Tensor, hi: Tensor, undefined: Callable[[], Tensor] | None = None) -> Enclosure:
    """Round two fresh tensors outward by one step (one tensor given twice is copied)."""
    if lo is hi:
        hi = lo.clone()
    return Enclosure._rounded(down_(lo), up_(hi), undefined=undefined)


def _outward_nonnegative(lo: Tensor, hi: Tensor, undefined: Callable[[], Tensor] | None = None) -> Enclosure:
    """Round outward bounds of reals that are >= 0, keeping the lower bound >= 0."""
    if lo is hi:
        hi = lo.clone()
    return Enclosure._rounded(down_(lo).clamp_(min=0), up_(hi), undefined=undefined)


def _infinite(a: Enclosure) -> Tensor:
    return a.lo.isinf() | a.hi.isinf()


def _maybe_zero(a: Enclosure) -> Tensor:
    return (a.lo <= 0) & (a.hi >= 0)


def add(a: Enclosure, b: Enclosure) -> Enclosure:
    """a + b."""
    lo = a.lo + b.lo
    return _outward(lo, lo if a.is_point and b.is_point else a.hi + b.hi)


def sub(a: Enclosure, b: Enclosure) -> Enclosure:
    """a - b."""
    lo = a.lo - b.hi
    return _outward(lo, lo if a.is_point and b.is_point else a.hi - b.lo)


def neg(a: Enclosure) -> Enclosure:
    """-a, exactly."""
    if a.is_point:
        lo = -a.lo
        return Enclosure._wrap(lo, lo)
    return Enclosure._wrap(-a.hi, -a.lo)


def absolute(a: Enclosure) -> Enclosure:
    """|a|, exactly: from max(lo, -hi, 0) to max(-lo, hi)."""
    if a.nonnegative:
        return a._same()
    if a.is_point:
        lo = a.lo.abs()
        return Enclosure._wrap(lo, lo, True)
    return Enclosure._wrap(torch.maximum(a.lo, -a.hi).clamp_(min=0), torch.maximum(-a.lo, a.hi), True)


def mul(a: Enclosure, b: Enclosure) -> Enclosure:
    """a * b: the extremes over two intervals are among the four products of their ends (fewer where signs are known).

    Undefined where one factor may be infinite and the other 0. (Then one of the products is infinite or NaN, in every case below:
    the infinite end meets the other's ends.)
    """
    if a is b:
        return square(a)

    def undefined() -> Tensor:
        return (_infinite(a) & _maybe_zero(b)) | (_maybe_zero(a) & _infinite(b))

    if a.is_point and b.is_point:
        p = a.lo * b.lo
        return (_outward_nonnegative if a.nonnegative and b.nonnegative else _outward)(p, p, undefined)
    if a.nonnegative and b.nonnegative:
        return _outward_nonnegative(a.lo * b.lo, a.hi * b.hi, undefined)
    if b.is_point or (b.nonnegative and not a.is_point):
        a, b = b, a
    if a.is_point:
        p, q = a.lo * b.lo, a.lo * b.hi
        return _outward(*((p, q) if a.nonnegative else (torch.minimum(p, q), torch.maximum(p, q))), undefined)
    if a.nonnegative:
        lo, hi = torch.minimum(a.lo * b.lo, a.hi * b.lo), torch.maximum(a.lo * b.hi, a.hi * b.hi)
        return _outward(lo, hi, undefined)
    ll, lh, hl, hh = a.lo * b.lo, a.lo * b.hi, a.hi * b.lo, a.hi * b.hi
    lo = torch.minimum(torch.minimum(ll, lh), torch.minimum(hl, hh))
    return _outward(lo, torch.maximum(torch.maximum(ll, lh), torch.maximum(hl, hh)), undefined)


def div(a: Enclosure, b: Enclosure) -> Enclosure:
    """a / b: the extremes are among the quotients of the ends where b has one sign.

    Undefined where b may be 0, and where both may be infinite (then an infinite end of a, divided by an end of b, is infinite or
    NaN).
    """
    positive = b.numel() > 0 and float(b.lo.amin()) > 0

    def undefined() -> Tensor:
        return _maybe_zero(b) | (_infinite(a) & _infinite(b))

    if a.is_point and b.is_point and positive:
        p = a.lo / b.lo
        return (_outward_nonnegative if a.nonnegative else _outward)(p, p, undefined)
    if positive and a.nonnegative:
        return _outward_nonnegative(a.lo / b.hi, a.hi / b.lo, undefined)
    if positive:
        lo, hi = torch.minimum(a.lo / b.lo, a.lo / b.hi), torch.maximum(a.hi / b.lo, a.hi / b.hi)
        return _outward(lo, hi, undefined)
    ll, lh, hl, hh = a.lo / b.lo, a.lo / b.hi, a.hi / b.lo, a.hi / b.hi
    lo = torch.minimum(torch.minimum(ll, lh), torch.minimum(hl, hh))
    hi = torch.maximum(torch.maximum(ll, lh), torch.maximum(hl, hh))
    zero = _maybe_zero(b)
    return _outward(lo.masked_fill_(zero, -math.inf), hi.masked_fill_(zero, math.inf), undefined)


def square(a: Enclosure) -> Enclosure:
    """a squared, known to be >= 0 (a * a with both factors the same number)."""
    m = absolute(a)
    lo = m.lo * m.lo
    return _outward_nonnegative(lo, lo if m.is_point else m.hi * m.hi)


def power(a: Enclosure, n: int) -> Enclosure:
    """a**n for an integer n, by repeated squaring at the ends: monotone in |a| for even n, in a for odd n."""
    if n < 0:
        return div(enclose(1.0, like=a.lo), power(a, -n))
    if n == 0:
        one = torch.ones_like(a.lo)
        return Enclosure._wrap(one, one, True)
    base = absolute(a) if n % 2 == 0 else a
    at_lo = _power_of_point(base.lo, n)
    at_hi = at_lo if base.is_point else _power_of_point(base.hi, n)
    return Enclosure._rounded(at_lo.lo, at_hi.hi)


def _power_of_point(x: Tensor, n: int) -> Enclosure:
    result, factor = None, enclose(x)
    while n:
        if n & 1:
            result = factor if result is None else mul(result, factor)
        n >>= 1
        if n:
            factor = square(factor)
    assert result is not None
    return result


def total(a: Enclosure, dim: Sequence[int] | None, keepdim: bool = False) -> Enclosure:
    """Sum over `dim` (all if None or empty): |fl(sum) - sum| <= gamma(n) fl(sum of |terms|)."""
    if not a.dim():
        return a._same()
    dims = reduced(a, dim)
    n = math.prod(a.shape[d] for d in dims)

    def sum_(x: Tensor) -> Tensor:
        return x.sum(dims, keepdim=keepdim)

    lo = sum_(a.lo)
    hi = lo if a.is_point else sum_(a.hi)
    if n <= 1:
        return Enclosure._wrap(lo, hi)
    if a.nonnegative:
        return _widen_nonnegative(lo, hi, gamma(n))
    lo_error = sum_(a.lo.abs())
    return _widen(lo, hi, lo_error, lo_error if a.is_point else sum_(a.hi.abs()), gamma(n))


def reduced(a: Enclosure, dim: Sequence[int] | None) -> list[int]:
    """The axes that a reduction over `dim` takes away, counted from 0: all if None or empty."""
    return [d % a.dim() for d in dim] if dim and a.dim() else list(range(a.dim()))


def _widen(lo: Tensor, hi: Tensor, lo_size: Tensor, hi_size: Tensor, factor: float) -> Enclosure:
    """From lo - factor lo_size to hi + factor hi_size, rounded outward.

    If a partial sum of lo overflowed, lo_size is within a factor 1 +- 3 gamma of overflow at least. Either it overflowed too, and
    the bounds are infinite or NaN, or the terms have almost one sign, and both bounds are near overflow: then `summed` gives up.
    """
    return Enclosure._rounded(down_(lo - up_(lo_size * factor)), up_(hi + up_(hi_size * factor)), summed=True)


def widened_sum(lo: Tensor, hi: Tensor, lo_size: Tensor, hi_size: Tensor, n: int) -> Enclosure:
    """Enclose sums of at most n terms, computed in any order, from the sums of the terms' absolute values, computed likewise."""
    return _widen(lo, hi, lo_size, hi_size, gamma(n))


def _widen_nonnegative(lo: Tensor, hi: Tensor, factor: float) -> Enclosure:
    """`_widen` for sums of nonnegative terms, where the sum is its own size (1 - factor and 1 + factor are exact).

    If lo overflowed, its exact value is at least (1 - factor) times the largest number.
    """
    return Enclosure._rounded(down_(lo.clamp(max=LARGEST) * (1 - factor)).clamp_(min=0), up_(hi * (1 + factor)))


def mean(a: Enclosure, dim: Sequence[int] | None, keepdim: bool = False) -> Enclosure:
    """Mean over `dim`: the sum divided by the (exact) number of terms; undefined for none."""
    n = math.prod(a.shape[d] for d in reduced(a, dim))
    return div(total(a, dim, keepdim), enclose(float(n), like=a.lo))


def cumsum(a: Enclosure, dim: int) -> Enclosure:
    """Prefix sums along `dim`: each is a sum of at most n terms, so gamma(n) bounds each."""
    if not a.dim():
        return a._same()
    n = a.shape[dim]
    lo = a.lo.cumsum(dim)
    hi = lo if a.is_point else a.hi.cumsum(dim)
    if a.nonnegative:
        return _widen_nonnegative(lo, hi, gamma(n))
    lo_size = a.lo.abs().cumsum(dim)
    return _widen(lo, hi, lo_size, lo_size if a.is_point else a.hi.abs().cumsum(dim), gamma(n))


def product(a: Enclosure, dim: int, keepdim: bool = False) -> Enclosure:
    """Product along `dim`, one factor after the other, each by `mul`; 1 if there is none."""
    if not a.dim():
        return a._same()
    one = torch.ones_like(a.lo.sum(dim))
    result = Enclosure._wrap(one, one, True)
    for i in range(a.shape[dim]):
        lo = a.lo.select(dim, i)
        factor = Enclosure._wrap(lo, lo if a.is_point else a.hi.select(dim, i))
        result = mul(result, factor) if i else factor
    return Enclosure._wrap(result.lo.unsqueeze(dim), result.hi.unsqueeze(dim)) if keepdim else result


def inner(multiply: Callable[[Tensor, Tensor], Tensor], a: Enclosure, b: Enclosure) -> Enclosure:
    """Matrix product `multiply(a, b)` (mm, bmm, mv or dot), n = length of the contracted axis.

    Write a = A + da, b = B + db with midpoints A, B and \\|da\\| <= ra, \\|db\\| <= rb. Then
    ``ab = AB + A db + da (B + db)``, and the computed product C of the midpoints has ``|C - AB| <= gamma |A||B| + n TINY``
    whatever the order of summation. So ``|C - ab| <= |A| (rb + gamma |B|) + ra (|B| + rb) + n TINY =: E``. E is a sum of
    nonnegative products, computed with relative error below 2 gamma (hence the factor 1 + 4 gamma) and absolute underflow
    below 2n TINY; with the n TINY of C and half a TINY from the last product, less than (4n + 4) TINY.
    """
    n = a.shape[-1]
    g = gamma(n)
    A, ra = _midpoint_radius(a)
    B, rb = _midpoint_radius(b)
    C = multiply(A, B)
    size_B = B.abs()
    rounding = up_(size_B * g)
    error = multiply(A.abs(), rounding if rb is None else up_(rounding + rb))
    if ra is not None:
        error = error + multiply(ra, size_B if rb is None else up_(size_B + rb))
    error = up_(error * (1 + 4 * g) + (4 * n + 4) * TINY)
    return Enclosure._rounded(down_(C - error), up_(C + error), summed=True)


def _midpoint_radius(a: Enclosure) -> tuple[Tensor, Tensor | None]:
    """A float64 midpoint and a radius (None for a point) with [lo, hi] inside midpoint -+ radius."""
    if a.is_point:
        return a.lo, None
    mid = a.mid
    return mid, up_(torch.maximum(a.hi - mid, mid - a.lo))
