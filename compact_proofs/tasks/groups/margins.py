"""Lower bounds of a network's margins from its circuits: what every strategy on G-sets starts from."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from operator import add

import torch
from torch import Tensor

from compact_proofs.bounds.ranges import spread
from compact_proofs.bounds.relu import separate_neurons
from compact_proofs.core.claim import largest_other
from compact_proofs.core.strategy import Explanation
from compact_proofs.inputs.task import Task
from compact_proofs.length import stage
from compact_proofs.models.pair_mlp import PairMLP
from compact_proofs.tasks.groups.circuit_gaps import Gaps
from compact_proofs.tasks.groups.circuits import Circuits, check_circuits
from compact_proofs.tasks.groups.errors import Sums, sums_of
from compact_proofs.tasks.groups.separable import Separable
from compact_proofs.tasks.groups.task import Groups


@dataclass(frozen=True)
class MarginBounds:
    """Lower bounds of a network's margins: what its circuits prove, less all errors.

    Attributes
    ----------
    circuits
        Checked.
    gaps
        What the circuits' tables prove.
    sums
        All else that readings explain, and the bias.
    unexplained : [2, n]
        Bounds of the unexplained neurons, of x and of y.
    """

    circuits: Circuits
    gaps: Gaps
    sums: Sums
    unexplained: Tensor

    @classmethod
    def of(cls, model: PairMLP, task: Task, explanation: Explanation, inputs: Tensor, exact: bool = True) -> MarginBounds | None:
        """Check an explanation, and compare; None if it describes no circuits. `inputs` [2, n, m] are l and r."""
        assert isinstance(task, Groups)
        circuits = check_circuits(explanation, task.group)
        if circuits is None:
            return None
        found, tables = zip(*(sums_of(c, circuits.alike, inputs, model.U, exact) for c in circuits.circuits), strict=True)
        sums = reduce(add, found)
        sums = Sums(sums.moved, sums.constant + model.bias, sums.error, sums.apart)
        gaps = Gaps.of(circuits.circuits, tables, circuits.alike, task.group)
        return cls(circuits, gaps, sums, _unexplained(model, circuits, explanation, inputs))

    def slack(self) -> Separable:
        """The smallest gap less bounds of all errors: a lower bound of the network's margin."""
        slack = self.gaps.smallest() - self.sums.separable()
        return Separable(slack.sides - self.unexplained, slack.constant)

    def margins(self, x: Tensor, y: Tensor, z: Tensor) -> Tensor:
        """Lower bounds of the margins of pairs (x, y) [r] with products z, with what is known for every output.

        f(xy) - f(z') >= known(xy) - known(z') + gap(z') - error[x] - error[y] - apart[xy, z']. Cost: about 6 n for each pair.
        """
        with stage("outputs"):
            errors = self.sums.error + self.unexplained
            known = self.sums.moved[0, x] + (self.sums.moved[1] + self.sums.constant)[y]
            own = known.gather(1, z[:, None]).squeeze(1) - errors[0, x] - errors[1, y]
            return own - largest_other(known + (self.sums.apart[z] - self.gaps.at(x, y)), z)


def _unexplained(model: PairMLP, circuits: Circuits, explanation: Explanation, inputs: Tensor) -> Tensor:
    """Bound what no reading explains of the neurons by terms of x and of y, [2, n]."""
    i = list(circuits.rest)
    with stage("unexplained neurons"):
        share = torch.tensor([abs(r) for r in circuits.rest.values()], dtype=torch.float64, device=inputs.device)
        return separate_neurons(shifted(inputs, explanation)[:, :, i], share * spread(model.U[i]))


def both_sides(model: PairMLP) -> Tensor:
    """l and r [2, n, m]."""
    with stage("weights"):
        return torch.stack([model.left(), model.right()])


def shifted(inputs: Tensor, explanation: Explanation) -> Tensor:
    """l - s and r + s, for the explanation's shifts s, which define the same network."""
    s = explanation["shifts"]
    return inputs + torch.stack([-s, s])[:, None]
