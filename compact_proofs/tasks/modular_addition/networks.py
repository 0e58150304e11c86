"""Networks on modular addition as tables, for proofs by few directions: attention may be uniform, learned, or none."""

from __future__ import annotations

from dataclasses import dataclass, replace

from torch import Tensor

from compact_proofs import directions
from compact_proofs.tasks.modular_addition.attending import Attending
from compact_proofs.tasks.modular_addition.folding import Folded


@dataclass(frozen=True)
class AdditiveNetwork(directions.PairNetwork):
    """A network in which each token adds to every neuron (`folding.Folded`)."""

    tables: Folded
    G: Tensor

    @property
    def n(self) -> int:
        return len(self.tables.L)

    @property
    def alike(self) -> bool:
        return self.tables.alike

    def scaled(self, neurons: Tensor, scale: Tensor) -> AdditiveNetwork:
        L = self.tables.L[:, neurons] / scale
        R = L if self.alike else self.tables.R[:, neurons] / scale
        G = self.G[neurons] * scale[:, None]
        return AdditiveNetwork(self.tables._replace(L=L, R=R, G=G), G)

    def pre(self, x: Tensor, y: Tensor) -> Tensor:
        return self.tables.L[x] + self.tables.R[y]

    def direct(self, x: Tensor, y: Tensor) -> Tensor:
        S_a, S_b = self.tables.S_a, self.tables.S_b
        second = self.G.new_zeros(self.G.shape[1]) if S_b is None else S_b[y] if len(S_b) > 1 else S_b[0]
        return second if S_a is None else S_a[x] + second

    def direct_at(self, x: Tensor, y: Tensor, z: Tensor) -> Tensor:
        S_a, S_b = self.tables.S_a, self.tables.S_b
        second = self.G.new_zeros(len(z)) if S_b is None else S_b[y, z] if len(S_b) > 1 else S_b[0, z]
        return second if S_a is None else S_a[x, z] + second


@dataclass(frozen=True)
class AttendingNetwork(directions.PairNetwork):
    """A network whose attention depends on its input (`attending.Attending`, of the neurons and of the logits)."""

    neurons: Attending
    logits: Attending
    G: Tensor

    @property
    def n(self) -> int:
        return self.neurons.first.shape[1]

    def scaled(self, neurons: Tensor, scale: Tensor) -> AttendingNetwork:
        return replace(self, neurons=self.neurons.scaled(neurons, scale), G=self.G[neurons] * scale[:, None])

    def pre(self, x: Tensor, y: Tensor) -> Tensor:
        return self.neurons.at(x, y)

    def direct(self, x: Tensor, y: Tensor) -> Tensor:
        return self.logits.at(x, y)

    def direct_at(self, x: Tensor, y: Tensor, z: Tensor) -> Tensor:
        return self.logits.entry(x, y, z)
