"""`LinearPieces`: label cones are divided where the network bends, and each simplicial cone is verified on its rays."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Annotated, ClassVar

import torch
from pydantic import Field
from torch import Tensor

from compact_proofs.certified import Proven
from compact_proofs.cones.cone import Cones
from compact_proofs.cones.forest import Trees, rounded_down, slices, upper_number, verify_trees
from compact_proofs.cones.measure import MEASURES, MeasureName
from compact_proofs.cones.region import ConeRegion
from compact_proofs.cones.tree import largest_code
from compact_proofs.cones.triangulation import LARGEST, UNIT, WIDEST, Triangulated, triangulate
from compact_proofs.core.strategy import Explanation, Spec, Strategy
from compact_proofs.errors import BadInput
from compact_proofs.inputs.task import Task
from compact_proofs.length import stage, unseen
from compact_proofs.models.scalar_recurrent import ScalarRecurrent
from compact_proofs.options import Share
from compact_proofs.progress import track
from compact_proofs.shards import each
from compact_proofs.tasks.order_statistic import cone_tree
from compact_proofs.tasks.order_statistic.cones import Network, label_cones, number_of_label_cones, run
from compact_proofs.tasks.order_statistic.pieces import Functions, Points, TooMany, linear_cones, simplices
from compact_proofs.tasks.order_statistic.search import Search
from compact_proofs.tasks.order_statistic.task import OrderStatistic

MOST_SIMPLICES = 2**23
"""Simplicial cones of one label cone."""
DEEPEST_IN_PIECES = 64
"""Cuts from a simplicial cone of a piece down to a cone that is still cut. The network is linear on it but for what was rounded, so
that cuts only refine its measure; where numbers of very different sizes hide a bend, they may lead nowhere."""


@dataclass(frozen=True)
class LinearPieces(Strategy[ScalarRecurrent]):
    """Divide the directions of the input into cones on which the network is linear; where it is right on one, its measure counts.

    A network without biases answers x and c x alike for c > 0, so that only the direction matters, and the bound holds for every
    law that rotations do not change. The explanation lists points in each label cone, the simplicial cones between them, and trees
    of cuts of these (`compact_proofs.cones.tree`), which make their measures better known. It takes fewer cones than `ConeTree`,
    since a cone is cut only by what bends on it. How many there are grows with about the n-th power of the number of neurons.
    """

    gain: Share = 3e-8
    """Cones that are right are cut on while that raises the bound of their measure by so much."""
    smallest: Share = 1e-5
    """Where the network is not decided, cones of a smaller measure are not cut any more; few are undecided."""
    pieces: Annotated[int, Field(ge=1, le=2**20)] = 2**15
    """Cones at most on which the network is linear, in one label cone; a label cone that has more is treated as by `ConeTree`."""
    most: Annotated[int, Field(ge=1, le=cone_tree.MOST_NODES)] = cone_tree.MOST_NODES
    """About how many nodes the trees may have."""
    measure: MeasureName = "jensen"
    """How measures are bounded; both takes the better of two bounds."""

    name: ClassVar[str] = "linear-pieces"
    summary: ClassVar[str] = "the cones on which the network is linear; it is run on the rays of each"

    def applies_to(self, model: ScalarRecurrent, task: Task) -> None:
        cone_tree.check_network(self.name, model, task)
        assert isinstance(task, OrderStatistic)
        if task.n > WIDEST:
            raise BadInput(f"{self.name}: up to {WIDEST} numbers, not {task.n}; cone-tree takes more")

    def specs(self, model: ScalarRecurrent, task: Task) -> dict[str, Spec]:
        """For each label cone, the numbers of its points, simplices and codes; and these of one cone after those of another."""
        assert isinstance(task, OrderStatistic)
        n = task.n
        return {
            "sizes": Spec((number_of_label_cones(n, task.above), 3), (0, 2**25), fewer=True),
            "points": Spec((2**22, n), (0, LARGEST), fewer=True),
            "simplices": Spec((2**23, n), (0, 2**22), fewer=True),
            "cuts": Spec((2**25,), (0, largest_code(n)), fewer=True),
        }

    def explain(self, model: ScalarRecurrent, task: Task) -> dict[str, Tensor]:
        assert isinstance(task, OrderStatistic)
        with torch.no_grad():
            network = Network.of(model)
            roots, _, labels = label_cones(task.n, task.above)
            search = Search(network, self.smallest, self.gain, "first", MEASURES[self.measure])
            left, found = self.most, []
            for i in track(range(len(labels)), "label cones"):
                root = roots[torch.tensor([i])]
                points, rows, deepest = self._division(network, root, int(labels[i]))
                rays = (points.double() * UNIT)[rows] @ root.rays
                cones = Cones(rays, torch.linalg.det(rays).abs())
                codes = search.trees(cones, labels[i].expand(len(rows)), left // (len(labels) - i), deepest=deepest)
                left -= len(codes)
                found.append((points, rows, codes))
        sizes = [[len(part) for part in parts] for parts in found]
        points, rows, codes = (torch.cat(parts) for parts in zip(*found, strict=True))
        return {"sizes": torch.tensor(sizes), "points": points, "simplices": rows, "cuts": codes}

    def _division(self, network: Network, root: Cones, label: int) -> tuple[Tensor, Tensor, int | None]:
        """Points and simplices of one label cone: its pieces, or the cone itself where there are too many; how deep it is cut."""
        n = root.n
        deepest: int | None = DEEPEST_IN_PIECES
        try:
            points = Points(Functions.of(network, root.rays[0], label))
            rows = torch.from_numpy(simplices(points, linear_cones(points, self.pieces), MOST_SIMPLICES))
            coefficients = torch.from_numpy(points.coefficients)
        except TooMany:
            coefficients, rows = torch.eye(n, dtype=torch.float64), torch.arange(n)[None]
            deepest = None
        unit = coefficients / (coefficients @ root.rays[0]).square().sum(1, keepdim=True).sqrt()
        return (unit / UNIT).round().clamp(0, LARGEST).to(torch.int64), rows, deepest

    def search_operations(self, model: ScalarRecurrent, task: Task, length: int) -> int:
        """As if bends were planes in general position, and a cone on which the network is linear had n! / 4 simplices."""
        assert isinstance(task, OrderStatistic)
        n, d = task.n, model.config.d_model
        cones = min(2 * sum(math.comb(n * d - 1, i) for i in range(n)), self.pieces * number_of_label_cones(n, task.above))
        return cones * math.factorial(n) // 4 * n * n * (8 * d * d + 12 * d)

    def verify(self, model: ScalarRecurrent, task: Task, explanation: Explanation) -> Proven:
        """Return the union of the cones that are checked and right, and a lower bound of its measure.

        *Proof.* The label cones partition the space up to ties, which have probability 0 (`label_cones`). In each of them
        `compact_proofs.cones.triangulation.triangulate` gives cones; the measures of parts of some add up to no more than the
        measure of their union and `excess`. The network is right on a cone that is checked and on its parts (`run`), and
        `compact_proofs.cones.forest.verify_trees` adds up lower bounds of the measures of what is right; `excess` is subtracted.

        *Cost.* For each simplex n 2^n + 2 n^3 operations and what sorting its facets costs; for each check n forward passes of
        bounds, n^2 (8 d^2 + 12 d); for each end of a branch that was checked a measure, 3 n^2.
        """
        assert isinstance(task, OrderStatistic)
        with stage("network"):
            network = Network.of(model)
        with unseen("the cones on which labels are known, which are data of the statement, and sizes"):
            roots, inverses, labels = label_cones(task.n, task.above)
            if model.W_in.is_meta:
                roots = Cones(roots.rays.to("meta"), roots.volume.to("meta"))
            inward = inverses.sum(1).to(roots.rays.device)
            sizes = explanation["sizes"].T.tolist() or [[], [], []]
        share = MEASURES[self.measure]
        columns = [explanation[name] for name in ("points", "simplices", "cuts")]
        lists = [[column[own] for own in slices(lengths, len(column))] for column, lengths in zip(columns, sizes, strict=True)]
        parts = list(enumerate(zip(*lists, strict=True)))

        def right(rays: Tensor, label: Tensor) -> Tensor:
            return run(network, rays, label).right()

        def grow(part: tuple[int, tuple[Tensor, Tensor, Tensor]]) -> tuple[Trees, Fraction]:
            i, (points, rows, codes) = part
            with stage("simplices"):
                found = triangulate(roots[torch.tensor([i])], inward[i], points, rows)
            trees = verify_trees(found.cones, labels[i].expand(len(found.cones.volume)), codes, right, share)
            return trees, upper_number(found.excess)

        grown = list(each(grow, parts, "label cones"))
        measure = sum((trees.measure - excess for trees, excess in grown), Fraction(0))
        return ConeRegion(
            rounded_down(measure),
            [(Triangulated(inverses[i], *part[:2]), trees) for (i, part), (trees, _) in zip(parts, grown, strict=True)],
        )
