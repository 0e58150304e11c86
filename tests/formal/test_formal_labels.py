"""Label functions in Coq, against those of the package."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
from torch import nn

from compact_proofs.core.exhaustive import brute_force
from compact_proofs.formal.network.source import task_source
from compact_proofs.formal.network.statement import statement_of
from compact_proofs.formal.network.tasks import task_in_coq
from compact_proofs.formal.theorem import write_theorem
from compact_proofs.sequences import Automaton, FiniteTask, labels

EVEN_ZEROS = Automaton(((1, 0, 0), (0, 1, 1)), 0, (1, 0))
TASKS = {
    "maximum": FiniteTask(3, 3, labels.Maximum()),
    "minimum": FiniteTask(3, 3, labels.Minimum()),
    "second": FiniteTask(4, 3, labels.SecondLargest()),
    "last": FiniteTask(3, 3, labels.TokenAt(-1)),
    "after": FiniteTask(4, 3, labels.AfterOccurrence()),
    "first is last": FiniteTask(3, 3, labels.FirstIsLast()),
    "contains": FiniteTask(3, 3, labels.Contains(1)),
    "occurred": FiniteTask(4, 3, labels.OccurredBefore()),
    "repeats": FiniteTask(3, 4, labels.Repeats()),
    "palindrome": FiniteTask(4, 3, labels.Palindrome()),
    "sorted": FiniteTask(4, 3, labels.Sorted()),
    "majority": FiniteTask(4, 3, labels.Majority(1)),
    "below 0": FiniteTask(2, 2, labels.Majority(-1)),
    "balanced": FiniteTask(6, 3, labels.Balanced()),
    "avoids": FiniteTask(5, 3, labels.Avoids((0, 0, 1))),
    "previous": FiniteTask(4, 3, labels.PreviousOccurrence()),
    "sum": FiniteTask(3, 4, labels.ModularSum(3)),
    "cycle": FiniteTask(4, 5, labels.LongestCycle()),
    "automaton": FiniteTask(5, 3, dfa=EVEN_ZEROS),
    "valid": FiniteTask(4, 3, labels.Minimum(), valid=EVEN_ZEROS),
}


def test_labels_in_coq(coq, compiled, tmp_path: Path):
    """Inputs and labels of every task, as Coq evaluates them, are the package's, in order."""
    text = "From Coq Require Import List.\nFrom CompactProofs Require Import Network Tasks Labels.\nImport ListNotations.\n"
    terms = {name: task_in_coq(task) for name, task in TASKS.items()}
    for i, term in enumerate(terms.values()):
        if term.data:
            (tmp_path / f"Task{i}.v").write_text(task_source(term))
            assert compiled(tmp_path / f"Task{i}.v").accepted
            text += f"From Formalized Require Task{i}.\n"
        place = f"Formalized.Task{i}."
        domain, label = (x.replace("Formalized.Task.", place) for x in (term.domain, term.label))
        text += f"Eval vm_compute in map (fun t => ({label} t :: t)%list) {domain}.\n"
    (tmp_path / "Labels.v").write_text(text)
    output = compiled(tmp_path / "Labels.v")
    assert output.accepted, output.text
    printed = [re.findall(r"\d+", part.split(": list")[0]) for part in output.text.split("     = ")[1:]]
    for (name, task), found in zip(TASKS.items(), printed, strict=True):
        inputs = task.inputs(0, task.size)
        expected = torch.cat([task.labels(inputs)[:, None], inputs], 1)
        assert [int(x) for x in found] == expected.flatten().tolist(), name


def test_a_label_of_ones_own_is_written_as_a_table():
    terms = task_in_coq(FiniteTask(2, 3, lambda t: t[:, 0] * t[:, 1] % 3))
    assert terms.label == "(tabulated [3; 3]%nat Formalized.Task.labels)"
    assert terms.data["labels"] == [[0, 0, 0], [0, 1, 2], [0, 2, 1]]


class Counts(nn.Module):
    """A linear layer on how often each token stands there."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.tensor([[0.0, 1.0], [1.0, 0.0], [0.0, 1.0]]))

    def forward(self, t):
        return self.table[t].sum(1)


@pytest.mark.parametrize("name", [pytest.param("contains", marks=pytest.mark.slow), "valid"])
def test_theorems_with_labels(name: str, coq, compiled, tmp_path: Path):
    module, task = Counts(), FiniteTask(3, 3, labels.Contains(1), valid=EVEN_ZEROS if name == "valid" else None)
    n = int(brute_force(module, task).claim.numerator)
    statement = statement_of(module, task)
    for claimed, right in ((n, True), (n + 1, False)):
        write_theorem(statement, claimed, tmp_path)
        assert all(compiled(tmp_path / part).accepted for part in statement.parts)
        assert compiled(tmp_path / "Accuracy.v").accepted == right
    assert n > 0
