"""Remove operations without effect from a traced graph, so that equal functions have equal programs and print as mathematics."""

from __future__ import annotations

import operator
from typing import Any

import torch
from torch import Tensor
from torch.fx import Graph, Node

_SAME_VALUE = {"detach", "alias", "lift_fresh", "lift_fresh_copy", "lift", "clone", "contiguous"}
"""Operations whose result is their first argument: a graph without writes cannot tell a copy from the original."""

_SAME_IF_SAME_SHAPE = {"view", "_unsafe_view", "reshape", "expand", "squeeze", "unsqueeze", "permute", "slice", "_to_copy"}
"""Operations that do nothing where the result has the argument's shape and type, and nothing was reordered."""


_RESHAPES = {"view", "_unsafe_view", "reshape", "unsqueeze", "squeeze"}
"""Operations that keep the order of the entries and change the shape only."""


def name_of(node: Node) -> str:
    """The name of a call's operation without namespace and overload: ``mm``."""
    schema = getattr(node.target, "_schema", None)
    return schema.name.removeprefix("aten::") if schema is not None else str(getattr(node.target, "__name__", node.target))


def simplify(graph: Graph) -> None:
    """Remove copies, views that change nothing, and results that nothing reads; write assignments as choices.

    The values of what remains are the same.
    """
    for node in list(graph.nodes):
        if node.op == "call_function" and name_of(node) == "index_put":
            _assignment_as_choice(graph, node)
        elif node.op == "call_function" and name_of(node) == "fill" and isinstance(node.args[1], Node):
            _fill_as_expand(graph, node)
        elif node.op == "call_function" and name_of(node) in ("select_scatter", "slice_scatter"):
            _part_as_cat(graph, node)
        elif node.op == "call_function" and node.target is operator.getitem:
            _piece_as_slice(graph, node)
    for node in list(graph.nodes):
        if node.op == "call_function" and _reshapes(node):
            _join_reshapes(node)
        if node.op == "call_function" and _does_nothing(node):
            node.replace_all_uses_with(_args(node)[0])
            graph.erase_node(node)
    for node in reversed(list(graph.nodes)):
        if not node.users and node.op in ("call_function", "get_attr"):
            graph.erase_node(node)


def _does_nothing(node: Node) -> bool:
    name, args = name_of(node), _args(node)
    if name in _SAME_VALUE:
        return True
    if node.target is torch.ops.aten.mul.Scalar and args[1] == 1:  # which batching puts before a bias
        return bool(args[0].meta["val"].dtype == node.meta["val"].dtype)
    if name not in _SAME_IF_SAME_SHAPE or not args or not isinstance(args[0], Node):
        return False
    before, after = args[0].meta["val"], node.meta["val"]
    if (before.shape, before.dtype) != (after.shape, after.dtype):
        return False
    if name == "permute":
        return [d % max(before.dim(), 1) for d in args[1]] == list(range(before.dim()))
    return name != "slice" or len(args) < 5 or args[4] == 1


def _reshapes(node: Node) -> bool:
    """Whether a call keeps the order of the entries; to select from an axis of length 1 does, too."""
    name, args = name_of(node), _args(node)
    return name in _RESHAPES or (name == "select" and args[0].meta["val"].shape[args[1]] == 1)


def _args(node: Node) -> list[Any]:
    """A call's arguments, whatever their types are."""
    return list(node.args)


def _join_reshapes(node: Node) -> None:
    """Write a change of shape, or several in a row, as one ``view``."""
    source = _args(node)[0]
    while source.op == "call_function" and _reshapes(source):
        source = source.args[0]
    node.target, node.args, node.kwargs = torch.ops.aten.view.default, (source, list(node.meta["val"].shape)), {}


def _assignment_as_choice(graph: Graph, node: Node) -> None:
    """``x[mask] = c`` for one number c is ``where(mask, c, x)``, whose shape depends on no value."""
    x, indices, value, *accumulate = _args(node)
    mask = indices[0] if len(indices) == 1 else None
    if mask is None or any(accumulate):
        return
    target, chosen, given = x.meta["val"], mask.meta["val"], value.meta["val"]
    if chosen.dtype != torch.bool or given.numel() != 1 or given.dtype != target.dtype:
        return
    shape = (*chosen.shape, *(1,) * (target.dim() - chosen.dim()))
    with graph.inserting_before(node):
        wide = _insert(graph, torch.ops.aten.view.default, (mask, list(shape)), chosen.new_empty(shape))
        one = _insert(graph, torch.ops.aten.view.default, (value, []), given.new_empty(()))
        choice = _insert(graph, torch.ops.aten.where.self, (wide, one, x), target)
    node.replace_all_uses_with(choice)
    graph.erase_node(node)


def _fill_as_expand(graph: Graph, node: Node) -> None:
    """``fill(x, c)`` for a number c of x's type is c in every place."""
    x, value = _args(node)
    target, given = x.meta["val"], value.meta["val"]
    if given.dtype == target.dtype:
        with graph.inserting_before(node):
            filled = _insert(graph, torch.ops.aten.expand.default, (value, list(target.shape)), target)
        node.replace_all_uses_with(filled)
        graph.erase_node(node)


def _piece_as_slice(graph: Graph, node: Node) -> None:
    """One of the pieces that ``unbind``, ``split`` or ``chunk`` gives is a ``select`` or a ``slice`` of the whole."""
    whole, number = _args(node)
    name, args = name_of(whole), _args(whole)
    if name not in ("unbind", "split", "unsafe_split", "split_with_sizes", "unsafe_chunk", "chunk"):
        return
    dim = whole.kwargs.get("dim", args[-1] if len(args) > (1 if name == "unbind" else 2) else 0)
    start = sum(piece.shape[dim] for piece in whole.meta["val"][:number]) if name != "unbind" else number
    aten = torch.ops.aten
    with graph.inserting_before(node):
        if name == "unbind":
            piece = _insert(graph, aten.select.int, (args[0], dim, number), node.meta["val"])
        else:
            stop = start + node.meta["val"].shape[dim]
            piece = _insert(graph, aten.slice.Tensor, (args[0], dim, start, stop), node.meta["val"])
    node.replace_all_uses_with(piece)
    graph.erase_node(node)


def _part_as_cat(graph: Graph, node: Node) -> None:
    """A tensor with one slice replaced is what was before it, the new slice, and what was after it."""
    x, part, *where = _args(node)
    target, given = x.meta["val"], part.meta["val"]
    defaults: list[Any] = [0, None, None, 1]
    dim, start, stop, step = where + defaults[len(where) :]
    size = target.shape[dim]
    aten = torch.ops.aten
    with graph.inserting_before(node):
        if name_of(node) == "select_scatter":
            start, step = start % size, 1
            stop, given = start + 1, given.unsqueeze(dim)
            part = _insert(graph, aten.view.default, (part, list(given.shape)), given)
        if step != 1 or given.dtype != target.dtype:
            return
        start, stop, _ = slice(start, stop).indices(size)
        stop = max(start, stop)
        outside = [
            _insert(graph, aten.slice.Tensor, (x, dim, first, end), target.narrow(dim, first, end - first))
            for first, end in ((0, start), (stop, size))
        ]
        pieces = [piece for piece in (outside[0], part, outside[1]) if piece.meta["val"].shape[dim]]
        whole = _insert(graph, aten.cat.default, (pieces, dim), target)
    node.replace_all_uses_with(whole)
    graph.erase_node(node)


def _insert(graph: Graph, target: Any, args: tuple[Any, ...], value: Tensor) -> Node:
    node = graph.call_function(target, args)
    node.meta["val"] = value
    return node
