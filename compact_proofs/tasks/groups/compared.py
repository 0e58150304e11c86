"""A network beside its checked ideal one, and the bounds of what is between them that every strategy on G-sets starts from."""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch
from torch import Tensor

from compact_proofs.claim import Task
from compact_proofs.length import stage
from compact_proofs.models.pair_mlp import PairMLP
from compact_proofs.strategy import Explanation
from compact_proofs.tasks.groups.circuits import Circuits, check_circuits
from compact_proofs.tasks.groups.errors import Sums, explained_by_norms, explained_sums, spread, whole_neurons
from compact_proofs.tasks.groups.ideal import Ideal
from compact_proofs.tasks.groups.separate import Separate
from compact_proofs.tasks.groups.task import Groups


@dataclass(frozen=True)
class Compared:
    """A network beside its checked ideal one.

    Attributes
    ----------
    circuits, ideal, margin
        The ideal network, its logits and its margin.
    inputs : [2, n, m]
        l and r.
    sides : [2, n, m]
        l - s and r + s, for the explanation's shifts s, which define the same network.
    output, bias
        U and the bias.
    """

    circuits: Circuits
    ideal: Ideal
    margin: Separate
    inputs: Tensor
    sides: Tensor
    output: Tensor
    bias: Tensor

    @classmethod
    def of(cls, model: PairMLP, task: Task, explanation: Explanation) -> Compared | None:
        """Check an explanation and fold the network; None if the explanation describes no ideal network."""
        assert isinstance(task, Groups)
        circuits = check_circuits(explanation, task.group)
        if circuits is None:
            return None
        ideal = Ideal.of(circuits, task.group)
        return cls(circuits, ideal, ideal.margin(), *both_sides(model, explanation), model.U, model.bias)

    def readings(self) -> tuple[Tensor, Tensor]:
        """l and r [2, n, k] of every reading's neuron, and s U_i [k, n]."""
        i = self.circuits.neurons
        return self.sides[:, :, i], self.circuits.share[:, None] * self.output[i]

    def sums(self) -> Sums:
        """What readings explain, and the bias, as sums that are known for each x and each y."""
        return explained_sums(*self.readings(), self.bias, self.circuits)

    def slack(self, explained: Separate | None = None) -> Separate:
        """The ideal margin less bounds of all errors, a lower bound of the network's margin; by norms unless `sums` are given."""
        slack = self.margin - (explained or explained_by_norms(*self.readings(), self.bias, self.circuits))
        return Separate(slack.sides - self.unexplained(), slack.constant)

    def unexplained(self, output: Tensor | None = None) -> Tensor:
        """Bound what no reading explains of the neurons by terms of x and of y, [2, n]; `output` [m, n] is U unless given."""
        i = list(self.circuits.rest)
        with stage("unexplained neurons"):
            share = torch.tensor([abs(r) for r in self.circuits.rest.values()], dtype=torch.float64, device=self.sides.device)
            return whole_neurons(self.sides[:, :, i], share * spread((self.output if output is None else output)[i]))


def both_sides(model: PairMLP, explanation: Explanation) -> tuple[Tensor, Tensor]:
    """l and r [2, n, m], and with the explanation's shifts l - s and r + s."""
    with stage("weights"):
        s, inputs = explanation["shifts"], torch.stack([model.left(), model.right()])
        return inputs, inputs + torch.stack([-s, s])[:, None]


def in_double(model: PairMLP) -> PairMLP:
    """A float64 copy."""
    return copy.deepcopy(model).double()
