"""How operations are written in the language of networks: one rule each, by the operation's name in aten.

Each rule is an identity of real numbers; what a function is made of (tanh of an exponential, say) stands beside it.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import torch
from torch import Tensor
from torch.fx import Node

from compact_proofs.errors import BadInput
from compact_proofs.formal.network import language as ir
from compact_proofs.formal.network.entries import Entries, Places, Tokens, broadcast, moved
from compact_proofs.formal.network.language import Index, Scalar, axis, fixed, number, remainder, shifted
from compact_proofs.formal.network.lowering import Lowering, as_entries

Rule = Callable[..., Any]
RULES: dict[str, Rule] = {}
"""By name; each is called with the lowering, the node, and its arguments."""


def rule(*names: str) -> Callable[[Rule], Rule]:
    """Enter a rule under the names of its operations."""

    def enter(f: Rule) -> Rule:
        for name in names:
            assert name not in RULES, name
            RULES[name] = f
        return f

    return enter


def shape_of(node: Node) -> tuple[int, ...]:
    """The shape of a node's result."""
    return tuple(node.meta["val"].shape)


def pointwise(to: Lowering, f: Callable[..., Scalar], *operands: Any) -> Entries:
    """Apply a function entry by entry; an operand that is repeated is written down first."""
    given = [as_entries(to, a) for a in operands]
    shape = torch.broadcast_shapes(*(a.shape for a in given))
    wide = [broadcast(to.define(a) if a.size < math.prod(shape) else a, shape) for a in given]
    return Entries(tuple(shape), lambda p, depth: f(*(a.at(p, depth) for a in wide)))  # type: ignore[call-arg]


def named(to: Lowering, f: Callable[[Scalar], Scalar]) -> Rule:
    """Make a rule of a function that reads its argument several times: the argument is written down first."""
    return lambda to, node, x, *rest, **options: pointwise(to, f, to.define(as_entries(to, x)))


# Arithmetic


def _scaled_by(to: Lowering, b: Any, node: Node) -> Any:
    alpha = node.kwargs.get("alpha", 1)
    return b if alpha == 1 else pointwise(to, ir.times, b, alpha)


@rule("add")
def _add(to: Lowering, node: Node, a: Any, b: Any, *rest: Any) -> Entries:
    masks = [isinstance(x, Tensor) and bool((x == -math.inf).any()) for x in (a, b)]
    if any(masks):
        scores, mask = (b, a) if masks[0] else (a, b)
        keep = mask != -math.inf
        return masked(to, node, pointwise(to, ir.plus, scores, mask.masked_fill(~keep, 0)), keep)
    return pointwise(to, ir.plus, a, _scaled_by(to, b, node))


@rule("sub")
def _sub(to: Lowering, node: Node, a: Any, b: Any, *rest: Any) -> Entries:
    return pointwise(to, ir.minus, a, _scaled_by(to, b, node))


@rule("rsub")
def _rsub(to: Lowering, node: Node, a: Any, b: Any, *rest: Any) -> Entries:
    return pointwise(to, ir.minus, b, _scaled_by(to, a, node))


@rule("mul")
def _mul(to: Lowering, node: Node, a: Any, b: Any) -> Entries:
    return pointwise(to, ir.times, a, b)


@rule("div")
def _div(to: Lowering, node: Node, a: Any, b: Any) -> Entries:
    if node.kwargs.get("rounding_mode"):
        raise BadInput("div: division that rounds is no operation of real numbers here")
    return pointwise(to, ir.over, a, b)


def negative(a: Scalar) -> Scalar:
    """0 - a."""
    return ir.minus(ir.ZERO, a)


def maximum(a: Scalar, b: Scalar) -> Scalar:
    """b + relu (a - b)."""
    return ir.plus(b, ir.relu(ir.minus(a, b)))


def minimum(a: Scalar, b: Scalar) -> Scalar:
    """b - relu (b - a)."""
    return ir.minus(b, ir.relu(ir.minus(b, a)))


@rule("maximum", "minimum")
def _extremum(to: Lowering, node: Node, a: Any, b: Any) -> Entries:
    f = maximum if str(node.target).startswith("aten.maximum") else minimum
    return pointwise(to, f, to.define(as_entries(to, a)), to.define(as_entries(to, b)))


@rule("clamp", "clamp_min", "clamp_max", "hardtanh", "relu6")
def _clamp(to: Lowering, node: Node, x: Any, low: Any = None, high: Any = None) -> Entries:
    name = node.target._schema.name  # type: ignore[union-attr]
    if name == "aten::clamp_max":
        low, high = None, low
    if name == "aten::hardtanh":
        low, high = -1.0 if low is None else low, 1.0 if high is None else high
    if name == "aten::relu6":
        low, high = 0.0, 6.0
    options = node.kwargs
    low, high = options.get("min", low), options.get("max", high)
    if low is not None:
        x = pointwise(to, maximum, x, low)
    if high is not None:
        x = pointwise(to, lambda a, b: minimum(b, a), to.define(as_entries(to, x)), high)
    return as_entries(to, x)


@rule("pow")
def _pow(to: Lowering, node: Node, x: Any, n: Any) -> Entries:
    if n in (0.5, -0.5):
        root = pointwise(to, ir.sqrt, x)
        return root if n > 0 else pointwise(to, ir.over, 1, root)
    if not isinstance(n, (int, float)) or n != int(n) or not 1 <= abs(n) <= 16:
        raise BadInput(f"pow: the exponent {n} is not 1/2, -1/2, or a whole number up to 16")
    x = to.define(as_entries(to, x))
    power = pointwise(to, lambda a: functools.reduce(ir.times, [a] * abs(int(n))), x)
    return power if n > 0 else pointwise(to, ir.over, 1, power)


# Functions of one number


def sigmoid(x: Scalar) -> Scalar:
    """1 / (1 + exp (- x))."""
    return ir.over(ir.ONE, ir.plus(ir.ONE, ir.exp(negative(x))))


def tanh(x: Scalar) -> Scalar:
    """1 - 2 / (exp (2 x) + 1)."""
    return ir.minus(ir.ONE, ir.over(number(2), ir.plus(ir.exp(ir.times(number(2), x)), ir.ONE)))


def gelu_tanh(x: Scalar) -> Scalar:
    """x / 2 (1 + tanh (sqrt (2 / pi) (x + 0.044715 x^3))), with the real numbers that these are."""
    cube = ir.times(number(Fraction(44715, 10**6)), ir.times(x, ir.times(x, x)))
    inner = ir.times(ir.sqrt(ir.over(number(2), ir.PI)), ir.plus(x, cube))
    return ir.times(ir.times(number(0.5), x), ir.plus(ir.ONE, tanh(inner)))


_ONCE: dict[str, Callable[[Scalar], Scalar]] = {
    "neg": negative,
    "relu": ir.relu,
    "exp": ir.exp,
    "sqrt": ir.sqrt,
    "rsqrt": lambda x: ir.over(ir.ONE, ir.sqrt(x)),
    "reciprocal": lambda x: ir.over(ir.ONE, x),
    "sigmoid": sigmoid,
    "tanh": tanh,
}
"""Functions that read their argument once."""

_SEVERAL: dict[str, Callable[[Scalar], Scalar]] = {
    "abs": lambda x: ir.plus(ir.relu(x), ir.relu(negative(x))),
    "square": lambda x: ir.times(x, x),
    "silu": lambda x: ir.times(x, sigmoid(x)),
}
"""Functions that read it several times."""

for _name, _function in _ONCE.items():
    RULES[_name] = lambda to, node, x, f=_function: pointwise(to, f, x)
for _name, _function in _SEVERAL.items():
    RULES[_name] = lambda to, node, x, f=_function: pointwise(to, f, to.define(as_entries(to, x)))


@rule("gelu")
def _gelu(to: Lowering, node: Node, x: Any) -> Entries:
    if node.kwargs.get("approximate", "none") != "tanh":
        raise BadInput('gelu: the language of networks has no error function; only gelu with approximate="tanh" can be written')
    return pointwise(to, gelu_tanh, to.define(as_entries(to, x)))


@rule("leaky_relu")
def _leaky_relu(to: Lowering, node: Node, x: Any, slope: float = 0.01) -> Entries:
    def f(a: Scalar) -> Scalar:  # relu x - slope relu (- x)
        return ir.minus(ir.relu(a), ir.times(number(slope), ir.relu(negative(a))))

    return pointwise(to, f, to.define(as_entries(to, x)))


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
    if to.exact(left) and to.exact(right):
        left, right = (to.copy(left), right) if to.probe(left).reads_tokens() else (left, to.copy(right))
    n = left.shape[-1]

    def at(p: Places, depth: int) -> Scalar:
        k = axis(depth)
        return ir.total(n, ir.times(left.at([*p[:-1], k], depth + 1), right.at([*p[:-2], k, p[-1]], depth + 1)))

    return Entries((*left.shape[:-1], right.shape[-1]), at)


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


# Look-ups


def _index(a: Any, p: Places) -> Index:
    """The entry at places of an index: tokens, or a constant that counts up along one axis, or is the same everywhere."""
    if isinstance(a, Tokens):
        return a.at(p)
    assert isinstance(a, Tensor)
    values = a.to(torch.int64)
    if values.unique().numel() == 1:
        return fixed(int(values.flatten()[0]))
    for dim, n in enumerate(values.shape):
        first = values.select(dim, 0).flatten()[0]
        counting = (first + torch.arange(n)).reshape([-1 if d == dim else 1 for d in range(a.dim())])
        if torch.equal(values, counting.expand_as(values)):
            return shifted(p[dim], fixed(int(first)))
    raise BadInput("an index that is a constant must count up along one axis")


@rule("index")
def _lookup(to: Lowering, node: Node, x: Any, indices: Sequence[Any]) -> Any:
    source = x if isinstance(x, Tokens) else as_entries(to, x)
    used = [d for d, a in enumerate(indices) if a is not None]
    if used != list(range(used[0], used[0] + len(used))) or any(isinstance(a, Tensor) and a.dtype == torch.bool for a in indices):
        raise BadInput("index: indices must be whole numbers, for axes side by side")
    given = [indices[d] for d in used]
    wide = torch.broadcast_shapes(*(tuple(a.shape) for a in given))
    first, width = used[0], len(wide)

    def places(p: Places) -> Places:
        own = p[first : first + width]
        looked_up = []
        for a in given:
            lead = width - len(a.shape)
            looked_up.append(_index(a, [fixed(0) if n == 1 else i for n, i in zip(a.shape, own[lead:], strict=True)]))
        return [*p[:first], *looked_up, *p[first + width :]]

    return moved(source, shape_of(node), places)


@rule("embedding")
def _embedding(to: Lowering, node: Node, table: Any, indices: Any, *rest: Any) -> Any:
    return _lookup(to, node, table, [indices])


@rule("eq")
def _equal(to: Lowering, node: Node, a: Any, b: Any) -> Entries:
    """1 where two whole numbers are equal: an entry of the identity matrix (a one-hot code)."""
    tokens, numbers = (a, b) if isinstance(a, Tokens) else (b, a)
    if not (isinstance(tokens, Tokens) and isinstance(numbers, Tensor)):
        raise BadInput("eq: only tokens can be compared, with constants")
    n = int(numbers.max()) + 1
    identity = to.weight(f"identity_{n}", torch.eye(n, dtype=torch.float64))
    shape = shape_of(node)

    def own(size: Sequence[int], p: Places) -> Places:
        return [fixed(0) if k == 1 else i for k, i in zip(size, p[len(shape) - len(size) :], strict=True)]

    def at(p: Places, depth: int) -> Scalar:
        return identity.at([tokens.at(own(tokens.shape, p)), _index(numbers, own(numbers.shape, p))], depth)

    return Entries(shape, at)


# Attention


def masked(to: Lowering, node: Node, scores: Any, keep: Tensor) -> Entries:
    """Scores that count where `keep` says so."""
    value = as_entries(to, scores)
    shape = torch.broadcast_shapes(value.shape, keep.shape)
    wide = broadcast(value, shape)
    assert isinstance(wide, Entries)
    return Entries(tuple(shape), wide.at, keep.expand(shape))


@rule("where")
def _where(to: Lowering, node: Node, condition: Any, a: Any, b: Any) -> Entries:
    if not isinstance(condition, Tensor):
        raise BadInput("where: a choice that depends on the input has no rule; choices by a constant mask have one")
    for chosen, other, keep in ((a, b, condition), (b, a, ~condition)):
        if _is_minus_infinity(other):
            return masked(to, node, chosen, keep)
    weight = to.weight(f"mask of {to.name}", condition.to(torch.float64))
    first = pointwise(to, ir.times, weight, a)
    rest = pointwise(to, ir.times, pointwise(to, ir.minus, 1, weight), b)
    return pointwise(to, ir.plus, first, rest)


@rule("masked_fill")
def _masked_fill(to: Lowering, node: Node, x: Any, mask: Any, value: Any) -> Entries:
    return _where(to, node, mask, value, x)


def _is_minus_infinity(a: Any) -> bool:
    if isinstance(a, Tensor):
        return bool((a == -math.inf).all())
    return isinstance(a, float) and a == -math.inf


@rule("_softmax", "_safe_softmax")
def _softmax(to: Lowering, node: Node, x: Any, dim: int, *rest: Any) -> Entries:
    scores, keep = (x, x.masked) if isinstance(x, Entries) else (as_entries(to, x), None)
    value = pointwise(to, ir.exp, Entries(scores.shape, scores.at))
    if keep is not None and not bool(keep.all()):
        if not bool(keep.any(dim).all()):
            raise BadInput("softmax: a row is masked everywhere")
        value = pointwise(to, ir.times, to.weight(f"mask of {to.name}", keep.to(torch.float64)), value)
    value = to.define(value, name=f"{to.name}_exp")
    return pointwise(to, ir.over, value, summed(value, [dim], True))


# Tensors side by side


@rule("cat", "stack")
def _cat(to: Lowering, node: Node, parts: Sequence[Any], dim: int = 0) -> Entries:
    shape = shape_of(node)
    dim %= len(shape)
    given: list[Any] = [to.define(as_entries(to, a)) for a in parts]
    if str(node.target).startswith("aten.stack"):
        given = [moved(a, (*a.shape[:dim], 1, *a.shape[dim:]), lambda p: [*p[:dim], *p[dim + 1 :]]) for a in given]
    starts = [sum(a.shape[dim] for a in given[:k]) for k in range(len(given))]
    if len(given) == 1:
        return given[0]

    def at(p: Places, depth: int) -> Scalar:
        if p[dim].head == "Fixed":
            number_in = p[dim].args[0]
            assert isinstance(number_in, int)
            k = max(k for k, start in enumerate(starts) if start <= number_in and given[k].shape[dim])
            return given[k].at([*p[:dim], fixed(number_in - starts[k]), *p[dim + 1 :]], depth)
        found = ir.ZERO
        for a, start in zip(given, starts, strict=True):  # 1 within the part times an entry of it, which is the right one there
            n = a.shape[dim]
            places = torch.arange(shape[dim])
            within = to.weight(f"part {start} of {to.name}", ((places >= start) & (places < start + n)).double())
            own = a.at([*p[:dim], remainder(shifted(p[dim], fixed(-start % n)), n), *p[dim + 1 :]], depth)
            found = ir.plus(found, ir.times(within.at([p[dim]], depth), own))
        return found

    return Entries(shape, at)
