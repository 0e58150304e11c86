"""Functions of Enclosures built from the elementary ones: softmax, log-softmax, layer norm, GELU."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor

from compact_proofs.enclosure import arithmetic as ia
from compact_proofs.enclosure import elementary
from compact_proofs.enclosure.rounding import down_, up_
from compact_proofs.enclosure.tensor import Enclosure, enclose, real


def _lift(f: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]], *, at_infinity: bool = True) -> Callable[[Enclosure], Enclosure]:
    """Make a function of bounds one of Enclosures; unless it has values `at_infinity`, it is undefined there."""

    def apply(a: Enclosure) -> Enclosure:
        lo, hi = f(a.lo, a.hi)
        if not at_infinity:
            undefined = a.lo.isinf() | a.hi.isinf()
            lo, hi = lo.masked_fill(undefined, -math.inf), hi.masked_fill(undefined, math.inf)
        return Enclosure._rounded(lo, hi)

    apply.__doc__ = f.__doc__
    return apply


exp = _lift(elementary.exp)
expm1 = _lift(elementary.expm1)
log = _lift(elementary.log)
log1p = _lift(elementary.log1p)
tanh = _lift(elementary.tanh)
sigmoid = _lift(elementary.sigmoid)
erf = _lift(elementary.erf)
sin = _lift(elementary.sin, at_infinity=False)
cos = _lift(elementary.cos, at_infinity=False)
sqrt = _lift(elementary.sqrt)


def gelu(x: Enclosure, approximate: str = "none") -> Enclosure:
    """x Phi(x), or its tanh approximation with the real numbers sqrt(2/pi) and 0.044715."""
    half_x = ia.mul(enclose(0.5, like=x.lo), x)
    one = enclose(1.0, like=x.lo)
    if approximate == "none":
        inner = erf(ia.div(x, sqrt(enclose(2.0, like=x.lo))))
    else:
        pi = Enclosure(*(x.lo.new_tensor(c) for c in elementary.PI))
        cubic = Enclosure(*(x.lo.new_tensor(math.nextafter(0.044715, end)) for end in (0.0, 1.0)))
        scale = sqrt(ia.div(enclose(2.0, like=x.lo), pi))
        inner = tanh(ia.mul(scale, ia.add(x, ia.mul(cubic, ia.power(x, 3)))))
    return ia.mul(half_x, ia.add(one, inner))


def softmax(x: Enclosure, dim: int) -> Enclosure:
    """Softmax along `dim`.

    With e_i = exp(x_i - M) for M = the largest upper bound: softmax_i = e_i / (e_i + sum_{j != i} e_j) grows with e_i and
    falls with every other e_j. The sum over j != i is bounded by (sum of all upper e) - (upper e_i), an exact difference of
    reals, rounded up; likewise below. Every softmax lies in [0, 1]. It is undefined where all may be -inf or one may be +inf.
    """
    if x.numel() == 0:
        return x._same()
    M = x.hi.amax(dim, keepdim=True)
    e = exp(ia.sub(x, Enclosure._wrap(M, M)))
    whole = ia.total(e, [dim], True)
    others_hi = up_(whole.hi - e.hi).clamp_(min=0)
    others_lo = down_(whole.lo - e.lo).clamp_(min=0)
    lo = down_(e.lo / up_(e.lo + others_hi)).nan_to_num_(nan=0.0).clamp_(min=0)
    hi = up_(e.hi / down_(e.hi + others_lo)).nan_to_num_(nan=1.0).clamp_(max=1)
    undefined = M.isinf() | (x.lo.amax(dim, keepdim=True) == -math.inf)
    return Enclosure._rounded(lo.masked_fill_(undefined, -math.inf), hi.masked_fill_(undefined, math.inf))


def logsumexp(x: Enclosure, dim: Any, keepdim: bool = False) -> Enclosure:
    """M + log sum exp(x - M), M = the largest upper bound."""
    dims = ia.reduced(x, [dim] if isinstance(dim, int) else list(dim))
    M = x.hi.amax(dims, keepdim=True)
    shift = Enclosure._wrap(M, M)
    result = ia.add(shift, log(ia.total(exp(ia.sub(x, shift)), dims, True)))
    return result if keepdim else result.squeeze(dims)  # type: ignore[return-value]


def log_softmax(x: Enclosure, dim: int) -> Enclosure:
    """x - logsumexp(x)."""
    if x.numel() == 0:
        return x._same()
    return ia.sub(x, logsumexp(x, dim, True))


def layer_norm(x: Enclosure, shape: Sequence[int], weight: Any, bias: Any, eps: float) -> tuple[Enclosure, Enclosure, Enclosure]:
    """(x - mean) / sqrt(var + eps) * weight + bias over the last ``len(shape)`` axes; also the mean and 1/sqrt(var + eps)."""
    if not shape or tuple(x.shape[-len(shape) :]) != tuple(shape):
        raise RuntimeError(f"layer_norm over axes of shape {list(shape)} does not fit a tensor of shape {list(x.shape)}")
    dims = list(range(x.dim() - len(shape), x.dim()))
    mean = ia.mean(x, dims, True)
    centred = ia.sub(x, mean)
    var = ia.mean(ia.square(centred), dims, True)
    rstd = ia.div(enclose(1.0, like=x.lo), sqrt(ia.add(var, enclose(eps, like=x.lo))))
    y = ia.mul(centred, rstd)
    if weight is not None:
        y = ia.mul(y, real(weight))
    if bias is not None:
        y = ia.add(y, real(bias))
    return y, mean, rstd
