"""`Task`: the inputs that a claim is about, how they are distributed, and the right output of each."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor

from compact_proofs.errors import BadInput
from compact_proofs.inputs.numbering import LARGEST_NUMBER, listed_numbers
from compact_proofs.length import unseen

if TYPE_CHECKING:
    from compact_proofs.draws import Draws
    from compact_proofs.laws.law import Law

LAW = "law"
"""The name of the parameter by which a certificate says how inputs are distributed, if they are not from a finite set."""


class Task(ABC):
    """Inputs with a distribution, and a label for each: a finite set of inputs, uniformly distributed, unless there is a law.

    A user's own finite task subclasses this with the four abstract members below, and one with a law
    `compact_proofs.laws.LawTask`; `compact_proofs.tasks` holds the tasks that ship, which add strategies, loading and training.
    """

    name: ClassVar[str]

    @property
    def law(self) -> Law | None:
        """How inputs are distributed; None: uniformly over a finite set."""
        return None

    @property
    def total(self) -> int:
        """What a sum over all inputs is divided by to make a mean: the number of inputs, or 1 under a law."""
        return self.size

    @property
    @abstractmethod
    def size(self) -> int:
        """Number of inputs, exactly."""

    @abstractmethod
    def parameters(self) -> Mapping[str, int | str]:
        """What distinguishes this task from others of its name, for certificates."""

    @abstractmethod
    def inputs(self, start: int, stop: int) -> Tensor:
        """Inputs number `start` to `stop` - 1 of a fixed enumeration, as the model takes them (first axis: the inputs)."""

    @abstractmethod
    def labels(self, inputs: Tensor) -> Tensor:
        """Right outputs [n] (int64) of a batch of inputs."""

    def numbers(self, inputs: Tensor) -> Tensor:
        """Where inputs stand in the enumeration: the inverse of `inputs`, int64 [n]; for what is no input, any number.

        Found in a list of all inputs; a task of more than 2^22 inputs says it by a method of its own.
        """
        return listed_numbers(self, inputs)

    def examples(self, n: int) -> Tensor:
        """At most n inputs, spread over the enumeration up to number 2^62, which tensors hold: [k, ...]."""
        last = min(self.size, LARGEST_NUMBER) - 1
        chosen = sorted({i * last // max(n - 1, 1) for i in range(n)})
        return torch.cat([self.inputs(i, i + 1) for i in chosen])

    def draw(self, n: int, draws: Draws) -> Tensor:
        """Draw n independent inputs, uniformly distributed over the task.

        Raises
        ------
        BadInput
            If the inputs are more than `inputs` can number: such a task draws by a method of its own.
        """
        numbers = [draws.integer(self.size) for _ in range(n)]
        with unseen("inputs, made from their numbers"):
            try:
                return torch.cat([self.inputs(i, i + 1) for i in numbers])
            except OverflowError:
                raise BadInput(
                    f"the task {self.name} has {self.size} inputs, and its inputs(start, stop) does not take such numbers: give "
                    "it a method draw(n, draws)"
                ) from None

    def describe(self) -> str:
        """Return the distribution in words."""
        given = ", ".join(f"{k} = {v}" for k, v in self.parameters().items())
        return f"{self.name} ({given}), uniform over its {self.size} inputs"
