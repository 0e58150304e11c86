"""Weights from TransformerLens: prove a bound from the state dict of a HookedTransformer.

    python examples/transformer_lens.py

With a live model, `compact_proofs.models.loading.from_hooked_transformer(model)` reads its configuration too. For the
command line save ``torch.save(model.state_dict(), "model.pt")``, and then run ``compact-proofs prove model.pt``.
"""

from __future__ import annotations

import torch
from torch import Tensor

import compact_proofs as cp
from compact_proofs import zoo
from compact_proofs.models.loading import attention_only_from_state
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
        "blocks.0.attn.mask": torch.ones(4, 4, dtype=torch.bool).tril(),
        "blocks.0.attn.IGNORE": torch.tensor(-torch.inf),
        "unembed.W_U": w["W_U"],
        "unembed.b_U": torch.zeros(w["W_U"].shape[1]),
    }


def main() -> None:
    """Load and prove."""
    model = attention_only_from_state(hooked_state(), "a HookedTransformer")
    certificate = cp.prove(model, MaxOfK.of(model), Additive())
    print(certificate.claim.statement())
    print(f"{certificate.strategy}: {certificate.length.total:,} operations")


if __name__ == "__main__":
    main()
