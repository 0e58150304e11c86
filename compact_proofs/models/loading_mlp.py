"""One-layer networks with a ReLU MLP from the outside: from a state dict with our names or TransformerLens's, or a live model.

The numbers are never changed: a proof is about exactly the stored weights. Whatever is not this architecture is a `BadInput` that
says what it is instead.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from compact_proofs.errors import BadInput
from compact_proofs.models.loading import check_numbers
from compact_proofs.models.one_layer_mlp import Attention, OneLayerMLP, OneLayerMLPConfig

_WEIGHTS = ("W_E", "W_pos", "W_Q", "W_K", "W_V", "W_O", "W_in", "b_in", "W_out", "b_out", "W_U")
_MUST_BE_ZERO = ("b_Q", "b_K", "b_V", "b_O", "b_U")
_HEADS = ("W_Q", "W_K", "W_V", "W_O")
_PREFIX = re.compile(r"^(embed\.|pos_embed\.|unembed\.|blocks\.0\.attn\.|blocks\.0\.mlp\.)")
_NO_EFFECT = ("mask", "IGNORE")
"""Buffers of TransformerLens: the last position, whose logits are read, sees all positions."""

_FOREIGN = (
    (re.compile(r"(^|\.)blocks\.[1-9]\d*\."), "several layers"),
    (re.compile(r"(^|\.)ln\w*\."), "a LayerNorm"),
    (re.compile(r"mlp\.W_gate$"), "a gated MLP"),
    (re.compile(r"rotary"), "rotary position embeddings"),
)
_THIS = (
    "this loader reads one layer with a ReLU MLP on two tokens (a, b), with or without an '=' sign: summed embeddings, or "
    "attention without biases; no LayerNorm"
)
_CONFIG = {
    "n_layers": (1,),
    "attn_only": (False,),
    "act_fn": ("relu",),
    "normalization_type": (None,),
    "positional_embedding_type": ("standard",),
    "use_attn_scale": (True,),
}


def one_layer_mlp_from_state(state: Mapping[str, Tensor], source: str) -> OneLayerMLP:
    """Build a `OneLayerMLP` from its weights.

    Parameters
    ----------
    state : mapping of str to Tensor
        Our own names (W_E, W_pos, W_Q, W_K, W_V, W_O, W_in, b_in, W_out, b_out, W_U), or the state dict of a TransformerLens
        HookedTransformer. Without W_V the embeddings are summed; with W_V and without W_Q and W_K (or with one of them zero, so
        that all scores are 0) attention is uniform. Heads may be an axis, or one head without it. Other biases may be there if
        they are zero.
    source : str
        Where the weights are from, for messages; a file name.

    Returns
    -------
    OneLayerMLP
        In float64 if any of the weights is, else in float32.

    Raises
    ------
    BadInput
        If the weights are not those of this architecture. A state dict does not tell the activation function, or whether
        attention is scaled by 1 / sqrt(d_head): ReLU and the scale are taken for granted (`one_layer_mlp_from_hooked_transformer`
        checks them).
    """
    named = _named(state, source)
    for name, tensor in named.items():
        check_numbers(name, tensor, source)
    for name in _MUST_BE_ZERO:
        if name in named and bool((named.pop(name) != 0).any()):
            raise BadInput(f"{source}: the bias {name} is not zero; {_THIS}")
    for name in _HEADS:
        if name in named and named[name].ndim == 2:
            named[name] = named[name][None]
    config = _config(named, source)
    if config.attention != "learned":
        named = {name: w for name, w in named.items() if name not in ("W_Q", "W_K")}
    wrong = [
        f"{name} has shape {list(named[name].shape)} and should have {list(shape)}"
        for name, shape in config.shapes.items()
        if tuple(named[name].shape) != shape
    ]
    if wrong:
        raise BadInput(f"{source}: {'; '.join(wrong)} (W_E, W_in, W_U and W_V give the sizes); {_THIS}")
    double = any(w.dtype == torch.float64 for w in named.values())
    model = OneLayerMLP(config, dtype=torch.float64 if double else torch.float32)
    model.load_state_dict(named)
    return model


def one_layer_mlp_from_hooked_transformer(model: Any) -> OneLayerMLP:
    """Copy a live TransformerLens HookedTransformer; its last position's logits are ours.

    Raises
    ------
    BadInput
        If its configuration or its weights are not those of this architecture.
    """
    source = "the HookedTransformer"
    try:
        cfg, state = model.cfg, model.state_dict()
    except AttributeError as error:
        raise BadInput(f"{type(model).__name__} has no cfg or no state_dict(): it is no HookedTransformer") from error
    for name, accepted in _CONFIG.items():
        value = getattr(cfg, name, "missing")
        if value not in accepted:
            raise BadInput(f"{source}: cfg.{name} is {value!r} and must be {accepted[0]!r}; {_THIS}")
    return one_layer_mlp_from_state(state, source)


def _named(state: Mapping[str, Tensor], source: str) -> dict[str, Tensor]:
    """Strip TransformerLens's prefixes and buffers; reject whatever else is there, and what is missing."""
    for pattern, part in _FOREIGN:
        foreign = [name for name in state if pattern.search(name)]
        if foreign:
            raise BadInput(f"{source}: {foreign[0]} belongs to {part}; {_THIS}")
    named: dict[str, Tensor] = {}
    unexpected = []
    for name, tensor in state.items():
        short = _PREFIX.sub("", name)
        if short in (*_WEIGHTS, *_MUST_BE_ZERO) and short not in named:
            named[short] = tensor
        elif short not in _NO_EFFECT:
            unexpected.append(name)
    needed = ["W_E", "W_in", "W_out", "W_U"]
    if any(name in named for name in (*_HEADS, "W_pos")):
        needed += ["W_pos", "W_V", "W_O"]
    for one, other in (("W_Q", "W_K"), ("W_K", "W_Q"), ("b_in", "b_out"), ("b_out", "b_in")):
        if one in named:
            needed.append(other)
    missing = [name for name in needed if name not in named]
    if unexpected or missing:
        parts = [f"unexpected {', '.join(unexpected[:5])}"] if unexpected else []
        parts += [f"missing {', '.join(missing)}"] if missing else []
        raise BadInput(f"{source}: {'; '.join(parts)}; {_THIS}")
    return named


def _config(named: Mapping[str, Tensor], source: str) -> OneLayerMLPConfig:
    """Read the sizes off the shapes."""
    for name in ("W_E", "W_in", "W_U", "W_V"):
        expected = 3 if name == "W_V" else 2
        if name in named and (named[name].ndim != expected or 0 in named[name].shape):
            raise BadInput(f"{source}: {name} has shape {list(named[name].shape)}, which is not that of such weights; {_THIS}")
    (d_vocab, d_model), d_out, d_mlp = named["W_E"].shape, named["W_U"].shape[1], named["W_in"].shape[1]
    if d_vocab - d_out not in (0, 1):
        raise BadInput(f"{source}: {d_vocab} tokens and {d_out} outputs; there are p outputs, and p tokens or p + 1 with '='")
    if "W_V" not in named:
        return OneLayerMLPConfig(d_vocab, d_out, d_model, d_mlp, "none", biases="b_in" in named)
    positions = len(named["W_pos"])
    if positions != 2 + d_vocab - d_out:
        raise BadInput(
            f"{source}: {positions} positions, {d_vocab} tokens and {d_out} outputs do not fit: two positions go with p tokens, "
            "three with p + 1, the last being '='; cut W_pos and W_U to what is used"
        )
    attention: Attention = "uniform"
    if "W_Q" in named and bool(named["W_Q"].any()) and bool(named["W_K"].any()):
        attention = "learned"
    heads, _, d_head = named["W_V"].shape
    return OneLayerMLPConfig(d_vocab, d_out, d_model, d_mlp, attention, heads, d_head, biases="b_in" in named)
