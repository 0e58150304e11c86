"""`WholeCones`: a network of whole numbers on whole label cones, in exact integers."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

import torch

from compact_proofs.certified import Proven
from compact_proofs.cones.forest import Trees
from compact_proofs.cones.region import ConeRegion, Straight
from compact_proofs.cones.tree import CHECK
from compact_proofs.core.strategy import Explanation, Strategy
from compact_proofs.errors import BadInput
from compact_proofs.inputs.task import Task
from compact_proofs.length import stage, unseen
from compact_proofs.models.scalar_recurrent import ScalarRecurrent
from compact_proofs.tasks.order_statistic import cone_tree
from compact_proofs.tasks.order_statistic.cones import Network, are_right, label_cones, label_shares
from compact_proofs.tasks.order_statistic.symbolic import symbolic_margins
from compact_proofs.tasks.order_statistic.task import OrderStatistic

LARGEST = 2**16
"""Weights at most, so that sums of few steps are far from overflow; what overflows nevertheless is refused by the reading."""


def is_whole(model: ScalarRecurrent) -> bool:
    """Are all weights whole numbers up to `LARGEST`? On the meta device, where they have no values, it says yes."""
    weights = [w for w in model.state_dict().values() if not w.is_meta]
    return all(bool(((w == w.round()) & (w.abs() <= LARGEST)).all()) for w in weights)


@dataclass(frozen=True)
class WholeCones(Strategy[ScalarRecurrent]):
    """Run a network whose weights are whole numbers on the rays of label cones: where it is right on all of one, that counts.

    On the rays of a label cone several numbers are equal, so that margins are 0 there, which no rounded arithmetic can tell from
    less. Whole numbers can. The measure of a label cone is known by symmetry, so that nothing is lost to it, and there is no
    explanation. For networks made by hand: of a trained one next to no label cone is right as a whole.
    """

    name: ClassVar[str] = "whole-cones"
    summary: ClassVar[str] = "the label cones themselves, in exact integers; for networks of whole numbers"

    def applies_to(self, model: ScalarRecurrent, task: Task) -> None:
        cone_tree.check_network(self.name, model, task)
        if not is_whole(model):
            raise BadInput(f"{self.name}: weights must be whole numbers up to {LARGEST}")

    def verify(self, model: ScalarRecurrent, task: Task, explanation: Explanation) -> Proven:
        """Return the union of the label cones on which the network is right as a whole, and its measure, exactly.

        *Proof.* The label cones partition the space up to ties, which have probability 0 (`label_cones`), with the shares
        `label_shares`. `symbolic_margins` shows that the network is right on a cone. The rays are multiplied by positive numbers
        that make them whole, which changes no cone, and all steps are exact on whole numbers.

        *Cost.* For each of the 2 n C(n-1, above) cones about n^2 d^2 (d + 2 n) operations on integers.
        """
        assert isinstance(task, OrderStatistic)
        with unseen("weights that are whole numbers, as such"):
            weights = [w.detach().to(torch.int64) for w in (model.W_in, model.W_h, model.W_U)]
        with stage("network"):
            network = Network.made_of(*weights)
        with unseen("the cones on which labels are known, which are data of the statement"):
            roots, inverses, labels = label_cones(task.n, task.above)
            rays = roots.rays.sign()
            rays = (rays + rays * (rays.abs().sum(2, keepdim=True) > 1)).to(torch.int64).to(model.W_in.device)
            shares = label_shares(task.n, task.above)
        with stage("network on rays"):
            found = are_right(symbolic_margins(network, rays, labels))
        if found.is_meta:
            return ConeRegion(Fraction(0), [])
        with unseen("a sum of exact fractions"):
            measure = sum((share for share, good in zip(shares, found.tolist(), strict=True) if good), Fraction(0))
            codes = torch.full((len(labels),), CHECK)
        return ConeRegion(measure, [(Straight(inverses), Trees(codes, found, codes[:0].double(), measure))])
