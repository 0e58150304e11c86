"""A list of further inputs on top of the pair certificate: up to the exact accuracy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from pydantic import Field
from torch import Tensor

from compact_proofs.certified import Certified, with_list
from compact_proofs.core.strategy import Explanation, Spec
from compact_proofs.enclosure import sound
from compact_proofs.errors import BadInput
from compact_proofs.inputs.task import Task
from compact_proofs.length import stage
from compact_proofs.models.attention_stack import AttentionStack
from compact_proofs.progress import track
from compact_proofs.tasks.induction.brute_force import is_right
from compact_proofs.tasks.induction.cases import answers, free_places
from compact_proofs.tasks.induction.pairs import Pairs
from compact_proofs.tasks.induction.paths import vectors
from compact_proofs.tasks.induction.task import Induction

LARGEST_CASE = 2**20
"""Inputs of a case, at most, among which a list is looked for."""


@dataclass(frozen=True)
class Listed(Pairs):
    """The pair certificate, and a list of inputs that it does not count, each evaluated and counted once.

    The list holds the inputs' numbers (`Induction.numbered`, so that each names an input of the task). An entry counts if it is
    larger than every entry before it, certainly not counted by the certificate (`certified.with_list`), and provably right.
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
        if task.size >= 2**62 or task.case_size > LARGEST_CASE:
            raise BadInput(
                f"listed: the list is found among the {task.case_size} inputs of each case, which is affordable up to "
                f"{LARGEST_CASE}"
            )

    def search_operations(self, model: AttentionStack, task: Task, length: int) -> int:
        """That of `Pairs`, and the inputs that it misses; measured."""
        return 36 * length

    def explain(self, model: AttentionStack, task: Task) -> dict[str, Tensor]:
        """Evaluate the inputs that the certificate misses; list the right ones until the list is full."""
        assert isinstance(task, Induction)
        found, certified = self.search(model, task)
        kept, room = [torch.zeros(0, dtype=torch.int64)], self.longest
        with sound():
            t = vectors(model)
            for case in track(found["counted"].tolist(), "cases with inputs that the certificate misses"):
                if not room:
                    break
                inputs = case_inputs(task, case)
                missed = inputs[certified.excludes(inputs)][: 2 * room]
                kept.append(task.numbers(missed[is_right(t, missed)])[:room])
                room -= len(kept[-1])
        return found | {"inputs": torch.cat(kept).sort().values}

    def specs(self, model: AttentionStack, task: Task) -> dict[str, Spec]:
        return super().specs(model, task) | {"inputs": Spec((self.longest,), (0, task.size - 1), fewer=True)}

    def verify(self, model: AttentionStack, task: Task, explanation: Explanation) -> Certified:
        assert isinstance(task, Induction)
        certified, numbers = self.certified(model, task, explanation), explanation["inputs"].to(model.W_E.device)
        with stage("list"):
            inputs = task.numbered(numbers)
            return with_list(certified, inputs, task.numbers, lambda some: is_right(vectors(model), some), numbers)


def case_inputs(task: Induction, case: int) -> Tensor:
    """All inputs of a case, by its number among the places times the rows of `answers`: int64 [case_size, n]."""
    D, n = task.d_vocab, task.n_ctx
    i, row = divmod(case, D * (D - 1))
    q, a, tokens = (x[row] for x in answers(D))
    free = free_places(n, i)
    digits = torch.cartesian_prod(*(torch.arange(D - 2 - j) for j in range(len(free)))).reshape(-1, len(free)) if free else None
    inputs = torch.zeros(task.case_size, n, dtype=torch.int64)
    inputs[:, [i, n - 1]], inputs[:, i + 1] = q, a
    if digits is not None:
        inputs[:, free] = tokens[Induction.arrange(digits)]
    return inputs
