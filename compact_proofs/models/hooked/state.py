"""From a state dict of TransformerLens and its configuration to one of the architectures that ship."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from compact_proofs.models.architecture import Architecture
from compact_proofs.models.hooked.fields import Sizes, read_fields
from compact_proofs.models.hooked.names import canonical
from compact_proofs.models.own_names import attention_only_from_state, attention_stack_from_state, one_layer_mlp_from_state
from compact_proofs.models.transformer import Transformer, TransformerConfig
from compact_proofs.models.weights import filled, widest


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
        On the CPU, with a copy of the weights. Without norms and biases (but the MLP's), one layer of attention only with one head
        is an `AttentionOnlyTransformer`, several are an `AttentionStack`, if the outputs are tokens; one layer with a ReLU MLP is a
        `OneLayerMLP` if it has two positions, or three and one token more than outputs: it reads two tokens, and its attention is
        uniform if W_Q or W_K is zero. Everything else is a `Transformer`.

    Raises
    ------
    BadInput
        If the configuration or the weights are those of another function, naming the field or the weight.
    """
    sizes, weights = _read(state, configuration, source)
    plain = sizes.norm == "none" and "b_U" not in weights
    tokens, outputs = weights["W_E"].shape[0], weights["W_U"].shape[1]
    pairs = sizes.n_ctx == 2 + tokens - outputs and tokens - outputs in (0, 1)
    if plain and pairs and sizes.d_mlp is not None and sizes.n_layers == 1 and sizes.act == "relu":
        named = {name.removeprefix("blocks.0."): w for name, w in weights.items()}
        if not (bool(named["W_Q"].any()) and bool(named["W_K"].any())):  # every score is 0
            del named["W_Q"], named["W_K"]
        return one_layer_mlp_from_state(named, source)
    one_head = sizes.d_mlp is None and sizes.n_heads == 1 and tokens == outputs
    if plain and one_head and (sizes.causal or sizes.n_layers == 1):
        # of one layer only the last position's attention counts, and it sees every position either way
        matrices = {name: w[0] if w.ndim == 3 else w for name, w in weights.items()}
        if sizes.n_layers == 1:
            return attention_only_from_state({name.removeprefix("blocks.0."): w for name, w in matrices.items()}, source)
        return attention_stack_from_state(matrices, source)
    return _transformer(sizes, weights, source)


def transformer_from_hooked_state(state: Mapping[str, Tensor], configuration: Any, source: str) -> Transformer:
    """As `from_hooked_state`, but always a `Transformer`, which reads n_ctx tokens."""
    return _transformer(*_read(state, configuration, source), source)


def _read(state: Mapping[str, Tensor], configuration: Any, source: str) -> tuple[Sizes, dict[str, Tensor]]:
    sizes = read_fields(configuration, source)
    return sizes, {name: w.detach().cpu() for name, w in canonical(state, sizes, source).items()}


def _transformer(sizes: Sizes, weights: Mapping[str, Tensor], source: str) -> Transformer:
    """The general architecture; biases that are missing are zero, and the weights that a norm has not are one and zero."""
    config = TransformerConfig(
        d_vocab=weights["W_E"].shape[0],
        n_ctx=sizes.n_ctx,
        d_out=weights["W_U"].shape[1],
        d_model=sizes.d_model,
        d_head=sizes.d_head,
        n_heads=sizes.n_heads,
        n_layers=sizes.n_layers,
        d_mlp=sizes.d_mlp or 0,
        act=sizes.act,
        norm=sizes.norm,
        eps=sizes.eps,
        biases="b_U" in weights or sizes.d_mlp is not None,
        causal=sizes.causal,
    )
    dtype = widest(weights)
    absent = {name: shape for name, shape in config.shapes.items() if name not in weights}
    made = {name: (torch.ones if name.endswith("_w") else torch.zeros)(shape, dtype=dtype) for name, shape in absent.items()}
    return filled(Transformer(config, dtype), {**weights, **made})
