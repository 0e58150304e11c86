"""`ConeTree`: the network is run on the rays of cones, until its answer is known on them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Annotated, ClassVar

import torch
from pydantic import Field
from torch import Tensor

from compact_proofs.certified import Proven
from compact_proofs.cones.cone import Cones, cut
from compact_proofs.cones.measure import MEASURES, MeasureName
from compact_proofs.cones.region import ConeRegion
from compact_proofs.cones.tree import Stack, decode, largest_code
from compact_proofs.core.strategy import Explanation, Spec, Strategy
from compact_proofs.enclosure import lower
from compact_proofs.errors import BadInput
from compact_proofs.inputs.task import Task
from compact_proofs.length import stage, unseen
from compact_proofs.models.scalar_recurrent import ScalarRecurrent
from compact_proofs.options import Share
from compact_proofs.tasks.order_statistic.cones import Network, label_cones, run
from compact_proofs.tasks.order_statistic.search import Choice, find_cuts
from compact_proofs.tasks.order_statistic.task import OrderStatistic

DENOMINATOR = 10**12
"""Bounds are rounded down to a multiple of 1 / DENOMINATOR."""
MOST_NODES = 2**25 - 2**14
"""Nodes of a tree, so that a certificate has at most 256 MiB."""
WIDEST = 16
"""Inputs at most."""


@dataclass(frozen=True)
class ConeTree(Strategy[ScalarRecurrent]):
    """Cut the directions of the input into simplicial cones; where the network is right on a cone, its measure counts.

    A network without biases answers x and c x alike for c > 0, so that only the direction matters, and the bound holds for every
    law that rotations do not change. The explanation is a tree of cuts (`compact_proofs.cones.tree`), which starts from the cones
    on which the label is one.
    """

    smallest: Share = 1e-6
    """Cones of a smaller measure are not cut any more."""
    gain: Share = 3e-7
    """Cones that are right are cut on while that raises the bound of their measure by so much."""
    choice: Choice = "first"
    """Which undecided neuron is cut at: the first, or the one that is most relevant to the worst margin."""
    most: Annotated[int, Field(ge=1, le=MOST_NODES)] = MOST_NODES
    """About how many nodes the tree may have."""
    measure: MeasureName = "jensen"
    """How measures are bounded; both takes the better of two bounds, which pays in many dimensions, where cones are large."""

    name: ClassVar[str] = "cone-tree"
    summary: ClassVar[str] = "directions cut into cones; the network is run on the rays of each"

    def applies_to(self, model: ScalarRecurrent, task: Task) -> None:
        if not isinstance(model, ScalarRecurrent) or not isinstance(task, OrderStatistic):
            raise BadInput(f"{self.name}: is about a ScalarRecurrent network on {OrderStatistic.name}, not {type(model).__name__}")
        if (model.config.n_ctx, model.config.d_out) != (task.n, task.n):
            raise BadInput(f"{self.name}: the network reads {model.config.n_ctx} numbers, and the task has {task.n}")
        if not task.law.rotation_invariant:
            raise BadInput(f"{self.name}: measures directions, and rotations change the law of {task.describe()}")
        if not 2 <= task.n <= WIDEST:
            raise BadInput(f"{self.name}: from 2 to {WIDEST} numbers, not {task.n}")

    def specs(self, model: ScalarRecurrent, task: Task) -> dict[str, Spec]:
        """The codes of the tree's nodes, in the order in which they are read."""
        return {"cuts": Spec((2**25,), (0, largest_code(model.config.n_ctx)), fewer=True)}

    def explain(self, model: ScalarRecurrent, task: Task) -> dict[str, Tensor]:
        assert isinstance(task, OrderStatistic)
        with torch.no_grad():
            network = Network.of(model)
            roots, _, labels = label_cones(task.n, task.above)
            return {
                "cuts": find_cuts(network, roots, labels, self.smallest, self.gain, self.choice, self.most, MEASURES[self.measure])
            }

    def search_operations(self, model: ScalarRecurrent, task: Task, length: int) -> int:
        """As if nodes were those that a surface cuts, (1 / smallest)^((n-2) / (n-1)) for each root, and each a run on rays."""
        assert isinstance(task, OrderStatistic)
        n, d = task.n, model.config.d_model
        roots = 2 * n * math.comb(n - 1, task.above)
        nodes = min(self.most, roots * self.smallest ** (-(n - 2) / (n - 1)))
        return round(nodes * n * n * (8 * d * d + 12 * d))

    def verify(self, model: ScalarRecurrent, task: Task, explanation: Explanation) -> Proven:
        """Return the union of the cones that are checked and right, and a lower bound of its measure.

        *Proof.* The roots partition the space up to ties, which have probability 0 (`label_cones`); a cut partitions a cone up to a
        plane (`compact_proofs.cones.cone.cut`). So the cones at which branches end are disjoint. The network is right on a cone
        that is checked and on every part of it (`compact_proofs.tasks.order_statistic.cones.run`), and the sum of the bounds of
        the measures (`compact_proofs.cones.measure`) of the ends below bounds the measure of their union.

        *Cost.* For each cut about 10 n operations; for each check n forward passes of bounds, n^2 (8 d^2 + 12 d); for each end of a
        branch that was checked a measure, 3 n^2.
        """
        assert isinstance(task, OrderStatistic)
        codes = explanation["cuts"]
        with stage("network"):
            network = Network.of(model)
        with unseen("the cones on which labels are known, which are data of the statement"):
            roots, inverses, labels = label_cones(task.n, task.above)
            if model.W_in.is_meta:
                roots = Cones(roots.rays.to("meta"), roots.volume.to("meta"))
        none = torch.zeros(len(labels), dtype=torch.bool)
        wrong = none.to(roots.rays.device)
        stack = Stack(roots.rays, roots.volume, labels, none, wrong)
        measure, rights, scales, read = Fraction(0), [wrong[:0]], [roots.volume[:0]], 0
        while stack and read < len(codes):
            columns = stack.pop()
            count = min(len(columns[2]), len(codes) - read)
            rays, volume, label, inside, right = (column[:count] for column in columns)
            cones = Cones(rays, volume)
            node = decode(codes[read : read + count], inside, task.n)
            read += count
            inside, right = inside.clone(), right.clone()
            if len(node.checked):
                with stage("network on rays"):
                    right[node.checked] = run(network, rays[node.checked], label[node.checked]).right()
                inside[node.checked] = True
            rights.append(right)
            if len(node.ended):
                with stage("measure"):
                    shares = MEASURES[self.measure](cones[node.ended])
                    measure += _sum(torch.where(right[node.ended], shares, 0.0))
            if len(node.divided):
                with stage("cuts"):
                    *halves, s = cut(cones[node.divided], node.first, node.second, node.part)
                    scales.append(s)
                    stack.push(
                        torch.cat([half.rays for half in halves]),
                        torch.cat([half.volume for half in halves]),
                        *(column[node.divided].repeat(2) for column in (label, inside, right)),
                    )
        bound = Fraction(math.floor(measure * DENOMINATOR), DENOMINATOR)
        return ConeRegion(bound, inverses, codes, torch.cat(rights), torch.cat(scales))


def _sum(shares: Tensor) -> Fraction:
    """A lower bound of a sum of shares, exactly; 0 on meta tensors."""
    total = shares.sum()
    if total.is_meta:
        return Fraction(0)
    with unseen("a lower bound, as a fraction"):
        return Fraction(max(float(lower(total)), 0.0))
