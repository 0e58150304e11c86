"""`BoxTree`: the network is bounded by linear functions on boxes, and where these are positive counts, on average over each box."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Annotated, ClassVar

import torch
from pydantic import Field
from torch import Tensor

from compact_proofs.certified import Proven
from compact_proofs.cones.forest import rounded_down, slices
from compact_proofs.core.strategy import Explanation, Spec, Strategy
from compact_proofs.inputs.task import Task
from compact_proofs.length import stage, unseen
from compact_proofs.models.scalar_recurrent import ScalarRecurrent
from compact_proofs.options import Share
from compact_proofs.scaled_boxes.box import Boxes, Linear
from compact_proofs.scaled_boxes.forest import BoxTrees, Precision, verify_trees
from compact_proofs.scaled_boxes.region import BoxRegion
from compact_proofs.scaled_boxes.scale import check_law
from compact_proofs.scaled_boxes.tree import LARGEST_CODE, WIDEST
from compact_proofs.shards import each
from compact_proofs.tasks.order_statistic import cone_tree
from compact_proofs.tasks.order_statistic.box_search import BoxSearch
from compact_proofs.tasks.order_statistic.boxes import Backwards, label_boxes, number_of_label_boxes, run
from compact_proofs.tasks.order_statistic.task import OrderStatistic

GROUPS = 32
"""Groups of label boxes at most, which are read apart."""


@dataclass(frozen=True)
class BoxTree(Strategy[ScalarRecurrent]):
    """Divide the inputs into boxes of ratios; on each, bound margins by linear functions, and count where these are positive.

    The label's number is the unit in which the others are measured. A cone counts only if the network is right on all of it; of a
    box that part counts where the linear bounds show it, by a bound of the probability that they are not positive. Laws of
    independent coordinates need not be invariant under rotations: normal ones of mean 0, each with its deviation, and uniform ones.
    """

    gain: Share = 1e-5
    """Boxes are split while about so much probability is to be won in one."""
    most: Annotated[int, Field(ge=1, le=cone_tree.MOST_NODES)] = 2**20
    """About how many nodes the trees may have."""
    groups: Annotated[int, Field(ge=1, le=64)] = 6
    """Ranges of scales: in each, a box is as likely right as at the worst scale."""
    cells: Annotated[int, Field(ge=1, le=64)] = 8
    """Cells of the integral over the scale, in each range."""
    steps: Annotated[int, Field(ge=1, le=256)] = 24
    """Steps to which sums are rounded down."""
    middle: Annotated[float, Field(ge=0, le=1)] = 0.0
    """If not 0: boxes are split only where bounds are positive at the median of a part of about so much probability around it.
    Then the tree covers only what is easy, in place of everything coarsely."""
    least: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Boxes of which no more is proven are left out."""

    name: ClassVar[str] = "box-tree"
    summary: ClassVar[str] = "ratios of inputs divided into boxes, of which that part counts where linear bounds are positive"

    def applies_to(self, model: ScalarRecurrent, task: Task) -> None:
        cone_tree.check_sizes(self.name, model, task, WIDEST)
        assert isinstance(task, OrderStatistic)
        check_law(self.name, task.law)

    def specs(self, model: ScalarRecurrent, task: Task) -> dict[str, Spec]:
        """The codes of the trees' nodes, in the order in which they are read, and how many of them each group of boxes takes."""
        return {"splits": Spec((2**25,), (0, LARGEST_CODE), fewer=True), "sizes": Spec((GROUPS,), (0, 2**25), fewer=True)}

    def explain(self, model: ScalarRecurrent, task: Task) -> dict[str, Tensor]:
        assert isinstance(task, OrderStatistic)
        with torch.no_grad():
            network, law = Backwards.of(model), check_law(self.name, task.law)
            search = BoxSearch(network, law, self.gain, self.precision, self.middle, self.least)
            codes, sizes = search.forest(label_boxes(task.n, task.above), self.most, GROUPS)
        return {"splits": codes, "sizes": sizes}

    def search_operations(self, model: ScalarRecurrent, task: Task, length: int) -> int:
        """As if nodes were those that a surface cuts in about 1 / gain of each label box's parts, (1 / gain)^((n-2) / n)."""
        assert isinstance(task, OrderStatistic)
        n = task.n
        nodes = min(self.most, number_of_label_boxes(n, task.above) * self.gain ** (-(n - 2) / n))
        return round(nodes * self.box_operations(n, model.config.d_model))

    def box_operations(self, n: int, d: int) -> int:
        """About how many operations a box takes that is checked."""
        return 6 * n * n * d**3 + 20 * n * self.groups * self.steps

    @property
    def precision(self) -> Precision:
        """How finely probabilities are bounded."""
        return Precision(self.groups, self.cells, self.steps)

    def verify(self, model: ScalarRecurrent, task: Task, explanation: Explanation) -> Proven:
        """Return the inputs of the boxes that are checked at which linear bounds of all margins are positive, and its probability.

        *Proof.* The label boxes are disjoint, and on each the label is one (`label_boxes`); linear bounds of the margins are
        `compact_proofs.tasks.order_statistic.boxes.run`'s, and `compact_proofs.scaled_boxes.forest.verify_trees` adds up lower
        bounds of probabilities: in several groups of boxes, which have no input in common, the codes of each after those of the
        one before.

        *Cost.* For each check about 2 n^2 d^3 operations for linear bounds, and what
        `compact_proofs.scaled_boxes.forest.right_masses` costs.
        """
        assert isinstance(task, OrderStatistic)
        law = check_law(self.name, task.law)
        with stage("network"):
            network = Backwards.of(model)
        with unseen("the boxes on which labels are known, which are data of the statement, and sizes"):
            roots = label_boxes(task.n, task.above)
            if model.W_in.is_meta:
                roots = Boxes(roots.low.to("meta"), roots.high.to("meta"), roots.place)
            sizes = explanation["sizes"].tolist()
        codes = explanation["splits"]
        groups = torch.arange(len(roots)).tensor_split(max(len(sizes), 1))
        parts = [(chosen, codes[some]) for chosen, some in zip(groups, slices(sizes, len(codes)), strict=False)]

        def bounds(boxes: Boxes) -> Linear:
            return run(network, boxes).margins

        def grow(part: tuple[Tensor, Tensor]) -> BoxTrees:
            chosen, some = part
            return verify_trees(law, roots[chosen], some, bounds, task.n - 1, self.precision)

        trees = list(each(grow, parts, "trees of splits"))
        bound = rounded_down(sum((tree.measure for tree in trees), Fraction(0)))
        grown = [(roots[chosen], tree) for (chosen, _), tree in zip(parts, trees, strict=True)]
        return BoxRegion(bound, grown, bounds, task.n - 1)
