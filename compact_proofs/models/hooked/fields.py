"""What the fields of a TransformerLens configuration mean here: HookedTransformerConfig and TransformerBridgeConfig, 3 and 4.

Every field is in one of three tables: read below (sizes, and what the architectures that ship can follow), `HARMLESS` with the
reason, or `MUST_BE` with the values that switch it off. A field in none of them, of a later version, must have its class's default.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

from compact_proofs.errors import BadInput
from compact_proofs.models.transformer import Activation, Norm
from compact_proofs.models.weights import check_scale

READS = (
    "this reader takes transformers with learned positions, LayerNorm or RMSNorm before each part or none, and an ungated MLP or "
    "none (any live model is proved as a module: docs/files.md)"
)

_HOOKS = "another way to compute the same, so that hooks can see it"
_TEXT = "turns text into tokens, which the model is given"
_INIT = "the weights before training"
_ORIGIN = "says where the weights are from"
_MACHINE = "says where it runs"
_ROTARY = "read only where positions are rotary, and they must not be"
_GROUPS = "read only by grouped queries, and there must be none"
_LOCAL = "read only by local attention, and it must be global"
_ENCODER = "read only by encoders and decoders such as T5"

HARMLESS: Mapping[str, str] = {
    "model_name": _ORIGIN,
    "from_checkpoint": _ORIGIN,
    "checkpoint_index": _ORIGIN,
    "checkpoint_label_type": _ORIGIN,
    "checkpoint_value": _ORIGIN,
    "trust_remote_code": _ORIGIN,
    "init_mode": _INIT,
    "init_weights": _INIT,
    "initializer_range": _INIT,
    "seed": _INIT,
    "device": _MACHINE,
    "n_devices": _MACHINE,
    "dtype": "the real function is that of the weights as they are stored",
    "n_params": "a count that TransformerLens makes itself",
    "use_attn_result": _HOOKS,
    "use_split_qkv_input": _HOOKS,
    "use_attn_in": _HOOKS,
    "use_hook_mlp_in": _HOOKS,
    "use_hook_tokens": _HOOKS,
    "default_prepend_bos": _TEXT,
    "tokenizer_prepends_bos": _TEXT,
    "tokenizer_appends_eos": _TEXT,
    "ungroup_grouped_query_attention": _GROUPS,
    "window_size": _LOCAL,
    "attn_types": _LOCAL,
    "train_seq_length": "read only by log-n attention and rotary positions, and there must be neither",
    "rotary_dim": _ROTARY,
    "rotary_base": _ROTARY,
    "rotary_base_local": _ROTARY,
    "rotary_scaling_factor": _ROTARY,
    "rotary_adjacent_pairs": _ROTARY,
    "rotary_interleaved_cos_sin": _ROTARY,
    "use_dynamic_ntk_rope": _ROTARY,
    "use_NTK_by_parts_rope": _ROTARY,
    "NTK_by_parts_low_freq_factor": _ROTARY,
    "NTK_by_parts_high_freq_factor": _ROTARY,
    "NTK_by_parts_factor": _ROTARY,
    "NTK_original_ctx_len": _ROTARY,
    "use_yarn_rope": _ROTARY,
    "yarn_factor": _ROTARY,
    "yarn_attention_factor": _ROTARY,
    "yarn_beta_fast": _ROTARY,
    "yarn_beta_slow": _ROTARY,
    "yarn_original_max_position_embeddings": _ROTARY,
    "yarn_truncate": _ROTARY,
    "yarn_global_attn_only": _ROTARY,
    "relative_attention_max_distance": _ENCODER,
    "relative_attention_num_buckets": _ENCODER,
    "decoder_start_token_id": _ENCODER,
}
"""Fields of any value, and why the function does not depend on them."""

MUST_BE: Mapping[str, tuple[Any, ...]] = {
    "rmsnorm_uses_offset": (False,),
    "final_rms": (False,),
    "uses_rms_norm": (False,),
    "layer_norm_folding": (False,),
    "post_embedding_ln": (False,),
    "use_normalization_before_and_after": (False,),
    "use_qk_norm": (False,),
    "qk_norm_after_rope": (False,),
    "positional_embedding_type": ("standard",),
    "use_attn_scale": (True,),
    "scale_attn_by_inverse_layer_idx": (False,),
    "attn_scores_soft_cap": (-1.0, None),
    "output_logits_soft_cap": (-1.0, None),
    "use_attention_sinks": (False,),
    "use_local_attn": (False,),
    "use_logn_attn": (False,),
    "clip_qkv": (None,),
    "n_key_value_heads": (None,),
    "per_layer_head_dim": (None,),
    "per_layer_num_key_value_heads": (None,),
    "parallel_attn_mlp": (False,),
    "gated_mlp": (False,),
    "num_experts": (None,),
    "experts_per_token": (None,),
    "norm_topk_prob": (False,),
    "load_in_4bit": (False,),
    "quantization_method": (None,),
    "tie_word_embeddings": (False,),
    "scale_embedding": (None, False),
    "split_attention_weights": (False,),
    "attn_implementation": (None,),
    "original_architecture": (None,),
    "architecture": (None, "TransformerLensNative"),
    "tokenizer_name": (None,),
    "default_padding_side": (None,),
    "is_audio_model": (False,),
    "is_visual_model": (False,),
    "is_stateful": (False,),
    "is_multimodal": (False,),
    "vision_hidden_size": (None,),
    "vision_num_layers": (None,),
    "vision_num_heads": (None,),
    "mm_tokens_per_image": (None,),
}
"""Fields that must have one of these values, or be absent."""

SIZES = ("d_model", "d_head", "n_layers", "n_ctx", "n_heads", "d_vocab", "d_vocab_out", "d_mlp")
"""Fields that are compared with the weights; the first four must be there."""

FOLLOWED = ("attn_only", "act_fn", "attention_dir", "attn_scale", "normalization_type", "eps")
"""Further fields that `read_fields` reads."""

NORMS: Mapping[str | None, Norm] = {None: "none", "LN": "layer", "LNPre": "layer", "RMS": "rms", "RMSPre": "rms"}
"""What each normalization_type is; one that ends in Pre has no weights of its own, which were folded into others."""

ACTIVATIONS: Mapping[str, Activation] = {
    "relu": "relu",
    "gelu": "gelu",
    "gelu_new": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "silu": "silu",
}
"""The activation functions that are read, by TransformerLens's names."""


@dataclass(frozen=True)
class Sizes:
    """What a checked configuration says of the function: sizes, and the options that are followed.

    Attributes
    ----------
    d_model, d_head, n_layers, n_ctx, n_heads : int
        As in TransformerLens.
    d_vocab, d_vocab_out : int or None
        Tokens and outputs; None if the weights are to say.
    d_mlp : int or None
        Width of the MLP; None without one.
    act : Activation
        Of the MLP's neurons.
    norm : Norm
        Before each part and before the unembedding.
    norm_weights : bool
        Whether norms have weights of their own.
    eps : float
        The small number inside a norm's root.
    causal : bool
        Whether a position attends to itself and earlier ones only.
    """

    d_model: int
    d_head: int
    n_layers: int
    n_ctx: int
    n_heads: int
    d_vocab: int | None
    d_vocab_out: int | None
    d_mlp: int | None
    act: Activation
    norm: Norm
    norm_weights: bool
    eps: float
    causal: bool


def read_fields(configuration: Any, source: str) -> Sizes:
    """Check every field of a configuration.

    Parameters
    ----------
    configuration : mapping, or an object of TransformerLens
        Its fields by name, such as ``vars(model.cfg)`` or what a JSON file holds of it.
    source : str
        Where it is from, for messages.

    Raises
    ------
    BadInput
        Naming the first field that asks for a function which is none of the architectures that ship.
    """
    given = dict(configuration) if isinstance(configuration, Mapping) else dict(vars(configuration))
    defaults = {} if isinstance(configuration, Mapping) else class_defaults(type(configuration))
    for name, value in given.items():
        if name in MUST_BE:
            _expect(name, value, MUST_BE[name], source)
        elif name not in HARMLESS and name not in SIZES and name not in FOLLOWED:
            if name not in defaults:
                raise BadInput(f"{source}: cfg.{name} is not known here; leave it out if the function does not depend on it")
            _expect(name, value, (defaults[name],), source)
    if "normalization_type" not in given:
        raise BadInput(f"{source}: cfg.normalization_type is missing, and it stands for a LayerNorm; {READS}")
    _expect("normalization_type", given["normalization_type"], tuple(NORMS), source)
    _expect("attention_dir", given.get("attention_dir", "causal"), ("causal", "bidirectional"), source)
    sizes = _read_sizes(given, source)
    scale = given.get("attn_scale", -1.0)
    if scale != -1.0:
        if isinstance(scale, bool) or not isinstance(scale, Real):
            raise BadInput(f"{source}: cfg.attn_scale is {scale!r} and must be a number")
        check_scale(float(scale), sizes.d_head, f"{source}: cfg.attn_scale")
    return sizes


def class_defaults(kind: type) -> dict[str, Any]:
    """The fields of a configuration's class with their defaults: of its dataclasses and of its constructor."""
    found: dict[str, Any] = {}
    for base in reversed(kind.__mro__):
        if dataclasses.is_dataclass(base):
            found |= {f.name: f.default for f in dataclasses.fields(base) if f.default is not dataclasses.MISSING}
        if "__init__" in vars(base) and base is not object:
            parameters = inspect.signature(vars(base)["__init__"]).parameters.values()
            found |= {p.name: p.default for p in parameters if p.default is not inspect.Parameter.empty}
    return found


def _read_sizes(given: Mapping[str, Any], source: str) -> Sizes:
    read: dict[str, int | None] = {}
    for name in SIZES:
        value = given.get(name)
        if value is None or value == -1:
            if name in SIZES[:4]:
                raise BadInput(f"{source}: cfg.{name} is missing; a configuration has {', '.join(SIZES[:4])}")
            read[name] = None
            continue
        if isinstance(value, bool) or not isinstance(value, Integral) or value < 1:
            raise BadInput(f"{source}: cfg.{name} is {value!r} and must be a whole number of at least 1")
        read[name] = int(value)
    d_model, d_head, n_layers, n_ctx = (given[name] for name in SIZES[:4])
    n_heads = read["n_heads"] or d_model // d_head  # as in TransformerLens, and so below
    attn_only = given.get("attn_only", False)
    _expect("attn_only", attn_only, (True, False), source)
    d_mlp = None if attn_only else read["d_mlp"] or 4 * d_model
    if d_mlp is not None:
        _expect("act_fn", given.get("act_fn", "missing"), tuple(ACTIVATIONS), source)
    kind = given["normalization_type"]
    return Sizes(
        d_model=d_model,
        d_head=d_head,
        n_layers=n_layers,
        n_ctx=n_ctx,
        n_heads=n_heads,
        d_vocab=read["d_vocab"],
        d_vocab_out=read["d_vocab_out"],
        d_mlp=d_mlp,
        act="relu" if d_mlp is None else ACTIVATIONS[given["act_fn"]],
        norm=NORMS[kind],
        norm_weights=kind in ("LN", "RMS"),
        eps=_read_eps(given, source) if kind else 0.0,
        causal=given.get("attention_dir", "causal") == "causal",
    )


def _read_eps(given: Mapping[str, Any], source: str) -> float:
    eps = given.get("eps")
    if isinstance(eps, bool) or not isinstance(eps, Real) or not 0 <= float(eps) < 1:
        raise BadInput(f"{source}: cfg.eps is {eps!r} and must be a number of at least 0 and below 1, which norms read")
    return float(eps)


def _expect(name: str, value: Any, accepted: tuple[Any, ...], source: str) -> None:
    """Raise `BadInput` unless a value is one of the accepted ones; 1 is not True."""
    if not any(isinstance(value, bool) == isinstance(a, bool) and value == a for a in accepted):
        raise BadInput(f"{source}: cfg.{name} is {value!r} and must be {' or '.join(map(repr, accepted))}; {READS}")
