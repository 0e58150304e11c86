"""`ConeTree`: the network is run on the rays of cones, until its answer is known on them."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Annotated, ClassVar

import torch
from pydantic import Field
from torch import Tensor

from compact_proofs.certified import Proven
from compact_proofs.cones.cone import Cones
from compact_proofs.cones.forest import Trees, rounded_down, slices, verify_trees
from compact_proofs.cones.measure import MEASURES, MeasureName
from compact_proofs.cones.region import ConeRegion, Straight
from compact_proofs.cones.tree import largest_code
from compact_proofs.core.strategy import Explanation, Spec, Strategy
from compact_proofs.errors import BadInput
from compact_proofs.inputs.task import Task
from compact_proofs.length import stage, unseen
from compact_proofs.models.scalar_recurrent import ScalarRecurrent
from compact_proofs.options import Share
from compact_proofs.shards import each
from compact_proofs.tasks.order_statistic.cones import Network, label_cones, number_of_label_cones, run
from compact_proofs.tasks.order_statistic.search import Choice, Search
from compact_proofs.tasks.order_statistic.task import OrderStatistic

MOST_NODES = 2**25 - 2**14
"""Nodes of a tree, so that a certificate has at most 256 MiB."""
WIDEST = 16
"""Inputs at most."""


def check_sizes(name: str, model: ScalarRecurrent, task: Task, widest: int) -> None:
    """Check that a network is of the kind and size that a strategy takes.

    Raises
    ------
    BadInput
        In the name of the strategy, saying why not.
    """
    if not isinstance(model, ScalarRecurrent) or not isinstance(task, OrderStatistic):
        raise BadInput(f"{name}: is about a ScalarRecurrent network on {OrderStatistic.name}, not {type(model).__name__}")
    if (model.config.n_ctx, model.config.d_out) != (task.n, task.n):
        raise BadInput(f"{name}: the network reads {model.config.n_ctx} numbers, and the task has {task.n}")
    if not 2 <= task.n <= widest:
        raise BadInput(f"{name}: from 2 to {widest} numbers, not {task.n}")


def check_network(name: str, model: ScalarRecurrent, task: Task) -> None:
    """Check that cones say something about a network on a task.

    Raises
    ------
    BadInput
        In the name of a strategy, saying why not.
    """
    check_sizes(name, model, task, WIDEST)
    if model.config.bias:
        raise BadInput(f"{name}: a network with biases does not answer x and c x alike; box-tree takes it")
    assert isinstance(task, OrderStatistic)
    if not task.law.rotation_invariant:
        raise BadInput(f"{name}: measures directions, and rotations change the law of {task.describe()}; box-tree takes other laws")


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
    version: ClassVar[int] = 2
    summary: ClassVar[str] = "directions cut into cones; the network is run on the rays of each"

    def applies_to(self, model: ScalarRecurrent, task: Task) -> None:
        check_network(self.name, model, task)

    def specs(self, model: ScalarRecurrent, task: Task) -> dict[str, Spec]:
        """The codes of the trees' nodes, in the order in which they are read, and how many of them each group of roots takes."""
        assert isinstance(task, OrderStatistic)
        codes = Spec((2**25,), (0, largest_code(task.n)), fewer=True)
        return {"cuts": codes, "sizes": Spec((number_of_label_cones(task.n, task.above),), (0, 2**25), fewer=True)}

    def explain(self, model: ScalarRecurrent, task: Task) -> dict[str, Tensor]:
        assert isinstance(task, OrderStatistic)
        with torch.no_grad():
            network = Network.of(model)
            roots, _, labels = label_cones(task.n, task.above)
            search = Search(network, self.smallest, self.gain, self.choice, MEASURES[self.measure])
            cuts, sizes = search.forest(roots, labels, self.most)
        return {"cuts": cuts, "sizes": sizes}

    def search_operations(self, model: ScalarRecurrent, task: Task, length: int) -> int:
        """As if nodes were those that a surface cuts, (1 / smallest)^((n-2) / (n-1)) for each root, and each a run on rays."""
        assert isinstance(task, OrderStatistic)
        n, d = task.n, model.config.d_model
        nodes = min(self.most, number_of_label_cones(n, task.above) * self.smallest ** (-(n - 2) / (n - 1)))
        return round(nodes * n * n * (8 * d * d + 12 * d))

    def verify(self, model: ScalarRecurrent, task: Task, explanation: Explanation) -> Proven:
        """Return the union of the cones that are checked and right, and a lower bound of its measure.

        *Proof.* The roots partition the space up to ties, which have probability 0 (`label_cones`), and what is right on them is
        measured by `compact_proofs.cones.forest.verify_trees`: in several groups of roots, which have no input in common, the
        codes of each after those of the one before.

        *Cost.* For each cut about 10 n operations; for each check n forward passes of bounds, n^2 (8 d^2 + 12 d); for each end of a
        branch that was checked a measure, 3 n^2.
        """
        assert isinstance(task, OrderStatistic)
        with stage("network"):
            network = Network.of(model)
        with unseen("the cones on which labels are known, which are data of the statement, and sizes"):
            roots, inverses, labels = label_cones(task.n, task.above)
            if model.W_in.is_meta:
                roots = Cones(roots.rays.to("meta"), roots.volume.to("meta"))
            sizes = explanation["sizes"].tolist()
        codes, share = explanation["cuts"], MEASURES[self.measure]
        groups = torch.arange(len(labels)).tensor_split(max(len(sizes), 1))
        parts = [(chosen, codes[some]) for chosen, some in zip(groups, slices(sizes, len(codes)), strict=False)]

        def right(rays: Tensor, label: Tensor) -> Tensor:
            return run(network, rays, label).right()

        def grow(part: tuple[Tensor, Tensor]) -> Trees:
            chosen, some = part
            return verify_trees(roots[chosen], labels[chosen], some, right, share)

        trees = list(each(grow, parts, "trees of cuts"))
        bound = rounded_down(sum((tree.measure for tree in trees), Fraction(0)))
        return ConeRegion(bound, [(Straight(inverses[chosen]), tree) for (chosen, _), tree in zip(parts, trees, strict=True)])
