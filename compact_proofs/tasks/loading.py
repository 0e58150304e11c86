"""Models by what a user names: a file, a model of the zoo, or a module of one's own; each with its task and its proofs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from compact_proofs import zoo
from compact_proofs.core.registry import kit_of, kits, skipped
from compact_proofs.errors import BadInput, meant
from compact_proofs.files.objects import is_object, load_object
from compact_proofs.inputs.task import Task
from compact_proofs.models.architecture import Architecture
from compact_proofs.models.files import read_json, read_weights
from compact_proofs.models.hooked import as_network
from compact_proofs.models.loading import load_network
from compact_proofs.tasks.kit import ProofKit, TaskKit
from compact_proofs.tasks.shipped import KITS
from compact_proofs.tasks.universal import universal_kit


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
        What its file says about it (recipe, seed, ...): informative. Its true accuracy is that on the task.
    arguments
        How the command line names it: the source, and what was given besides.
    """

    name: str
    model: nn.Module
    task: Task
    kit: ProofKit
    metadata: dict[str, Any]
    arguments: tuple[str, ...] = ()


def load_model(source: str | Path, task: str | None = None, config: str | Path | None = None) -> LoadedModel:
    """Load a model from a file (.safetensors, .npz, .pt), by name from the zoo, or from a Python file of one's own.

    Parameters
    ----------
    source : str or Path
        The file, the name of the zoo's model, or ``file.py:name``: a module, or a function that makes one.
    task : str, optional
        The name of the task; unless it is given, the file's metadata must say it. Or ``file.py:name``: a `Task`, or a function that
        makes one; a module of one's own needs that.
    config : str or Path, optional
        A JSON file that declares the architecture and its configuration instead of the file's metadata
        (`compact_proofs.models.loading.load_network`).

    Raises
    ------
    BadInput
        If there is no such file or model, it leaves open which function it is or which task it is for, or the task's proofs are
        for other architectures.
    """
    given = {"--task": task, "--config": config}
    arguments = (str(source), *(str(part) for option in given.items() if option[1] is not None for part in option))
    own = load_task(task) if task is not None and is_object(task) else None
    if is_object(str(source)):
        if own is None:
            raise BadInput(f"{source}: which task is it for? Give a compact_proofs.Task of your own by --task FILE.py:NAME")
        module = as_network(load_object(str(source), nn.Module, "a torch.nn.Module"), own.inputs(0, 1))
        return LoadedModel(str(source), module, own, kit_for(module, own), {}, arguments)
    path = Path(source)
    name = path.name
    if not path.exists() and str(source) in (own_models := _models()):
        if str(source) in zoo.names():
            raise BadInput(f"{source} is a model of the zoo, and an installed package has another of that name; give its file")
        module, of = own_models[str(source)]()
        return LoadedModel(name, module, of if own is None else own, kit_for(module, of if own is None else own), {}, arguments)
    if not path.exists() and str(source) in zoo.names():
        path, name = zoo.path(str(source)), str(source)
    elif not path.exists() and not path.suffix:
        raise BadInput(f"{source} is neither a file nor a model of the zoo{zoo.hint(str(source))}{skipped()}")
    if path.is_dir():
        raise BadInput(f"{path} is a folder; give the file with the weights")
    state, metadata = read_weights(path)
    declared = metadata if config is None else read_json(config, "the configuration")
    model = load_network(state, declared, str(path))
    if own is not None:
        metadata.pop("true_accuracy", None)  # which is that on another task
        return LoadedModel(name, model, own, kit_for(model, own), metadata, arguments)
    kit = _kit_for(model, metadata.get("task") if task is None else task, str(path))
    kit.answer(model, metadata, str(path))
    if kit.name != metadata.get("task"):
        metadata.pop("true_accuracy", None)  # which is that on another task
    return LoadedModel(name, model, kit.task_of(model), kit, metadata, arguments)


def load_task(source: str) -> Task:
    """Load a task of one's own, given as ``file.py:name``: a `Task`, or a function that makes one.

    Raises
    ------
    BadInput
        If there is no such file or name, or it is no task.
    """
    own: Task = load_object(source, Task, "a compact_proofs.Task")
    return own


def kit_named(task: str) -> ProofKit:
    """What models of a task can be proved by, whatever their architecture; the task is named, or is one's own (``file.py:name``).

    Raises
    ------
    BadInput
        If there is no such task.
    """
    if not is_object(task):
        if task not in KITS:
            raise BadInput(f"there is no task {task!r}{meant(task, KITS)}; there are {', '.join(KITS)}, and FILE.py:NAME, your own")
        return KITS[task]
    own = load_task(task)
    known = kit_of(own.name)
    return known if isinstance(known, ProofKit) and not isinstance(known, TaskKit) else universal_kit(own)


def _models() -> dict[str, Callable[[], tuple[nn.Module, Task]]]:
    """The models that come with installed packages, by name."""
    own = (kit for task, kit in kits().items() if task not in KITS and isinstance(kit, ProofKit))
    return {name: make for kit in own for name, make in kit.models.items()}


def kit_for(model: nn.Module, task: Task) -> ProofKit:
    """What a model can be proved by on a task: the registered strategies if both are such as ship, else those for any module."""
    known = kit_of(task.name)
    if isinstance(known, ProofKit) and not isinstance(known, TaskKit):
        return known
    kit = KITS.get(task.name)
    return kit if kit is not None and type(model) in kit.architectures and _is_task_of(kit, model, task) else universal_kit(task)


def _is_task_of(kit: TaskKit, model: nn.Module, task: Task) -> bool:
    """Whether a kit knows the task that a model is for, and it is that one."""
    try:
        return kit.task_of(model) == task
    except BadInput:  # the kit cannot tell it
        return False


def _kit_for(model: Architecture, task: Any, source: str) -> TaskKit:
    """The kit of a task, which must have proofs for the model; a task is never guessed, whatever the architecture."""
    if task is None:
        fitting = [kit.name for kit in KITS.values() if type(model) in kit.architectures]
        raise BadInput(
            f"{source}: nothing says which task it is for; the proofs that ship are for {' and '.join(fitting) or 'none'} of this "
            f'architecture: give it by --task, or as "task" in its metadata or in a .json file beside it'
        )
    kit = KITS.get(task) if isinstance(task, str) else None
    if kit is None:
        raise BadInput(f"{source}: the task {task!r} is not known{meant(task, KITS)}; known are {', '.join(KITS)}{skipped()}")
    if type(model) not in kit.architectures:
        needs = " or ".join(kind.architecture for kind in kit.architectures)
        raise BadInput(
            f"{source}: it is of the architecture {model.architecture}, and the proofs of {kit.name} are for {needs}; "
            "cp.brute_force(model, task) proves any network of few inputs"
        )
    return kit
