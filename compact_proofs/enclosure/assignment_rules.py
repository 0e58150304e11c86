"""Rules for functional assignment, which programs without in-place operations use: ``index_put``, ``scatter``, ``copy``, ...

A number is moved into a place, exactly; so lower bounds are moved like lower bounds, and upper ones alike. Where several numbers
go to one place, torch does not say which one stays, so that is refused. Where they are *added* there, the sum is enclosed like
any other.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from compact_proofs.enclosure import arithmetic as ia
from compact_proofs.enclosure.order_rules import choose
from compact_proofs.enclosure.table import rule, wrap_pair
from compact_proofs.enclosure.tensor import Enclosure, both_bounds, enclose, real
from compact_proofs.errors import NoSoundRule

aten = torch.ops.aten


def _like(x: Any, value: Any) -> Enclosure:
    """The value as what it becomes in x: a real number, or a truth value."""
    if x.dtype != torch.bool:
        return real(value, like=x)
    y = enclose(value, like=x)
    return y if y.dtype == torch.bool else y != 0  # type: ignore[return-value]


def _known(index: Any, name: str) -> None:
    if isinstance(index, Enclosure):
        raise NoSoundRule(f"aten.{name} assigns at an uncertain index or mask; use torch.where, or provably(condition)")


def _moved(name: str, move: Callable[[Any, Any], Any], x: Any, values: Any) -> Enclosure:
    """`move` the values into x, after seeing with numbers 1, 2, ... in their places that each has a place of its own.

    A single value may go to many places.
    """
    x, values = enclose(x), _like(x, values)
    if values.numel() > 1:
        labels = torch.arange(1, values.numel() + 1, device=values.device).reshape(values.shape)
        places = move(torch.zeros(x.shape, dtype=torch.int64, device=x.device), labels)
        if int((places != 0).sum()) != values.numel():
            raise NoSoundRule(
                f"aten.{name} assigns several numbers to one place, or one of several to many; torch does not say which one stays"
            )
    return wrap_pair(*both_bounds(move, (x, values), {}))


@rule("index_put")
def _index_put(x: Any, indices: Any, values: Any, accumulate: bool = False) -> Enclosure:
    """x with values at the indices; with ``accumulate`` they are added to what is there.

    A single number may be assigned by an uncertain mask: ``where(mask, number, x)``.
    """
    mask = indices[0]
    if isinstance(mask, Enclosure) and mask.dtype == torch.bool and len(indices) == 1 and values.numel() == 1 and not accumulate:
        shape = [*mask.shape, *[1] * (x.dim() - mask.dim())]
        return choose(mask.reshape(shape), _like(x, values).reshape([]), enclose(x))
    for index in indices:
        _known(index, "index_put")
    if accumulate:
        return accumulated(lambda t, v: aten.index_put(t, indices, v, True), x, values)
    if values.numel() != 1:  # expand to what is written, so that every value has one place
        places = torch.zeros((), dtype=torch.bool, device=x.device).expand(x.shape)
        values = values.expand(places[tuple(slice(None) if index is None else index for index in indices)].shape)
    return _moved("index_put", lambda t, v: aten.index_put(t, indices, v), x, values)


@rule("scatter")
def _scatter(x: Any, dim: int, index: Any, src: Any, *, reduce: str | None = None) -> Enclosure:
    """x with the numbers of src (or one number) at the indices along an axis."""
    _known(index, "scatter")
    if reduce is not None:
        raise NoSoundRule("aten.scatter with reduce= has no sound rule; use scatter_reduce, or scatter_add")
    if isinstance(src, Tensor):
        src = src[tuple(slice(n) for n in index.shape)]
    return _moved("scatter", lambda t, v: aten.scatter.src(t, dim, index, v if v.dim() else v.expand(index.shape)), x, src)


@rule("index_copy")
def _index_copy(x: Any, dim: int, index: Any, source: Any) -> Enclosure:
    """x with the slices of source at the indices along an axis."""
    _known(index, "index_copy")
    return _moved("index_copy", lambda t, v: aten.index_copy(t, dim, index, v), x, source)


@rule("index_fill")
def _index_fill(x: Any, dim: int, index: Any, value: Any) -> Enclosure:
    """x with one number at the indices along an axis."""
    _known(index, "index_fill")
    return _moved("index_fill", lambda t, v: aten.index_fill(t, dim, index, v), x, value)


@rule("masked_scatter")
def _masked_scatter(x: Any, mask: Any, source: Any) -> Enclosure:
    """x with the numbers of source, in order, where the mask is true."""
    _known(mask, "masked_scatter")
    x, source = enclose(x), _like(x, source)
    return wrap_pair(*both_bounds(lambda t, v: aten.masked_scatter(t, mask, v), (x, source), {}))


@rule("copy")
def _copy(x: Any, src: Any, non_blocking: bool = False) -> Enclosure:
    """src in the shape of x: what ``x.copy_(src)`` leaves."""
    shape = x.shape
    return wrap_pair(*both_bounds(lambda t: t.expand(shape).clone(), (_like(x, src),), {}))


@rule("fill")
def _fill(x: Any, value: Any) -> Enclosure:
    """One number in the shape of x."""
    return _copy(x, value)


# ------------------------------------------------------------------------------------------------------------------------ sums


def accumulated(add: Callable[[Tensor, Tensor], Tensor], x: Any, values: Any) -> Enclosure:
    """`add` values into places of x, several into one perhaps.

    Each entry of the result is a sum of at most n + 1 terms, n the number of values, in some order, so its error is at most
    gamma(n + 1) times the sum of their absolute values, which is computed in the same way.
    """
    x, values = real(x), real(values)
    n = values.numel() + 1

    def result(t: Tensor, v: Tensor) -> Tensor:
        return add(t, v.to(t.device))

    lo = result(x.lo, values.lo)
    point = x.is_point and values.is_point
    hi = lo if point else result(x.hi, values.hi)
    lo_size = result(x.lo.abs(), values.lo.abs())
    return ia.widened_sum(lo, hi, lo_size, lo_size if point else result(x.hi.abs(), values.hi.abs()), n)


@rule("index_add")
def _index_add(x: Any, dim: int, index: Any, source: Any, *, alpha: float = 1) -> Enclosure:
    """x plus alpha times the slices of source at the indices along an axis."""
    _known(index, "index_add")
    source = real(source)
    if alpha != 1:
        source = ia.mul(enclose(alpha, like=source.lo), source)
    return accumulated(lambda t, v: t.index_add(dim, index, v), x, source)


@rule("scatter_add")
def _scatter_add(x: Any, dim: int, index: Any, src: Any) -> Enclosure:
    """x plus the numbers of src at the indices along an axis."""
    _known(index, "scatter_add")
    return accumulated(lambda t, v: t.scatter_add(dim, index, v), x, src)


@rule("scatter_reduce")
def _scatter_reduce(x: Any, dim: int, index: Any, src: Any, reduce: str, *, include_self: bool = True) -> Enclosure:
    """Segment-wise maximum or minimum (monotone and exact), or sum; other reductions have no rule."""
    _known(index, "scatter_reduce")
    x, src = real(x), real(src)
    if reduce == "sum":
        return accumulated(lambda t, v: t.scatter_reduce(dim, index, v, reduce, include_self=include_self), x, src)
    if reduce not in ("amax", "amin"):
        raise NoSoundRule(f"scatter_reduce with reduce={reduce!r} has no sound rule; 'amax', 'amin' and 'sum' have")
    return wrap_pair(*both_bounds(torch.scatter_reduce, (x, dim, index, src, reduce), {"include_self": include_self}))


@rule("_embedding_bag", "_embedding_bag_forward_only")
def _embedding_bag(
    weight: Any,
    indices: Tensor,
    offsets: Tensor,
    scale_grad_by_freq: bool = False,
    mode: int = 0,
    sparse: bool = False,
    per_sample_weights: Any = None,
    include_last_offset: bool = False,
    padding_idx: int = -1,
) -> tuple[Any, ...]:
    """For every bag, the sum (mode 0), mean (1) or maximum (2) of the rows that its indices name; 0 for an empty bag.

    `offsets` says where each bag starts in the list of indices; `padding_idx` is left out of bags.
    """
    ends = [*offsets.tolist(), len(indices)]
    if include_last_offset:
        ends = ends[:-1]
    weight = real(weight)
    rows = weight[indices]
    if per_sample_weights is not None:
        rows = ia.mul(rows, real(per_sample_weights)[:, None])  # type: ignore[arg-type]
    taken = (indices != padding_idx).tolist()
    bags: list[Tensor] = []
    for start, end in pairwise(ends):
        bag: Any = rows[[i for i in range(start, end) if taken[i]]]
        if not len(bag):
            bags.append(enclose(weight.lo.new_zeros(weight.shape[1])))
        elif mode == 2:
            bags.append(bag.amax(0))
        else:
            bags.append(ia.total(bag, [0]) if mode == 0 else ia.mean(bag, [0]))
    out: Any = torch.stack(bags) if bags else enclose(weight.lo.new_zeros(0, weight.shape[1]))
    return out, indices, offsets, offsets
