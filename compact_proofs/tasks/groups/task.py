"""The task of group composition: name the product of two elements."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from compact_proofs.algebra.group import Group, group_of
from compact_proofs.core.strategy import Strategy
from compact_proofs.errors import BadInput
from compact_proofs.inputs.numbering import lexicographic, sequences
from compact_proofs.inputs.task import Task
from compact_proofs.models.pair_mlp import PairMLP
from compact_proofs.tasks.model_task import ModelTask


@dataclass(frozen=True)
class Groups(ModelTask):
    """Pairs (x, y) of elements of a finite group, uniform; the label is the product x y.

    Attributes
    ----------
    group
        The group.
    """

    group: Group
    name: ClassVar[str] = "groups"
    reads: ClassVar[type[nn.Module]] = PairMLP

    def __post_init__(self) -> None:
        if self.group.order < 2:
            raise BadInput("group composition needs a group of at least 2 elements")

    @classmethod
    def built_for(cls, model: PairMLP) -> Groups:
        """Composition in the group of the model's table; `BadInput` if it is that of no group."""
        return cls(group_of(model.table.cpu()))

    @property
    def size(self) -> int:
        """n^2."""
        return self.group.order**2

    def parameters(self) -> dict[str, int]:
        return {"order": self.group.order, "fingerprint": self.group.fingerprint}

    def inputs(self, start: int, stop: int) -> Tensor:
        """Pairs number `start` to `stop` - 1 in lexicographic order, int64 [n, 2]."""
        return sequences(start, stop, self.group.order, 2)

    def numbers(self, inputs: Tensor) -> Tensor:
        return lexicographic(inputs, self.group.order)

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
