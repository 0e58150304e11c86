"""Recognise a one-layer attention-only transformer in weights from a file or from TransformerLens.

The numbers are never changed: a proof is about exactly the stored weights (half precision is widened to float32, which
is exact). Whatever is not this architecture is a `BadInput` that says what it is instead.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from compact_proofs.errors import BadInput
from compact_proofs.models.attention_only import AttentionOnlyConfig, AttentionOnlyTransformer
from compact_proofs.models.files import MAX_BYTES, read_weights, save_model, weights_sha256

__all__ = [
    "MAX_BYTES",
    "attention_only_from_state",
    "from_hooked_transformer",
    "read_weights",
    "save_model",
    "weights_sha256",
]

_WEIGHTS = ("W_E", "W_pos", "W_Q", "W_K", "W_V", "W_O", "W_U")
_BIASES = ("b_Q", "b_K", "b_V", "b_O", "b_U")
_HEAD_WEIGHTS = ("W_Q", "W_K", "W_V", "W_O")
_TRANSFORMER_LENS_PREFIX = re.compile(r"^(embed\.(?=W_E$)|pos_embed\.(?=W_pos$)|unembed\.(?=[Wb]_U$)|blocks\.0\.attn\.)")
_NO_EFFECT = ("mask", "IGNORE")
"""Buffers of TransformerLens: the causal mask, and the score given to masked positions; the last position sees all."""

_FOREIGN_PARTS = (
    (re.compile(r"(^|\.)blocks\.[1-9]\d*\."), "several layers"),
    (re.compile(r"(^|\.)ln\w*\."), "a LayerNorm"),
    (re.compile(r"(^|\.)mlp\."), "an MLP"),
    (re.compile(r"rotary"), "rotary position embeddings"),
)
_THIS_ARCHITECTURE = "this loader reads one layer with one head, attention only: no LayerNorm, no MLP, no biases, learned positions"

_CONFIG_MUST_BE: dict[str, tuple[Any, ...]] = {
    "n_layers": (1,),
    "n_heads": (1,),
    "attn_only": (True,),
    "normalization_type": (None,),
    "positional_embedding_type": ("standard",),
    "use_attn_scale": (True,),
}
_CONFIG_IF_PRESENT: dict[str, tuple[Any, ...]] = {
    "use_local_attn": (False, None),
    "use_qk_norm": (False, None),
    "use_logn_attn": (False, None),
    "use_attention_sinks": (False, None),
    "use_normalization_before_and_after": (False, None),
    "clip_qkv": (None,),
    "post_embedding_ln": (False, None),
    "attn_scores_soft_cap": (-1.0, None),
    "output_logits_soft_cap": (-1.0, None),
}


def attention_only_from_state(state: Mapping[str, Tensor], source: str) -> AttentionOnlyTransformer:
    """Build the one-layer attention-only model from its weights.

    Parameters
    ----------
    state : mapping of str to Tensor
        One of: our own names (W_E, W_pos, W_Q, W_K, W_V, W_O, W_U); the same with ``attn_scale``; the state dict of a
        TransformerLens HookedTransformer (``embed.W_E``, ``blocks.0.attn.W_Q`` [1, d_model, d_head], ...). Biases may
        be there if they are zero.
    source : str
        Where the weights are from, for messages; a file name.

    Returns
    -------
    AttentionOnlyTransformer
        On the CPU, with a copy of the weights: in float64 if any of them is in float64, else in float32 (to which
        float16 and bfloat16 widen exactly).

    Raises
    ------
    BadInput
        If the weights are not those of this architecture. A state dict does not tell everything: it looks the same
        without attention scaling, or with a LayerNorm that has no weights and was not folded.
        `from_hooked_transformer` reads the configuration too.
    """
    model = _model_from_state(state, source)
    if any("." in name for name in state) and _looks_folded(model):
        raise BadInput(
            f"{source}: the columns of W_Q, W_K, W_V and W_U all sum to zero, as after folding a LayerNorm into them; "
            f"{_THIS_ARCHITECTURE}. If there is none, load the live model by from_hooked_transformer"
        )
    return model


def from_hooked_transformer(model: Any) -> AttentionOnlyTransformer:
    """Copy a live TransformerLens HookedTransformer; its last position's logits are ours.

    Parameters
    ----------
    model : HookedTransformer
        Only ``model.cfg`` and ``model.state_dict()`` are used. Hooks that were added to it are not copied. The
        direction of attention does not matter: the last position sees all positions either way.

    Raises
    ------
    BadInput
        If its configuration or its weights are not those of this architecture.
    """
    source = "the HookedTransformer"
    cfg, state = check_config(model, source, {}, _THIS_ARCHITECTURE)
    copied = _model_from_state(state, source)
    scale = getattr(cfg, "attn_scale", -1.0)  # recent versions have it; -1 stands for the default
    if scale != -1.0:
        check_scale(scale, copied.d_head, f"{source}: cfg.attn_scale")
    return copied


def check_config(
    model: Any, source: str, changes: Mapping[str, tuple[Any, ...] | None], architecture: str
) -> tuple[Any, Mapping[str, Tensor]]:
    """Return the configuration and the state dict of a live HookedTransformer.

    Parameters
    ----------
    changes
        What a field must be where it differs from the one-layer model's; None for anything.

    Raises
    ------
    BadInput
        If it is no HookedTransformer, or a field has another value.
    """
    try:
        cfg, state = model.cfg, model.state_dict()
    except AttributeError as error:
        raise BadInput(f"{type(model).__name__} has no cfg or no state_dict(): it is no HookedTransformer") from error
    absent = object()
    for name, accepted in (_CONFIG_MUST_BE | _CONFIG_IF_PRESENT | dict(changes)).items():
        value = getattr(cfg, name, absent)
        if accepted is None or (value is absent and name in _CONFIG_IF_PRESENT):
            continue
        if value is absent or value not in accepted:
            found = "missing" if value is absent else repr(value)
            raise BadInput(f"{source}: cfg.{name} is {found} and must be {accepted[0]!r}; {architecture}")
    return cfg, state


def _model_from_state(state: Mapping[str, Tensor], source: str) -> AttentionOnlyTransformer:
    named = _canonical_names(state, source)
    for name, tensor in named.items():
        check_numbers(name, tensor, source)
    weights = {name: _without_head_axis(name, named[name], source) for name in _WEIGHTS}
    config = _sizes({name: tuple(weight.shape) for name, weight in weights.items()}, source)
    for name in _BIASES:
        if name in named and bool((named[name] != 0).any()):
            raise BadInput(f"{source}: the bias {name} is not zero; {_THIS_ARCHITECTURE}")
    if "attn_scale" in named:
        if named["attn_scale"].numel() != 1:
            raise BadInput(f"{source}: attn_scale has shape {list(named['attn_scale'].shape)} and must be one number")
        check_scale(named["attn_scale"].item(), config.d_head, f"{source}: attn_scale")
    double = any(weight.dtype == torch.float64 for weight in weights.values())
    model = AttentionOnlyTransformer(config, dtype=torch.float64 if double else torch.float32)
    model.load_state_dict(weights)
    return model


def _canonical_names(state: Mapping[str, Tensor], source: str) -> dict[str, Tensor]:
    """Strip TransformerLens's prefixes and buffers; reject whatever is not a weight, a bias or the scale."""
    for pattern, part in _FOREIGN_PARTS:
        foreign = [name for name in state if pattern.search(name)]
        if foreign:
            raise BadInput(f"{source}: {foreign[0]} belongs to {part}; {_THIS_ARCHITECTURE}")
    named: dict[str, Tensor] = {}
    unexpected = []
    for name, tensor in state.items():
        short = _TRANSFORMER_LENS_PREFIX.sub("", name)
        if short in (*_WEIGHTS, *_BIASES, "attn_scale") and short not in named:
            named[short] = tensor
        elif short not in _NO_EFFECT:
            unexpected.append(name)
    missing = [name for name in _WEIGHTS if name not in named]
    if unexpected or missing:
        parts = [f"unexpected {', '.join(unexpected[:5])}"] if unexpected else []
        parts += [f"missing {', '.join(missing)}"] if missing else []
        raise BadInput(
            f"{source}: {'; '.join(parts)}. The weights should be {', '.join(_WEIGHTS)} or TransformerLens's names for "
            f"them; {_THIS_ARCHITECTURE}"
        )
    return named


def check_numbers(name: str, tensor: Tensor, source: str) -> None:
    """Raise `BadInput` unless a weight is a real tensor of finite numbers."""
    if not isinstance(tensor, Tensor):
        raise BadInput(f"{source}: {name} is a {type(tensor).__name__}; it must be a torch.Tensor")
    if tensor.dtype not in (torch.float64, torch.float32, torch.float16, torch.bfloat16):
        raise BadInput(f"{source}: {name} has dtype {tensor.dtype}; convert it to float32 or float64")
    if tensor.is_meta:
        raise BadInput(f"{source}: {name} is on the meta device, so it has no numbers; load the weights first")
    bad = (~torch.isfinite(tensor)).nonzero()
    if len(bad):
        where = bad[0].tolist()
        value = tensor[tuple(where)].item()
        raise BadInput(f"{source}: {name}{where or ''} is {value}; weights must be finite, so train or export it again")


def _without_head_axis(name: str, weight: Tensor, source: str) -> Tensor:
    if name not in _HEAD_WEIGHTS or weight.ndim != 3:
        return weight
    if weight.shape[0] != 1:
        raise BadInput(f"{source}: {name} has {weight.shape[0]} heads; {_THIS_ARCHITECTURE}")
    return weight[0]


def _sizes(shapes: Mapping[str, tuple[int, ...]], source: str) -> AttentionOnlyConfig:
    for name, shape in shapes.items():
        if len(shape) != 2 or 0 in shape:
            raise BadInput(f"{source}: {name} has shape {list(shape)} and must be a matrix that is not empty")
    (d_vocab, d_model), n_ctx, d_head = shapes["W_E"], shapes["W_pos"][0], shapes["W_Q"][1]
    config = AttentionOnlyConfig(d_vocab, n_ctx, d_model, d_head)
    wrong = [
        f"{name} has shape {list(shapes[name])} and should have {list(shape)}"
        for name, shape in config.shapes.items()
        if shapes[name] != shape
    ]
    if wrong:
        raise BadInput(f"{source}: {'; '.join(wrong)} (W_E, W_pos and W_Q give the sizes); {_THIS_ARCHITECTURE}")
    return config


def check_scale(scale: float, d_head: int, what: str) -> None:
    """Raise `BadInput` unless an attention scale is sqrt(d_head)."""
    expected = math.sqrt(d_head)
    if not abs(scale - expected) <= 1e-6 * expected:
        raise BadInput(
            f"{what} is {scale} and must be sqrt(d_head) = {expected}; fold another scale into W_Q: multiply W_Q by "
            f"{expected} / {scale}"
        )


def _looks_folded(model: AttentionOnlyTransformer) -> bool:
    """Whether every column of W_Q, W_K, W_V and W_U sums to zero up to float32 rounding: folding centres them."""
    readers = [weight.detach().double() for weight in (model.W_Q, model.W_K, model.W_V, model.W_U)]
    return all(bool(weight.any()) and bool((weight.sum(0).abs() <= 1e-5 * weight.abs().sum(0)).all()) for weight in readers)
