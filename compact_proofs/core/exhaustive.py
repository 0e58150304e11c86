"""Brute force on any module and any finite task: every input is evaluated, and no understanding of the network is needed."""

from __future__ import annotations

import math
from collections.abc import Generator
from dataclasses import dataclass
from fractions import Fraction
from typing import Annotated, ClassVar

from pydantic import Field
from torch import Tensor, nn

from compact_proofs.certified import Proven, Total
from compact_proofs.core.certificate import Certificate
from compact_proofs.core.claim import ACCURACY, LogLikelihood, Margin, Score
from compact_proofs.core.enumeration import Enumeration, Evaluation, batches
from compact_proofs.core.prove import prove
from compact_proofs.core.strategy import Explanation
from compact_proofs.errors import BadInput
from compact_proofs.inputs.task import Task
from compact_proofs.length import stage, unseen
from compact_proofs.options import Positive, Share, one_of
from compact_proofs.shards import each


@dataclass(frozen=True)
class Exhaustive(Enumeration[nn.Module]):
    """Run a module's program on every input of the task, or on the first `share` of them; the rest counts as wrong."""

    share: Share = 1.0
    """Share of the inputs to evaluate, in (0, 1]: below 1 this is the linear baseline."""
    batch_size: Positive = 256
    """Inputs evaluated at once."""
    score_name: Annotated[str, one_of((Margin.name, LogLikelihood.name))] = ACCURACY.name
    """What is bounded: "margin" or "log-likelihood"."""
    c: Annotated[float, Field(allow_inf_nan=False)] = 0.0
    """For the margin: by how much the label's logit must exceed every other (0: accuracy)."""

    name: ClassVar[str] = "exhaustive"
    summary: ClassVar[str] = "any module, every input (or a share: the linear baseline)"
    reads_program: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.score_name == LogLikelihood.name and self.share < 1:
            raise BadInput("exhaustive: a share of the inputs bounds no log-likelihood, which is unbounded below on the rest")

    @property
    def score(self) -> Score:
        """The margin or the log-likelihood."""
        return Margin(self.c) if self.score_name == Margin.name else LogLikelihood()

    def part(self, n: int) -> int:
        return math.ceil(n * Fraction(self.share))

    def evaluation(self, model: nn.Module, task: Task) -> Evaluation[int]:
        """Which inputs have a margin that provably exceeds c, in the order of the task; a part is a batch, by its first input."""
        score, stop, size = self.score, self.part(task.size), self.batch_size
        assert isinstance(score, Margin)

        def right(start: int) -> Generator[Tensor, None, None]:
            inputs, logits = _logits(model, task, start, min(start + size, stop))
            with stage("score"):
                yield score.correct(logits, task.labels(inputs))

        return Evaluation(right, batches(stop, size), lambda start: min(size, stop - start), "inputs, in batches")

    def verify(self, model: nn.Module, task: Task, explanation: Explanation) -> Proven:
        """Return the set of inputs that are right; or, of the log-likelihood, a lower bound of its sum."""
        if isinstance(self.score, Margin):
            return super().verify(model, task, explanation)
        score, stop, size = self.score, self.part(task.size), self.batch_size

        def lower_total(start: int) -> Fraction:
            inputs, logits = _logits(model, task, start, min(start + size, stop))
            with stage("score"):
                return score.lower_total(logits, task.labels(inputs))

        parts = batches(stop, size)
        totals = each(lower_total, parts, "inputs, in batches", lambda start, found: isinstance(found, Fraction) and found <= 0)
        return Total(sum(totals, Fraction(0)))


def _logits(model: nn.Module, task: Task, start: int, stop: int) -> tuple[Tensor, Tensor]:
    """Inputs by number, and their logits."""
    inputs = _numbered(task, start, stop)
    with stage("model"):
        return inputs, model(inputs)


def _numbered(task: Task, start: int, stop: int) -> Tensor:
    """Inputs by number: data of the statement, made from numbers alone, and therefore free like an address table."""
    with unseen("a task's inputs, made from their numbers"):
        return task.inputs(start, stop)


def brute_force(
    module: nn.Module,
    task: Task,
    *,
    share: float = 1.0,
    score: Score = ACCURACY,
    batch_size: int = 256,
) -> Certificate:
    """Prove a bound of a module's mean score by evaluating its `Program` on every input of a finite task.

    It is `compact_proofs.brute_force`, which says what the options are, for what was loaded already:
    ``module(task.inputs(i, j))`` must give logits [n, outputs].
    """
    strategy = Exhaustive(share, batch_size, score.name, getattr(score, "c", 0.0))
    return prove(module, task, strategy)
