"""Trees of splits that grow from given boxes, read and verified in blocks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

import torch
from torch import Tensor

from compact_proofs.cones.forest import lower_sum
from compact_proofs.cones.tree import Stack
from compact_proofs.enclosure import lower
from compact_proofs.laws import Independent
from compact_proofs.length import stage
from compact_proofs.results import result_class
from compact_proofs.scaled_boxes.box import Boxes, Linear, split
from compact_proofs.scaled_boxes.scale import cell_masses, scales
from compact_proofs.scaled_boxes.shortfall import shortfall
from compact_proofs.scaled_boxes.tree import Node, decode

Bounds = Callable[[Boxes], Linear]
"""Of boxes, linear functions that are nowhere larger than the margins that are to be positive."""


@dataclass(frozen=True)
class Precision:
    """How finely probabilities are bounded.

    Attributes
    ----------
    groups
        Ranges of scales, in each of which a box is as likely right as at its worst scale.
    cells
        Cells of the integral over the scale in each range.
    steps
        Steps to which sums are rounded down (`compact_proofs.scaled_boxes.shortfall.shortfall`).
    """

    groups: int
    cells: int
    steps: int


@result_class
@dataclass(frozen=True)
class BoxTrees:
    """Trees of splits that were read together.

    Attributes
    ----------
    codes : int64 [N]
        What is said of their nodes, in the order in which they are read.
    measure
        A lower bound of the probability that an input lies in a box that was checked and that all margins' bounds are positive.
    """

    codes: Tensor
    measure: Fraction


def verify_trees(law: Independent, roots: Boxes, codes: Tensor, bounds: Bounds, margins: int, precision: Precision) -> BoxTrees:
    """Split R disjoint boxes as codes int64 [N] say, and add up the probabilities of what is right in those that are checked.

    Notes
    -----
    *Proof.* A split partitions a box, up to probability 0, so the boxes at which branches end are disjoint if the roots are. What
    is right in each is bounded by `right_masses`.

    *Cost.* For each split 4 operations; for each check what `bounds` and `right_masses` cost.
    """
    stack, measure, read = Stack(roots.low, roots.high, roots.place), Fraction(0), 0
    while stack and read < len(codes):
        boxes = Boxes(*stack.pop())[: len(codes) - read]
        node = decode(codes[read : read + len(boxes)], boxes.place, roots.n, margins)
        read += len(boxes)
        if len(node.checked):
            checked = boxes[node.checked]
            with stage("network on boxes"):
                functions = bounds(checked)
            measure += lower_sum(right_masses(law, checked, functions, node, precision))
        if len(node.divided):
            with stage("splits"):
                halves = split(boxes[node.divided], node.coordinate, node.part)
                stack.push(*(torch.cat([getattr(half, name) for half in halves]) for name in ("low", "high", "place")))
    return BoxTrees(codes[:read], measure)


def right_masses(law: Independent, boxes: Boxes, functions: Linear, node: Node, precision: Precision) -> Tensor:
    """Lower bounds of the probabilities that x lies in a box and all functions are positive at it: exactly known [B], >= 0.

    Notes
    -----
    *Proof.* A box counts only if the functions that the node does not name are positive on all of it. The scales are divided into
    groups. Given any scale of a group, the probability that some function is not positive is at most the sum of `shortfall`s, so
    the probability of box, group and right is at least that of box and group times 1 minus that sum, and at least 0.

    *Cost.* That of `cell_masses`, and for each function that the node names that of `shortfall`.
    """
    with stage("probability of boxes"):
        nodes = scales(node.first, node.stride, boxes, precision.groups * precision.cells)
        masses = lower(cell_masses(law, boxes, nodes).reshape(len(boxes), precision.groups, precision.cells).sum(2))
    with stage("network on boxes"):
        positive = ((functions.least(boxes) > 0) | node.mask.to(masses.device)).all(1)
    with stage("shortfalls"):
        at, which = node.mask.nonzero().unbind(1)
        failing = masses.new_zeros((*node.mask.shape, precision.groups))
        if len(at):
            chosen = Linear(*(of[at, which, None] for of in (functions.constant, functions.slopes, functions.scale)))
            failing = failing.index_put(
                (at, which), shortfall(law, boxes[at], chosen, nodes[at, :: precision.cells], precision.steps)
            )
        share = lower((1 - failing.sum(1)).clamp(min=0))
        return torch.where(positive, lower((masses * share).sum(1)).clamp(min=0), 0.0)
