"""A task in a package of its own: which of two different numbers is larger?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from markupsafe import Markup
from torch import Tensor, nn

import compact_proofs as cp
from compact_proofs.report import Block, ReportData
from compact_proofs.tasks.kit import ProofKit


@dataclass(frozen=True)
class Larger(cp.Task):
    """All pairs of different numbers below v; the label is the place of the larger one, 0 or 1."""

    v: int
    name: ClassVar[str] = "larger"

    @property
    def size(self) -> int:
        """v (v - 1)."""
        return self.v * (self.v - 1)

    def parameters(self) -> dict[str, int]:
        return {"v": self.v}

    def inputs(self, start: int, stop: int) -> Tensor:
        number = torch.arange(start, min(stop, self.size))
        a, b = number // (self.v - 1), number % (self.v - 1)
        return torch.stack([a, b + (b >= a)], 1)

    def labels(self, inputs: Tensor) -> Tensor:
        return (inputs[:, 1] > inputs[:, 0]).long()


class Scores(nn.Module):
    """Each number has a score; the scores of a pair are its logits."""

    def __init__(self, v: int, noise: float, seed: int = 0) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.score = nn.Parameter(torch.arange(v) / v + noise * torch.randn(v, generator=generator))

    def forward(self, pairs: Tensor) -> Tensor:
        return self.score[pairs]


@dataclass(frozen=True)
class Records(cp.Strategy[Scores]):
    """A number whose score exceeds those of all smaller numbers wins against each of them, in both orders: 2v operations."""

    name: ClassVar[str] = "records"
    summary: ClassVar[str] = "a running maximum of the scores"

    def applies_to(self, model: nn.Module, task: cp.Task) -> None:
        if not isinstance(model, Scores) or not isinstance(task, Larger):
            raise cp.BadInput(f"records: is for Scores on Larger, not for {type(model).__name__} on {task.name}")

    def verify(self, model: Scores, task: cp.Task, explanation: cp.Explanation) -> cp.Certified:
        smaller = torch.cat([model.score[:1] + 1, model.score.cummax(0).values[:-1]])
        number = torch.arange(len(model.score), device=model.score.device)
        return cp.Classes(cp.provably(model.score > smaller), 2 * number, lambda pairs: (pairs.amax(1),))


@dataclass(frozen=True)
class ScoreSection:
    """A section of the report: the scores."""

    model: Scores

    def __call__(self, data: ReportData) -> Block:
        """Make the section's block."""
        shown = ", ".join(f"{x:.2f}" for x in self.model.score.tolist())
        return Block("scores", "The scores", Markup("<p>By rising number: {}</p>").format(shown))


KIT = ProofKit(
    name=Larger.name,
    summary="name the larger of two numbers",
    strategies=(Records, cp.Exhaustive),
    default=lambda model: Records(),
    models={"larger-of-two": lambda: (Scores(24, 0.03), Larger(24))},
    sections=lambda model: [ScoreSection(model)],
)
