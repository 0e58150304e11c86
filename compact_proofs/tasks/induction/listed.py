"""A list of further inputs on top of the pair certificate: up to the exact accuracy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from pydantic import Field
from torch import Tensor

from compact_proofs.core.claim import Task
from compact_proofs.core.strategy import Explanation, Spec, whole
from compact_proofs.enclosure import sound
from compact_proofs.errors import BadInput
from compact_proofs.length import stage
from compact_proofs.models.attention_stack import AttentionStack
from compact_proofs.progress import track
from compact_proofs.tasks.induction.brute_force import is_right
from compact_proofs.tasks.induction.groups import answers, free_places
from compact_proofs.tasks.induction.pairs import Certified, Pairs
from compact_proofs.tasks.induction.tables import vectors
from compact_proofs.tasks.induction.task import Induction

LARGEST_GROUP = 2**20
"""Inputs of a group, at most, among which a list is looked for."""


@dataclass(frozen=True)
class Listed(Pairs):
    """The pair certificate, and a list of inputs that it does not count, each evaluated and counted once.

    The list holds the inputs' numbers (`Induction.numbered`, so that each names an input of the task). An entry counts where it is
    larger than every entry before it (so no input counts twice), not among those that the certificate counts, and provably right.
    If the list holds every right input that the certificate misses, the bound is the true accuracy.

    Cost: that of the certificate, and about n^2 (h + D) + 2 n (3 h + 3 D) for each entry.
    """

    longest: Annotated[int, Field(ge=1, le=2**22)] = 2**17
    """Entries of the list, at most."""

    name: ClassVar[str] = "listed"
    summary: ClassVar[str] = "the pair certificate, then inputs that it misses one by one: up to the exact accuracy"

    def applies_to(self, model: AttentionStack, task: Task) -> None:
        super().applies_to(model, task)
        assert isinstance(task, Induction)
        if task.size >= 2**62 or task.group_size > LARGEST_GROUP:
            raise BadInput(
                f"listed: the list is found among the {task.group_size} inputs of each group, which is affordable up to "
                f"{LARGEST_GROUP}"
            )

    def search_operations(self, model: AttentionStack, task: Task, length: int) -> int:
        """That of `Pairs`, and the inputs that it misses; measured."""
        return 40 * length

    def explain(self, model: AttentionStack, task: Task) -> dict[str, Tensor]:
        """Evaluate the inputs that the certificate misses; list the right ones until the list is full."""
        assert isinstance(task, Induction)
        found, certified = self.search(model, task)
        kept, room = [torch.zeros(0, dtype=torch.int64)], self.longest
        with sound():
            t = vectors(model)
            for group in track(found["counted"].tolist(), "groups with inputs that the certificate misses"):
                if not room:
                    break
                inputs = group_inputs(task, group)
                missed = inputs[~certified.member(task, inputs)][: 2 * room]
                kept.append(task.numbers(missed[is_right(t, missed)])[:room])
                room -= len(kept[-1])
        return found | {"inputs": torch.cat(kept).sort().values}

    def specs(self, model: AttentionStack, task: Task) -> dict[str, Spec]:
        return super().specs(model, task) | {"inputs": Spec((self.longest,), (0, task.size - 1), fewer=True)}

    def verify(self, model: AttentionStack, task: Task, explanation: Explanation) -> int:
        assert isinstance(task, Induction)
        certified = self.certified(model, explanation)
        listed = self._counts(model, task, certified, explanation["inputs"].to(model.W_E.device))
        return certified.count(task, self.enumerated, self.steps) + whole(listed.sum())

    def member(self, model: AttentionStack, task: Task, explanation: Explanation, inputs: Tensor) -> Tensor:
        assert isinstance(task, Induction)
        certified, listed = self.certified(model, explanation), explanation["inputs"]
        counted = listed[self._counts(model, task, certified, listed)]
        return certified.member(task, inputs) | torch.isin(task.numbers(inputs), counted)

    def _counts(self, model: AttentionStack, task: Induction, certified: Certified, numbers: Tensor) -> Tensor:
        """bool [k]: the listed input is new, not certified already, and right."""
        with stage("list"):
            if not len(numbers):
                return torch.zeros(0, dtype=torch.bool, device=numbers.device)
            new = torch.cat([torch.ones(1, dtype=torch.bool), numbers[1:] > torch.cummax(numbers, 0).values[:-1]])
            inputs = task.numbered(numbers)
            return new & ~certified.member(task, inputs) & is_right(vectors(model), inputs)


def group_inputs(task: Induction, group: int) -> Tensor:
    """All inputs of a group, by its number among the places times the rows of `answers`: int64 [group_size, n]."""
    D, n = task.d_vocab, task.n_ctx
    i, row = divmod(group, D * (D - 1))
    q, a, tokens = (x[row] for x in answers(D))
    free = free_places(n, i)
    digits = torch.cartesian_prod(*(torch.arange(D - 2 - j) for j in range(len(free)))).reshape(-1, len(free)) if free else None
    inputs = torch.zeros(task.group_size, n, dtype=torch.int64)
    inputs[:, [i, n - 1]], inputs[:, i + 1] = q, a
    if digits is not None:
        inputs[:, free] = tokens[Induction.arrange(digits)]
    return inputs
