"""`Automatic`: proofs of any small network over tokens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from compact_proofs.automatic import explanation as lists
from compact_proofs.automatic.proof import proven
from compact_proofs.automatic.reading import read
from compact_proofs.automatic.roots import roots
from compact_proofs.automatic.tree import LIST, expand
from compact_proofs.certified import Certified, Listed, disjoint
from compact_proofs.claim import ACCURACY, Task
from compact_proofs.errors import BadInput
from compact_proofs.length import stage
from compact_proofs.program import trace
from compact_proofs.strategy import Explanation, Spec, Strategy
from compact_proofs.tasks.finite.labels import Maximum
from compact_proofs.tasks.finite.task import FiniteTask

BATCH = 1024
"""Inputs evaluated at once."""


@dataclass(frozen=True)
class Automatic(Strategy[nn.Module]):
    """Split the inputs into boxes, bound the margins on each from below by additive functions of the tokens, and count.

    The program is read by tokens with the last one known (`compact_proofs.automatic.reading`): exactly, up to the first function of
    several positions; from there on by relaxations. Nothing about the architecture is assumed.
    """

    hard: int = 0
    """Rivals with rows of their own where the others are merged: at first, before labels that lose get more (search only)."""
    families: int = 1
    """Groups of labels, for each last token, that share the merged rivals, at first (search only)."""
    kept: int = 8
    """Rivals of a label that get hints of their own (networks with norms or MLPs)."""
    worth: int = 1000
    """Operations that may be spent to certify one more input."""
    cuts: int = 2
    """Most often that a box is divided in search of a better bound."""

    name: ClassVar[str] = "automatic"
    summary: ClassVar[str] = "any small network over tokens: additive bounds on boxes, counted exactly"

    def __post_init__(self) -> None:
        for option in ("hard", "kept", "worth", "cuts"):
            if getattr(self, option) < 0:
                raise BadInput(f"automatic: {option} must be at least 0, not {getattr(self, option)}")
        if self.families < 1:
            raise BadInput(f"automatic: families must be at least 1, not {self.families}")

    def applies_to(self, model: nn.Module, task: Task) -> None:
        finite(task)

    def specs(self, model: nn.Module, task: Task) -> dict[str, Spec]:
        known = finite(task)
        return lists.specs(known.n_ctx, known.d_vocab)

    def explain(self, model: nn.Module, task: Task) -> dict[str, Tensor]:
        """Search for boxes and hints: free, deterministic, bounded in evaluations."""
        from compact_proofs.automatic.search import search

        return search(model, finite(task), self.hard, self.families, self.kept, self.cuts, float(self.worth))

    def verify(self, model: nn.Module, task: Task, explanation: Explanation) -> int:
        if next(iter(model.parameters()), torch.zeros(0)).is_meta:
            raise BadInput("automatic: the length of a proof depends on what it finds, and is not known from shapes")
        return self.certified(model, task, explanation).size

    def member(self, model: nn.Module, task: Task, explanation: Explanation, inputs: Tensor) -> Tensor:
        return self.certified(model, task, explanation).member(inputs)

    def certified(self, model: nn.Module, task: Task, explanation: Explanation) -> Certified:
        """The set of inputs that `verify` proves right."""
        known = finite(task)
        program = trace(model, torch.zeros(known.n_ctx, dtype=torch.int64))
        leaves = expand(roots(known), explanation["tree"])
        network = read(program, known.d_vocab, known.n_ctx - 1)
        lists_ = (explanation["group"], explanation["choices"], explanation["numbers"])
        return disjoint(
            [proven(network, leaves, *lists_, self.kept, float(self.worth)), self._listed(program, known, leaves.of_kind(LIST))]
        )

    @staticmethod
    def _listed(program: nn.Module, task: FiniteTask, boxes) -> Certified:  # type: ignore[no-untyped-def]
        """The inputs of boxes that are evaluated one by one."""
        right = []
        for b in range(len(boxes)):
            for inputs in boxes.inputs(b).split(BATCH):
                with stage("listed"):
                    correct = ACCURACY.correct(program(inputs), task.labels(inputs)) & task.valid(inputs)
                right.append(inputs[correct])
        return Listed(torch.cat(right), task.d_vocab) if right else disjoint([])


def finite(task: Task) -> FiniteTask:
    """A task as one over sequences of tokens.

    Raises
    ------
    BadInput
        If it is not one.
    """
    from compact_proofs.tasks.max_of_k import MaxOfK

    if isinstance(task, FiniteTask):
        return task
    if isinstance(task, MaxOfK):
        return FiniteTask(task.n_ctx, task.d_vocab, Maximum())
    raise BadInput(f"automatic: the task {task.name} is not one over sequences of tokens; write it as a FiniteTask")
