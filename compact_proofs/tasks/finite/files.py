"""Files of networks for finite tasks: the weights with everything that says which function and which task they are."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from compact_proofs.errors import BadInput
from compact_proofs.models.files import read_weights
from compact_proofs.models.networks import Network, network_from_state
from compact_proofs.models.recurrent import Recurrent
from compact_proofs.models.transformer import Transformer
from compact_proofs.sequences.automaton import Automaton
from compact_proofs.sequences.labels import LabelFunction, label_function
from compact_proofs.sequences.task import FiniteTask


def described(model: Network) -> dict[str, Any]:
    """What the metadata of a network that knows its label function must say so that nothing is guessed when it is read."""
    return {
        "task": FiniteTask.name,
        "label": model.answers,
        "architecture": model.architecture,
        "configuration": model.configuration(),
    }


def read_network(path: str | Path) -> tuple[Network, FiniteTask]:
    """Read a network and its task from a file that `described` it; `BadInput` if it does not say what it is."""
    state, metadata = read_weights(path)
    model = network_from_state(metadata.get("architecture"), metadata.get("configuration"), state, str(path))
    if not isinstance(model, (Transformer, Recurrent)):
        raise BadInput(f"{path}: a {model.architecture} network reads no tokens, so that it is for no finite task")
    answer(model, metadata, str(path))
    return model, task_of(model)


def answer(model: nn.Module, metadata: Mapping[str, Any], source: str) -> None:
    """Note on a network which label function its file names, if it names one, and the token that sequences begin with, if any.

    Raises
    ------
    BadInput
        If what it names is no label function, or no token.
    """
    label = metadata.get("label")
    if label is None:
        return
    if not (isinstance(label, Mapping) and isinstance(label.get("name"), str) and isinstance(label.get("parameters"), Mapping)):
        raise BadInput(f"{source}: its label function must be an object with name and parameters, not {label!r}")
    label_function(label["name"], label["parameters"])
    assert isinstance(model, (Transformer, Recurrent))
    model.answers = {"name": label["name"], "parameters": dict(label["parameters"])}
    first = label.get("first")
    if first is not None:
        if type(first) is not int or not 0 <= first < model.config.d_vocab:
            raise BadInput(f"{source}: sequences begin with {first!r}, which is no token below {model.config.d_vocab}")
        model.answers["first"] = first


def task_of(model: nn.Module) -> FiniteTask:
    """The task of a network that knows its label function.

    Raises
    ------
    BadInput
        If it is no such network.
    """
    label = label_of(model)
    assert isinstance(model, (Transformer, Recurrent))
    assert model.answers is not None
    first, v = model.answers.get("first"), model.config.d_vocab
    return FiniteTask(model.config.n_ctx, v, label, valid=None if first is None else beginning_with(first, v))


def beginning_with(first: int, v: int) -> Automaton:
    """The sequences of tokens below v that begin with a token, which occurs nowhere else in them."""
    start, inside, outside = 0, 1, 2
    step = [
        [inside if t == first else outside for t in range(v)],
        [outside if t == first else inside for t in range(v)],
        [outside] * v,
    ]
    return Automaton.of(step, start, [0, 1, 0])


def label_of(model: nn.Module) -> LabelFunction:
    """The label function that a network was trained on.

    Raises
    ------
    BadInput
        If it is no network that knows one.
    """
    if not isinstance(model, (Transformer, Recurrent)):
        raise BadInput(f"{type(model).__name__} is neither a Transformer nor a Recurrent network; make a FiniteTask for it")
    if model.answers is None:
        raise BadInput(
            'nothing says which label function the network was trained on; name one as "label" in its metadata, or make a '
            "FiniteTask"
        )
    return label_function(model.answers["name"], model.answers["parameters"])
