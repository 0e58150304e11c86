"""Brute force: inputs are evaluated in a fixed order, all of them or a share."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass

from torch import Tensor

from compact_proofs.certified import Evaluated, Proven
from compact_proofs.core.strategy import Explanation, Model, Strategy
from compact_proofs.inputs.task import Task


@dataclass(frozen=True)
class Enumeration(Strategy[Model]):
    """Evaluate inputs one after another; those that are provably right are counted.

    The one loop of brute force. How inputs are evaluated is up to a subclass: by the network's program (`Exhaustive`), or through
    tables that many inputs share, in an order that lets them (the brute force of the tasks that ship).
    """

    @abstractmethod
    def evaluate(self, model: Model, task: Task) -> Generator[Tensor, None, None]:
        """Yield which inputs are provably right, bool [k] at a time, in an order of one's own, until enough were evaluated.

        How many are enough is said by `part`. A batch is counted in the stage of the proof in which it is yielded.
        """

    def places(self, model: Model, task: Task, inputs: Tensor) -> Tensor:
        """Where inputs stand in the order of `evaluate`, int64; for inputs it does not reach, any negative or larger number."""
        return task.numbers(inputs)

    def part(self, n: int) -> int:
        """How many of n inputs are to be evaluated: all, unless a share is asked for."""
        return n

    def verify(self, model: Model, task: Task, explanation: Explanation) -> Proven:
        with closing(self.evaluate(model, task)) as batches:  # an error leaves no batch's stage open
            return Evaluated(batches, lambda inputs: self.places(model, task, inputs))
