"""A program as a reader sees it: a line of index notation for each operation, ``x5[i, k] = sum_j x4[i, j] W_Q[j, k]``.

Operations that only move numbers (views, transposes, slices) get no line: they change the indices of those that read them. Axes of
length 1 have no index. An operation without a formula here is written as a call, so that nothing is left out.
"""

from __future__ import annotations

import operator
import string
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.fx import Graph, Node

from compact_proofs.enclosure.table import words
from compact_proofs.program.indices import MOVES, Indices, broadcast, moved
from compact_proofs.program.simplify import name_of

_INFIX = {"add": "+", "sub": "-", "mul": "*", "div": "/", "lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "=", "ne": "!="}
_INFIX |= {"bitwise_and": "and", "logical_and": "and", "bitwise_or": "or", "logical_or": "or"}
_FUNCTIONS = words(
    """
    exp expm1 log log1p sqrt rsqrt tanh sigmoid relu gelu silu mish softplus elu leaky_relu hardtanh hardswish erf sin cos neg abs
    reciprocal sign floor ceil round trunc bitwise_not logical_not isnan pow maximum minimum clamp clamp_min clamp_max remainder
    square floor_divide
    """
)
"""Operations that act entry by entry."""

_REDUCTIONS = {"sum": "sum", "mean": "mean", "amax": "max", "amin": "min", "prod": "product", "any": "any", "all": "all"}
_PRODUCTS = {"mm", "bmm", "mv", "dot", "addmm", "baddbmm", "addmv"}
_ALONG = {"_softmax": "softmax", "_log_softmax": "log_softmax", "cumsum": "cumsum", "_safe_softmax": "softmax"}


def text(graph: Graph, tensors: Mapping[str, Tensor]) -> str:
    """Write a program's graph as lines of index notation, the last one its result; constants of one entry as numbers."""
    writer = _Writer(tensors)
    for node in graph.nodes:
        writer.add(node)
    return "\n".join(writer.lines)


class _Writer:
    """Writes nodes in order; knows, for each, how to write an entry of it."""

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        self.lines: list[str] = []
        self._tensors = tensors
        self._entry: dict[Node, Callable[[Indices], str]] = {}
        self._several: dict[Node, str] = {}
        self._numbered = 0

    def add(self, node: Node) -> None:
        if node.op == "output":
            self._line("logits", node.args[0].meta["val"], lambda i: self._of(node.args[0], i))  # type: ignore[union-attr]
        elif node.op == "placeholder":
            self._name(node, "x")
        elif node.op == "get_attr":
            constant = self._tensors[str(node.target)]
            single = constant.numel() == 1 and not constant.is_meta
            self._name(node, str(constant.item()) if single else str(node.target))
        elif _moves(node):
            source = node.args[0]
            self._entry[node] = lambda i: self._of(source, moved(node, i))
        elif node.target is operator.getitem:  # one result of several
            source, number = node.args
            self._name(node, f"{self._several[source]}.{number}" if number else self._several[source])  # type: ignore[index]
        else:
            name = f"x{self._numbered}"
            self._numbered += 1
            value = node.meta["val"]
            self._line(name, value[0] if isinstance(value, tuple) else value, lambda i: self._formula(node, i))
            if isinstance(value, tuple):
                self._several[node] = name
            else:
                self._name(node, name)

    def _name(self, node: Node, name: str) -> None:
        shape = node.meta["val"].shape
        self._entry[node] = lambda i: _indexed(name, shape, i)

    def _line(self, name: str, value: Tensor, formula: Callable[[Indices], str]) -> None:
        free = _letters()
        letters = ["0" if n == 1 else next(free) for n in value.shape]
        ranges = ", ".join(f"{a} < {n}" for a, n in zip(letters, value.shape, strict=True) if n != 1)
        self.lines.append(f"{name}[{ranges}] = {formula(letters)}" if ranges else f"{name} = {formula(letters)}")

    def _of(self, argument: Any, indices: Indices) -> str:
        """An entry of an operand, broadcast to the indices of the result; numbers as they are."""
        if not isinstance(argument, Node):
            return f"{argument}"
        return self._entry[argument](broadcast(argument.meta["val"].shape, indices))

    def _formula(self, node: Node, i: Indices) -> str:
        name = name_of(node)
        args: list[Any] = list(node.args)
        options = [f"{k}={v}" for k, v in node.kwargs.items() if k not in ("device", "layout", "pin_memory", "dtype")]
        if name == "where":
            return f"if {self._of(args[0], i)} then {self._of(args[1], i)} else {self._of(args[2], i)}"
        if name == "masked_fill":
            return f"if {self._of(args[1], i)} then {self._of(args[2], i)} else {self._of(args[0], i)}"
        if name in _INFIX and not options:
            return f"{self._factor(args[0], i)} {_INFIX[name]} {self._factor(args[1], i)}"
        if name in _FUNCTIONS:
            return f"{name}({', '.join([self._of(a, i) for a in args] + options)})"
        if name in _REDUCTIONS and isinstance(args[0], Node):
            return self._reduction(_REDUCTIONS[name], args[0], args[1] if len(args) > 1 else None, args[2:], i)
        if name in _PRODUCTS and not options:
            return self._product(name, args, i)
        if name == "_to_copy":
            return f"{str(node.meta['val'].dtype).removeprefix('torch.')}({self._of(args[0], i)})"
        if name in _ALONG:
            letter = i[args[1]] if i else "0"
            return f"{_ALONG[name]}_{letter}({self._of(args[0], i)})"
        if name in ("index", "embedding"):
            return self._lookup(args[0], args[1] if name == "index" else [args[1]], i)
        if name in ("tril", "triu"):
            offset = f" + {args[1]}" if len(args) > 1 and args[1] else ""
            order = "<=" if name == "tril" else ">="
            return f"if {i[-1]} {order} {i[-2]}{offset} then {self._of(args[0], i)} else 0"
        if name in ("zeros", "ones", "full", "scalar_tensor", "zeros_like", "ones_like", "full_like", "new_zeros", "new_ones"):
            return {"zeros": "0", "ones": "1"}.get(name.removeprefix("new_").removesuffix("_like"), str(args[-1]))
        if name == "arange":
            start, step = (args[0] if len(args) > 1 else 0), (args[2] if len(args) > 2 else 1)
            return f"{i[0]}" if (start, step) == (0, 1) else f"{start} + {step} {i[0]}"
        return self._call(name, args, options, i)

    def _factor(self, argument: Any, i: Indices) -> str:
        written = self._of(argument, i)
        return f"({written})" if " " in written.replace(", ", ",") and not written.endswith("]") else written

    def _product(self, name: str, args: list[Any], i: Indices) -> str:
        bias = args.pop(0) if name in ("addmm", "baddbmm", "addmv") else None
        a, b = args[0], args[1]
        k = _fresh(i)
        left = [*i[: a.meta["val"].dim() - 1], k]
        right = [*i[: b.meta["val"].dim() - 2], k, *i[-1:]] if b.meta["val"].dim() > 1 else [k]
        if a.meta["val"].shape[-1] == 1:
            left[-1] = right[-2 if len(right) > 1 else 0] = "0"
        written = f"sum_{k} {self._factor(a, left)} {self._factor(b, right)}".replace("sum_0 ", "")
        return written if bias is None else f"{self._of(bias, i)} + {written}"

    def _reduction(self, name: str, source: Node, dims: Any, rest: Sequence[Any], i: Indices) -> str:
        shape = source.meta["val"].shape
        over = range(len(shape)) if dims is None or dims == [] else [dims] if isinstance(dims, int) else dims
        reduced = {d % max(len(shape), 1) for d in over}
        kept = iter(i) if not (rest and rest[0]) else None
        free = (a for a in _letters() if a not in i)
        inner: list[str] = []
        bound: list[str] = []
        for d, n in enumerate(shape):
            if d in reduced:
                inner.append("0" if n == 1 else next(free))
                bound += [] if n == 1 else [inner[-1]]
            else:
                inner.append(i[d] if kept is None else next(kept))
        return f"{name}_{''.join(bound)} {self._factor(source, inner)}" if bound else self._of(source, inner)

    def _lookup(self, source: Node, indices: Sequence[Any], i: Indices) -> str:
        """``source[index, ...]`` where the given axes come first and their results' axes lead; otherwise as a call."""
        given = [a for a in indices if a is not None]
        if len(given) != len(indices):
            return self._call("index", [source, indices], [], i)
        width = max((a.meta["val"].dim() for a in given), default=0)
        looked_up = [self._of(a, i[:width]) for a in given]
        return self._entry[source]([*looked_up, *i[width:]])

    def _call(self, name: str, args: Sequence[Any], options: list[str], i: Indices) -> str:
        def whole(a: Any) -> str:
            if isinstance(a, Node):
                return self._of(a, ["."] * a.meta["val"].dim())
            if isinstance(a, (list, tuple)):
                return f"[{', '.join(map(whole, a))}]"
            return str(a)

        indices = ", ".join(a for a in i if a != "0")
        return f"{name}({', '.join([*map(whole, args), *options])})" + (f"[{indices}]" if indices else "")


def _moves(node: Node) -> bool:
    """Whether an operation only moves numbers; of conversions, those that change none, whatever it is."""
    if name_of(node) != "_to_copy":
        return name_of(node) in MOVES
    source: Any = node.args[0]
    before, after = source.meta["val"].dtype, node.meta["val"].dtype
    return bool(after.is_floating_point or before == after or (after == torch.int64 and not before.is_floating_point))


def _indexed(name: str, shape: torch.Size, indices: Indices) -> str:
    written = ", ".join(a for a, n in zip(indices, shape, strict=True) if n != 1)
    return f"{name}[{written}]" if written else name


def _letters() -> Iterator[str]:
    yield from "ijklmnopqrstuvwabcdefgh"
    yield from (f"i{n}" for n in range(100))


def _fresh(used: Indices) -> str:
    taken = {letter for index in used for letter in index if letter in string.ascii_letters}
    return next(a for a in _letters() if a not in taken)
