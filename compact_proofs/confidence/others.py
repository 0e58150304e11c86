"""Drawing from the inputs that a proof leaves: those outside of a set of known size."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from compact_proofs.certified import Certified
from compact_proofs.draws import Draws
from compact_proofs.errors import BadInput
from compact_proofs.inputs.task import Task
from compact_proofs.length import stage

BATCH = 2**15
"""Inputs tried at once."""
MOST_ATTEMPTS = 10**8
"""Inputs that are tried at all, unless it would take more."""


def draw_others(proven: Certified, task: Task, n: int, draws: Draws) -> Tensor:
    """Draw n independent inputs, each uniformly distributed outside of a set that is `exact` and does not hold every input.

    A set may know how (`Certified.complement`). Else uniform inputs of the task are drawn until n of them lie outside: the first n
    that do are independent and uniform there. It takes n v / (v - size) attempts on average, of v inputs. Of a task with a law
    (v = 1) nothing is proven, and all draws count.

    Raises
    ------
    BadInput
        If that is more than `MOST_ATTEMPTS`.
    """
    known = proven.complement()
    if known is not None:
        return known.draw(n, draws)
    rest = task.total - proven.size
    expected = math.ceil(n * task.total / rest)
    if expected > MOST_ATTEMPTS:
        raise BadInput(
            f"{n:,} draws from the {rest:,} unproven inputs take about {expected:,} attempts; draw fewer, or from a strategy that "
            "proves less"
        )
    found: list[Tensor] = []
    missing, attempts = n, 0
    while missing > 0:
        batch = min(BATCH, math.ceil(missing * task.total / rest))
        attempts += batch
        if attempts > 100 * expected + 10_000:  # of probability e^-10000 if the size is right
            raise BadInput("the set that the strategy proves holds more inputs than it counts; report this fault")
        with stage("drawing"):
            inputs = task.draw(batch, draws)
            outside = inputs[~proven.member(inputs)]
        found.append(outside[:missing])
        missing -= len(found[-1])
    return torch.cat(found)
