"""Neurons that write into few directions: any group, whatever the neurons read."""

from __future__ import annotations

from dataclasses import dataclass, replace

from torch import Tensor

from compact_proofs import directions
from compact_proofs.length import stage
from compact_proofs.models.pair_mlp import PairMLP
from compact_proofs.tasks.groups.task import GroupStrategy


@dataclass(frozen=True)
class Directions(directions.Directions[PairMLP], GroupStrategy):
    """`compact_proofs.directions.Directions` for networks on a group."""

    def network(self, model: PairMLP) -> Folded:
        with stage("weights"):
            return Folded(model.left(), model.right(), model.U, model.bias)

    def sizes(self, model: PairMLP) -> tuple[int, int, int]:
        return model.order, model.width, model.order


@dataclass(frozen=True)
class Folded(directions.PairNetwork):
    """``ReLU(l[x] + r[y]) U + bias``, see `compact_proofs.models.pair_mlp.PairMLP`."""

    left: Tensor
    right: Tensor
    G: Tensor
    bias: Tensor

    @property
    def n(self) -> int:
        return len(self.left)

    def scaled(self, neurons: Tensor, scale: Tensor) -> Folded:
        left, right = (t[:, neurons] / scale for t in (self.left, self.right))
        return replace(self, left=left, right=right, G=self.G[neurons] * scale[:, None])

    def pre(self, x: Tensor, y: Tensor) -> Tensor:
        return self.left[x] + self.right[y]

    def direct(self, x: Tensor, y: Tensor) -> Tensor:
        return self.bias

    def direct_at(self, x: Tensor, y: Tensor, z: Tensor) -> Tensor:
        return self.bias[z]
