"""The split tree of one root box, laid out to be drawn: leaves one below the other, each cut left of what it divides."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from compact_proofs.automatic.boxes.tree import Tree


@dataclass(frozen=True)
class Branch:
    """A node of a tree that is drawn.

    Attributes
    ----------
    depth
        Cuts above it.
    height
        The row that it stands at: a leaf's own, and the middle of its two parts for a cut.
    cut
        Where the box is divided, and into which tokens (bool [v]) first; None for a leaf.
    parts
        Those of a cut whose box is not empty.
    leaf
        A leaf's number among the root's leaves that are not empty.
    """

    depth: int
    height: float
    cut: tuple[int, Tensor] | None = None
    parts: tuple[Branch, ...] = ()
    leaf: int = -1


def layout(tree: Tree, mask: Tensor) -> Branch | None:
    """Lay a tree out that divides a box (bool [n, v]); None if the box is empty. Leaves are numbered as `expand` gives them."""
    leaves = iter(range(2**62))

    def place(tree: Tree, box: Tensor, depth: int) -> Branch | None:
        if isinstance(tree, int):
            if not bool(box.any(1).all()):
                return None
            number = next(leaves)
            return Branch(depth, number, leaf=number)
        inside, outside = box.clone(), box.clone()
        inside[tree.position] &= tree.tokens
        outside[tree.position] &= ~tree.tokens
        found = (place(tree.inside, inside, depth + 1), place(tree.outside, outside, depth + 1))
        parts = tuple(part for part in found if part is not None)
        if not parts:
            return None
        height = sum(part.height for part in parts) / len(parts)
        return Branch(depth, height, (tree.position, torch.as_tensor(tree.tokens)), parts)

    return place(tree, mask, 0)
