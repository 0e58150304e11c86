"""Split trees that a search is making."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from compact_proofs.automatic.boxes import tree
from compact_proofs.sequences.boxes import Boxes


@dataclass
class Node:
    """A node of a split tree that is being made: a leaf with a box, or a cut.

    Attributes
    ----------
    box : bool [n, v]
    label
        Of the root.
    group
        Leaves of one number are bounded together.
    kind
        Of a leaf (`compact_proofs.automatic.boxes.tree`).
    share
        What part of a leaf's inputs bounds certify, estimated.
    cut
        Position, tokens and the two parts.
    """

    box: Tensor
    label: int
    group: int = 0
    kind: int = tree.DROP
    share: float = 0.0
    cut: tuple[int, Tensor, Node, Node] | None = None

    @cached_property
    def size(self) -> int:
        """Number of inputs."""
        return math.prod(self.box.sum(1).tolist())

    def divide(self, position: int, tokens: Tensor) -> tuple[Node, Node]:
        """Cut at a position into the tokens of a set and the others."""
        inside, outside = self._with(self.box.clone()), self._with(self.box.clone())
        inside.box[position] &= tokens
        outside.box[position] &= ~tokens
        self.cut = (position, tokens, inside, outside)
        return inside, outside

    def copy(self) -> Node:
        """A leaf with the same box, which can be cut in another way."""
        return self._with(self.box)

    def _with(self, box: Tensor) -> Node:
        return Node(box, self.label, self.group, self.kind, self.share)

    def leaves(self) -> Iterator[Node]:
        """In preorder."""
        if self.cut is None:
            yield self
        else:
            yield from self.cut[2].leaves()
            yield from self.cut[3].leaves()

    def written(self) -> tree.Tree:
        """As `compact_proofs.automatic.boxes.tree` has it."""
        if self.cut is None:
            return self.kind
        position, tokens, inside, outside = self.cut
        return tree.Cut(position, tokens, inside.written(), outside.written())


def boxes_of(leaves: list[Node]) -> Boxes:
    """The boxes of leaves (at least one), under the labels of their roots."""
    return Boxes(torch.stack([leaf.box for leaf in leaves]), torch.tensor([leaf.label for leaf in leaves]))


def by_token(node: Node, context: int) -> Iterator[Node]:
    """Divide a box by the context's token."""
    while int(node.box[context].sum()) > 1:
        first = torch.zeros_like(node.box[context])
        first[int(node.box[context].to(torch.int64).argmax())] = True
        inside, node = node.divide(context, first)
        yield inside
    yield node
