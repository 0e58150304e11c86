"""The tasks that ship: one folder each, each with a `KIT`.

To add a task, copy a folder, and enter its kit below; the command line, the soundness harness and the report find it here.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from compact_proofs import zoo
from compact_proofs.claim import Task
from compact_proofs.errors import BadInput
from compact_proofs.exhaustive import Exhaustive
from compact_proofs.models.files import read_weights
from compact_proofs.strategy import Strategy
from compact_proofs.tasks import groups, induction, max_of_k, modular_addition
from compact_proofs.tasks.kit import TaskKit

KITS: dict[str, TaskKit] = {kit.name: kit for kit in (max_of_k.KIT, induction.KIT, modular_addition.KIT, groups.KIT)}


@dataclass(frozen=True)
class LoadedModel:
    """A model with the task that it is for.

    Attributes
    ----------
    name
        Of the file or of the zoo's model.
    model, task, kit
        The module, its task, and what the task offers.
    metadata
        What its file says about it (recipe, seed, ...): informative.
    """

    name: str
    model: nn.Module
    task: Task
    kit: TaskKit
    metadata: dict[str, Any]


def load_model(source: str | Path) -> LoadedModel:
    """Load a model from a file (.safetensors, .npz, .pt) or, by name, from the zoo.

    Raises
    ------
    BadInput
        If there is no such file or model, or it is not a model of any task.
    """
    path = Path(source)
    name = path.name
    if not path.exists() and str(source) in zoo.names():
        path, name = zoo.path(str(source)), str(source)
    elif not path.exists() and not path.suffix:
        raise BadInput(f"{source} is neither a file nor a model of the zoo, which has {', '.join(zoo.names())}")
    if path.is_dir():
        raise BadInput(f"{path} is a folder; give the file with the weights")
    state, metadata = read_weights(path)
    problems = []
    named = KITS.get(str(metadata.get("task")))
    kits = [named] if named else list(KITS.values())
    for kit in kits:
        try:
            model = kit.load(state, str(path))
        except BadInput as e:
            problems.append(str(e) if len(kits) == 1 else f"{kit.name}: {e}")
            continue
        return LoadedModel(name, model, kit.task_of(model), kit, metadata)
    raise BadInput("; ".join(problems))


UNIVERSAL: tuple[type[Strategy], ...] = (Exhaustive,)
"""Strategies for any module and any task."""


def strategies_for(task: Task) -> dict[str, type[Strategy]]:
    """The strategies that are known for a task, by name: those for any task, and those that a task that ships has registered."""
    kit = KITS.get(task.name)
    return {s.name: s for s in (*UNIVERSAL, *(kit.strategies if kit else ()))}
