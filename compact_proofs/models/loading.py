"""Weights from a file become a module, if the file says which function they are the weights of.

The same tensors are those of many functions, so that a guess would be a theorem about another one. A file of our own names its
architecture in its metadata; one of TransformerLens comes with its configuration. Where neither is there, our own names are read
where they fit one function, and everything else is a `BadInput` that says what to declare.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from compact_proofs.errors import BadInput
from compact_proofs.models.architecture import Architecture
from compact_proofs.models.hooked.names import are_hooked
from compact_proofs.models.hooked.state import from_hooked_state
from compact_proofs.models.networks import CONFIGURATIONS, network_from_state
from compact_proofs.models.own_names import NAMES, closest, from_own_names

_HOOKED = ("HookedTransformer", "TransformerBridge")
HOW_TO_DECLARE = "in its metadata, in a .json file beside it, or by --config"


def load_network(state: Mapping[str, Tensor], declared: Mapping[str, Any], source: str) -> Architecture:
    """Build the module that a state dict and what is declared about it define; no number is changed.

    Parameters
    ----------
    state : mapping of str to Tensor
        Weights by our own names (`compact_proofs.models.own_names`) or TransformerLens's (`compact_proofs.models.hooked`).
    declared : mapping
        The file's metadata. Read here are ``architecture`` and ``configuration``: the name of one of our architectures with its
        `configuration`, or a configuration of TransformerLens, whose fields may also stand alone. For an MLP by our own names
        ``act_fn`` is enough.
    source : str
        Where the weights are from, for messages; a file name.

    Returns
    -------
    Architecture
        On the CPU, with a copy of the weights: in float64 if any of them is in float64, else in float32 (to which float16 and
        bfloat16 widen exactly).

    Raises
    ------
    BadInput
        If the weights and what is declared are not those of an architecture that ships, or leave it open which function it is.
    """
    if declared.get("architecture") in CONFIGURATIONS:
        return network_from_state(declared["architecture"], declared.get("configuration"), state, source)
    configuration = declared.get("configuration", {})
    if not isinstance(configuration, Mapping):
        raise BadInput(f"{source}: its configuration is {configuration!r} and must be a JSON object")
    if are_hooked(state):
        fields = configuration or _beside(declared)
        if "n_layers" not in fields:
            raise BadInput(
                f"{source}: weights with these names are those of many functions (with LayerNorm or without, ReLU or GELU, ...); "
                f"give the model's configuration, as in json.dump(vars(model.cfg), file, default=str), {HOW_TO_DECLARE}"
            )
        return from_hooked_state(state, fields, source)
    return _by_own_names(state, declared, configuration, source)


def _by_own_names(
    state: Mapping[str, Tensor], declared: Mapping[str, Any], configuration: Mapping[str, Any], source: str
) -> Architecture:
    name, activation = declared.get("architecture"), declared.get("act_fn")
    if name is not None and name not in NAMES:
        known = ", ".join((*NAMES, *CONFIGURATIONS))
        wrong = f"{name!r}, and its weights have not TransformerLens's names" if name in _HOOKED else repr(name)
        raise BadInput(f"{source}: its architecture is {wrong}; known are {known}")
    names = NAMES[name] if name is not None else closest(state)
    if names is None:
        some = ", ".join(list(state)[:3]) or "none"
        raise BadInput(
            f"{source}: its weights ({some}) are those of no architecture that ships ({', '.join(NAMES)}); for another module, "
            "give the module itself to cp.brute_force(module, task)"
        )
    if activation is not None and names.open:
        configuration = {"activation": activation, **configuration}
    elif names.open and name is None and not _written_here(declared):
        raise BadInput(
            f"{source}: the names of its weights do not tell its {names.open} function; if it is ReLU, say "
            f'"architecture": "{names.kind.architecture}" {HOW_TO_DECLARE}'
        )
    return from_own_names(state, names, configuration, source)


def _beside(declared: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a configuration of TransformerLens that lies beside the task and the word that it is one."""
    ours = ("task", "configuration", *(("architecture",) if declared.get("architecture") in _HOOKED else ()))
    return {key: value for key, value in declared.items() if key not in ours}


def _written_here(metadata: Mapping[str, Any]) -> bool:
    """Whether this package wrote the file, perhaps before files named their architectures."""
    versions = metadata.get("versions")
    return isinstance(versions, Mapping) and "compact_proofs" in versions
