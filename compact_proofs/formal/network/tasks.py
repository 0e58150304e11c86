"""Tasks in Coq (``formal/Tasks.v``): the inputs and the label as terms, which a theorem shows."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor

from compact_proofs.core.claim import Task
from compact_proofs.errors import BadInput
from compact_proofs.formal.theorem import NAME
from compact_proofs.progress import track
from compact_proofs.tasks.groups import Groups
from compact_proofs.tasks.induction.task import Induction
from compact_proofs.tasks.max_of_k import MaxOfK
from compact_proofs.tasks.modular_addition.task import ModularAddition

LARGEST = 10**6
"""Inputs whose labels are written down one by one, for a task that Tasks.v does not know."""


@dataclass(frozen=True)
class TaskInCoq:
    """A task as terms of Coq.

    Attributes
    ----------
    domain, label
        The list of inputs, and the function from an input to the right output.
    values
        How many values each token has.
    data
        Tables that the terms name, each a list of rows; they are defined in the file Task.v.
    """

    domain: str
    label: str
    values: tuple[int, ...]
    data: dict[str, list[list[int]]] = field(default_factory=dict)


def task_in_coq(task: Task) -> TaskInCoq:
    """Write a task in Coq: by its definition if Tasks.v has it, otherwise by the labels of all its inputs.

    Raises
    ------
    BadInput
        If its inputs are not rows of tokens, or too many to be written down.
    """
    place = f"{NAME}.Task"
    if type(task) is ModularAddition:
        return _everywhere((task.p, task.p), f"(addition {task.p})")
    if type(task) is Groups:
        n = task.group.order
        return _everywhere((n, n), f"(composition {place}.table)", {"table": task.group.table.tolist()})
    if type(task) is MaxOfK:
        return _everywhere((task.d_vocab,) * task.n_ctx, "maximum")
    if type(task) is Induction:
        values = (task.d_vocab,) * task.n_ctx
        return TaskInCoq(f"(filter comes_back (inputs {_list(values)}))", "follower", values)
    return _by_table(task, place)


def _everywhere(values: tuple[int, ...], label: str, data: dict[str, list[list[int]]] | None = None) -> TaskInCoq:
    return TaskInCoq(f"(inputs {_list(values)})", label, values, data or {})


def _by_table(task: Task, place: str) -> TaskInCoq:
    if task.size > LARGEST:
        raise BadInput(f"{task.describe()}: {task.size} labels are too many to be written down; at most {LARGEST} are")
    starts = range(0, task.size, 4096)
    batches = [task.inputs(i, min(i + 4096, task.size)) for i in track(starts, "inputs of the task")]
    if any(b.dim() != 2 or b.is_floating_point() or int(b.min()) < 0 for b in batches):
        raise BadInput(f"{task.describe()}: a theorem in Coq needs inputs that are rows of tokens 0, 1, ...")
    inputs = torch.cat(batches)
    labels = torch.cat([task.labels(b) for b in batches])
    values = tuple((inputs.amax(0) + 1).tolist())
    if math.prod(values) > LARGEST:
        raise BadInput(f"{task.describe()}: its tokens allow {math.prod(values)} inputs; at most {LARGEST} labels are written down")
    table = torch.zeros(values, dtype=torch.int64)
    table[tuple(inputs.T)] = labels
    data = {"labels": table.reshape(-1, values[-1]).tolist()}
    label = f"(tabulated {_list(values)} {place}.labels)"
    if task.size == math.prod(values) and _distinct(inputs, values):
        return TaskInCoq(f"(inputs {_list(values)})", label, values, data)
    return TaskInCoq(f"{place}.domain", label, values, {**data, "domain": inputs.tolist()})


def _distinct(inputs: Tensor, values: tuple[int, ...]) -> bool:
    seen = torch.zeros(values, dtype=torch.bool)
    seen[tuple(inputs.T)] = True
    return bool(seen.all())


def _list(numbers: tuple[int, ...]) -> str:
    return f"[{'; '.join(map(str, numbers))}]%nat"
