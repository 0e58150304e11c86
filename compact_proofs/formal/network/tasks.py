"""Tasks in Coq (``formal/Tasks.v``): the inputs and the label as terms, which a theorem shows."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from compact_proofs.errors import BadInput
from compact_proofs.formal.theorem import NAME
from compact_proofs.inputs.task import Task
from compact_proofs.progress import track
from compact_proofs.sequences import Automaton, FiniteTask
from compact_proofs.sequences import labels as finite
from compact_proofs.sequences.labels import RegularLanguage
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
    if type(task) is FiniteTask and task.listable and (task.all_valid or task.valid_automaton is not None):
        known = _finite(task, place)
        if known is not None:
            return known
    if type(task) is Induction:
        values = (task.d_vocab,) * task.n_ctx
        return TaskInCoq(f"(filter comes_back (inputs {_list(values)}))", "follower", values)
    return _by_table(task, place)


def _finite(task: FiniteTask, place: str) -> TaskInCoq | None:
    """A task with a label that Labels.v has, on all sequences or on those that an automaton accepts; None for other labels."""
    values: tuple[int, ...] = (task.d_vocab,) * task.n_ctx
    data: dict[str, list[list[int]]] = {}
    label, valid, domain = task.label, task.valid_automaton, f"(inputs {_list(values)})"
    if type(label) is RegularLanguage:
        term = _automaton(Automaton(label.step, label.start, label.labels), place, "label", data)
    elif type(label) in LABELS_IN_COQ:
        term = LABELS_IN_COQ[type(label)](label, task.n_ctx)
    else:
        return None
    if valid is not None:
        domain = f"(filter (holds {_automaton(valid, place, 'valid', data)}) {domain})"
    return TaskInCoq(domain, term, values, data)


def _automaton(automaton: Automaton, place: str, name: str, data: dict[str, list[list[int]]]) -> str:
    data[f"{name}_step"] = [list(row) for row in automaton.step]
    return f"(last_state {place}.{name}_step {automaton.start} {_list(automaton.labels)})"


LABELS_IN_COQ: dict[type, Callable[[Any, int], str]] = {
    finite.Maximum: lambda label, n: "maximum",
    finite.Minimum: lambda label, n: "minimum",
    finite.SecondLargest: lambda label, n: "second_largest",
    finite.TokenAt: lambda label, n: f"(token_at {label.position % n})",
    finite.AfterOccurrence: lambda label, n: "after_occurrence",
    finite.FirstIsLast: lambda label, n: "first_is_last",
    finite.Contains: lambda label, n: f"(contains_token {label.token})",
    finite.OccurredBefore: lambda label, n: "occurred_before",
    finite.Repeats: lambda label, n: "repeats",
    finite.Palindrome: lambda label, n: "palindrome",
    finite.Sorted: lambda label, n: "ascending",
    finite.Majority: lambda label, n: f"(majority {max(label.least, 0)})",
    finite.Balanced: lambda label, n: "balanced",
    finite.Avoids: lambda label, n: f"(avoids {_list(label.factor)})",
    finite.PreviousOccurrence: lambda label, n: "previous_occurrence",
    finite.ModularSum: lambda label, n: f"(modular_sum {label.modulus})",
    finite.LongestCycle: lambda label, n: "longest_cycle",
}
"""Label functions that ``formal/Labels.v`` has, with the terms that call them for sequences of n tokens."""


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
