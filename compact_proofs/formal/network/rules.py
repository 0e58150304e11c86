"""How operations are written in the language of networks: one rule each, by the operation's name in aten.

Here are arithmetic and functions of single numbers; `sum_rules` and `place_rules` have the others. Each rule is an identity of real
numbers; what a function is made of (tanh of an exponential, say) stands beside it.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import torch
from torch import Tensor
from torch.fx import Node

from compact_proofs.errors import BadInput
from compact_proofs.formal.network import language as ir
from compact_proofs.formal.network.entries import Entries, broadcast
from compact_proofs.formal.network.language import Scalar, number
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


def masked(to: Lowering, node: Node, scores: Any, keep: Tensor) -> Entries:
    """Scores that count where `keep` says so."""
    value = as_entries(to, scores)
    shape = torch.broadcast_shapes(value.shape, keep.shape)
    wide = broadcast(value, shape)
    assert isinstance(wide, Entries)
    return Entries(tuple(shape), wide.at, keep.expand(shape))


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


def gelu(x: Scalar) -> Scalar:
    """x / 2 (1 + erf (x / sqrt 2))."""
    return ir.times(ir.times(number(0.5), x), ir.plus(ir.ONE, ir.erf(ir.over(x, ir.sqrt(number(2))))))


_ONCE: dict[str, Callable[[Scalar], Scalar]] = {
    "neg": negative,
    "relu": ir.relu,
    "exp": ir.exp,
    "sqrt": ir.sqrt,
    "rsqrt": lambda x: ir.over(ir.ONE, ir.sqrt(x)),
    "reciprocal": lambda x: ir.over(ir.ONE, x),
    "sigmoid": sigmoid,
    "tanh": tanh,
    "erf": ir.erf,
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
    f = gelu_tanh if node.kwargs.get("approximate", "none") == "tanh" else gelu
    return pointwise(to, f, to.define(as_entries(to, x)))


@rule("leaky_relu")
def _leaky_relu(to: Lowering, node: Node, x: Any, slope: float = 0.01) -> Entries:
    def f(a: Scalar) -> Scalar:  # relu x - slope relu (- x)
        return ir.minus(ir.relu(a), ir.times(number(slope), ir.relu(negative(a))))

    return pointwise(to, f, to.define(as_entries(to, x)))
