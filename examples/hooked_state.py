"""Weights from TransformerLens: prove a bound from a state dict and its configuration.

    python examples/hooked_state.py

A live model, HookedTransformer or TransformerBridge, goes in by `compact_proofs.models.hooked.from_transformer_lens(model)`, which
compares outputs too. For the command line see docs/files.md.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

import compact_proofs as cp
from compact_proofs import zoo
from compact_proofs.errors import BadInput
from compact_proofs.models.hooked import from_hooked_state
from compact_proofs.tasks.max_of_k import Additive, MaxOfK


def hooked_state() -> dict[str, Tensor]:
    """What ``HookedTransformer(cfg).state_dict()`` gives for one layer, one head, attention only, without LayerNorm.

    Filled with the weights of a model of the zoo, so that the example needs no other package.
    """
    w = zoo.load("max-of-4-seed-123").state_dict()
    d_head, d_model = w["W_O"].shape
    return {
        "embed.W_E": w["W_E"],
        "pos_embed.W_pos": w["W_pos"],
        **{f"blocks.0.attn.{name}": w[name][None] for name in ("W_Q", "W_K", "W_V", "W_O")},  # an axis for the heads
        **{f"blocks.0.attn.b_{name}": torch.zeros(1, d_head) for name in "QKV"},
        "blocks.0.attn.b_O": torch.zeros(d_model),
        "blocks.0.attn.mask": torch.ones(0, 0, dtype=torch.bool),
        "blocks.0.attn.IGNORE": torch.tensor(-torch.inf),
        "unembed.W_U": w["W_U"],
        "unembed.b_U": torch.zeros(w["W_U"].shape[1]),
    }


def configuration() -> dict[str, Any]:
    """The telling fields of ``vars(model.cfg)``: without them the weights are those of many functions."""
    return {
        "n_layers": 1,
        "n_heads": 1,
        "d_model": 32,
        "d_head": 32,
        "n_ctx": 4,
        "d_vocab": 64,
        "attn_only": True,
        "normalization_type": None,
    }


def main() -> None:
    """Load and prove; a field that makes it another function is refused."""
    model = from_hooked_state(hooked_state(), configuration(), "a HookedTransformer")
    certificate = cp.prove(model, MaxOfK.of(model), Additive())
    print(certificate.claim.statement())
    print(f"{certificate.strategy}: {certificate.length.total:,} operations")
    try:
        from_hooked_state(hooked_state(), configuration() | {"normalization_type": "LNPre"}, "another one")
    except BadInput as refusal:
        print(refusal)


if __name__ == "__main__":
    main()
