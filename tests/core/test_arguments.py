"""Arguments of the wrong kind are refused by name, with the cure, and never end in an error of torch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import compact_proofs as cp
from compact_proofs.confidence import sample
from compact_proofs.core.prove import prove
from compact_proofs.core.strategy import Strategy
from compact_proofs.errors import BadInput
from compact_proofs.tasks import KITS, LoadedModel
from compact_proofs.tasks.max_of_k import Additive, Cubic, MaxOfK

TASK = MaxOfK(d_vocab=5, n_ctx=2)


class Own(nn.Module):
    """A module of one's own, with dropout: in training mode its function is random."""

    def __init__(self) -> None:
        super().__init__()
        self.W = nn.Parameter(torch.diag(torch.arange(5.0)))
        self.dropout = nn.Dropout(0.9)

    def forward(self, x: Tensor) -> Any:
        return self.dropout(self.W[x].sum(1))


class Two(Own):
    def forward(self, x: Tensor) -> Any:
        return self.W[x].sum(1), x


class Labelled(MaxOfK):
    """A task whose labels are made by another function."""

    def labels(self, inputs: Tensor) -> Tensor:
        return LABELS[self.n_ctx](inputs)


LABELS: dict[int, Callable[[Tensor], Any]] = {
    5: lambda x: x.max(1).values > 2,
    2: lambda x: x.max(1).values.float(),
    3: lambda x: x.max(1, keepdim=True).values,
    4: lambda x: [0] * len(x),
}


@pytest.mark.parametrize(
    "entry", [prove, cp.measure, lambda m, t, s: sample(m, t, s, samples=3)], ids=["prove", "measure", "sample"]
)
def test_what_is_no_model_task_or_strategy(tiny: LoadedModel, entry: Callable[..., Any]) -> None:
    good = (tiny.model, tiny.task, Cubic())
    for place, wrong, reason in (
        (0, "max-of-4-seed-123", r"the model is a name or a path, 'max-of-4-seed-123': load it by compact_proofs.tasks.load_model"),
        (0, Path("model.safetensors"), "the model is a name or a path"),
        (0, tiny, "the model is a LoadedModel, not a torch.nn.Module"),
        (0, None, "the model is a NoneType"),
        (1, "max-of-k", "the task is a str, not a Task"),
        (2, "cubic", r"the strategy is a name, 'cubic': give the strategy itself, such as Cubic\(\)"),
        (2, Additive, r"the strategy is the class Additive: give one with its options, Additive\(\)"),
        (2, 3, "the strategy is a int"),
    ):
        given = [wrong if i == place else value for i, value in enumerate(good)]
        with pytest.raises(BadInput, match=reason):
            entry(*given)


def test_check_of_a_path(tiny_certificate: cp.Certificate, tiny: LoadedModel) -> None:
    with pytest.raises(BadInput, match="the model is a name or a path"):
        cp.check(tiny_certificate, "model.safetensors", tiny.task)  # type: ignore[arg-type]


@pytest.mark.parametrize("n_ctx", LABELS)
def test_labels_that_are_no_class_numbers(n_ctx: int) -> None:
    with pytest.raises(BadInput, match=r"labels are numbers of classes, int64 \[n\] for n inputs"):
        cp.brute_force(Own(), Labelled(d_vocab=5, n_ctx=n_ctx))


def test_a_model_that_returns_two_things() -> None:
    with pytest.raises(BadInput, match="Two returns a tuple; it must return a tensor of logits"):
        cp.brute_force(Two(), TASK)


def test_dropout_is_off_and_left_as_it_was() -> None:
    module = Own().train()
    proven = cp.brute_force(module, TASK)
    assert module.training
    assert module.dropout.training
    assert proven.bound == cp.brute_force(module.eval(), TASK).bound > 0


@pytest.mark.parametrize(
    "strategy",
    [s for kit in KITS.values() for s in kit.strategies if not s.reads_program],
    ids=lambda s: f"{s.__module__}.{s.name}",
)
def test_every_strategy_says_what_it_is_for(strategy: type[Strategy]) -> None:
    """A module and a task that it is not for are refused, and not found out by an attribute that is missing."""
    with pytest.raises(BadInput, match=r"[Ii]s not an?|is about a|this model's is Own|does not say what its MLP is"):
        cp.prove(Own(), TASK, strategy())
