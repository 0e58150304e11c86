"""`ConeRegion`: the set of inputs that a tree of cuts proves right, with its measure."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import torch
from torch import Tensor

from compact_proofs.certified.region import Region
from compact_proofs.cones.cone import PARTS
from compact_proofs.cones.tree import Stack, decode
from compact_proofs.enclosure import provably


@dataclass(frozen=True)
class ConeRegion(Region):
    """The union of cones of a tree that were checked and found right.

    Attributes
    ----------
    bound
        A lower bound of its measure.
    inverses : exactly known [R, n, n]
        Of each root: ``inverses[r] @ x`` are the coefficients of x in its rays, all multiplied by the same positive number.
    codes : int64 [N]
        The tree (`compact_proofs.cones.tree`).
    right : bool [N]
        Which nodes lie in a cone that was checked and found right.
    scales : exactly known [C]
        For each cut, in the order in which they were made, the s of `compact_proofs.cones.cone.cut`.
    """

    bound: Fraction
    inverses: Tensor
    codes: Tensor
    right: Tensor
    scales: Tensor

    @property
    def measure(self) -> Fraction:
        return self.bound

    @cached_property
    def _tree(self) -> _Tree:
        """The tree, read once more without its cones."""
        n, count, roots = self.inverses.shape[-1], len(self.codes), len(self.inverses)
        edges, parts = torch.zeros((count, 2), dtype=torch.int64), torch.zeros(count, dtype=torch.int64)
        children, first = torch.full((count, 2), -1), torch.full((roots,), -1)
        stack = Stack(torch.arange(roots), torch.full((roots,), -1), torch.zeros(roots, dtype=torch.bool))
        read, made = 0, []
        while stack and read < count:
            place, parent, inside = (column[: count - read] for column in stack.pop())
            here = torch.arange(read, read + len(place))
            read += len(here)
            root = parent < 0
            first[place[root]] = here[root]
            children[parent[~root], place[~root]] = here[~root]
            node = decode(self.codes[here], inside, n)
            cuts = here[node.divided]
            edges[cuts], parts[cuts] = torch.stack([node.first, node.second], 1), node.part
            made.append(cuts)
            below = inside.clone()
            below[node.checked] = True
            stack.push(torch.arange(2).repeat_interleave(len(cuts)), cuts.repeat(2), below[node.divided].repeat(2))
        ones = torch.ones(count, dtype=torch.float64)
        scales = ones.index_put((torch.cat(made),), self.scales) if made else ones
        return _Tree(edges, parts, scales, children, first)

    def member(self, inputs: Tensor) -> Tensor:
        """Follow inputs [N, n] down the tree: where no side of a cut is proven, an input is taken for no member."""
        tree = self._tree
        found = torch.zeros(len(inputs), dtype=torch.bool)
        for root, inverse in enumerate(self.inverses):
            at = provably(inputs @ inverse.T > 0).all(1).nonzero()[:, 0]
            coefficients, node = inputs[at] @ inverse.T, tree.first[root].expand(len(at))
            while True:
                reached = (node >= 0).nonzero()[:, 0]
                at, coefficients, node = at[reached], coefficients[reached], node[reached]
                found[at] = self.right[node]
                on = (~self.right[node] & (tree.parts[node] > 0)).nonzero()[:, 0]
                if not len(on):
                    break
                at, coefficients, node = _below(tree, at[on], coefficients[on], node[on])
        return found


@dataclass(frozen=True)
class _Tree:
    """For each node, if it is cut: the edge [N, 2], k [N] (else 0), s [N], and its children [N, 2]; and the nodes of the roots."""

    edges: Tensor
    parts: Tensor
    scales: Tensor
    children: Tensor
    first: Tensor


def _below(tree: _Tree, at: Tensor, coefficients: Tensor, node: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """One step down: where inputs with these coefficients go (-1: not known), and their coefficients there (`cut` says which)."""
    a, b = tree.edges[node].unbind(1)
    row, column = torch.arange(len(at)), torch.arange(coefficients.shape[1])
    s, k, m = tree.scales[node], tree.parts[node].double(), (PARTS - tree.parts[node]).double()
    of_a, of_b = coefficients[row, a], coefficients[row, b]
    first, second = provably(m * of_a > k * of_b), provably(m * of_a < k * of_b)
    kept = torch.where(first, of_a - k * of_b / m, of_b - m * of_a / k)
    new = torch.where(first, of_b / (s * m), of_a / (s * k))
    keeps, loses = torch.where(first, a, b), torch.where(first, b, a)
    coefficients = torch.where(
        column == keeps[:, None], kept[:, None], torch.where(column == loses[:, None], new[:, None], coefficients)
    )
    return at, coefficients, torch.where(first, tree.children[node, 0], torch.where(second, tree.children[node, 1], -1))
