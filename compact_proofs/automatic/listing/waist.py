"""Where a program narrows: a vector through which alone the input reaches the output.

What follows it, the tail, is a function of the vector: of a transformer, what the last position's residual stream becomes after the
last attention, by an MLP, a norm and the unembedding.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.fx import Node

from compact_proofs.automatic.listing.around import Around, NotFollowed, followed, sigma
from compact_proofs.automatic.listing.ends import LastNorm
from compact_proofs.automatic.listing.graphs import ALIKE, Constants, ancestors, size_of, unwrapped
from compact_proofs.automatic.listing.maps import is_finite
from compact_proofs.automatic.listing.values import first_of
from compact_proofs.automatic.listing.zeros import NARROW, without_zeros
from compact_proofs.automatic.reading.lifted import Lifted, call
from compact_proofs.automatic.reading.narrow import map_nodes, narrowed
from compact_proofs.automatic.reading.owners import structure
from compact_proofs.enclosure.leaves import leaves
from compact_proofs.program import Program
from compact_proofs.program.simplify import name_of

CENTRES = 256
"""Centres whose margins are found together."""


@dataclass(frozen=True)
class Readout:
    """The end of the tail: ``logits * s = z M + shift * s`` for the vector z of a node, with s = sigma(z) of a layer norm, or 1.

    Attributes
    ----------
    vector : Node
        z.
    norm
        None where there is none.
    """

    vector: Node
    norm: LastNorm | None

    @classmethod
    def of(cls, output: Node) -> Readout:
        """Of the node that is the program's output: without its last layer norm, if nothing but a linear map follows that."""
        norm = LastNorm.of(output)
        return cls(output, None) if norm is None else cls(norm.vector, norm)

    def matrix(self, constants: Constants) -> tuple[Tensor, Tensor]:
        """M [k, outputs], and the shift [outputs]."""
        if self.norm is None:
            size = size_of(self.vector)
            return torch.eye(size, dtype=torch.float64), torch.zeros(size, dtype=torch.float64)
        M, shift = self.norm.matrix(constants)
        for c in self.norm.constants:
            shift = shift + constants(c).reshape(-1)
        return M, shift

    def margins(self, z: Around, labels: Tensor, constants: Constants) -> Tensor:
        """Lower bounds [L, outputs] of the margins of labels [L] over every output, times s; 1 over the label itself.

        The margin of y over k times s is at least entry y minus entry k of z M at the centre, less what that may differ by, plus
        (shift_y - shift_k) s, where sigma(z) changes by distance / sqrt(k) at most.

        Cost: 2 k outputs operations for each centre; for each entry of each symbol that number again, once for all centres together
        if they share its K, and 3 outputs for each label.
        """
        M, shift = self.matrix(constants)
        with structure():
            groups = torch.arange(len(labels), device=labels.device).split(CENTRES)
        return torch.cat([self._margins(z.of(own), labels[own], M, shift) for own in groups])

    def _margins(self, z: Around, labels: Tensor, M: Tensor, shift: Tensor) -> Tensor:
        product = z.times(M)
        least = most = torch.ones(len(labels), dtype=torch.float64, device=M.device)
        if self.norm is not None:
            least, most = sigma(z, self.norm.eps)
        with structure():
            present, kind = labels.unique(return_inverse=True)
            rows = [(kind == number).nonzero()[:, 0] for number in range(len(present))]
        parts = []
        for y, own in zip(present.tolist(), rows, strict=True):
            margins = product.of(own).ahead(y)
            ahead = shift[y] - shift
            shifts = ahead.clamp(min=0) * least[own][:, None] + ahead.clamp(max=0) * most[own][:, None]
            parts.append(margins.centre - margins.spans() + shifts)
        with structure():
            order = torch.cat(rows).argsort()
        found = torch.cat(parts)[order]
        with structure():
            itself = torch.nn.functional.one_hot(labels, len(shift)).bool()
        return torch.where(itself, 1.0, found)


@dataclass(frozen=True)
class Waist:
    """A vector of a program, and what follows it.

    Attributes
    ----------
    node
        The vector.
    before
        The nodes that it depends on, and itself, in order.
    tail
        The nodes after it that the output depends on, constants among them, in order.
    readout
        The end of the tail.
    """

    node: Node
    before: list[Node]
    tail: list[Node]
    readout: Readout

    @classmethod
    def of(cls, program: Program) -> Waist | None:
        """The first whose tail has rules (`compact_proofs.automatic.listing.around`), and is more than moving entries."""
        nodes = list(narrowed(program.graph, once=True).nodes)
        output = nodes[-1].all_input_nodes[0]
        readout = Readout.of(output)
        for node in nodes:
            if node.op != "call_function" or not _is_real(node) or node is output:
                continue
            between = _after(node, output)
            if between is None or all(name_of(x) in ALIKE for x in between if x.op == "call_function"):
                continue
            found = cls(node, ancestors([node]), between, readout)
            if found._has_rules(program):
                return found
        return None

    def _has_rules(self, program: Program) -> bool:
        def shape(node: Node) -> Tensor:
            return torch.empty(node.meta["val"].shape, dtype=torch.float64, device="meta")

        with structure():
            try:
                centre = torch.empty(1, self.size, dtype=torch.float64, device="meta")
                self.around(Around.ball(centre, torch.empty(1, dtype=torch.float64, device="meta")), shape)
            except NotFollowed:
                return False
        return True

    @property
    def shape(self) -> torch.Size:
        """The vector's, in the program."""
        return self.node.meta["val"].shape

    @property
    def size(self) -> int:
        """Entries of the vector."""
        return size_of(self.node)

    def around(self, given: Around, constants: Constants, slopes: bool = False) -> Around:
        """The readout's vector, from all vectors near some centres; `slopes` as for `entrywise`."""
        nodes = [x for x in self.tail if x is not self.node]
        needed = set(ancestors([self.readout.vector], {self.node}))
        return followed([x for x in nodes if x in needed], {self.node: given}, constants, slopes)[self.readout.vector]

    def logits(self, vectors: Tensor, constants: Constants, zeros: bool = False) -> Tensor:
        """Logits [N, outputs] from vectors [N, *shape]: as the program computes them.

        With `zeros`, products leave out what a relu made zero (`compact_proofs.automatic.listing.zeros`), so that what a vector
        costs depends on it.
        """
        values: dict[Node, Any] = {self.node: Lifted(vectors, "j")}
        for node in self.tail:
            if node.op == "get_attr":
                values[node] = constants(node)
                continue
            args, kwargs = map_nodes(values.__getitem__, (tuple(node.args), dict(node.kwargs)))
            if node.target is operator.getitem:
                values[node] = args[0]
                continue
            if zeros and (product := _product_without_zeros(node, args, kwargs)) is not None:
                values[node] = product
                continue
            result, axes = call(node.target, args, kwargs)
            result = first_of(result)
            values[node] = Lifted(result, axes) if any(isinstance(x, Lifted) for x in leaves((args, kwargs))) else result
        return values[self.tail[-1]].data.reshape(len(vectors), -1)


def _product_without_zeros(node: Node, args: Any, kwargs: Any) -> Lifted | None:
    """The result of a linear map of more than `NARROW` columns that reads a relu; None of any other node."""
    name = name_of(node)
    if name not in ("mm", "addmm") or kwargs:
        return None
    (row, _), (x, W) = node.args[-2:], args[-2:]
    if not isinstance(row, Node) or name_of(unwrapped(row)) != "relu" or not isinstance(x, Lifted):
        return None
    if not isinstance(W, Tensor) or W.shape[1] <= NARROW or not is_finite(W):  # 0 times infinity is not 0
        return None
    found = without_zeros(x.data.flatten(0, -2), W).reshape(*x.data.shape[:-1], W.shape[1])
    return Lifted(found if name == "mm" else found + args[0], x.axes)


def _after(waist: Node, output: Node) -> list[Node] | None:
    """The nodes between a node and the output, constants among them; None if the input reaches the output beside the node."""
    found = ancestors([output], {waist})
    return None if any(x.op == "placeholder" for x in found) or waist not in _read(found) else found


def _read(nodes: list[Node]) -> set[Node]:
    return {y for x in nodes for y in x.all_input_nodes}


def _is_real(node: Node) -> bool:
    value = node.meta.get("val")
    return isinstance(value, Tensor) and value.is_floating_point()
