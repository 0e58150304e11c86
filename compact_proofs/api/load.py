"""`load`: a network together with the task that it is for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import nn

from compact_proofs import zoo
from compact_proofs.errors import BadInput
from compact_proofs.files.objects import is_object, load_object
from compact_proofs.inputs.task import Task
from compact_proofs.models.files import read_json, read_weights
from compact_proofs.models.hooked import as_network
from compact_proofs.models.loading import load_network
from compact_proofs.tasks import LoadedModel, kit_for, load_model


def load(source: str | Path | nn.Module, task: str | Task | None = None, config: str | Path | None = None) -> LoadedModel:
    """Load a network with its task: ``cp.prove(cp.load("max-of-4-seed-123"))``.

    Parameters
    ----------
    source
        One of

        * the name of a model of the zoo (``compact-proofs zoo`` lists them);
        * a file of weights, .safetensors, .npz or .pt, that says which function they belong to (docs/files.md);
        * ``"file.py:name"``, a module in a Python file or a function that makes one;
        * a live `torch.nn.Module`, TransformerLens's HookedTransformer and TransformerBridge included.
    task
        A `Task`, the name of one that ships, or ``"file.py:name"``. Needed unless the file or the zoo says it.
    config
        A JSON file that declares the architecture of a file of weights instead of its metadata.

    Returns
    -------
    LoadedModel
        With the attributes ``model`` (a module), ``task``, ``kit`` (what it can be proved by) and ``metadata``.

    Raises
    ------
    BadInput
        If there is no such file, model or object, or it is left open which function it is or which task it is for.
    """
    if isinstance(source, (str, Path)) and not isinstance(task, Task):
        return load_model(source, task, config)
    given = load_object(task, Task, "a compact_proofs.Task") if isinstance(task, str) and is_object(task) else task
    if not isinstance(given, Task):
        raise BadInput(
            f"the task of a {type(source).__name__} is {given!r}: give a Task, such as cp.FiniteTask(n_ctx, d_vocab, label) "
            "(docs/finite-tasks.md) or compact_proofs.tasks.max_of_k.MaxOfK(d_vocab=64, n_ctx=4)"
        )
    name, module = _read(source, config)
    network = as_network(module, given.inputs(0, 1))
    return LoadedModel(name, network, given, kit_for(network, given), {})


def _read(source: Any, config: str | Path | None) -> tuple[str, nn.Module]:
    """The name and the module of a source whose task is given."""
    if isinstance(source, (str, Path)) and not is_object(str(source)):
        in_zoo = not Path(source).exists() and str(source) in zoo.names()
        path = zoo.path(str(source)) if in_zoo else Path(source)
        state, metadata = read_weights(path)
        declared = metadata if config is None else read_json(config, "the configuration")
        return str(source) if in_zoo else path.name, load_network(state, declared, str(path))
    if config is not None:
        raise BadInput("config is for files of weights; a module says itself what it computes")
    if isinstance(source, (str, Path)):
        return str(source), load_object(str(source), nn.Module, "a torch.nn.Module")
    if not isinstance(source, nn.Module):
        raise BadInput(
            f"a {type(source).__name__} is no network: give a name of the zoo, a file of weights, file.py:name, or a "
            "torch.nn.Module (docs/files.md)"
        )
    return type(source).__name__, source


def pair_of(model: Any, task: Any) -> LoadedModel:
    """Return what `prove` and its like were given, `load`-ed if it is not yet.

    Raises
    ------
    BadInput
        If the model is a name or a path, which `load` reads, or there is no task.
    """
    if isinstance(model, LoadedModel):
        if task is None or task == model.task:
            return model
        return load(model.model, task)
    if isinstance(model, (str, Path)):
        raise BadInput(f"the model is a name or a path, {str(model)!r}: give cp.load({str(model)!r}) (docs/files.md)")
    return load(model, task)
