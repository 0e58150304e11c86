"""The strategy that proves nothing, so that all inputs are left to be sampled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from compact_proofs import certified
from compact_proofs.certified import Certified
from compact_proofs.core.strategy import Explanation, Strategy
from compact_proofs.inputs.task import Task


@dataclass(frozen=True)
class Nothing(Strategy):
    """Plain sampling of any module on any finite task."""

    name: ClassVar[str] = "nothing"
    summary: ClassVar[str] = "no proof: every input is left to sampling"

    def verify(self, model: nn.Module, task: Task, explanation: Explanation) -> Certified:
        return certified.Nothing()
