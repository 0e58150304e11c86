"""How a program ends: vectors as sums of parts, and logits from a last layer norm."""

from __future__ import annotations

import operator
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor
from torch.fx import Node

from compact_proofs.automatic.listing.graphs import ALIKE, Constants, is_matrix, matrix_of, size_of, unwrapped
from compact_proofs.program.simplify import name_of


@dataclass
class Parts:
    """A vector as a sum: of vectors, of vectors times matrices, and of constants; each a node."""

    alone: list[Node] = field(default_factory=list)
    times: list[tuple[Node, Node]] = field(default_factory=list)
    constants: list[Node] = field(default_factory=list)

    @classmethod
    def of(cls, node: Node) -> Parts:
        """Of a node that is a vector, in whatever shape."""
        found, size = cls(), size_of(node)
        waiting = [node]
        while waiting:
            at = waiting.pop()
            name, args = name_of(at) if at.op == "call_function" else "", _args(at)
            if at.op == "get_attr":
                found.constants.append(at)
            elif name in ALIKE:
                waiting.append(args[0])
            elif name == "add" and not at.kwargs and len(args) == 2 and all(_is_vector(x, size) for x in args):
                waiting += args
            elif name == "mm" and _is_row_times(*args):
                found.times.append((args[0], args[1]))
            elif name == "addmm" and not at.kwargs and _is_row_times(*args[1:]) and _is_vector(args[0], size):
                found.times.append((args[1], args[2]))
                waiting.append(args[0])
            else:
                found.alone.append(at)
        return found


@dataclass(frozen=True)
class LastNorm:
    """Logits from a layer norm of a vector: ``logits = norm(r) U + c``.

    Attributes
    ----------
    vector : Node
        r, of d entries.
    weight, bias
        Of the norm.
    eps
    unembedding : Node
        U, [d, outputs].
    constants
        Nodes [outputs] whose sum is c.
    """

    vector: Node
    weight: Node | None
    bias: Node | None
    eps: float
    unembedding: Node
    constants: list[Node]

    @classmethod
    def of(cls, output: Node) -> LastNorm | None:
        """Of the node that is the program's output; None if it does not end so."""
        logits = Parts.of(output)
        if logits.alone or len(logits.times) != 1:
            return None
        normed, unembedding = unwrapped(logits.times[0][0]), logits.times[0][1]
        if normed.target is not operator.getitem or normed.args[1] != 0 or name_of(_args(normed)[0]) != "native_layer_norm":
            return None
        r, shape, weight, bias, eps = _args(_args(normed)[0])
        if list(shape) != [size_of(r)] or any(x is not None and x.op != "get_attr" for x in (weight, bias)):
            return None
        return cls(r, weight, bias, float(eps), unembedding, logits.constants)

    def matrix(self, constants: Constants) -> tuple[Tensor, Tensor]:
        """M [d, outputs] and e [outputs], of which ``(logits - c) sigma(r) = r M + e sigma(r)``."""
        U = matrix_of(self.unembedding, constants)
        M = U if self.weight is None else constants(self.weight)[:, None] * U
        shift = U.new_zeros(U.shape[1]) if self.bias is None else constants(self.bias) @ U
        return M - M.mean(0, keepdim=True), shift


def _args(node: Node) -> tuple[Any, ...]:
    return node.args


def _is_vector(x: Any, size: int) -> bool:
    return isinstance(x, Node) and size_of(x) == size


def _is_row_times(x: Node, W: Node) -> bool:
    """Whether a product is of one row and a constant matrix: several rows are no vector times a matrix."""
    return is_matrix(W) and size_of(x) == W.meta["val"].shape[0]
