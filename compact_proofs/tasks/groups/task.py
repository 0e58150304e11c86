"""The task of group composition: name the product of two elements."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from compact_proofs.algebra.group import Group, group_of
from compact_proofs.core.claim import Task
from compact_proofs.core.strategy import Strategy
from compact_proofs.errors import BadInput
from compact_proofs.models.pair_mlp import PairMLP


@dataclass(frozen=True)
class Groups(Task):
    """Pairs (x, y) of elements of a finite group, uniform; the label is the product x y.

    Attributes
    ----------
    group
        The group.
    """

    group: Group
    name: ClassVar[str] = "groups"

    def __post_init__(self) -> None:
        if self.group.order < 2:
            raise BadInput("group composition needs a group of at least 2 elements")

    @classmethod
    def of(cls, model: nn.Module) -> Groups:
        """The task that a model was built for: composition in the group of its table.

        Raises
        ------
        BadInput
            If the model is not a `PairMLP`, or its table is not that of a group.
        """
        if not isinstance(model, PairMLP):
            raise BadInput(f"{type(model).__name__} is not a PairMLP, for which group composition has strategies")
        return cls(group_of(model.table.cpu()))

    @property
    def size(self) -> int:
        """n^2."""
        return self.group.order**2

    def parameters(self) -> dict[str, int]:
        return {"order": self.group.order, "fingerprint": self.group.fingerprint}

    def inputs(self, start: int, stop: int) -> Tensor:
        """Pairs number `start` to `stop` - 1 in lexicographic order, int64 [n, 2]."""
        number = torch.arange(start, min(stop, self.size))
        return torch.stack([number // self.group.order, number % self.group.order], -1)

    def labels(self, inputs: Tensor) -> Tensor:
        return self.group.table.to(inputs.device)[inputs[:, 0], inputs[:, 1]]


class GroupStrategy(Strategy[PairMLP]):
    """A strategy that reads the weights of a `PairMLP`."""

    def applies_to(self, model: PairMLP, task: Task) -> None:
        if not isinstance(model, PairMLP) or not isinstance(task, Groups):
            raise BadInput(f"{self.name}: is about a PairMLP on group composition, not {type(model).__name__} on {task.name}")
        if not model.table.is_meta and task != Groups.of(model):
            raise BadInput(f"{self.name}: this model is for another group than {task.group}")

    def unexplained_dimension(self, model: PairMLP, task: Task) -> int | None:
        """3 n m + n unless a strategy says otherwise: every entry of l, r, U and the bias."""
        return 3 * model.order * model.width + model.order
