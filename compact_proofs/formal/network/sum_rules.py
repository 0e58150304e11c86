"""How sums and products of tensors are written in the language of networks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from torch.fx import Node

from compact_proofs.errors import BadInput
from compact_proofs.formal.network import language as ir
from compact_proofs.formal.network.entries import Entries, Places, moved
from compact_proofs.formal.network.language import Scalar, axis, fixed, number
from compact_proofs.formal.network.lowering import Lowering, as_entries
from compact_proofs.formal.network.rules import pointwise, rule, shape_of

# Sums


def summed(value: Entries, dims: Sequence[int], keep: bool) -> Entries:
    """The sum over axes."""
    for dim in sorted((d % len(value.shape) for d in dims), reverse=True):
        value = _summed(value, dim, keep)
    return value


def _summed(value: Entries, dim: int, keep: bool) -> Entries:
    n = value.shape[dim]
    shape = value.shape[:dim] + ((1,) if keep else ()) + value.shape[dim + 1 :]

    def at(p: Places, depth: int) -> Scalar:
        return ir.total(n, value.at([*p[:dim], axis(depth), *p[dim + keep :]], depth + 1))

    return Entries(shape, at)


def _dims(value: Entries, dims: Any) -> list[int]:
    if dims is None or dims == []:
        return list(range(len(value.shape)))
    return [dims] if isinstance(dims, int) else list(dims)


@rule("sum", "mean")
def _sum(to: Lowering, node: Node, x: Any, dims: Any = None, keep: bool = False) -> Entries:
    value = as_entries(to, x)
    found = summed(value, _dims(value, dims), keep)
    if str(node.target).startswith("aten.sum"):
        return found
    n = value.size // max(found.size, 1)
    return pointwise(to, ir.over, found, n)


@rule("var")
def _var(to: Lowering, node: Node, x: Any, dims: Any = None) -> Entries:
    value = to.define(as_entries(to, x))
    n = math.prod(value.shape[d] for d in _dims(value, dims))
    correction = node.kwargs.get("correction", 1)
    centred = _centred(to, value, _dims(value, dims))
    squares = summed(pointwise(to, ir.times, centred, centred), _dims(value, dims), bool(node.kwargs.get("keepdim", False)))
    return pointwise(to, ir.over, squares, n - correction)  # type: ignore[operator]


def _centred(to: Lowering, value: Entries, dims: Sequence[int]) -> Entries:
    n = math.prod(value.shape[d] for d in dims)
    mean = pointwise(to, ir.over, summed(value, dims, True), n)
    return to.define(pointwise(to, ir.minus, value, mean), name=f"{to.name}_centred")


@rule("native_layer_norm")
def _layer_norm(to: Lowering, node: Node, x: Any, sizes: Sequence[int], weight: Any, bias: Any, eps: float) -> list[Entries]:
    dims = list(range(-len(sizes), 0))
    value = to.define(as_entries(to, x), name=f"{to.name}_input")
    centred = _centred(to, value, dims)
    variance = pointwise(to, ir.over, summed(pointwise(to, ir.times, centred, centred), dims, True), math.prod(sizes))
    scale = to.define(pointwise(to, lambda a: ir.sqrt(ir.plus(a, number(eps))), variance), name=f"{to.name}_scale")
    normal = pointwise(to, ir.over, centred, scale)
    if weight is not None:
        normal = pointwise(to, ir.times, normal, weight)
    if bias is not None:
        normal = pointwise(to, ir.plus, normal, bias)
    return [to.define(normal)]


# Products


def product(to: Lowering, a: Any, b: Any) -> Entries:
    """Matrix product [..., i, k] [..., k, j]."""
    left, right = to.factor(as_entries(to, a), -1), to.factor(as_entries(to, b), -2)
    n = left.shape[-1]

    def at(p: Places, depth: int) -> Scalar:
        k = axis(depth)
        return ir.total(n, ir.times(left.at([*p[:-1], k], depth + 1), right.at([*p[:-2], k, p[-1]], depth + 1)))

    found = Entries((*left.shape[:-1], right.shape[-1]), at)
    return to.define(found) if to.constant(to.probe(found)) else found


@rule("mm", "bmm")
def _mm(to: Lowering, node: Node, a: Any, b: Any) -> Entries:
    return product(to, a, b)


@rule("addmm", "baddbmm")
def _addmm(to: Lowering, node: Node, bias: Any, a: Any, b: Any) -> Entries:
    if node.kwargs.get("alpha", 1) != 1 or node.kwargs.get("beta", 1) != 1:
        raise BadInput("addmm: factors alpha and beta have no rule")
    return pointwise(to, ir.plus, product(to, a, b), bias)


@rule("mv")
def _mv(to: Lowering, node: Node, a: Any, b: Any) -> Entries:
    vector = as_entries(to, b)
    column = moved(vector, (*vector.shape, 1), lambda p: p[:-1])
    return moved(product(to, a, column), shape_of(node), lambda p: [*p, fixed(0)])  # type: ignore[return-value]


@rule("dot")
def _dot(to: Lowering, node: Node, a: Any, b: Any) -> Entries:
    return summed(pointwise(to, ir.times, a, b), [0], False)
