"""`ConeRegion`: the set of inputs that trees of cuts prove right, with its measure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Protocol

import torch
from torch import Tensor

from compact_proofs.certified.region import Region
from compact_proofs.cones.cone import PARTS
from compact_proofs.cones.forest import Trees
from compact_proofs.cones.tree import Stack, decode
from compact_proofs.enclosure import provably


class Roots(Protocol):
    """Disjoint cones from which trees grow."""

    @property
    def n(self) -> int:
        """The dimension."""
        ...

    def __len__(self) -> int:
        """How many they are."""
        ...

    def coefficients(self, inputs: Tensor) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Find inputs [N, n] in the cones.

        Yields
        ------
        at : int64 [K]
            Inputs, each in at most one of all results.
        root : int64 [K]
            The cone in which each certainly lies.
        coefficients : real [K, n]
            Its coefficients in the rays of that cone, all multiplied by some positive number.
        """
        ...


@dataclass(frozen=True)
class Straight:
    """R disjoint cones with known inverses.

    Attributes
    ----------
    inverses : exactly known [R, n, n]
        ``inverses[r] @ x`` are the coefficients of x in the rays of the r-th cone, all multiplied by the same positive number.
    """

    inverses: Tensor

    @property
    def n(self) -> int:
        return self.inverses.shape[-1]

    def __len__(self) -> int:
        return len(self.inverses)

    def coefficients(self, inputs: Tensor) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        for root, inverse in enumerate(self.inverses):
            at = provably(inputs @ inverse.T > 0).all(1).nonzero()[:, 0]
            yield at, torch.full_like(at, root), inputs[at] @ inverse.T


@dataclass(frozen=True)
class ConeRegion(Region):
    """The union of cones of trees that were checked and found right.

    Attributes
    ----------
    bound
        A lower bound of its measure.
    grown
        Roots, and the trees that grow from them; roots of different entries are disjoint too.
    """

    bound: Fraction
    grown: Sequence[tuple[Roots, Trees]]

    @property
    def measure(self) -> Fraction:
        return self.bound

    @cached_property
    def _read(self) -> list[_Read]:
        return [_read(roots, trees) for roots, trees in self.grown]

    def member(self, inputs: Tensor) -> Tensor:
        """Follow inputs [N, n] down the trees: where no side of a cut is proven, an input is taken for no member."""
        found = torch.zeros(len(inputs), dtype=torch.bool)
        for (roots, trees), read in zip(self.grown, self._read, strict=True):
            for at, root, coefficients in roots.coefficients(inputs):
                found[at] = _follow(read, trees.right, coefficients, read.first[root])
        return found


@dataclass(frozen=True)
class _Read:
    """For each node, if it is cut: the edge [N, 2], k [N] (else 0), s [N], and its children [N, 2]; and the nodes of the roots."""

    edges: Tensor
    parts: Tensor
    scales: Tensor
    children: Tensor
    first: Tensor


def _read(roots: Roots, trees: Trees) -> _Read:
    """The trees, read once more without their cones."""
    n, count = roots.n, len(trees.codes)
    edges, parts = torch.zeros((count, 2), dtype=torch.int64), torch.zeros(count, dtype=torch.int64)
    children, first = torch.full((count, 2), -1), torch.full((len(roots),), -1)
    stack = Stack(torch.arange(len(roots)), torch.full((len(roots),), -1), torch.zeros(len(roots), dtype=torch.bool))
    read, made = 0, []
    while stack and read < count:
        place, parent, inside = (column[: count - read] for column in stack.pop())
        here = torch.arange(read, read + len(place))
        read += len(here)
        root = parent < 0
        first[place[root]] = here[root]
        children[parent[~root], place[~root]] = here[~root]
        node = decode(trees.codes[here], inside, n)
        cuts = here[node.divided]
        edges[cuts], parts[cuts] = torch.stack([node.first, node.second], 1), node.part
        made.append(cuts)
        below = inside.clone()
        below[node.checked] = True
        stack.push(torch.arange(2).repeat_interleave(len(cuts)), cuts.repeat(2), below[node.divided].repeat(2))
    ones = torch.ones(count, dtype=torch.float64)
    scales = ones.index_put((torch.cat(made),), trees.scales) if made else ones
    return _Read(edges, parts, scales, children, first)


def _follow(tree: _Read, right: Tensor, coefficients: Tensor, node: Tensor) -> Tensor:
    """Which points are certainly in a cone that is right, from the nodes of their roots (-1: none) on: bool [K]."""
    found, at = torch.zeros(len(node), dtype=torch.bool), torch.arange(len(node))
    while True:
        reached = (node >= 0).nonzero()[:, 0]
        at, coefficients, node = at[reached], coefficients[reached], node[reached]
        found[at] = right[node]
        on = (~right[node] & (tree.parts[node] > 0)).nonzero()[:, 0]
        if not len(on):
            return found
        at, coefficients, node = _below(tree, at[on], coefficients[on], node[on])


def _below(tree: _Read, at: Tensor, coefficients: Tensor, node: Tensor) -> tuple[Tensor, Tensor, Tensor]:
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
