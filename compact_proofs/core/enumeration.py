"""Brute force: inputs are evaluated in a fixed order, all of them or a share."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Generic, TypeVar

from torch import Tensor

from compact_proofs.certified import Answers, Evaluated, Proven
from compact_proofs.core.strategy import Explanation, Model, Strategy
from compact_proofs.inputs.task import Task
from compact_proofs.shards import each

Part = TypeVar("Part")


@dataclass(frozen=True)
class Evaluation(Generic[Part]):
    """How inputs are evaluated, part by part.

    Attributes
    ----------
    right
        From a part to which of its inputs are provably right: bool [k] at a time. A batch is counted in the stage of the proof in
        which it is yielded.
    parts
        The parts, in order: no two share an input.
    inputs
        How many inputs a part has.
    what
        What the parts are, in words.
    """

    right: Callable[[Part], Generator[Tensor, None, None]]
    parts: Sequence[Part]
    inputs: Callable[[Part], int]
    what: str


@dataclass(frozen=True)
class Enumeration(Strategy[Model]):
    """Evaluate inputs one after another; those that are provably right are counted.

    The one loop of brute force. How inputs are evaluated is up to a subclass: by the network's program (`Exhaustive`), or through
    tables that many inputs share, in an order that lets them (the brute force of the tasks that ship). The parts can be evaluated
    by several processes (`compact_proofs.shards.each`).
    """

    @abstractmethod
    def evaluation(self, model: Model, task: Task) -> Evaluation:
        """Compute what all inputs share; say how the others are evaluated, in an order of one's own, until enough were.

        How many are enough is said by `part`. The parts together are the inputs that `places` puts at 0, 1, 2, ...
        """

    def places(self, model: Model, task: Task, inputs: Tensor) -> Tensor:
        """Where inputs stand in the order of `evaluation`, int64; for inputs it does not reach, any negative or larger number."""
        return task.numbers(inputs)

    def part(self, n: int) -> int:
        """How many of n inputs are to be evaluated: all, unless a share is asked for."""
        return n

    def verify(self, model: Model, task: Task, explanation: Explanation) -> Proven:
        found = self.evaluation(model, task)

        def answers(part: object) -> Answers:
            with closing(found.right(part)) as batches:  # an error leaves no batch's stage open
                return Answers.of(batches)

        def possible(part: object, got: Answers) -> bool:
            return isinstance(got, Answers) and got.number == found.inputs(part) and got.consistent

        return Evaluated(each(answers, found.parts, found.what, possible), lambda inputs: self.places(model, task, inputs))


def batches(n: int, size: int) -> range:
    """The first of each `size` of n inputs: parts of an `Evaluation`, which end where the next begins."""
    return range(0, n, size)
