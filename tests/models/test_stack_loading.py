"""Two-layer weights by our names and TransformerLens's, and a clear refusal of everything else."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from compact_proofs.errors import BadInput
from compact_proofs.models.attention_only import AttentionOnlyConfig, AttentionOnlyTransformer
from compact_proofs.models.attention_stack import AttentionStack, AttentionStackConfig
from compact_proofs.models.files import save_model, weights_sha256
from compact_proofs.models.stack_loading import attention_stack_from_state, stack_from_hooked_transformer
from compact_proofs.tasks import load_model

V, K, D, H = 7, 4, 6, 3


@pytest.fixture
def model():
    model = AttentionStack(AttentionStackConfig(V, K, D, H))
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(generator=generator)
    return model


def hooked_state(model):
    state = {"embed.W_E": model.W_E, "pos_embed.W_pos": model.W_pos, "unembed.W_U": model.W_U, "unembed.b_U": torch.zeros(V)}
    for i, head in enumerate(model.blocks):
        state |= {f"blocks.{i}.attn.{name}": w[None] for name, w in head.named_parameters()}
        state |= {f"blocks.{i}.attn.b_{x}": torch.zeros(1, H) for x in "QKV"} | {f"blocks.{i}.attn.b_O": torch.zeros(D)}
        state |= {f"blocks.{i}.attn.mask": torch.ones(K, K).tril().bool(), f"blocks.{i}.attn.IGNORE": torch.tensor(-math.inf)}
    return {name: w.detach().clone() for name, w in state.items()}


def hooked(model, **changes):
    cfg = {
        "n_layers": 2,
        "n_heads": 1,
        "attn_only": True,
        "normalization_type": None,
        "positional_embedding_type": "standard",
        "use_attn_scale": True,
        "attn_scale": math.sqrt(H),
        "attention_dir": "causal",
    }
    return SimpleNamespace(cfg=SimpleNamespace(**cfg | changes), state_dict=lambda: hooked_state(model))


@pytest.mark.parametrize("state", [lambda m: m.state_dict(), hooked_state], ids=["ours", "TransformerLens"])
def test_both_names_give_the_same_model(model, state):
    assert weights_sha256(attention_stack_from_state(state(model), "file")) == weights_sha256(model)


def test_a_file_finds_its_task(tmp_path, model):
    """Two layers are induction; one layer still is Max-of-K."""
    one = AttentionOnlyTransformer(AttentionOnlyConfig(V, K, D, H))
    np.savez(tmp_path / "two.npz", **{name: w.numpy() for name, w in hooked_state(model).items()})
    np.savez(tmp_path / "one.npz", **{name: w.detach().numpy() for name, w in one.named_parameters()})
    assert load_model(tmp_path / "two.npz").task.name == "induction"
    assert load_model(tmp_path / "one.npz").task.name == "max-of-k"
    save_model(model, tmp_path / "named.safetensors", {"task": "induction"})
    assert load_model(tmp_path / "named.safetensors").kit.name == "induction"


def test_live_model(model):
    copied = stack_from_hooked_transformer(hooked(model))
    tokens = torch.randint(0, V, (5, K), generator=torch.Generator().manual_seed(0))
    assert (copied(tokens) == model(tokens)).all()


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"attention_dir": "bidirectional"}, "cfg.attention_dir is 'bidirectional' and must be 'causal'"),
        ({"n_heads": 2}, "cfg.n_heads is 2"),
        ({"normalization_type": "LN"}, "cfg.normalization_type"),
        ({"attn_scale": 1.0}, "must be sqrt"),
    ],
)
def test_other_configurations(model, changes, match):
    with pytest.raises(BadInput, match=match):
        stack_from_hooked_transformer(hooked(model, **changes))
    with pytest.raises(BadInput, match="no HookedTransformer"):
        stack_from_hooked_transformer(3)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"blocks.0.ln1.w": torch.ones(D)}, "belongs to a LayerNorm"),
        ({"blocks.1.mlp.W_in": torch.ones(D, D)}, "belongs to an MLP"),
        ({"blocks.0.attn.rotary_sin": torch.ones(1)}, "belongs to rotary"),
        ({"blocks.1.attn.W_Q": torch.ones(2, D, H)}, "2 heads"),
        ({"blocks.1.attn.W_Q": None}, "missing blocks.1.W_Q"),
        ({"blocks.1.attn.W_Q": torch.ones(1, D, H + 1)}, "should have"),
        ({"blocks.1.attn.b_O": torch.ones(D)}, "b_O is not zero"),
        ({"unembed.W_U": torch.full((D, V), math.nan)}, "W_U.* is nan"),
        ({"unembed.W_U": torch.ones(D, V, dtype=torch.int64)}, "int64"),
        ({"W_E": torch.ones(V, D)}, "twice"),
        ({"extra": torch.ones(1)}, "unexpected extra"),
        ({"pos_embed.W_pos": torch.ones(K)}, "must be a matrix"),
    ],
)
def test_other_weights(model, change, match):
    state = {name: w for name, w in (hooked_state(model) | change).items() if w is not None}
    with pytest.raises(BadInput, match=match):
        attention_stack_from_state(state, "file")


def test_one_layer_is_refused(model):
    state = {name: w for name, w in model.state_dict().items() if not name.startswith("blocks.1")}
    with pytest.raises(BadInput, match="one layer"):
        attention_stack_from_state(state, "file")
    with pytest.raises(BadInput, match="no layers"):
        attention_stack_from_state({"W_E": model.W_E}, "file")
