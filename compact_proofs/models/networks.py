"""Build a general network from what its file says: architecture, configuration and weights. Nothing is guessed.

A state dict alone does not tell which function it is (activation, masks, the small number in a norm), so all three must be there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, TypeAlias, get_type_hints, overload

import torch
from pydantic import TypeAdapter, ValidationError
from torch import Tensor

from compact_proofs.errors import BadInput
from compact_proofs.models.recurrent import Recurrent, RecurrentConfig
from compact_proofs.models.scalar_recurrent import ScalarRecurrent, ScalarRecurrentConfig, own_names
from compact_proofs.models.transformer import Transformer, TransformerConfig

Network: TypeAlias = Transformer | Recurrent
"""Networks that read tokens."""
Config: TypeAlias = TransformerConfig | RecurrentConfig | ScalarRecurrentConfig

CONFIGURATIONS: dict[str, type[Config]] = {
    Transformer.architecture: TransformerConfig,
    Recurrent.architecture: RecurrentConfig,
    ScalarRecurrent.architecture: ScalarRecurrentConfig,
}
"""How each architecture is configured, by its name."""


@overload
def empty_network(config: TransformerConfig | RecurrentConfig, dtype: torch.dtype = ...) -> Network: ...


@overload
def empty_network(config: Config, dtype: torch.dtype = ...) -> Network | ScalarRecurrent: ...


def empty_network(config: Config, dtype: torch.dtype = torch.float32) -> Network | ScalarRecurrent:
    """Make an untrained network of a configuration."""
    if isinstance(config, ScalarRecurrentConfig):
        return ScalarRecurrent(config, dtype)
    return Transformer(config, dtype) if isinstance(config, TransformerConfig) else Recurrent(config, dtype)


def read_configuration(architecture: Any, configuration: Any, source: str) -> Config:
    """Turn the plain JSON values of a file into a configuration.

    Raises
    ------
    BadInput
        If a field is missing, unknown, or of the wrong type: every field must be there, since a default might be another function,
        unless the weights show what it is (``left_out``).
    """
    if architecture not in CONFIGURATIONS:
        raise BadInput(f"{source}: the architecture {architecture!r} is unknown; known are {', '.join(CONFIGURATIONS)}")
    kind = CONFIGURATIONS[architecture]
    known = {f.name for f in fields(kind)}
    if isinstance(configuration, Mapping):
        configuration = {**getattr(kind, "left_out", {}), **configuration}
    if not isinstance(configuration, Mapping) or configuration.keys() != known:
        given = set(configuration) if isinstance(configuration, Mapping) else set()
        problem = ", ".join([*(f"missing {x}" for x in sorted(known - given)), *(f"unknown {x}" for x in sorted(given - known))])
        raise BadInput(f"{source}: the configuration of a {architecture} names each of its options; {problem or 'it is no object'}")
    types = get_type_hints(kind)
    values = {}
    for name, value in configuration.items():
        try:
            values[name] = TypeAdapter(types[name]).validate_python(value, strict=True)
        except ValidationError as e:
            raise BadInput(f"{source}: {name} = {str(value)[:40]!r}: {e.errors()[0]['msg']}") from None
    return kind(**values)


def network_from_state(
    architecture: Any, configuration: Any, state: Mapping[str, Tensor], source: str
) -> Network | ScalarRecurrent:
    """Build a network from its weights; no number is changed.

    Parameters
    ----------
    architecture, configuration
        As a file's metadata gives them.
    state
        The weights, by the names of the configuration's ``shapes``.
    source
        Where they are from, for messages.

    Returns
    -------
    Transformer, Recurrent or ScalarRecurrent
        In float64 if any weight is, else in float32.

    Raises
    ------
    BadInput
        If the weights are not just those of the configuration, or not finite.
    """
    config = read_configuration(architecture, configuration, source)
    if isinstance(config, ScalarRecurrentConfig):
        state = own_names(state)
    shapes = config.shapes
    wrong = [f"missing {x}" for x in shapes if x not in state] + [f"unexpected {x}" for x in state if x not in shapes]
    if wrong:
        raise BadInput(f"{source}: these are not the weights of its configuration: {', '.join(wrong[:5])}")
    for name, shape in shapes.items():
        tensor = state[name]
        if tuple(tensor.shape) != shape:
            raise BadInput(f"{source}: {name} has shape {list(tensor.shape)} and, by its configuration, should have {list(shape)}")
        if tensor.dtype not in (torch.float64, torch.float32, torch.float16, torch.bfloat16):
            raise BadInput(f"{source}: {name} has dtype {tensor.dtype}; convert it to float32 or float64")
        if not bool(tensor.isfinite().all()):
            raise BadInput(f"{source}: {name} has entries that are not finite; train or export it again")
    double = any(t.dtype == torch.float64 for t in state.values())
    model = empty_network(config, torch.float64 if double else torch.float32)
    model.load_state_dict(dict(state))
    return model
