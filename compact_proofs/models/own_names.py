"""Weights by our own names, as `save_model` writes them.

Our names with our shapes are the format of our own files, and each of the two attention-only architectures is the only one of its
names. Those of an MLP say nothing of its activation function, so that a file of them has to declare its architecture.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from compact_proofs.errors import BadInput
from compact_proofs.models.architecture import Architecture
from compact_proofs.models.attention_only import AttentionOnlyConfig, AttentionOnlyTransformer
from compact_proofs.models.attention_stack import AttentionStack, AttentionStackConfig
from compact_proofs.models.one_layer_mlp import Attention, OneLayerMLP, OneLayerMLPConfig
from compact_proofs.models.pair_mlp import PairMLP
from compact_proofs.models.weights import check_dimensions, check_names, check_numbers, check_scale, check_shapes, filled, widest

State = Mapping[str, Tensor]

_ATTENTION_ONLY = ("W_E", "W_pos", "W_Q", "W_K", "W_V", "W_O", "W_U")
_MLP = ("W_E", "W_pos", "W_Q", "W_K", "W_V", "W_O", "W_in", "b_in", "W_out", "b_out", "W_U")
_PAIR = ("E_l", "W_l", "E_r", "W_r", "U", "bias", "table")
_LAYER = re.compile(r"^blocks\.(\d{1,3})\.(W_[QKVO])$")


def attention_only_from_state(state: State, source: str) -> AttentionOnlyTransformer:
    """Build the one-layer attention-only model.

    Parameters
    ----------
    state : mapping of str to Tensor
        W_E [v, d], W_pos [K, d], W_Q, W_K, W_V [d, h], W_O [h, d], W_U [d, v]; perhaps ``attn_scale``, which must be sqrt(h).
    source : str
        Where the weights are from, for messages; a file name.

    Raises
    ------
    BadInput
        If the weights are not those of this architecture.
    """
    reads = f"the weights of {AttentionOnlyTransformer.architecture} are {', '.join(_ATTENTION_ONLY)}"
    check_names(state, _ATTENTION_ONLY, ("attn_scale",), source, reads)
    for name, tensor in state.items():
        check_numbers(name, tensor, source)
    weights = {name: state[name] for name in _ATTENTION_ONLY}
    check_dimensions(weights, dict.fromkeys(weights, 2), source)
    (d_vocab, d_model), n_ctx, d_head = weights["W_E"].shape, weights["W_pos"].shape[0], weights["W_Q"].shape[1]
    config = AttentionOnlyConfig(d_vocab, n_ctx, d_model, d_head)
    check_shapes(weights, config.shapes, source, "W_E, W_pos and W_Q")
    if "attn_scale" in state:
        if state["attn_scale"].numel() != 1:
            raise BadInput(f"{source}: attn_scale has shape {list(state['attn_scale'].shape)} and must be one number")
        check_scale(state["attn_scale"].item(), config.d_head, f"{source}: attn_scale")
    return filled(AttentionOnlyTransformer(config, dtype=widest(weights)), weights)


def attention_stack_from_state(state: State, source: str) -> AttentionStack:
    """Build the attention-only model of several layers.

    Parameters
    ----------
    state : mapping of str to Tensor
        W_E [v, d], W_pos [n, d], ``blocks.0.W_Q``, ... as `attention_only_from_state` has them, W_U [d, v].
    source : str
        Where the weights are from, for messages; a file name.

    Raises
    ------
    BadInput
        If the weights are not those of this architecture.
    """
    layers = 1 + max((int(m[1]) for name in state if (m := _LAYER.match(name))), default=-1)
    heads = [f"blocks.{i}.{name}" for i in range(layers) for name in ("W_Q", "W_K", "W_V", "W_O")]
    reads = f"the weights of {AttentionStack.architecture} are W_E, W_pos, blocks.0.W_Q, .W_K, .W_V, .W_O, ..., W_U"
    check_names(state, ["W_E", "W_pos", *(heads or ["blocks.0.W_Q"]), "W_U"], (), source, reads)
    for name, tensor in state.items():
        check_numbers(name, tensor, source)
    check_dimensions(state, dict.fromkeys(state, 2), source)
    (d_vocab, d_model), n_ctx, d_head = state["W_E"].shape, state["W_pos"].shape[0], state["blocks.0.W_Q"].shape[1]
    config = AttentionStackConfig(d_vocab, n_ctx, d_model, d_head, layers)
    check_shapes(state, config.shapes, source, "W_E, W_pos and blocks.0.W_Q")
    return filled(AttentionStack(config, dtype=widest(state)), state)


def one_layer_mlp_from_state(state: State, source: str) -> OneLayerMLP:
    """Build the one-layer network with a ReLU MLP.

    Parameters
    ----------
    state : mapping of str to Tensor
        W_E, W_pos, W_Q, W_K, W_V, W_O (heads are their first axis), W_in, b_in, W_out, b_out, W_U. Without W_pos, W_V and W_O the
        embeddings are summed; with them and without W_Q and W_K attention is uniform. Without b_in and b_out there are no biases.
    source : str
        Where the weights are from, for messages; a file name.

    Raises
    ------
    BadInput
        If the weights are not those of this architecture. They do not tell the activation function, which is taken to be ReLU:
        `compact_proofs.models.loading.load_network` asks for a declaration.
    """
    attention = [name for name in ("W_pos", "W_V", "W_O") if any(n in state for n in ("W_pos", "W_Q", "W_K", "W_V", "W_O"))]
    pairs = [name for pair in (("W_Q", "W_K"), ("b_in", "b_out")) if pair[0] in state or pair[1] in state for name in pair]
    reads = f"the weights of {OneLayerMLP.architecture} are {', '.join(_MLP)}"
    check_names(state, ["W_E", *attention, *pairs, "W_in", "W_out", "W_U"], (), source, reads)
    for name, tensor in state.items():
        check_numbers(name, tensor, source)
    check_dimensions(state, {name: 3 if name == "W_V" else 2 for name in ("W_E", "W_in", "W_U", "W_V") if name in state}, source)
    config = _mlp_config(state, source)
    weights = {name: state[name] for name in config.shapes}
    check_shapes(weights, config.shapes, source, "W_E, W_in, W_U and W_V")
    return filled(OneLayerMLP(config, dtype=widest(weights)), weights)


def _mlp_config(state: State, source: str) -> OneLayerMLPConfig:
    """Read the sizes off the shapes."""
    (d_vocab, d_model), d_out, d_mlp = state["W_E"].shape, state["W_U"].shape[1], state["W_in"].shape[1]
    biases = "b_in" in state
    if d_vocab - d_out not in (0, 1):
        raise BadInput(f"{source}: {d_vocab} tokens and {d_out} outputs; there are p outputs, and p tokens or p + 1 with '='")
    if "W_V" not in state:
        return OneLayerMLPConfig(d_vocab, d_out, d_model, d_mlp, "none", biases=biases)
    positions = len(state["W_pos"]) if state["W_pos"].ndim else 0
    if positions != 2 + d_vocab - d_out:
        raise BadInput(
            f"{source}: {positions} positions, {d_vocab} tokens and {d_out} outputs do not fit: two positions go with p tokens, "
            "three with p + 1, the last being '='; cut W_pos and W_U to what is used"
        )
    attention: Attention = "learned" if "W_Q" in state else "uniform"
    heads, _, d_head = state["W_V"].shape
    return OneLayerMLPConfig(d_vocab, d_out, d_model, d_mlp, attention, heads, d_head, biases)


_LAYERS = {
    "embedding_left.weight": ("E_l", False),
    "linear_left.weight": ("W_l", True),
    "embedding_right.weight": ("E_r", False),
    "linear_right.weight": ("W_r", True),
    "unembedding.weight": ("U", True),
    "unembedding.bias": ("bias", False),
}
"""Names of layers, and whether they hold the transpose."""


def pair_mlp_from_state(state: State, source: str) -> PairMLP:
    """Build the network on pairs of group elements.

    Parameters
    ----------
    state : mapping of str to Tensor
        ``E_l``, ``E_r``, ``U``, ``bias`` and ``table``; with ``W_l`` and ``W_r`` unless the embeddings are folded into the
        hidden layer. Names of ``nn.Embedding`` and ``nn.Linear`` layers are understood too, with torch's layout [out, in]:
        ``embedding_left.weight`` [n, d], ``linear_left.weight`` [m, d], ``unembedding.weight`` [n, m], ``unembedding.bias``.
    source : str
        Where the weights are from, for messages.

    Raises
    ------
    BadInput
        If the weights are not those of this architecture. They do not tell the activation function, which is taken to be ReLU.
    """
    named: dict[str, Tensor] = {}
    for name, tensor in state.items():
        own, transposed = _LAYERS.get(name, (name, False))
        if own in named:
            raise BadInput(f"{source}: {own} is there twice, once as {name}")
        named[own] = tensor.T if transposed and isinstance(tensor, Tensor) and tensor.ndim == 2 else tensor
    factors = ["W_l", "W_r"] if "W_l" in named or "W_r" in named else []
    reads = f"the weights of {PairMLP.architecture} are {', '.join(_PAIR)}, the last being the group's Cayley table"
    check_names(named, ["E_l", "E_r", *factors, "U", "bias", "table"], (), source, reads)
    table = named.pop("table")
    for name, tensor in named.items():
        check_numbers(name, tensor, source)
    check_dimensions(named, {name: 1 if name == "bias" else 2 for name in named}, source)
    n, m = named["E_l"].shape[0], named["U"].shape[0]
    integers = isinstance(table, Tensor) and not (table.is_floating_point() or table.is_complex() or table.is_meta)
    if not integers or tuple(table.shape) != (n, n):
        raise BadInput(f"{source}: table must be a tensor of {n} x {n} integers: the Cayley table")
    model = PairMLP(table, m, named["E_l"].shape[1] if factors else None, dtype=widest(named))
    shapes = {name: tuple(parameter.shape) for name, parameter in model.named_parameters()}
    check_shapes(named, shapes, source, "E_l, W_l and U")
    return filled(model, {**named, "table": table.to(torch.int64)})


@dataclass(frozen=True)
class Names:
    """How the weights of an architecture are called.

    Attributes
    ----------
    kind
        The architecture.
    pattern
        Of its names.
    build
        Make the model from a state dict and the name of its source.
    open
        What the names leave open, so that a file has to declare it; None if they fit one function.
    """

    kind: type[Architecture]
    pattern: re.Pattern[str]
    build: Callable[[State, str], Architecture]
    open: str | None = None


def _any_of(*names: str) -> re.Pattern[str]:
    return re.compile("|".join(map(re.escape, names)))


NAMES: Mapping[str, Names] = {
    names.kind.architecture: names
    for names in (
        Names(AttentionOnlyTransformer, _any_of(*_ATTENTION_ONLY, "attn_scale"), attention_only_from_state),
        Names(AttentionStack, re.compile(f"W_E|W_pos|W_U|{_LAYER.pattern[1:-1]}"), attention_stack_from_state),
        Names(OneLayerMLP, _any_of(*_MLP), one_layer_mlp_from_state, "activation"),
        Names(PairMLP, _any_of(*_PAIR, *_LAYERS), pair_mlp_from_state, "activation"),
    )
}
"""By the names of the architectures."""


def closest(state: State) -> Names | None:
    """The architecture whose names most of these are, the first of several; None if none of these are anybody's."""
    counts = {key: sum(bool(names.pattern.fullmatch(name)) for name in state) for key, names in NAMES.items()}
    best = max(counts, key=lambda key: counts[key])
    return NAMES[best] if counts[best] else None


def from_own_names(state: State, names: Names, configuration: Mapping[str, Any], source: str) -> Architecture:
    """Build a model, and compare it with the configuration that its file declares.

    Raises
    ------
    BadInput
        If the weights are not those of the architecture, or of another configuration.
    """
    model = names.build(state, source)
    found = model.configuration()
    for field, value in configuration.items():
        if field not in found:
            raise BadInput(f"{source}: its configuration has {field}, which {names.kind.architecture} does not have")
        if value != found[field]:
            raise BadInput(f"{source}: its configuration says {field} = {value!r}, and its weights {found[field]!r}")
    return model
