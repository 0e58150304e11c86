"""From a state dict of TransformerLens and its configuration to one of the architectures that ship."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from compact_proofs.models.architecture import Architecture
from compact_proofs.models.hooked.fields import read_fields
from compact_proofs.models.hooked.names import canonical
from compact_proofs.models.own_names import attention_only_from_state, attention_stack_from_state, one_layer_mlp_from_state


def from_hooked_state(state: Mapping[str, Tensor], configuration: Any, source: str) -> Architecture:
    """Build the module that computes what a model of TransformerLens computes at its last position.

    Parameters
    ----------
    state : mapping of str to Tensor
        ``model.state_dict()`` of a HookedTransformer or a TransformerBridge.
    configuration : mapping or configuration of TransformerLens
        ``model.cfg``, or its fields by name.
    source : str
        Where they are from, for messages.

    Returns
    -------
    Architecture
        On the CPU, with a copy of the weights. One layer of attention only is an `AttentionOnlyTransformer`, several are an
        `AttentionStack`, and one layer with an MLP is a `OneLayerMLP`, whose attention is uniform if W_Q or W_K is zero.

    Raises
    ------
    BadInput
        If the configuration or the weights are those of another function, naming the field or the weight.
    """
    sizes = read_fields(configuration, source)
    weights = {name: w.detach().cpu() for name, w in canonical(state, sizes, source).items()}
    if sizes.d_mlp is not None:
        named = {name.removeprefix("blocks.0."): w for name, w in weights.items()}
        if not (bool(named["W_Q"].any()) and bool(named["W_K"].any())):  # every score is 0
            del named["W_Q"], named["W_K"]
        return one_layer_mlp_from_state(named, source)
    one_head = {name: w[0] if w.ndim == 3 else w for name, w in weights.items()}
    if sizes.n_layers == 1:
        return attention_only_from_state({name.removeprefix("blocks.0."): w for name, w in one_head.items()}, source)
    return attention_stack_from_state(one_head, source)
