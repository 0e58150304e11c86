"""Brute force on group composition, batched; and the linear baseline: brute force on a share of the pairs."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from compact_proofs.core.claim import largest_other
from compact_proofs.core.enumeration import Enumeration, Evaluation, batches
from compact_proofs.enclosure import provably
from compact_proofs.inputs.task import Task
from compact_proofs.length import address_table, stage
from compact_proofs.models.pair_mlp import PairMLP
from compact_proofs.options import Share
from compact_proofs.tasks.groups.task import Groups, GroupStrategy
from compact_proofs.tasks.shares import InputShare

ROWS = 4096
"""Pairs evaluated at once."""


@address_table
def numbered_pairs(n: int, start: int, stop: int) -> tuple[Tensor, Tensor]:
    """x and y of the pairs number `start` to `stop` - 1 in lexicographic order."""
    number = torch.arange(start, stop)
    return number // n, number % n


@dataclass(frozen=True)
class BruteForce(Enumeration[PairMLP], GroupStrategy):
    """Evaluate the network on every pair, thousands at once.

    l and r are multiplied out once; a pair then costs 2 m for its hidden layer, 2 m n for its logits and about 2 n to compare them.
    """

    name: ClassVar[str] = "brute-force"
    summary: ClassVar[str] = "every pair, batched: exact, O(n^3 m)"

    def evaluation(self, model: PairMLP, task: Task) -> Evaluation[int]:
        """Pairs in lexicographic order."""
        assert isinstance(task, Groups)
        with stage("weights"):
            left, right = model.left(), model.right()
        pairs, table = self.part(task.size), task.group.table.to(left.device)

        def proven(start: int) -> Generator[Tensor, None, None]:
            x, y = numbered_pairs(model.order, start, min(start + ROWS, pairs), device=left.device)
            yield is_right(model, left, right, x, y, table[x, y])

        return Evaluation(proven, batches(pairs, ROWS), lambda start: min(ROWS, pairs - start), "pairs, in batches")

    def unexplained_dimension(self, model: PairMLP, task: Task) -> int | None:
        return model.order**3


@dataclass(frozen=True)
class LinearBaseline(InputShare[PairMLP], BruteForce):
    """Brute force on the first pairs."""

    share: Share = 1 / 16


def is_right(model: PairMLP, left: Tensor, right: Tensor, x: Tensor, y: Tensor, z: Tensor) -> Tensor:
    """Return bool [r]: does z = xy provably have the largest logit? `left` and `right` are l and r."""
    with stage("hidden layer"):
        hidden = torch.relu(left[x] + right[y])
    with stage("logits"):
        logits = hidden @ model.U + model.bias
    with stage("comparison"):
        return provably(largest_other(logits, z) < logits.gather(1, z[:, None]).squeeze(1))
