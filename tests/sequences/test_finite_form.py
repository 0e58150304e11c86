"""Which `FiniteTask` a task is: named by what it computes, never another one's, and not to be exchanged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import compact_proofs as cp
from compact_proofs.automatic.strategy import Automatic
from compact_proofs.errors import BadInput
from compact_proofs.sequences.automaton import Automaton
from compact_proofs.sequences.boxes import Boxes
from compact_proofs.sequences.labels import Maximum
from compact_proofs.sequences.task import FiniteTask, finite_form
from compact_proofs.tasks.max_of_k import MaxOfK


class Sum(nn.Module):
    """Logits W[a] + W[b], largest for the largest token."""

    def __init__(self) -> None:
        super().__init__()
        self.W = nn.Parameter(torch.diag(torch.arange(4.0)) + 0.01 * torch.arange(4.0))

    def forward(self, x: Tensor) -> Tensor:
        return self.W[x].sum(1)


class MinOfK(MaxOfK):
    """Another task, by inheritance."""

    name = "min-of-k"

    def labels(self, inputs: Tensor) -> Tensor:
        return inputs.amin(1)


@dataclass(frozen=True)
class Misled(MinOfK):
    """It gives another task than it is."""

    def as_finite(self) -> FiniteTask:
        return FiniteTask(self.n_ctx, self.d_vocab, Maximum())

    def labels(self, inputs: Tensor) -> Tensor:
        return inputs.amin(1)


def right(task: cp.Task) -> int:
    inputs = task.inputs(0, task.size)
    with torch.no_grad():
        return int((Sum()(inputs).argmax(1) == task.labels(inputs)).sum())


def test_a_subclass_with_labels_of_its_own_is_not_what_its_parent_is() -> None:
    task = MinOfK(4, 2)
    assert finite_form(MaxOfK(4, 2)) == FiniteTask(2, 4, Maximum())
    assert finite_form(task) is None
    assert cp.prove(Sum(), task).claim.numerator == right(task) < right(MaxOfK(4, 2))
    with pytest.raises(BadInput, match="write it as a FiniteTask"):
        cp.prove(Sum(), task, Automatic())


def test_a_task_that_gives_another_one_is_found_out() -> None:
    with pytest.raises(BadInput, match="gives a task with other inputs or labels"):
        cp.prove(Sum(), Misled(4, 2), Automatic())


def test_what_a_task_is_made_of_stays() -> None:
    task = FiniteTask(2, 4, lambda x: x.amax(1))
    cp.prove(Sum(), task)
    for name in ("label", "n_ctx", "labels", "boxes"):
        with pytest.raises(AttributeError, match="another"):
            setattr(task, name, None)
    with pytest.raises(TypeError, match="labels of its own"):
        type("Own", (FiniteTask,), {"labels": lambda self, x: x.amin(1)})


class Shadow(Maximum):
    """It inherits the name of a function that ships."""

    def __call__(self, inputs: Tensor) -> Tensor:
        return inputs.amin(1)

    def automaton(self, n: int, v: int) -> Automaton:
        return Maximum().automaton(n, v)  # type: ignore[return-value]


def test_only_functions_that_ship_are_known_by_their_names_and_automata() -> None:
    task = FiniteTask(2, 4, Shadow())
    assert task != FiniteTask(2, 4, Maximum())
    assert task == FiniteTask(2, 4, lambda x: x.amin(1))
    assert task.automaton is None
    assert cp.prove(Sum(), task).claim.numerator == right(task)


def mentions(token: int) -> Any:
    return lambda x: (x == token).any(1)


def test_a_closure_is_named_with_what_it_holds() -> None:
    one, other = (FiniteTask(30, 4, mentions(token)) for token in (1, 2))
    assert one.parameters()["label"] == "declared by the user, by its source text"
    assert one == FiniteTask(30, 4, mentions(1))
    assert one != other


def test_valid_sequences_are_named_by_whether_they_are() -> None:
    every, some = (FiniteTask(2, 4, Maximum(), valid=lambda x, c=c: torch.where(x[:, 0] > 1, 1.0, c)) for c in (0.5, 0.0))
    assert (every.size, some.size) == (16, 8)
    assert every != some


@pytest.mark.parametrize("label", [-2, -5])
def test_boxes_have_labels(label: int) -> None:
    with pytest.raises(BadInput, match="labels of boxes are at least 0"):
        FiniteTask(2, 4, Maximum(), boxes=Boxes(torch.ones(1, 2, 4, dtype=torch.bool), torch.tensor([label])))


@pytest.mark.parametrize("label", [lambda x: [0] * len(x), lambda x: x, lambda x: x[:, 0] / 2])
def test_label_functions_give_one_integer_for_each_sequence(label: Any) -> None:
    with pytest.raises(BadInput, match="one integer for each"):
        FiniteTask(2, 4, label).parameters()
