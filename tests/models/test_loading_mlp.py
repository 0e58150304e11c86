"""Loading one-layer networks with an MLP: names, heads, biases, and errors that say what is wrong."""

from types import SimpleNamespace

import pytest
import torch

from compact_proofs.errors import BadInput
from compact_proofs.models.loading_mlp import one_layer_mlp_from_hooked_transformer, one_layer_mlp_from_state
from compact_proofs.models.one_layer_mlp import OneLayerMLP, OneLayerMLPConfig

PAIRS = torch.cartesian_prod(torch.arange(5), torch.arange(5))


def random_model(attention="learned", equals=False, heads=2, biases=True):
    model = OneLayerMLP(OneLayerMLPConfig(5 + equals, 5, 6, 7, attention, heads, 3, biases))
    generator = torch.Generator().manual_seed(0)
    for w in model.parameters():
        w.data.normal_(generator=generator)
    return model.requires_grad_(False)


def transformer_lens_names(state):
    prefix = {"W_E": "embed.", "W_pos": "pos_embed.", "W_U": "unembed."}
    part = {"W_in": "mlp.", "b_in": "mlp.", "W_out": "mlp.", "b_out": "mlp."}
    named = {prefix.get(k, "blocks.0." + part.get(k, "attn.")) + k: w for k, w in state.items()}
    heads, _, d_head = state["W_V"].shape
    zeros = {f"blocks.0.attn.b_{x}": torch.zeros(heads, d_head) for x in "QKV"}
    return (
        named | zeros | {"blocks.0.attn.b_O": torch.zeros(6), "unembed.b_U": torch.zeros(5), "blocks.0.attn.mask": torch.ones(3, 3)}
    )


@pytest.mark.parametrize("attention", ["learned", "uniform", "none"])
@pytest.mark.parametrize("equals", [False, True])
def test_own_names_come_back(attention, equals):
    if attention == "none" and equals:
        pytest.skip("summed embeddings have no '=' sign")
    model = random_model(attention, equals)
    loaded = one_layer_mlp_from_state(model.state_dict(), "here")
    assert loaded.config.attention == attention
    assert loaded.config.n_ctx == 2 + equals
    torch.testing.assert_close(loaded(PAIRS), model(PAIRS))


@pytest.mark.parametrize("equals", [False, True])
def test_transformer_lens_names_with_several_heads(equals):
    model = random_model("learned", equals)
    state = transformer_lens_names(model.state_dict())
    torch.testing.assert_close(one_layer_mlp_from_state(state, "here")(PAIRS), model(PAIRS))
    cfg = {"n_layers": 1, "attn_only": False, "act_fn": "relu", "normalization_type": None}
    cfg |= {"positional_embedding_type": "standard", "use_attn_scale": True}
    live = SimpleNamespace(cfg=SimpleNamespace(**cfg), state_dict=lambda: state)
    torch.testing.assert_close(one_layer_mlp_from_hooked_transformer(live)(PAIRS), model(PAIRS))
    live.cfg.act_fn = "gelu"
    with pytest.raises(BadInput, match="act_fn is 'gelu' and must be 'relu'"):
        one_layer_mlp_from_hooked_transformer(live)


def test_attention_without_scores_is_uniform():
    model = random_model("learned")
    state = model.state_dict() | {"W_K": torch.zeros_like(model.W_K)}
    loaded = one_layer_mlp_from_state(state, "here")
    assert loaded.config.attention == "uniform"
    model.load_state_dict(state)
    torch.testing.assert_close(loaded(PAIRS), model(PAIRS))


def test_learned_attention_by_hand():
    model = random_model("learned", heads=2).double()
    a, b = 1, 3
    x = model.W_E[[a, b]] + model.W_pos
    z = x[1]
    for h in range(2):
        score = torch.stack([(x[1] @ model.W_Q[h]) @ (x[i] @ model.W_K[h]) / 3**0.5 for i in range(2)])
        z = z + sum(torch.softmax(score, 0)[i] * x[i] @ model.W_V[h] @ model.W_O[h] for i in range(2))
    logits = (z + torch.relu(z @ model.W_in + model.b_in) @ model.W_out + model.b_out) @ model.W_U
    torch.testing.assert_close(model(torch.tensor([[a, b]]))[0], logits)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"blocks.1.mlp.W_in": torch.zeros(2, 2)}, "several layers"),
        ({"ln1.w": torch.zeros(2)}, "a LayerNorm"),
        ({"b_V": torch.ones(2, 3)}, "bias b_V is not zero"),
        ({"W_out": None}, "missing W_out"),
        ({"W_O": None}, "missing W_O"),
        ({"b_out": None}, "missing b_out"),
        ({"W_pos": torch.zeros(3, 6)}, "3 positions, 5 tokens and 5 outputs do not fit"),
        ({"W_in": torch.zeros(5, 7)}, r"W_in has shape \[5, 7\] and should have \[6, 7\]"),
        ({"W_U": torch.zeros(6, 9)}, "5 tokens and 9 outputs"),
        ({"W_E": torch.full((5, 6), torch.nan)}, "weights must be finite"),
        ({"surprise": torch.zeros(1)}, "unexpected surprise"),
    ],
)
def test_errors_name_the_field(change, message):
    state = random_model("uniform").state_dict() | change
    with pytest.raises(BadInput, match=message):
        one_layer_mlp_from_state({k: w for k, w in state.items() if w is not None}, "here")
