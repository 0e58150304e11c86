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

from compact_proofs.enclosure.rounding import TINY, down_, gamma, up_
from compact_proofs.enclosure.tensor import Enclosure, enclose


def _outward(lo: Tensor, hi: Tensor) -> Enclosure:
    """Round two fresh tensors outward by one step (one tensor given twice is copied)."""
    if lo is hi:
        hi = lo.clone()
    return Enclosure._rounded(down_(lo), up_(hi))


def _outward_nonnegative(lo: Tensor, hi: Tensor) -> Enclosure:
    """Round outward bounds of reals that are >= 0, keeping the lower bound >= 0."""
    if lo is hi:
        hi = lo.clone()
    return Enclosure._rounded(down_(lo).clamp_(min=0), up_(hi))


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
        return a
    if a.is_point:
        lo = a.lo.abs()
        return Enclosure._wrap(lo, lo, True)
    return Enclosure._wrap(torch.maximum(a.lo, -a.hi).clamp_(min=0), torch.maximum(-a.lo, a.hi), True)


def mul(a: Enclosure, b: Enclosure) -> Enclosure:
    """a * b: the extremes over two intervals are among the four products of their ends (fewer where signs are known)."""
    if a is b:
        return square(a)
    if a.is_point and b.is_point:
        p = a.lo * b.lo
        return _outward_nonnegative(p, p) if a.nonnegative and b.nonnegative else _outward(p, p)
    if a.nonnegative and b.nonnegative:
        return _outward_nonnegative(a.lo * b.lo, a.hi * b.hi)
    if b.is_point or (b.nonnegative and not a.is_point):
        a, b = b, a
    if a.is_point:
        p, q = a.lo * b.lo, a.lo * b.hi
        return _outward(p, q) if a.nonnegative else _outward(torch.minimum(p, q), torch.maximum(p, q))
    if a.nonnegative:
        return _outward(torch.minimum(a.lo * b.lo, a.hi * b.lo), torch.maximum(a.lo * b.hi, a.hi * b.hi))
    ll, lh, hl, hh = a.lo * b.lo, a.lo * b.hi, a.hi * b.lo, a.hi * b.hi
    lo = torch.minimum(torch.minimum(ll, lh), torch.minimum(hl, hh))
    return _outward(lo, torch.maximum(torch.maximum(ll, lh), torch.maximum(hl, hh)))


def div(a: Enclosure, b: Enclosure) -> Enclosure:
    """a / b: the extremes are among the quotients of the ends where b has one sign; unknown where b may be 0."""
    positive = b.numel() > 0 and float(b.lo.amin()) > 0
    if a.is_point and b.is_point and positive:
        p = a.lo / b.lo
        return _outward_nonnegative(p, p) if a.nonnegative else _outward(p, p)
    if positive and a.nonnegative:
        return _outward_nonnegative(a.lo / b.hi, a.hi / b.lo)
    if positive:
        return _outward(torch.minimum(a.lo / b.lo, a.lo / b.hi), torch.maximum(a.hi / b.lo, a.hi / b.hi))
    ll, lh, hl, hh = a.lo / b.lo, a.lo / b.hi, a.hi / b.lo, a.hi / b.hi
    lo = torch.minimum(torch.minimum(ll, lh), torch.minimum(hl, hh))
    hi = torch.maximum(torch.maximum(ll, lh), torch.maximum(hl, hh))
    maybe_zero = ~((b.lo > 0) | (b.hi < 0))
    return _outward(torch.where(maybe_zero, -math.inf, lo), torch.where(maybe_zero, math.inf, hi))


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
    """Sum over `dim` (all if None): |fl(sum) - sum| <= gamma(n) fl(sum of |terms|)."""
    dims = list(range(a.dim())) if dim is None or len(dim) == 0 else [d % max(a.dim(), 1) for d in dim]
    if not a.dim():
        return a
    n = math.prod(a.shape[d] for d in dims)

    def sum_(x: Tensor) -> Tensor:
        return x.sum(dims, keepdim=keepdim)

    lo = sum_(a.lo)
    hi = lo if a.is_point else sum_(a.hi)
    if n == 1:
        return Enclosure._wrap(lo, hi)
    if a.nonnegative:
        return _widen_nonnegative(lo, hi, gamma(n))
    lo_error = sum_(a.lo.abs())
    return _widen(lo, hi, lo_error, lo_error if a.is_point else sum_(a.hi.abs()), gamma(n))


def _widen(lo: Tensor, hi: Tensor, lo_size: Tensor, hi_size: Tensor, factor: float) -> Enclosure:
    """From lo - factor lo_size to hi + factor hi_size, rounded outward."""
    return Enclosure._rounded(down_(lo - up_(lo_size * factor)), up_(hi + up_(hi_size * factor)), summed=True)


def _widen_nonnegative(lo: Tensor, hi: Tensor, factor: float) -> Enclosure:
    """`_widen` for sums of nonnegative terms, where the sum is its own size."""
    return Enclosure._rounded(down_(lo * (1 - factor)).clamp_(min=0), up_(hi * (1 + factor)))


def mean(a: Enclosure, dim: Sequence[int] | None, keepdim: bool = False) -> Enclosure:
    """Mean over `dim`: the sum divided by the (exact) number of terms."""
    summed = total(a, dim, keepdim)
    return div(summed, enclose(float(a.numel() // max(summed.numel(), 1)), like=a.lo))


def cumsum(a: Enclosure, dim: int) -> Enclosure:
    """Prefix sums along `dim`: each is a sum of at most n terms, so gamma(n) bounds each."""
    n = a.shape[dim] if a.dim() else 1
    lo = a.lo.cumsum(dim)
    hi = lo if a.is_point else a.hi.cumsum(dim)
    if a.nonnegative:
        return _widen_nonnegative(lo, hi, gamma(n))
    lo_size = a.lo.abs().cumsum(dim)
    return _widen(lo, hi, lo_size, lo_size if a.is_point else a.hi.abs().cumsum(dim), gamma(n))


def product(a: Enclosure, dim: int, keepdim: bool = False) -> Enclosure:
    """Product along `dim`, one factor after the other, each by `mul`."""
    n = a.shape[dim]
    result = enclose(torch.ones_like(a.lo.select(dim, 0))) if n else enclose(torch.ones_like(a.lo.sum(dim)))
    for i in range(n):
        result = mul(result, Enclosure._wrap(a.lo.select(dim, i), a.hi.select(dim, i)))
    return Enclosure._wrap(result.lo.unsqueeze(dim), result.hi.unsqueeze(dim)) if keepdim else result


def inner(multiply: Callable[[Tensor, Tensor], Tensor], a: Enclosure, b: Enclosure) -> Enclosure:
    """Matrix product `multiply(a, b)` (mm, bmm, mv or dot), n = length of the contracted axis.

    Write a = A + da, b = B + db with midpoints A, B and \\|da\\| <= ra, \\|db\\| <= rb. Then
    ``ab = AB + A db + da (B + db)``, and the computed product C of the midpoints has ``|C - AB| <= gamma |A||B| + n TINY``
    whatever the order of summation. So ``|C - ab| <= |A| (rb + gamma |B|) + ra (|B| + rb) + n TINY =: E``. E is a sum of
    nonnegative products, computed with relative error below 2 gamma (hence the factor 1 + 4 gamma) and absolute underflow
    below 2n TINY.
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
    error = up_(error * (1 + 4 * g) + 4 * n * TINY)
    return Enclosure._rounded(down_(C - error), up_(C + error), summed=True)


def _midpoint_radius(a: Enclosure) -> tuple[Tensor, Tensor | None]:
    """A float64 midpoint and a radius (None for a point) with [lo, hi] inside midpoint -+ radius."""
    if a.is_point:
        return a.lo, None
    mid = a.mid
    return mid, up_(torch.maximum(a.hi - mid, mid - a.lo))
