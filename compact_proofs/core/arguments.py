"""Checks of the arguments of `prove`, `check` and others, before anything runs: each error names the argument and a remedy."""

from __future__ import annotations

import weakref
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from compact_proofs.core.claim import SCORES
from compact_proofs.core.strategy import Strategy
from compact_proofs.errors import BadInput
from compact_proofs.inputs.check_task import check_task
from compact_proofs.inputs.task import LAW, Task
from compact_proofs.length import unseen


def check_subject(model: Any, task: Any) -> None:
    """Check that a model and a task are what a claim can be about; the task once, a small one as a whole (`check_task`).

    Raises
    ------
    BadInput
        Naming the argument and the cure.
    """
    if isinstance(model, (str, Path)):
        raise BadInput(f"the model is a name or a path, {str(model)!r}: load it by compact_proofs.tasks.load_model(...).model")
    if not isinstance(model, nn.Module):
        raise BadInput(f"the model is a {_kind(model)}, not a torch.nn.Module; load it, or wrap the function into a module")
    if not isinstance(task, Task):
        raise BadInput(f"the task is a {_kind(task)}, not a Task, such as compact_proofs.tasks.max_of_k.MaxOfK(64, 4)")
    labels = task.labels(task.inputs(0, 1))
    if not (isinstance(labels, Tensor) and labels.dtype == torch.int64 and labels.shape == (1,)):
        raise BadInput(
            f"{task.name}: labels are numbers of classes, int64 [n] for n inputs; of one input they are {_said(labels)}. "
            "Convert them, as by .long()"
        )
    if task.law is None and LAW in task.parameters():
        raise BadInput(f"{task.name}: only a task with a law has a parameter {LAW!r}; call it otherwise")
    if task not in _CHECKED:
        with unseen("the task's inputs and labels, looked at before the proof"):
            check_task(task)
        _CHECKED[task] = True


_CHECKED: weakref.WeakKeyDictionary[Task, bool] = weakref.WeakKeyDictionary()
"""Tasks that were looked at."""


def check_strategy(strategy: Any) -> None:
    """Check that a strategy is one, and not its name or its class.

    Raises
    ------
    BadInput
        Saying what to give.
    """
    if isinstance(strategy, str):
        raise BadInput(
            f"the strategy is a name, {strategy!r}: give the strategy itself, such as Cubic(), or "
            f"compact_proofs.tasks.strategies_for(task)[{strategy!r}]()"
        )
    if isinstance(strategy, type) and issubclass(strategy, Strategy):
        raise BadInput(f"the strategy is the class {strategy.__name__}: give one with its options, {strategy.__name__}()")
    if not isinstance(strategy, Strategy):
        raise BadInput(f"the strategy is a {_kind(strategy)}, not a compact_proofs.Strategy")
    score = strategy.score
    if score.name in SCORES and type(score) is not SCORES[score.name]:
        raise BadInput(f"{strategy.name}: its score has the name {score.name!r} of another score; call it otherwise")


def _kind(value: Any) -> str:
    return type(value).__name__


def _said(labels: Any) -> str:
    return f"{labels.dtype} {list(labels.shape)}" if isinstance(labels, Tensor) else f"a {_kind(labels)}"
