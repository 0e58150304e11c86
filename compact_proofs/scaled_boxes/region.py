"""`BoxRegion`: the set of inputs that trees of splits prove right, with its probability."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import torch
from torch import Tensor

from compact_proofs.certified.region import Region
from compact_proofs.cones.tree import Stack
from compact_proofs.enclosure import provably
from compact_proofs.scaled_boxes.box import Boxes, threshold
from compact_proofs.scaled_boxes.forest import Bounds, BoxTrees
from compact_proofs.scaled_boxes.tree import decode


@dataclass(frozen=True)
class BoxRegion(Region):
    """The inputs in boxes that were checked at which the linear bounds of all margins are positive.

    Attributes
    ----------
    bound
        A lower bound of its probability.
    grown
        Boxes, and the trees that grow from them; boxes of different entries are disjoint too.
    bounds
        The linear bounds of margins on boxes.
    margins
        How many they are.
    """

    bound: Fraction
    grown: Sequence[tuple[Boxes, BoxTrees]]
    bounds: Bounds
    margins: int

    @property
    def measure(self) -> Fraction:
        return self.bound

    def member(self, inputs: Tensor) -> Tensor:
        """Follow inputs [N, n] down the trees: where no side of a split is proven, an input is taken for no member."""
        found = torch.zeros(len(inputs), dtype=torch.bool)
        for roots, trees in self.grown:
            if not len(roots):
                continue
            held = torch.stack([_inside(roots[torch.tensor([root])], inputs) for root in range(len(roots))])
            root, at = held.nonzero().unbind(1)  # of each input at most one
            found[at] = self._follow(roots[root], trees.codes, _children(trees.codes, roots), inputs[at], root)
        return found

    def _follow(self, boxes: Boxes, codes: Tensor, children: Tensor, x: Tensor, root: Tensor) -> Tensor:
        """Which inputs [K, n], each in a root of its own, are certainly in the set: bool [K]."""
        found, at, node = torch.zeros(len(x), dtype=torch.bool), torch.arange(len(x)), children[root, 0]
        while True:
            reached = (node >= 0).nonzero()[:, 0]
            boxes, at, node = boxes[reached], at[reached], node[reached]
            if not len(at):
                return found
            said = decode(codes[node], boxes.place, boxes.n, self.margins)
            if len(said.checked):
                found[at[said.checked]] = self._positive(boxes[said.checked], x[at[said.checked]])
            boxes, at, node = boxes[said.divided], at[said.divided], node[said.divided]
            boxes, side = _side(boxes, x[at], said.coordinate, said.part)
            offset = len(children) - len(codes)
            node = torch.where(side >= 0, children[offset + node, side.clamp(min=0)], -1)

    def _positive(self, boxes: Boxes, x: Tensor) -> Tensor:
        """Are the bounds of all margins positive at x? Multiplied by the scale, they are c r + g.x + s."""
        functions = self.bounds(boxes)
        r = _scale(boxes, x)[:, None]
        values = functions.constant * r + (functions.slopes * x[:, None]).sum(-1) + functions.scale
        return provably(values > 0).all(1)


def _scale(boxes: Boxes, x: Tensor) -> Tensor:
    return x.gather(1, boxes.place[:, None])[:, 0].abs()


def _inside(box: Boxes, x: Tensor) -> Tensor:
    """Which inputs are certainly in one box, bool [N]."""
    place = box.place.expand(len(x))
    r = _scale(Boxes(box.low, box.high, place), x)[:, None]
    inside = provably(x > r * box.low[:, :-1]) & provably(x < r * box.high[:, :-1])
    of_sign = provably(torch.where(box.low[:, :-1] > 0, x, -x) > 0)
    inside = torch.where(torch.arange(box.n) == place[:, None], of_sign, inside).all(1)
    return inside & provably(r > box.low[:, -1:])[:, 0] & provably(r < box.high[:, -1:])[:, 0]


def _side(boxes: Boxes, x: Tensor, coordinate: Tensor, part: Tensor) -> tuple[Boxes, Tensor]:
    """The half that holds each input, and which it is: 0 or 1, -1 where it is not known."""
    column, r = coordinate[:, None], _scale(boxes, x)
    low, high = boxes.low.gather(1, column)[:, 0], boxes.high.gather(1, column)[:, 0]
    at = threshold(low, high, part)
    of_scale = coordinate == boxes.n
    value = torch.where(of_scale, r, x.gather(1, column.clamp(max=boxes.n - 1))[:, 0])
    border = torch.where(of_scale, at, at * r)
    below, above = provably(value < border), provably(value > border)
    here = torch.arange(boxes.n + 1) == column
    halves = Boxes(
        torch.where(here & above[:, None], at[:, None], boxes.low),
        torch.where(here & below[:, None], at[:, None], boxes.high),
        boxes.place,
    )
    return halves, torch.where(below, 0, torch.where(above, 1, -1))


def _children(codes: Tensor, roots: Boxes) -> Tensor:
    """int64 [R + N, 2]: the nodes at which the roots are, in the first column; then the two below each node; -1 for none."""
    R = len(roots)
    children = torch.full((R + len(codes), 2), -1)
    stack, read = Stack(torch.arange(R), torch.zeros(R, dtype=torch.int64), roots.place), 0
    while stack and read < len(codes):
        parent, side, place = (column[: len(codes) - read] for column in stack.pop())
        here = torch.arange(read, read + len(parent))
        read += len(here)
        children[parent, side] = here
        divided = decode(codes[here], place, roots.n, 1).divided
        stack.push((R + here[divided]).repeat(2), torch.arange(2).repeat_interleave(len(divided)), place[divided].repeat(2))
    return children
