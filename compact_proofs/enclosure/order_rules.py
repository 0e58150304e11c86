"""Rules for order, comparisons, choice and conversion: nothing is rounded in any of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from compact_proofs.enclosure.arithmetic_rules import pair, told
from compact_proofs.enclosure.table import RULES, Rule, rule, wrap_pair
from compact_proofs.enclosure.tensor import (
    Enclosure,
    Undetermined,
    both_bounds,
    enclose,
    exact_float64,
    exact_number,
    real,
)
from compact_proofs.errors import NoSoundRule


def _extreme(full: Callable[..., Any], along: Callable[..., Any], pairwise: Callable[..., Any]) -> Rule:
    def apply(x: Any, other: Any = None, keepdim: bool = False, *, dim: Any = None) -> Any:
        if isinstance(other, Tensor):
            return pairwise(x, other)
        dim = other if dim is None else dim
        x = enclose(x)
        if dim is None:
            return wrap_pair(*both_bounds(full, (x,), {}))
        values = wrap_pair(*both_bounds(along, (x, dim, keepdim), {}))
        return values, Undetermined(values.shape, values.device)

    return told("Of all entries, along an axis or of two tensors; its place is not known.", apply)


RULES["max"] = _extreme(torch.max, torch.amax, torch.maximum)
RULES["min"] = _extreme(torch.min, torch.amin, torch.minimum)


def _ordered(func: Callable[..., Any]) -> Rule:
    """Sorted values, top-k values, running extremes: the i-th smallest of n reals is monotone in each of them."""

    def apply(x: Any, *args: Any, **kwargs: Any) -> Any:
        lo, hi = both_bounds(lambda *a, **k: func(*a, **k)[0], (enclose(x), *args), kwargs)
        values = wrap_pair(lo, hi)
        return values, Undetermined(values.shape, values.device)

    return told("The values, in order; their places are not known.", apply)


def _top(x: Tensor, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> Any:
    """`torch.topk`, always in order: unsorted, the bounds of one place could belong to different ranks."""
    return torch.topk(x, k, dim, largest, sorted=True)


RULES |= {
    "sort": _ordered(torch.sort),
    "topk": _ordered(_top),
    "cummax": _ordered(torch.cummax),
    "cummin": _ordered(torch.cummin),
    "kthvalue": _ordered(torch.kthvalue),
}


@rule("round")
def _round(x: Any, *, decimals: int = 0) -> Enclosure:
    """The nearest integer (half to even), which is monotone."""
    if decimals:
        raise NoSoundRule(f"aten.round to {decimals} decimals has no sound rule: decimals are not binary64 numbers")
    return wrap_pair(*both_bounds(torch.round, (real(x),), {}))


@rule("clamp", "clamp_min")
def clamp(x: Any, min: Any = None, max: Any = None) -> Enclosure:
    """First the maximum with `min`, then the minimum with `max`, which wins where they cross."""
    result = real(x)
    if min is not None:
        result = wrap_pair(*both_bounds(torch.maximum, (result, real(min, like=result.lo)), {}))
    if max is not None:
        result = wrap_pair(*both_bounds(torch.minimum, (result, real(max, like=result.lo)), {}))
    return result


RULES["clamp_max"] = told("min(x, max).", lambda x, max: clamp(x, max=max))
RULES["hardtanh"] = told("min(max(x, least), most).", lambda x, min_val=-1, max_val=1: clamp(x, min_val, max_val))


def _comparison(surely: Callable[[Enclosure, Enclosure], Tensor], never: Callable[[Enclosure, Enclosure], Tensor]) -> Rule:
    def apply(a: Any, b: Any) -> Tensor:
        x, y = pair(a, b)
        yes = surely(x, y)
        return yes if x.is_point and y.is_point else Enclosure._wrap(yes, ~never(x, y))

    return told("Provably true where the bounds say so, possibly true where they do not exclude it.", apply)


RULES |= {
    "lt": _comparison(lambda x, y: x.hi < y.lo, lambda x, y: x.lo >= y.hi),
    "le": _comparison(lambda x, y: x.hi <= y.lo, lambda x, y: x.lo > y.hi),
    "gt": _comparison(lambda x, y: x.lo > y.hi, lambda x, y: x.hi <= y.lo),
    "ge": _comparison(lambda x, y: x.lo >= y.hi, lambda x, y: x.hi < y.lo),
    "eq": _comparison(lambda x, y: (x.lo == x.hi) & (y.lo == y.hi) & (x.lo == y.lo), lambda x, y: (x.hi < y.lo) | (x.lo > y.hi)),
    "ne": _comparison(lambda x, y: (x.hi < y.lo) | (x.lo > y.hi), lambda x, y: (x.lo == x.hi) & (y.lo == y.hi) & (x.lo == y.lo)),
}


@rule("bitwise_not", "logical_not")
def _not(condition: Any) -> Any:
    """Not: provably where the condition is provably false."""
    if condition.dtype != torch.bool:
        raise NoSoundRule("bitwise_not and logical_not of real numbers have no sound rule; compare them first")
    return Enclosure._wrap(~condition.hi, ~condition.lo)


@rule("where")
def choose(condition: Any, a: Any, b: Any) -> Enclosure:
    """An undecided condition gives the hull of both values."""
    bools = all(isinstance(v, Tensor) and v.dtype == torch.bool for v in (a, b))
    x, y = (enclose(a), enclose(b)) if bools else pair(a, b)
    c = enclose(condition)
    if c.dtype != torch.bool:
        raise NoSoundRule("aten.where with a condition that is not a truth value has no sound rule")
    lo = torch.where(c.lo, x.lo, y.lo)
    if c.is_point and x.is_point and y.is_point:
        return Enclosure._wrap(lo, lo)
    hi = torch.where(c.lo, x.hi, y.hi)
    if not c.is_point:
        undecided = c.hi & ~c.lo
        lo = torch.where(undecided, torch.minimum(x.lo, y.lo), lo)
        hi = torch.where(undecided, torch.maximum(x.hi, y.hi), hi)
    return Enclosure._wrap(lo, hi)


@rule("masked_fill")
def _masked_fill(x: Any, mask: Any, value: Any) -> Enclosure:
    """One number where the mask is true; the hull of both where it is undecided."""
    if x.dtype == torch.bool:
        value = value != 0 if isinstance(value, Tensor) else torch.tensor(bool(value), device=x.device)
    return choose(mask, value, x)


@rule("constant_pad_nd")
def _constant_pad_nd(x: Any, pad: list[int], value: float = 0) -> Enclosure:
    """One number around x."""
    if value != value:
        raise NoSoundRule("aten.constant_pad_nd with NaN has no sound rule: NaN is no bound")
    padding = exact_number(value)
    return wrap_pair(*both_bounds(lambda t: torch.constant_pad_nd(t, pad, padding), (enclose(x),), {}))


@rule("_to_copy")
def _to_copy(x: Any, *, dtype: torch.dtype | None = None, device: Any = None, **_: Any) -> Any:
    """Between float types the real number stays what it is (always float64); truth values become 0 and 1.

    A plain tensor stays plain; integers become float64, exactly. As a truth value x is x != 0. To integers there is no rule.
    """
    if dtype == torch.bool and x.dtype != torch.bool:
        return RULES["ne"](x, 0.0)
    if dtype is not None and not dtype.is_floating_point and dtype != x.dtype:
        raise NoSoundRule(f"converting real numbers to {dtype} has no sound rule")
    device = device or x.device
    if not isinstance(x, Enclosure) and x.dtype == torch.bool:
        return x.to(device=device, dtype=dtype or torch.float64, copy=True)
    if not isinstance(x, Enclosure):
        return exact_float64(x).to(device=device, copy=True)
    x = x if dtype is None or dtype == torch.bool else real(x)
    return wrap_pair(*both_bounds(lambda t: t.to(device=device), (x,), {}))
