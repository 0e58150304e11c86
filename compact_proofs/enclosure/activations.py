"""Rules for activation functions: each the real function that torch's documentation states, at torch's constants.

Two principles carry all proofs. *Pieces*: if f(x) lies in P for x >= 0 and in N for x <= 0, an interval on one side of 0 has that
side's enclosure, one around 0 the hull of both. *Monotony*: an increasing f maps [lo, hi] into [f(lo), f(hi)], so it is evaluated
at the ends. Elsewhere f is composed from rules that are proved already. Every cost is a constant number of operations an entry
(`length.costs`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from compact_proofs.enclosure import arithmetic as ia
from compact_proofs.enclosure import functions as fn
from compact_proofs.enclosure.order_rules import choose, clamp
from compact_proofs.enclosure.table import RULES, rule
from compact_proofs.enclosure.tensor import Enclosure, enclose, real


def constant(value: Any, x: Enclosure) -> Enclosure:
    """A Python number, exactly, beside x."""
    return enclose(value, like=x.lo)


def increasing(f: Callable[[Enclosure], Enclosure], x: Enclosure) -> Enclosure:
    """Enclose an increasing function from its enclosures at both ends: f(lo) <= f(t) <= f(hi) for lo <= t <= hi."""
    if x.is_point:
        return f(x)
    return Enclosure._rounded(f(Enclosure._wrap(x.lo, x.lo)).lo, f(Enclosure._wrap(x.hi, x.hi)).hi)


def pieces(x: Enclosure, above: Callable[[Enclosure], Enclosure], below: Callable[[Enclosure], Enclosure]) -> Enclosure:
    """Enclose f from `above`, which encloses it for x >= 0, and `below`, for x <= 0.

    Each is asked on the part of x on its side, [max(lo, 0), max(hi, 0)] and [min(lo, 0), min(hi, 0)]. A real t in x lies in one of
    the parts, in the first if lo >= 0, in the second if hi <= 0; so f(t) is in that piece's enclosure, or in the hull of both.
    """
    P, N = above(clamp(x, min=0.0)), below(clamp(x, max=0.0))
    positive, negative = x.lo >= 0, x.hi <= 0
    lo = torch.where(positive, P.lo, torch.where(negative, N.lo, torch.minimum(P.lo, N.lo)))
    hi = torch.where(positive, P.hi, torch.where(negative, N.hi, torch.maximum(P.hi, N.hi)))
    return Enclosure._rounded(lo, hi)


@rule("leaky_relu")
def _leaky_relu(x: Any, negative_slope: float = 0.01) -> Enclosure:
    """x for x >= 0, slope x for x <= 0, by pieces, for a slope of any sign."""
    x = real(x)
    return pieces(x, lambda part: part, lambda part: ia.mul(constant(negative_slope, x), part))


@rule("_prelu_kernel")
def _prelu(x: Any, weight: Any) -> Enclosure:
    """x for x >= 0, weight x for x <= 0, by pieces; the weight is broadcast already."""
    return pieces(real(x), lambda part: part, lambda part: ia.mul(real(weight), part))


@rule("elu")
def _elu(x: Any, alpha: float = 1, scale: float = 1, input_scale: float = 1) -> Enclosure:
    """scale x for x >= 0, scale alpha (e^(input_scale x) - 1) for x <= 0, by pieces (ELU, SELU)."""
    x = real(x)

    def below(part: Enclosure) -> Enclosure:
        decay = fn.expm1(ia.mul(constant(input_scale, x), part))
        return ia.mul(ia.mul(constant(scale, x), constant(alpha, x)), decay)

    return pieces(x, lambda part: part if scale == 1 else ia.mul(constant(scale, x), part), below)


@rule("celu")
def _celu(x: Any, alpha: float = 1.0) -> Enclosure:
    """x for x >= 0, alpha (e^(x/alpha) - 1) for x <= 0, by pieces."""
    x = real(x)
    a = constant(alpha, x)
    return pieces(x, lambda part: part, lambda part: ia.mul(a, fn.expm1(ia.div(part, a))))


@rule("softplus")
def _softplus(x: Any, beta: float = 1, threshold: float = 20) -> Enclosure:
    """x where beta x > threshold, log(1 + e^(beta x)) / beta elsewhere: torch's function, which jumps a little at the threshold.

    The second value is asked only where beta x <= threshold, so it is enclosed for min(beta x, threshold).
    """
    x = real(x)
    b = constant(beta, x)
    t = x if beta == 1 else ia.mul(b, x)
    smooth = ia.div(fn.log1p(fn.exp(clamp(t, max=threshold))), b)
    return choose(RULES["gt"](t, threshold), x, smooth)


@rule("mish")
def _mish(x: Any) -> Enclosure:
    """x tanh(log(1 + e^x)); the second factor is a composition of increasing functions."""
    x = real(x)
    return ia.mul(x, fn.tanh(fn.log1p(fn.exp(x))))


def _ramp(x: Enclosure) -> Enclosure:
    """min(max(x + 3, 0), 6), increasing."""
    return clamp(ia.add(x, constant(3.0, x)), 0.0, 6.0)


@rule("hardsigmoid")
def _hardsigmoid(x: Any) -> Enclosure:
    """min(max(x + 3, 0), 6) / 6."""
    x = real(x)
    return ia.div(_ramp(x), constant(6.0, x))


@rule("hardswish")
def _hardswish(x: Any) -> Enclosure:
    """x min(max(x + 3, 0), 6) / 6."""
    x = real(x)
    return ia.div(ia.mul(x, _ramp(x)), constant(6.0, x))


@rule("log_sigmoid_forward")
def _log_sigmoid(x: Any) -> tuple[Enclosure, Enclosure]:
    """log(1 / (1 + e^-x)) = min(x, 0) - log(1 + e^-|x|), increasing; and e^-|x|, which torch keeps for a backward pass."""
    x = real(x)

    def decay(t: Enclosure) -> Enclosure:
        return fn.exp(ia.neg(ia.absolute(t)))

    return increasing(lambda t: ia.sub(clamp(t, max=0.0), fn.log1p(decay(t))), x), decay(x)


@rule("glu")
def _glu(x: Any, dim: int = -1) -> Enclosure:
    """a sigmoid(b) for the halves a, b of x along an axis."""
    a, b = real(x).chunk(2, dim)
    return ia.mul(a, fn.sigmoid(b))  # type: ignore[arg-type]


@rule("threshold")
def _threshold(x: Any, threshold: float, value: float) -> Enclosure:
    """x where x > threshold, `value` elsewhere."""
    x = real(x)
    return choose(RULES["gt"](x, threshold), x, value)


@rule("hardshrink")
def _hardshrink(x: Any, lambd: float = 0.5) -> Enclosure:
    """0 where |x| <= lambda, x elsewhere."""
    x = real(x)
    return choose(RULES["gt"](ia.absolute(x), lambd), x, 0.0)


@rule("softshrink")
def _softshrink(x: Any, lambd: float = 0.5) -> Enclosure:
    """x moved towards 0 by lambda, and not beyond: increasing."""
    return increasing(lambda t: ia.sub(t, clamp(t, -lambd, lambd)), real(x))


@rule("lerp")
def _lerp(a: Any, b: Any, weight: Any) -> Enclosure:
    """a + weight (b - a)."""
    x, y = real(a), real(b)
    return ia.add(x, ia.mul(real(weight, like=x.lo), ia.sub(y, x)))


@rule("frac")
def _frac(x: Any) -> Enclosure:
    """x - trunc(x)."""
    x = real(x)
    return ia.sub(x, torch.trunc(x))  # type: ignore[arg-type]


@rule("remainder")
def _remainder(a: Any, b: Any) -> Enclosure:
    """a - b floor(a / b)."""
    x, y = real(a, like=b if isinstance(b, torch.Tensor) else None), real(b, like=a if isinstance(a, torch.Tensor) else None)
    return ia.sub(x, ia.mul(y, torch.floor(ia.div(x, y))))  # type: ignore[arg-type]


def _logarithm(base: float) -> Callable[[Any], Enclosure]:
    def apply(x: Any) -> Enclosure:
        x = real(x)
        return ia.div(fn.log(x), fn.log(constant(base, x)))

    apply.__doc__ = f"log x / log {base:g}."
    return apply


RULES["log2"] = _logarithm(2.0)
RULES["log10"] = _logarithm(10.0)


@rule("exp2")
def _exp2(x: Any) -> Enclosure:
    """e^(x log 2)."""
    x = real(x)
    return fn.exp(ia.mul(x, fn.log(constant(2.0, x))))


@rule("tan")
def _tan(x: Any) -> Enclosure:
    """sin x / cos x; undefined where cos may be 0."""
    x = real(x)
    return ia.div(fn.sin(x), fn.cos(x))


@rule("logaddexp")
def _logaddexp(a: Any, b: Any) -> Enclosure:
    """log(e^a + e^b), as the logsumexp of two numbers."""
    return fn.logsumexp(torch.stack(torch.broadcast_tensors(real(a), real(b))), 0)  # type: ignore[arg-type]


@rule("isnan")
def _isnan(x: Any) -> Any:
    """False, unless an undefined result may have reached x: then undecided, since torch may have NaN where bounds are finite.

    See `unknown`. NaN in plain data is known exactly.
    """
    if not isinstance(x, Enclosure):
        return x.isnan()
    no = torch.zeros_like(x.lo, dtype=torch.bool)
    return Enclosure._wrap(no, ~no) if x._unknown else no
