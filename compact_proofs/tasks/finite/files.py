"""Files of networks for finite tasks: the weights with everything that says which function and which task they are."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from compact_proofs.errors import BadInput
from compact_proofs.models.files import read_weights
from compact_proofs.models.networks import Network, network_from_state
from compact_proofs.tasks.finite.labels import LabelFunction, label_function
from compact_proofs.tasks.finite.task import FiniteTask


def described(model: Network, label: LabelFunction) -> dict[str, Any]:
    """What a file's metadata must say so that nothing is guessed when it is read."""
    return {
        "task": FiniteTask.name,
        "label": {"name": label.name, "parameters": label.parameters()},
        "architecture": model.architecture,
        "configuration": model.configuration(),
    }


def network_and_task(state: Mapping[str, Tensor], metadata: Mapping[str, Any], source: str) -> tuple[Network, FiniteTask]:
    """Build a network and its task from what a file holds.

    Raises
    ------
    BadInput
        If the metadata does not say architecture, configuration and label function, or the weights are others.
    """
    model = network_from_state(metadata.get("architecture"), metadata.get("configuration"), state, source)
    label = metadata.get("label")
    if not (isinstance(label, Mapping) and isinstance(label.get("name"), str) and isinstance(label.get("parameters"), Mapping)):
        raise BadInput(f"{source}: its metadata names no label function; give the task")
    return model, FiniteTask(model.config.n_ctx, model.config.d_vocab, label_function(label["name"], label["parameters"]))


def read_network(path: str | Path) -> tuple[Network, FiniteTask]:
    """Read a network and its task from a file that `described` it; `BadInput` if it does not say what it is."""
    state, metadata = read_weights(path)
    return network_and_task(state, metadata, str(path))
