"""Nodes of a program's graph: what they read, what they are without changes of shape, and which are constant matrices."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from torch import Tensor
from torch.fx import Node

from compact_proofs.enclosure.table import words
from compact_proofs.program.simplify import name_of

ALIKE = words("reshape view _unsafe_view squeeze unsqueeze clone contiguous")
"""Operations that keep the entries of a vector in their order."""

Constants = Callable[[Node], Tensor]
"""What a node that is a constant of the program is."""


def ancestors(of: Collection[Node], without: Collection[Node] = ()) -> list[Node]:
    """Some nodes (at least one) and all that they read, in the graph's order, up to and without others."""
    needed = {node for node in of if node not in without}
    waiting = list(needed)
    while waiting:
        for node in waiting.pop().all_input_nodes:
            if node not in needed and node not in without:
                needed.add(node)
                waiting.append(node)
    return [node for node in next(iter(of)).graph.nodes if node in needed]


def unwrapped(node: Node) -> Node:
    """The node whose entries these are, in whatever shape."""
    while node.op == "call_function" and name_of(node) in ALIKE:
        node = node.args[0]  # type: ignore[assignment]
    return node


def size_of(node: Any) -> int:
    """How many entries a node has."""
    return int(node.meta["val"].numel())


def is_matrix(W: Any) -> bool:
    """Whether an argument is a constant matrix, or the transpose of one, as a linear layer has it."""
    return isinstance(W, Node) and (W.op == "get_attr" or (name_of(W) == "t" and W.all_input_nodes[0].op == "get_attr"))


def matrix_of(W: Node, constants: Constants) -> Tensor:
    """The numbers of such a matrix."""
    return constants(W) if W.op == "get_attr" else constants(W.all_input_nodes[0]).mT
