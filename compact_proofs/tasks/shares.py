"""The linear baseline, for every task: brute force on a share of the inputs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

from compact_proofs.core.strategy import Model, Strategy
from compact_proofs.inputs.task import Task
from compact_proofs.options import Share


@dataclass(frozen=True)
class InputShare(Strategy[Model]):
    """Evaluate a `share` of all inputs; the rest counts as wrong. Bound and length both grow linearly with the share.

    To be mixed with a task's brute force: ``class LinearBaseline(InputShare, BruteForce)`` (`compact_proofs.core.enumeration`).
    """

    share: Share = 1 / 64
    """Share of the inputs to evaluate, in (0, 1]; where inputs are evaluated in blocks, whole blocks until it is reached."""

    name: ClassVar[str] = "linear"
    version: ClassVar[int] = 2
    summary: ClassVar[str] = "a share of the inputs by brute force: the linear baseline"

    def part(self, n: int) -> int:
        """The share of n, rounded up."""
        return math.ceil(Fraction(self.share) * n)

    def unexplained_dimension(self, model: Model, task: Task) -> int | None:
        """The share of brute force's."""
        whole = super().unexplained_dimension(model, task)
        return None if whole is None else self.part(whole)
