"""What a finished tree of cuts would prove, and how large it would be: guessed from random descents, without growing it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from compact_proofs.cones.cone import PARTS, Cones, cut
from compact_proofs.cones.measure import by_jensen
from compact_proofs.draws import Draws
from compact_proofs.estimates import Estimator
from compact_proofs.inputs.task import Task
from compact_proofs.models.scalar_recurrent import ScalarRecurrent
from compact_proofs.tables import Table
from compact_proofs.tasks.order_statistic.cones import Network, label_cones
from compact_proofs.tasks.order_statistic.search import Choice, decide
from compact_proofs.tasks.order_statistic.task import OrderStatistic

DEEPEST = 600
"""Cuts that a descent follows at most."""


@dataclass(frozen=True)
class Descents:
    """N random inputs, followed down the tree of cuts.

    Attributes
    ----------
    measures : list of float64 [N]
        After each number of cuts the bound of the measure of the cone that holds the input; after the last cut, of the last.
    least : float64 [N]
        The least of these among the cones that were cut; infinite if none was.
    right : bool [N]
        Descents that ended in a cone on which the network is right.
    """

    measures: list[Tensor]
    least: Tensor
    right: Tensor

    def proven(self, smallest: float) -> Tensor:
        """The share that ends in a cone that is right, when cones with a measure below `smallest` are not cut: []."""
        return (self.right & (self.least >= smallest)).double().mean()

    def leaves(self, smallest: float) -> Tensor:
        """The number of cones at which the tree ends: the mean of 1 / measure of the one that holds a random input, []."""
        measures = torch.stack(self.measures)
        over = measures < smallest
        place = torch.where(over.any(0), over.double().argmax(0), len(measures) - 1)
        return (1 / measures.gather(0, place[None]).clamp(min=1e-300)).mean()


def descend(model: ScalarRecurrent, task: OrderStatistic, inputs: Tensor, smallest: float, choice: Choice) -> Descents:
    """Follow inputs [N, n] until the network is decided on their cone, or its measure is below `smallest`."""
    network = Network.of(model)
    roots, inverses, labels = label_cones(task.n, task.above)
    coefficients = torch.einsum("rij,bj->bri", inverses, inputs)
    root = (coefficients.amin(2)).argmax(1)
    row = torch.arange(len(inputs))
    cones, label, inside = roots[root], labels[root], coefficients[row, root]
    right = torch.zeros(len(inputs), dtype=torch.bool)
    least = torch.full((len(inputs),), torch.inf, dtype=torch.float64)
    going, measures = row, [by_jensen(cones)]
    rays, volume = cones.rays, cones.volume
    for _ in range(DEEPEST):
        found = decide(network, rays, label, choice)
        right = right.index_put((going[found.right],), torch.tensor(True))
        on = (~found.right & ~found.wrong & (measures[-1][going] >= smallest)).nonzero()[:, 0]
        if not len(on):
            break
        going, label, inside = going[on], label[on], inside[on]
        least = least.index_put((going,), torch.minimum(least[going], measures[-1][going]))
        first, second, part = found.first[on], found.second[on], found.part[on]
        one, other, s = cut(Cones(rays[on], volume[on]), first, second, part)
        at, k, m = torch.arange(len(on)), part.double(), (PARTS - part).double()
        of_a, of_b = inside[at, first], inside[at, second]
        in_one = m * of_a > k * of_b
        kept = torch.where(in_one, of_a - k * of_b / m, of_b - m * of_a / k)
        new = torch.where(in_one, of_b / (s * m), of_a / (s * k))
        keeps, loses = torch.where(in_one, first, second), torch.where(in_one, second, first)
        inside = inside.index_put((at, keeps), kept).index_put((at, loses), new)
        rays = torch.where(in_one[:, None, None], one.rays, other.rays)
        volume = torch.where(in_one, one.volume, other.volume)
        measures.append(measures[-1].index_put((going,), by_jensen(Cones(rays, volume))))
    return Descents(measures, least, right)


@dataclass(frozen=True)
class FinishedTree(Estimator[ScalarRecurrent]):
    """What `ConeTree` would prove if its tree were grown to cones of the measure `smallest`, and measures were exact."""

    smallest: float = 1e-6
    samples: int = 1000
    seed: int = 0
    choice: Choice = "first"

    name: ClassVar[str] = "finished-tree"
    summary: ClassVar[str] = "random inputs, followed down the tree of cuts"

    def value(self, model: ScalarRecurrent, task: Task) -> Tensor:
        assert isinstance(task, OrderStatistic)
        inputs = task.draw(self.samples, Draws(f"finished tree {self.seed}".encode()))
        return descend(model, task, inputs, self.smallest, self.choice).proven(self.smallest)


def tree_table(model: ScalarRecurrent, samples: int = 500) -> Table:
    """A table of finished trees by the measure of their smallest cones."""
    task, sizes = OrderStatistic.of(model), [10.0**-i for i in range(1, 11)]
    inputs = task.draw(samples, Draws(b"tree study"))
    with torch.no_grad():
        found = descend(model, task, inputs, sizes[-1], "first")
    n, d = task.n, model.config.d_model
    each = n * n * (8 * d * d + 12 * d)
    rows = []
    for size in sizes:
        leaves, proven = float(found.leaves(size)), float(found.proven(size))
        rows.append((f"{size:g}", (proven, leaves, proven * leaves * each)))
    return Table(
        name="finished-trees",
        title="Finished trees of cones (estimates)",
        caption=(
            f"Guessed from {samples} random descents, without growing the trees: nothing here is proven. Few cones for a high "
            "bound mean that the network is linear on few and large sets of directions. Cones are over-estimated, since their "
            "measures are bounded from below; operations as if the share of cones that are right were the share of inputs."
        ),
        headings=("smallest cone", "bound", "cones", "operations"),
        rows=tuple(rows),
    )
