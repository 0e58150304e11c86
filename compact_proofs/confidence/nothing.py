"""The strategy that proves nothing, so that all inputs are left to be sampled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from compact_proofs.core.claim import Task
from compact_proofs.core.strategy import Explanation, Strategy


@dataclass(frozen=True)
class Nothing(Strategy):
    """Plain sampling of any module on any finite task."""

    name: ClassVar[str] = "nothing"
    summary: ClassVar[str] = "no proof: every input is left to sampling"

    @property
    def exact_member(self) -> bool:
        return True

    def verify(self, model: nn.Module, task: Task, explanation: Explanation) -> int:
        return 0

    def member(self, model: nn.Module, task: Task, explanation: Explanation, inputs: Tensor) -> Tensor:
        return torch.zeros(len(inputs), dtype=torch.bool)
