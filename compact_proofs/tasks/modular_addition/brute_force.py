"""Brute force on modular addition, in batches, and the linear baseline: brute force on a share of the inputs."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from compact_proofs.core.claim import largest_other
from compact_proofs.core.enumeration import Enumeration, Evaluation, batches
from compact_proofs.enclosure import provably
from compact_proofs.inputs.task import Task
from compact_proofs.length import stage, unseen
from compact_proofs.models.one_layer_mlp import OneLayerMLP
from compact_proofs.options import Share
from compact_proofs.tasks.modular_addition.folding import fold, folded_logits
from compact_proofs.tasks.modular_addition.task import ModularAddition, ModularAdditionStrategy
from compact_proofs.tasks.shares import InputShare

ROWS = 1024
"""Pairs evaluated at once."""


@dataclass(frozen=True)
class BruteForce(Enumeration[OneLayerMLP], ModularAdditionStrategy):
    """Evaluate every pair: from the folded tables, about 2 m p operations each; unfolded where attention is learned."""

    name: ClassVar[str] = "brute-force"
    summary: ClassVar[str] = "every pair, in batches: exact, 2 m p^3"

    def evaluation(self, model: OneLayerMLP, task: Task) -> Evaluation[int]:
        """Pairs in an order that meets small and large numbers alike."""
        budget = self.part(task.size)
        inputs, labels = scattered(model.p, budget, device=model.W_E.device)
        logits_of = evaluator(model)

        def right(start: int) -> Generator[Tensor, None, None]:
            rows = slice(start, start + ROWS)
            with stage("pairs"):
                yield is_correct(logits_of(inputs[rows]), labels[rows])

        return Evaluation(right, batches(budget, ROWS), lambda start: min(ROWS, budget - start), "pairs, in batches")

    def places(self, model: OneLayerMLP, task: Task, inputs: Tensor) -> Tensor:
        return task.numbers(inputs) * pow(stride(task.size), -1, task.size) % task.size

    def unexplained_dimension(self, model: OneLayerMLP, task: Task) -> int | None:
        return model.p**3


@dataclass(frozen=True)
class LinearBaseline(InputShare[OneLayerMLP], BruteForce):
    """Brute force on a share of the pairs. The folding comes first, whatever the share."""

    share: Share = 1 / 8


def evaluator(model: OneLayerMLP) -> Callable[[Tensor], Tensor]:
    """Return what maps pairs [n, 2] to logits [n, p]: folded tables, or the model itself if its attention is learned."""
    if model.config.attention == "learned":
        return model
    with stage("fold"):
        folded = fold(model)
    return lambda inputs: folded_logits(folded, inputs)


def is_correct(logits: Tensor, labels: Tensor) -> Tensor:
    """Return bool [n]: does the label's logit provably exceed every other? p - 1 comparisons each."""
    return provably(largest_other(logits, labels) < logits.gather(1, labels[:, None]).squeeze(1))


def stride(size: int) -> int:
    """The step between the numbers of pairs that are evaluated one after another: about .618 of all, and prime to their number."""
    return next(i for i in range(int(0.618 * size) + 1, 2 * size + 2) if math.gcd(i, size) == 1)


def scattered(p: int, n: int, device: torch.device | str = "cpu") -> tuple[Tensor, Tensor]:
    """`n` pairs with their labels, spread over the task; data of the statement, made from numbers alone, and therefore free."""
    with unseen("inputs and labels, made from their numbers"):
        task = ModularAddition(p)
        number = torch.arange(n) * stride(task.size) % task.size
        inputs = torch.stack([number // p, number % p], -1)
        return inputs.to(device), task.labels(inputs).to(device)
