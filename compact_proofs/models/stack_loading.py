"""Recognise an attention-only transformer of several layers with one head each, from a file or from TransformerLens.

As in `compact_proofs.models.loading`: the numbers are never changed, and whatever is not this architecture is a `BadInput`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from compact_proofs.errors import BadInput
from compact_proofs.models.attention_stack import AttentionStack, AttentionStackConfig
from compact_proofs.models.loading import check_config, check_numbers, check_scale

_PREFIX = re.compile(r"^(embed\.(?=W_E$)|pos_embed\.(?=W_pos$)|unembed\.(?=[Wb]_U$))")
_LAYER = re.compile(r"^blocks\.(\d{1,3})\.(?:attn\.)?(\w+)$")
_FOREIGN_PARTS = (
    (re.compile(r"(^|\.)ln\w*\."), "a LayerNorm"),
    (re.compile(r"(^|\.)mlp\."), "an MLP"),
    (re.compile(r"rotary"), "rotary position embeddings"),
)
_HEAD = ("W_Q", "W_K", "W_V", "W_O")
_BIASES = ("b_Q", "b_K", "b_V", "b_O")
_NO_EFFECT = ("mask", "IGNORE")
_THIS_ARCHITECTURE = (
    "this loader reads two or more layers with one head each, attention only and causal: no LayerNorm, no MLP, no biases, learned "
    "positions"
)


def attention_stack_from_state(state: Mapping[str, Tensor], source: str) -> AttentionStack:
    """Build the model from its weights.

    Parameters
    ----------
    state : mapping of str to Tensor
        Our own names (W_E, W_pos, ``blocks.0.W_Q``, ..., W_U) or TransformerLens's (``embed.W_E``, ``blocks.0.attn.W_Q``
        [1, d_model, d_head], ...). Biases may be there if they are zero.
    source : str
        Where the weights are from, for messages; a file name.

    Returns
    -------
    AttentionStack
        On the CPU, with a copy of the weights: in float64 if any of them is in float64, else in float32.

    Raises
    ------
    BadInput
        If the weights are not those of this architecture. A state dict does not tell everything (attention scaling, a LayerNorm
        without weights, the direction of attention); `stack_from_hooked_transformer` reads the configuration too.
    """
    weights = _weights(state, source)
    layers = 1 + max((int(m[1]) for name in weights if (m := _LAYER.match(name))), default=-1)
    if layers < 2:
        raise BadInput(
            f"{source}: {'no layers' if layers < 1 else 'one layer'} named blocks.0, blocks.1, ...; {_THIS_ARCHITECTURE}"
        )
    expected = ["W_E", "W_pos", *(f"blocks.{i}.{name}" for i in range(layers) for name in _HEAD), "W_U"]
    missing = [name for name in expected if name not in weights]
    if missing:
        raise BadInput(f"{source}: missing {', '.join(missing[:5])}; {_THIS_ARCHITECTURE}")
    for name in expected:
        if weights[name].ndim != 2 or 0 in weights[name].shape:
            raise BadInput(f"{source}: {name} has shape {list(weights[name].shape)} and must be a matrix that is not empty")
    (D, d), n, h = weights["W_E"].shape, weights["W_pos"].shape[0], weights["blocks.0.W_Q"].shape[1]
    config = AttentionStackConfig(D, n, d, h, layers)
    for name, shape in config.shapes.items():
        if tuple(weights[name].shape) != shape:
            raise BadInput(
                f"{source}: {name} has shape {list(weights[name].shape)} and should have {list(shape)} (W_E, W_pos and "
                f"blocks.0.W_Q give the sizes); {_THIS_ARCHITECTURE}"
            )
    double = any(w.dtype == torch.float64 for w in weights.values())
    model = AttentionStack(config, dtype=torch.float64 if double else torch.float32)
    model.load_state_dict({name: weights[name] for name in expected})
    return model


def stack_from_hooked_transformer(model: Any) -> AttentionStack:
    """Copy a live TransformerLens HookedTransformer of several one-head layers; its last position's logits are ours.

    Raises
    ------
    BadInput
        If its configuration or its weights are not those of this architecture.
    """
    source = "the HookedTransformer"
    cfg, state = check_config(model, source, {"n_layers": None, "attention_dir": ("causal",)}, _THIS_ARCHITECTURE)
    copied = attention_stack_from_state(state, source)
    scale = getattr(cfg, "attn_scale", -1.0)
    if scale != -1.0:
        check_scale(scale, copied.config.d_head, f"{source}: cfg.attn_scale")
    return copied


def _weights(state: Mapping[str, Tensor], source: str) -> dict[str, Tensor]:
    """Rename to our names, drop buffers and zero biases and the axis of one head; reject everything else."""
    found: dict[str, Tensor] = {}
    for name, tensor in state.items():
        for pattern, part in _FOREIGN_PARTS:
            if pattern.search(name):
                raise BadInput(f"{source}: {name} belongs to {part}; {_THIS_ARCHITECTURE}")
        short, layer = _PREFIX.sub("", name), _LAYER.match(name)
        last = layer[2] if layer else short
        if layer and last in _NO_EFFECT:
            continue
        if last not in ((*_HEAD, *_BIASES) if layer else ("W_E", "W_pos", "W_U", "b_U")):
            raise BadInput(f"{source}: unexpected {name}; {_THIS_ARCHITECTURE}")
        check_numbers(name, tensor, source)
        if last.startswith("b_"):
            if bool((tensor != 0).any()):
                raise BadInput(f"{source}: the bias {name} is not zero; {_THIS_ARCHITECTURE}")
            continue
        if layer and tensor.ndim == 3:
            if tensor.shape[0] != 1:
                raise BadInput(f"{source}: {name} has {tensor.shape[0]} heads; {_THIS_ARCHITECTURE}")
            tensor = tensor[0]
        short = f"blocks.{int(layer[1])}.{last}" if layer else short
        if short in found:
            raise BadInput(f"{source}: {name} is there twice, under different names; {_THIS_ARCHITECTURE}")
        found[short] = tensor
    return found
