"""The task modular addition: name a + b mod p."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from compact_proofs.core.claim import Task
from compact_proofs.core.numbering import lexicographic
from compact_proofs.core.strategy import Strategy
from compact_proofs.errors import BadInput
from compact_proofs.models.one_layer_mlp import OneLayerMLP


@dataclass(frozen=True)
class ModularAddition(Task):
    """Pairs (a, b) in {0 .. p - 1}^2, uniform; the label is a + b mod p.

    Attributes
    ----------
    p
        The modulus, at least 2; it need not be prime.
    """

    p: int
    name: ClassVar[str] = "modular-addition"

    def __post_init__(self) -> None:
        if self.p < 2:
            raise BadInput(f"modular addition needs p >= 2, not {self.p}")

    @classmethod
    def of(cls, model: nn.Module) -> ModularAddition:
        """The task that a model was built for.

        Raises
        ------
        BadInput
            If the model is not a `OneLayerMLP`.
        """
        if not isinstance(model, OneLayerMLP):
            raise BadInput(f"{type(model).__name__} is not a OneLayerMLP, for which modular addition has strategies")
        return cls(model.p)

    @property
    def size(self) -> int:
        """p^2."""
        return self.p**2

    def parameters(self) -> dict[str, int]:
        return {"p": self.p}

    def inputs(self, start: int, stop: int) -> Tensor:
        """Pairs number `start` to `stop` - 1 in lexicographic order, int64 [n, 2]."""
        number = torch.arange(start, min(stop, self.size))
        return torch.stack([number // self.p, number % self.p], -1)

    def numbers(self, inputs: Tensor) -> Tensor:
        return lexicographic(inputs, self.p)

    def labels(self, inputs: Tensor) -> Tensor:
        return inputs.sum(-1) % self.p


class ModularAdditionStrategy(Strategy[OneLayerMLP]):
    """A strategy that reads the weights of a `OneLayerMLP`."""

    def applies_to(self, model: OneLayerMLP, task: Task) -> None:
        if task != ModularAddition.of(model):
            raise BadInput(f"{self.name}: this model is for {ModularAddition.of(model)}, not for {task}")


class AdditiveStrategy(ModularAdditionStrategy):
    """A strategy for models in which each token adds to every neuron: attention, if any, is uniform."""

    def applies_to(self, model: OneLayerMLP, task: Task) -> None:
        super().applies_to(model, task)
        if model.config.attention == "learned":
            raise BadInput(
                f"{self.name}: this model's attention depends on its input, so its neurons are not sums over the tokens; "
                "only brute-force, linear and dictionary prove something about it"
            )
