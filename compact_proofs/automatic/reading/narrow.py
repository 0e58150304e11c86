"""Leaving out what a program computes but never reads: most of all, every row of a transformer but the last.

A program that selects one row of a result, ``select(h, 0, -1)``, needs that row only, and so of ``h = a @ b`` that row of `a`
only. The selection is moved from results to arguments as far as it goes. Axes keep their place: a selected axis has length 1 from
there on, so that every operation stays what it was, with other sizes.
"""

from __future__ import annotations

import math
import operator
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.fx import Graph, Node
from torch.utils._python_dispatch import _disable_current_modes

from compact_proofs.enclosure.table import words
from compact_proofs.program.simplify import name_of

aten = torch.ops.aten

Axes = tuple["int | None", ...]
"""For each tensor argument the axis that one axis of the result is read along; None where the argument has no such axis, and is
used whole for every index."""

ENTRYWISE = words(
    """
    add sub rsub mul div neg abs square sqrt rsqrt exp expm1 log log1p tanh sigmoid erf sin cos silu gelu relu reciprocal pow
    clamp clamp_min clamp_max hardtanh leaky_relu elu softplus maximum minimum where masked_fill lt le gt ge eq ne addcmul addcdiv
    bitwise_and bitwise_or bitwise_not bitwise_xor logical_and logical_or logical_not clone detach alias _to_copy isnan isfinite
    floor ceil round trunc remainder fmod floor_divide sign zeros_like ones_like full_like
    """
)
"""Operations whose result at an index depends on their arguments at that index only, with broadcasting."""


@dataclass(frozen=True)
class Result:
    """One of the results of an operation that has several, as an operation of its own."""

    target: Any
    number: int

    @property
    def __name__(self) -> str:
        return f"{getattr(self.target, '__name__', self.target)}_{self.number}"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.target(*args, **kwargs)[self.number]


def narrowed(graph: Graph, once: bool = False) -> Graph:
    """Return a graph that computes the same output, without rows that nothing reads.

    Selections of one index are moved through operations by the table `READS`; every other operation stops them. The new graph's
    nodes have shapes of their own in ``meta["val"]``. Of an operation with several results, ``getitem`` takes the first; each other
    one is a call of its own (`Result`).

    Parameters
    ----------
    once
        Take rows out of results that are computed whole for another reader. Otherwise both are computed: a row by itself may be
        known better than as a part of the whole.
    """
    new, made = _narrowed(graph, frozenset())
    if not once:
        return new
    rows = {node for node, only in made if only is not None and node.op == "call_function"}
    return _narrowed(graph, frozenset(node for node in rows if (node, None) in made))[0]


def _narrowed(graph: Graph, whole: frozenset[Node]) -> tuple[Graph, dict[tuple[Node, tuple[int, int] | None], Node]]:
    """`narrowed`, with all that was made: of each node, whole or with one index of an axis. Rows of `whole` are taken out of it."""
    new = Graph()
    made: dict[tuple[Node, tuple[int, int] | None], Node] = {}

    def emit(target: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Node:
        if target in _VIEWS:
            target = aten.reshape.default  # rows of a tensor are not laid out as the tensor was
        node = new.call_function(target, args, kwargs)
        node.meta["val"] = target(*map_nodes(_value, args), **map_nodes(_value, {k: _shell(x) for k, x in kwargs.items()}))
        return node

    def row(node: Node, axis: int, index: int) -> Node:
        """The node with one index of one axis (which has length 1 then)."""
        size = _shape(node)[axis]
        return build(node, None if size == 1 else (axis, index % size))

    def build(node: Node, only: tuple[int, int] | None) -> Node:
        if (node, only) not in made:
            made[node, only] = _whole(node) if only is None else _row(node, *only)
        return made[node, only]

    def _whole(node: Node) -> Node:
        if name_of(node) == "select" and node.op == "call_function":
            source, axis, index = _args(node)
            axis %= len(_shape(source))
            return emit(aten.squeeze.dim, (row(source, axis, index), axis), {})
        if node.target is operator.getitem and _args(node)[1] != 0:
            several, number = _args(node)
            return emit(Result(several.target, number), *_arguments(several, lambda a: build(a, None)))
        args, kwargs = _arguments(node, lambda a: build(a, None))
        if node.op == "call_function" and node.all_input_nodes:
            return emit(node.target, args, kwargs)
        copy = new.create_node(node.op, node.target, args, kwargs, name=node.name)
        copy.meta["val"] = _shell(node.meta["val"])
        return copy

    def _row(node: Node, axis: int, index: int) -> Node:
        moved = _moved(node, axis, index) if node.op == "call_function" and node not in whole else None
        return moved if moved is not None else emit(aten.slice.Tensor, (build(node, None), axis, index, index + 1), {})

    def _moved(node: Node, axis: int, index: int) -> Node | None:
        name = name_of(node)
        if name == "select":
            source, taken, at = _args(node)
            taken %= len(_shape(source))
            first = row(source, taken, at)
            inner = axis if axis < taken else axis + 1
            return emit(aten.squeeze.dim, (emit(aten.slice.Tensor, (first, inner, index, index + 1), {}), taken), {})
        if node.target is operator.getitem:
            norm = _args(node)[0]
            if name_of(norm) != "native_layer_norm" or _args(node)[1] != 0:
                return None
            rows = _row_call(norm, _reads_rows(norm, axis), axis, index)
            return None if rows is None else emit(operator.getitem, (rows, 0), {})
        read = READS.get(name)
        return None if read is None else _row_call(node, read(node, axis), axis, index)

    def _row_call(node: Node, axes: Axes | None, axis: int, index: int) -> Node | None:
        if axes is None:
            return None
        along = dict(zip(node.all_input_nodes, axes, strict=True))
        args, kwargs = _arguments(node, lambda a: build(a, None) if (own := along[a]) is None else row(a, own, index))
        return emit(node.target, _resized(node, args, axis), kwargs)

    [output] = [node for node in graph.nodes if node.op == "output"]
    with _disable_current_modes(), _deep(20 * len(graph.nodes)):  # shapes only
        new.output(build(output.all_input_nodes[0], None))
    return new, made


@contextmanager
def _deep(calls: int) -> Iterator[None]:
    """Allow so many nested calls: a graph is followed from its output to its input."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(before, calls + 1000))
    try:
        yield
    finally:
        sys.setrecursionlimit(before)


def _arguments(node: Node, of: Callable[[Node], Node]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    return map_nodes(of, tuple(_args(node))), map_nodes(of, dict(node.kwargs))


def map_nodes(of: Callable[[Node], Any], x: Any) -> Any:
    """Put ``of(node)`` in the place of every node among nested arguments."""
    if isinstance(x, Node):
        return of(x)
    if isinstance(x, (list, tuple)):
        return type(x)(map_nodes(of, y) for y in x)
    return {k: map_nodes(of, y) for k, y in x.items()} if isinstance(x, dict) else x


def _value(node: Node) -> Any:
    return node.meta["val"]


def _shell(value: Any) -> Any:
    """A tensor without its numbers; the device of such for any device."""
    if isinstance(value, torch.device):
        return torch.device("meta")
    return value.to("meta") if isinstance(value, Tensor) else value


def _args(node: Node) -> tuple[Any, ...]:
    return tuple(node.args)


def _shape(node: Any) -> torch.Size:
    value = node.meta["val"]
    return value.shape if isinstance(value, Tensor) else torch.Size()


def _broadcast(node: Node, axis: int) -> Axes:
    """Axes are aligned from the last; one that an argument lacks, or has with length 1, is not read along."""
    found = []
    for a in node.all_input_nodes:
        own = axis - (len(_shape(node)) - len(_shape(a)))
        found.append(own if own >= 0 and _shape(a)[own] == _shape(node)[axis] else None)
    return tuple(found)


def _reads_view(node: Node, axis: int) -> Axes | None:
    """An axis that a view keeps: as many entries before it, and as many along it, as an axis of its argument."""
    before, after = _shape(_args(node)[0]), _shape(node)
    for own in range(len(before)):
        if math.prod(before[:own]) == math.prod(after[:axis]) and before[own] == after[axis]:
            return (own,)
    return None


def _reads_rows(node: Node, axis: int) -> Axes | None:
    """Layer norm and softmax: any axis that is not normalised."""
    x = _args(node)[0]
    name = name_of(node)
    free = axis < len(_shape(x)) - len(_args(node)[1]) if name == "native_layer_norm" else axis != _args(node)[1] % len(_shape(x))
    return tuple(axis if a is x else None for a in node.all_input_nodes) if free else None


def _reads_product(node: Node, axis: int) -> Axes | None:
    """mm, bmm, addmm: rows of the first factor, columns of the second."""
    *_, a, b = _args(node)
    if a is b:
        return None
    batch = len(_shape(a)) - 2
    reads = {a: axis if axis < batch + 1 else None, b: axis if axis != batch else None}
    if name_of(node) == "addmm":
        c = _args(node)[0]
        own = axis - (2 - len(_shape(c)))
        reads[c] = own if own >= 0 and _shape(c)[own] == _shape(node)[axis] else None
    return tuple(reads[x] for x in node.all_input_nodes)


def _reads_transpose(node: Node, axis: int) -> Axes:
    rank = len(_shape(node))
    order = list(range(rank))
    if name_of(node) == "permute":
        order = [d % rank for d in _args(node)[1]]
    elif rank >= 2:
        i, j = (0, 1) if name_of(node) == "t" else (_args(node)[1] % rank, _args(node)[2] % rank)
        order[i], order[j] = order[j], order[i]
    return (order[axis],)


def _reads_unsqueeze(node: Node, axis: int) -> Axes:
    new = _args(node)[1] % len(_shape(node))
    return (None if axis == new else axis - (axis > new),)


def _reads_embedding(node: Node, axis: int) -> Axes | None:
    indices = len(_shape(_args(node)[1]))
    return tuple(axis if a is _args(node)[1] else None for a in node.all_input_nodes) if axis < indices else None


def _reads_index(node: Node, axis: int) -> Axes | None:
    """``W[tokens]``: one index tensor, for the first axis."""
    indices = _args(node)[1]
    if len(indices) != 1 or not isinstance(indices[0], Node):
        return None
    tokens = indices[0]
    return tuple(axis if a is tokens else None for a in node.all_input_nodes) if axis < len(_shape(tokens)) else None


def _reads_expand(node: Node, axis: int) -> Axes:
    return _broadcast(node, axis)


def _reads_sum(node: Node, axis: int) -> Axes | None:
    """Sums and means over given axes: any other axis."""
    rank = len(_shape(_args(node)[0]))
    dims = _args(node)[1] if len(_args(node)) > 1 else None
    if not isinstance(dims, (list, tuple)) or not dims:
        return None
    summed = {d % rank for d in dims}
    keepdim = (len(_args(node)) > 2 and bool(_args(node)[2])) or bool(node.kwargs.get("keepdim"))
    kept = [None if d in summed else d for d in range(rank)] if keepdim else [d for d in range(rank) if d not in summed]
    return None if kept[axis] is None else (kept[axis],)


_VIEWS = (aten.view.default, aten._unsafe_view.default, aten._reshape_alias.default)

READS: dict[str, Callable[[Node, int], Axes | None]] = {
    **dict.fromkeys(ENTRYWISE - {"zeros_like", "ones_like", "full_like"}, _broadcast),
    **dict.fromkeys(words("view _unsafe_view _reshape_alias reshape"), _reads_view),
    **dict.fromkeys(words("mm bmm addmm"), _reads_product),
    **dict.fromkeys(words("transpose t permute"), _reads_transpose),
    **dict.fromkeys(words("_softmax _safe_softmax"), _reads_rows),
    **dict.fromkeys(words("sum mean amax amin"), _reads_sum),
    "unsqueeze": _reads_unsqueeze,
    "embedding": _reads_embedding,
    "index": _reads_index,
    "expand": _reads_expand,
}
"""Operations through which a selection moves: from the node and an axis of its result to the axes of its arguments."""


def _resized(node: Node, args: tuple[Any, ...], axis: int) -> tuple[Any, ...]:
    """The arguments with the sizes that name the result's shape adapted."""
    if name_of(node) in ("view", "_unsafe_view", "_reshape_alias", "reshape", "expand"):
        shape = list(_shape(node))
        shape[axis] = 1
        return (args[0], shape)
    return args
