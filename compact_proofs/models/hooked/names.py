"""Names and layouts of TransformerLens's weights.

A HookedTransformer has ``embed.W_E``, ``blocks.0.attn.W_Q`` [heads, d_model, d_head], ...; a TransformerBridge has
``embed.weight``, ``blocks.0.attn.q.weight`` [heads * d_head, d_model], ..., in torch's layout [out, in].
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from compact_proofs.errors import BadInput
from compact_proofs.models.hooked.fields import READS, Sizes
from compact_proofs.models.weights import check_names, check_numbers, check_shapes

_ANY = re.compile(r"(embed|pos_embed|unembed|ln_final)\..+|blocks\.\d+\.(attn|mlp|ln\w+)\..+")
_BLOCK = re.compile(r"blocks\.(\d{1,3})\.(.+)")
_FOREIGN = (
    (re.compile(r"mlp\.(W_gate|gate\.weight)$"), "a gated MLP"),
    (re.compile(r"rotary"), "rotary position embeddings"),
)
_MASKING = ("attn.mask", "attn.IGNORE")
"""Buffers of HookedTransformer: the causal mask, and the score that is given to masked positions."""

Layout = Callable[[Tensor, Sizes], Tensor]


def _as_it_is(tensor: Tensor, sizes: Sizes) -> Tensor:
    return tensor


def _transposed(tensor: Tensor, sizes: Sizes) -> Tensor:
    return tensor.transpose(0, 1)


def _heads_out(tensor: Tensor, sizes: Sizes) -> Tensor:
    """[heads * d_head, d_model] to [heads, d_model, d_head]."""
    return tensor.unflatten(0, (sizes.n_heads, sizes.d_head)).transpose(1, 2)


def _heads_in(tensor: Tensor, sizes: Sizes) -> Tensor:
    """[d_model, heads * d_head] to [heads, d_head, d_model]."""
    return tensor.transpose(0, 1).unflatten(0, (sizes.n_heads, sizes.d_head))


_HEADS = ("Q", "K", "V")
_OUTSIDE: Mapping[str, tuple[str, Layout]] = {
    "embed.W_E": ("W_E", _as_it_is),
    "pos_embed.W_pos": ("W_pos", _as_it_is),
    "unembed.W_U": ("W_U", _as_it_is),
    "unembed.b_U": ("b_U", _as_it_is),
    "embed.weight": ("W_E", _as_it_is),
    "pos_embed.weight": ("W_pos", _as_it_is),
    "unembed.weight": ("W_U", _transposed),
    "unembed.bias": ("b_U", _as_it_is),
    "ln_final.w": ("ln_final_w", _as_it_is),
    "ln_final.b": ("ln_final_b", _as_it_is),
    "ln_final.weight": ("ln_final_w", _as_it_is),
    "ln_final.bias": ("ln_final_b", _as_it_is),
}
_INSIDE: Mapping[str, tuple[str, Layout]] = {
    **{f"attn.W_{x}": (f"W_{x}", _as_it_is) for x in (*_HEADS, "O")},
    **{f"attn.b_{x}": (f"b_{x}", _as_it_is) for x in (*_HEADS, "O")},
    **{f"mlp.{name}": (name, _as_it_is) for name in ("W_in", "b_in", "W_out", "b_out")},
    **{f"attn.{x.lower()}.weight": (f"W_{x}", _heads_out) for x in _HEADS},
    **{f"attn.{x.lower()}.bias": (f"b_{x}", lambda b, s: b.unflatten(0, (s.n_heads, s.d_head))) for x in _HEADS},
    "attn.o.weight": ("W_O", _heads_in),
    "attn.o.bias": ("b_O", _as_it_is),
    "mlp.in.weight": ("W_in", _transposed),
    "mlp.in.bias": ("b_in", _as_it_is),
    "mlp.out.weight": ("W_out", _transposed),
    "mlp.out.bias": ("b_out", _as_it_is),
    **{f"ln{i}.{part}": (f"ln{i}_{part[0]}", _as_it_is) for i in (1, 2) for part in ("w", "b", "weight", "bias")},
}
"""To the names of HookedTransformer without their prefixes; those of a layer inside ``blocks.i.`` ."""


def are_hooked(state: Mapping[str, Tensor]) -> bool:
    """Whether any name is one that TransformerLens gives."""
    return any(_ANY.fullmatch(name) for name in state)


def canonical(state: Mapping[str, Tensor], sizes: Sizes, source: str) -> dict[str, Tensor]:
    """Rename the weights, lay them out as HookedTransformer does, and check their shapes.

    Returns
    -------
    dict of str to Tensor
        W_E [v, d], W_pos [n, d], ``blocks.0.W_Q`` [heads, d, h], ..., ``blocks.0.W_in`` [d, m] where there is an MLP, the weights
        of norms (``blocks.0.ln1_w`` [d], ...) where they have some, W_U. Biases are left out, but for the MLP's, if all are zero.

    Raises
    ------
    BadInput
        If a weight is missing, has another shape, or belongs to something else.
    """
    found: dict[str, Tensor] = {}
    for name, tensor in state.items():
        for pattern, part in _FOREIGN:
            if pattern.search(name):
                raise BadInput(f"{source}: {name} belongs to {part}; {READS}")
        block = _BLOCK.fullmatch(name)
        if block and block[2] in _MASKING:
            _check_masking(name, block[2], tensor, sizes, source)
            continue
        short, layout = (_INSIDE.get(block[2]) if block else _OUTSIDE.get(name)) or (None, None)
        if short is None or layout is None:
            raise BadInput(f"{source}: unexpected {name}; {READS}")
        check_numbers(name, tensor, source)
        own = f"blocks.{int(block[1])}.{short}" if block else short
        if own in found:
            raise BadInput(f"{source}: {name} is there twice, under different names; {READS}")
        try:
            found[own] = layout(tensor, sizes)
        except (RuntimeError, IndexError) as error:
            heads = f"{sizes.n_heads} heads of width {sizes.d_head}"
            raise BadInput(f"{source}: {name} has shape {list(tensor.shape)}, which does not fit {heads}; {READS}") from error
    shapes, biases = _shapes(sizes, found)
    check_names(found, shapes, biases, source, READS)
    check_shapes(found, {**shapes, **{b: biases[b] for b in biases if b in found}}, source, "the fields of the configuration")
    given = {name: found.pop(name) for name in biases if name in found}
    if any(bool((bias != 0).any()) for bias in given.values()):
        found |= {name: given[name] if name in given else torch.zeros(shape) for name, shape in biases.items()}
    return found


def _check_masking(name: str, kind: str, tensor: Tensor, sizes: Sizes, source: str) -> None:
    """Raise `BadInput` unless a stored mask is the causal one and a masked score -inf, where the last logits depend on them.

    They do not depend on scores of earlier positions where there is one layer, or on any mask where attention is bidirectional.
    """
    if not sizes.causal:
        return
    if kind == "attn.mask":
        causal = torch.ones(sizes.n_ctx, sizes.n_ctx, dtype=torch.bool, device=tensor.device).tril()
        if tensor.numel() and not torch.equal(tensor != 0, causal):  # an empty one is made when it is needed
            raise BadInput(f"{source}: {name} is not the causal mask of {sizes.n_ctx} positions, which the configuration asks for")
    elif sizes.n_layers > 1 and not (tensor.numel() == 1 and float(tensor) == -torch.inf):
        raise BadInput(
            f"{source}: {name} is {tensor.flatten()[:1].tolist()}, the score of masked positions, which would still be seen a "
            "little; set it to -inf, as later versions of TransformerLens do, or prove the live model as a module"
        )


Shapes = dict[str, tuple[int, ...]]


def _shapes(sizes: Sizes, found: Mapping[str, Tensor]) -> tuple[Shapes, Shapes]:
    """The shapes of the weights, and of the biases that may be missing, which are then zero."""
    norm = {"none": (), "rms": ("w",), "layer": ("w", "b")}[sizes.norm] if sizes.norm_weights else ()
    d, h, heads, m = sizes.d_model, sizes.d_head, sizes.n_heads, sizes.d_mlp
    d_vocab = sizes.d_vocab or _size(found, "W_E", 0)
    d_out = sizes.d_vocab_out or _size(found, "W_U", 1)
    layer: Shapes = {**{f"W_{x}": (heads, d, h) for x in _HEADS}, "W_O": (heads, h, d)}
    if m is not None:
        layer |= {"W_in": (d, m), "b_in": (m,), "W_out": (m, d), "b_out": (d,)}
    layer |= {f"ln{i}_{part}": (d,) for i in ((1,) if m is None else (1, 2)) for part in norm}
    biases: Shapes = {**{f"b_{x}": (heads, h) for x in _HEADS}, "b_O": (d,)}
    layers = range(sizes.n_layers)
    weights: Shapes = {"W_E": (d_vocab, d), "W_pos": (sizes.n_ctx, d), "W_U": (d, d_out)}
    weights |= {f"ln_final_{part}": (d,) for part in norm}
    weights |= {f"blocks.{i}.{name}": shape for i in layers for name, shape in layer.items()}
    return weights, {"b_U": (d_out,), **{f"blocks.{i}.{name}": shape for i in layers for name, shape in biases.items()}}


def _size(found: Mapping[str, Tensor], name: str, axis: int) -> int:
    tensor = found.get(name)
    return tensor.shape[axis] if tensor is not None and tensor.ndim == 2 else 0
