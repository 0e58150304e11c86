"""The task modular addition: name a + b mod p."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from compact_proofs.errors import BadInput
from compact_proofs.inputs.numbering import lexicographic, sequences
from compact_proofs.inputs.task import Task
from compact_proofs.models.one_layer_mlp import OneLayerMLP
from compact_proofs.tasks.model_task import ModelStrategy, ModelTask


@dataclass(frozen=True)
class ModularAddition(ModelTask):
    """Pairs (a, b) in {0 .. p - 1}^2, uniform; the label is a + b mod p.

    Attributes
    ----------
    p
        The modulus, at least 2; it need not be prime.
    """

    p: int
    name: ClassVar[str] = "modular-addition"
    reads: ClassVar[type[nn.Module]] = OneLayerMLP

    def __post_init__(self) -> None:
        if self.p < 2:
            raise BadInput(f"modular addition needs p >= 2, not {self.p}")

    @classmethod
    def built_for(cls, model: OneLayerMLP) -> ModularAddition:
        return cls(model.p)

    @property
    def size(self) -> int:
        """p^2."""
        return self.p**2

    def parameters(self) -> dict[str, int]:
        return {"p": self.p}

    def inputs(self, start: int, stop: int) -> Tensor:
        """Pairs number `start` to `stop` - 1 in lexicographic order, int64 [n, 2]."""
        return sequences(start, stop, self.p, 2)

    def numbers(self, inputs: Tensor) -> Tensor:
        return lexicographic(inputs, self.p)

    def labels(self, inputs: Tensor) -> Tensor:
        return inputs.sum(-1) % self.p


class ModularAdditionStrategy(ModelStrategy[OneLayerMLP]):
    """A strategy that reads the weights of a `OneLayerMLP`."""

    task: ClassVar[type[ModelTask]] = ModularAddition


class AdditiveStrategy(ModularAdditionStrategy):
    """A strategy for models in which each token adds to every neuron: attention, if any, is uniform."""

    def applies_to(self, model: OneLayerMLP, task: Task) -> None:
        super().applies_to(model, task)
        if model.config.attention == "learned":
            raise BadInput(
                f"{self.name}: this model's attention depends on its input, so its neurons are not sums over the tokens; "
                "only directions, brute-force, linear and dictionary prove something about it"
            )
