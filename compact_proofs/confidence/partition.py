"""`Partition`: the inputs that a strategy proves right, counted exactly, and the rest, from which one can draw."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from compact_proofs.core.claim import ACCURACY, Task
from compact_proofs.draws import Draws
from compact_proofs.errors import BadInput
from compact_proofs.length import stage

BATCH = 2**15
"""Inputs tried at once."""
MOST_ATTEMPTS = 10**8
"""Inputs that are tried at all, unless it would take more."""


class Partition:
    """A set C of inputs that are right, of known size, and its complement.

    Parameters
    ----------
    model, task
        A program, which is run on what is sampled, and the task that the inputs are of.
    proven
        |C|, exactly.
    member
        Which inputs [n, ...] belong to C: bool [n]. It must hold for exactly `proven` inputs of the task, all of them right.
    """

    def __init__(self, model: nn.Module, task: Task, proven: int, member: Callable[[Tensor], Tensor]) -> None:
        self.model, self.task, self.proven, self.member = model, task, proven, member

    @property
    def rest(self) -> int:
        """Number of inputs outside C."""
        return self.task.size - self.proven

    def right(self, inputs: Tensor) -> Tensor:
        """Return bool [n]: which inputs are provably right, by running the model on them."""
        return ACCURACY.correct(self.model(inputs), self.task.labels(inputs))

    def draw(self, n: int, draws: Draws) -> Tensor:
        """Draw n independent inputs, each uniformly distributed outside C.

        Uniform inputs of the task are drawn until n of them lie outside C: the first n that do are independent and uniform there.
        It takes n v / (v - |C|) attempts on average, of v inputs.

        Raises
        ------
        BadInput
            If that is more than `MOST_ATTEMPTS`.
        """
        expected = math.ceil(n * self.task.size / self.rest)
        if expected > MOST_ATTEMPTS:
            raise BadInput(
                f"{n:,} draws from the {self.rest:,} unproven inputs take about {expected:,} attempts; draw fewer, or from a "
                "strategy that proves less"
            )
        found: list[Tensor] = []
        missing, attempts = n, 0
        while missing > 0:
            batch = min(BATCH, math.ceil(missing * self.task.size / self.rest))
            attempts += batch
            if attempts > 100 * expected + 10_000:  # of probability e^-10000 if |C| is right
                raise BadInput("the strategy's predicate holds for more inputs than it counts; report this fault")
            with stage("drawing"):
                inputs = self.task.draw(batch, draws)
                outside = inputs[~self.member(inputs)]
            found.append(outside[:missing])
            missing -= len(found[-1])
        return torch.cat(found)
