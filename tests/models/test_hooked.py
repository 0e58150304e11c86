"""State dicts of TransformerLens with a configuration, and live models; the real ones are tried by tests/models/live."""

import math

import pytest
import torch
from small_networks import Live, attention_only, attention_stack, in_lens, one_layer_mlp
from torch import nn

from compact_proofs.errors import BadInput
from compact_proofs.models.files import weights_sha256
from compact_proofs.models.hooked import from_hooked_state, from_transformer_lens
from compact_proofs.models.hooked.fields import FOLLOWED, HARMLESS, MUST_BE, SIZES

D, H, V = 6, 4, 7
MODELS = [
    attention_only(),
    attention_stack(2),
    attention_stack(3),
    *(one_layer_mlp("learned", equals, heads) for equals in (False, True) for heads in (1, 2)),
]


@pytest.mark.parametrize("bridge", [False, True])
@pytest.mark.parametrize("model", MODELS)
def test_both_names_and_layouts(model, bridge):
    state, configuration = in_lens(model, bridge)
    assert weights_sha256(from_hooked_state(state, configuration, "file")) == weights_sha256(model)


@pytest.mark.parametrize("model", MODELS)
def test_live_models(model):
    assert weights_sha256(from_transformer_lens(Live(model))) == weights_sha256(model)


@pytest.mark.parametrize("name", ["W_Q", "W_K"])
def test_attention_without_scores_is_uniform(name):
    model = one_layer_mlp("learned")
    getattr(model, name).zero_()
    state, configuration = in_lens(model)
    loaded = from_hooked_state(state, configuration, "here")
    assert loaded.config.attention == "uniform"
    pairs = torch.cartesian_prod(torch.arange(5), torch.arange(5))
    torch.testing.assert_close(loaded(pairs), model(pairs))


def test_every_field_is_in_one_table():
    tables = (HARMLESS, MUST_BE, SIZES, FOLLOWED)
    assert len({name for table in tables for name in table}) == sum(map(len, tables))


OTHER = {
    "normalization_type": ("LN", "RMS", "layer", 1, False),
    "positional_embedding_type": ("rotary", "shortformer", "alibi"),
    "use_attn_scale": (False, None, 1),
    "attn_scores_soft_cap": (50.0, 0.0),
    "output_logits_soft_cap": (30.0,),
    "attn_scale": (1.0, 2.0001, math.nan, "2", True),
    "attention_dir": ("sideways",),
    "n_layers": (0, 2, 1.0, True, None),
    "n_heads": (2, 4),
    "d_head": (None, 3),
    "d_vocab": (8, "7"),
    "attn_only": (None, 1),
    "unheard_of": (None, False, 3),
}


@pytest.mark.parametrize("name", sorted({*MUST_BE, *OTHER}))
def test_other_functions_are_refused_by_name(name):
    state, configuration = in_lens(attention_only())
    for value in OTHER.get(name, (True, 1, "something")):
        if name in MUST_BE and any(value is accepted for accepted in MUST_BE[name]):
            continue
        with pytest.raises(BadInput, match=rf"^file: (cfg\.{name} |.*(W_|b_|ln_))"):
            from_hooked_state(state, configuration | {"eps": 1e-5, name: value}, "file")


@pytest.mark.parametrize("name", ["normalization_type", "d_model", "d_head", "n_layers", "n_ctx"])
def test_what_a_configuration_must_say(name):
    state, configuration = in_lens(attention_only())
    del configuration[name]
    with pytest.raises(BadInput, match=rf"cfg\.{name} is missing"):
        from_hooked_state(state, configuration, "file")


@pytest.mark.parametrize("activation", ["solu", "gelu_fast", "relu2", "ReLU", None, "missing"])
def test_what_is_no_known_activation(activation):
    state, configuration = in_lens(one_layer_mlp())
    configuration.pop("act_fn")
    given = {} if activation == "missing" else {"act_fn": activation}
    with pytest.raises(BadInput, match=rf"cfg\.act_fn is {activation!r}"):
        from_hooked_state(state, configuration | given, "file")


def test_other_activations_norms_and_biases_make_a_transformer():
    state, configuration = in_lens(one_layer_mlp("learned"))
    for change, config in (
        ({"act_fn": "gelu"}, {"act": "gelu"}),
        ({"act_fn": "gelu_new"}, {"act": "gelu_tanh"}),
        ({"act_fn": "silu"}, {"act": "silu"}),
        ({"normalization_type": "LNPre", "eps": 1e-3}, {"norm": "layer", "eps": 1e-3}),
        ({"normalization_type": "RMSPre", "eps": 1e-5}, {"norm": "rms"}),
    ):
        model = from_hooked_state(state, configuration | change, "file")
        assert model.architecture == "transformer"
        assert {name: getattr(model.config, name) for name in config} == config
    state["unembed.b_U"] = torch.ones_like(state["unembed.b_U"])
    biased = from_hooked_state(state, configuration, "file")
    assert biased.architecture == "transformer"
    assert biased.config.act == "relu"


@pytest.mark.parametrize("eps", [None, -1e-5, 1.0, "small", True])
def test_a_norm_needs_its_small_number(eps):
    state, configuration = in_lens(attention_only())
    with pytest.raises(BadInput, match=r"cfg\.eps is"):
        from_hooked_state(state, configuration | {"normalization_type": "LNPre", "eps": eps}, "file")


def test_what_has_no_effect_is_read_over():
    state, configuration = in_lens(attention_only())
    for name in HARMLESS:
        from_hooked_state(state, configuration | {name: "anything"}, "file")
    from_hooked_state(state, configuration | {"attention_dir": "bidirectional", "act_fn": "gelu", "d_mlp": 99}, "file")


def test_direction_counts_from_two_layers_on():
    state, configuration = in_lens(attention_stack())
    both = from_hooked_state(state, configuration | {"attention_dir": "bidirectional"}, "file")
    assert both.architecture == "transformer"
    assert not both.config.causal


@pytest.mark.parametrize("bridge", [False, True])
@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"blocks.0.ln1.w": torch.ones(D)}, "unexpected blocks.0.ln1_w"),
        ({"ln_final.b": torch.ones(D)}, "unexpected ln_final_b"),
        ({"blocks.0.mlp.W_in": torch.ones(D, 4 * D)}, "unexpected blocks.0.W_in"),
        ({"blocks.0.mlp.W_gate": torch.ones(D, 4 * D)}, "W_gate belongs to a gated MLP"),
        ({"blocks.1.attn.W_Q": torch.ones(1, D, H)}, "unexpected blocks.1.W_Q"),
        ({"blocks.0.attn.rotary_sin": torch.ones(3, H)}, "rotary_sin belongs to rotary position embeddings"),
        ({"blocks.0.attn.{Q}": None}, "missing blocks.0.W_Q"),
        ({"router.weight": torch.ones(1)}, "unexpected router.weight"),
        ({"W_E": torch.ones(V, D)}, "unexpected W_E"),
    ],
)
def test_other_weights_are_refused(change, match, bridge):
    state, configuration = in_lens(attention_only(), bridge)
    ours = {"{Q}": "W_Q"}
    theirs = {"{Q}": "q.weight"}
    for name, value in change.items():
        for key, real in (theirs if bridge else ours).items():
            name = name.replace(key, real)
        state[name] = value
    with pytest.raises(BadInput, match=match) as error:
        from_hooked_state({n: w for n, w in state.items() if w is not None}, configuration, "some/file.pt")
    assert str(error.value).startswith("some/file.pt: ")


@pytest.mark.parametrize(
    ("name", "tensor", "match"),
    [
        ("blocks.0.attn.W_Q", torch.ones(2, D, H), r"W_Q has shape \[2, 6, 4\] and should have \[1, 6, 4\]"),
        ("blocks.0.attn.W_Q", torch.ones(D, H), r"W_Q has shape \[6, 4\] and should have"),
        ("unembed.W_U", torch.full((D, V), math.nan), r"W_U\[0, 0\] is nan"),
        ("unembed.W_U", torch.ones(D, V, dtype=torch.int64), "int64"),
        ("unembed.W_U", torch.ones(D, V + 1), r"W_U has shape \[6, 8\] and should have \[6, 7\]"),
        ("pos_embed.W_pos", torch.ones(4, D), r"W_pos has shape \[4, 6\] and should have \[3, 6\]"),
        ("blocks.0.attn.q.weight", torch.ones(H, D), "is there twice"),
    ],
)
def test_other_shapes_are_refused(name, tensor, match):
    state, configuration = in_lens(attention_only())
    with pytest.raises(BadInput, match=match):
        from_hooked_state(state | {name: tensor}, configuration, "file")


@pytest.mark.parametrize(("part", "shape"), [("o.weight", (H,)), ("q.weight", (H + 1, D)), ("k.bias", (3,)), ("v.weight", (H,))])
def test_heads_of_a_bridge(part, shape):
    state, configuration = in_lens(attention_only(), bridge=True)
    with pytest.raises(BadInput, match=f"{part} has shape .* which does not fit 1 heads of width 4"):
        from_hooked_state(state | {f"blocks.0.attn.{part}": torch.ones(shape)}, configuration, "file")


def test_later_fields_must_have_their_defaults():
    model = attention_only()
    assert weights_sha256(from_transformer_lens(Live(model, later=3))) == weights_sha256(model)
    with pytest.raises(BadInput, match=r"cfg\.later is 4 and must be 3"):
        from_transformer_lens(Live(model, later=4))
    with pytest.raises(BadInput, match=r"cfg\.latest is not known"):
        from_transformer_lens(Live(model, latest=None))


@pytest.mark.parametrize("model", MODELS)
def test_what_a_live_model_does_is_compared(model):
    class Changed(Live):
        def forward(self, tokens):
            return super().forward(tokens) * 1.0001

    with pytest.raises(BadInput, match="the Changed: its logits differ by"):
        from_transformer_lens(Changed(model))

    class Broken(Live):
        def forward(self, tokens):
            raise KeyError("no")

    with pytest.raises(BadInput, match="could not be run in float64"):
        from_transformer_lens(Broken(model))


def test_what_is_no_live_model():
    for other in (nn.Linear(2, 2), 3, "model.pt"):
        with pytest.raises(BadInput, match="no HookedTransformer and no TransformerBridge"):
            from_transformer_lens(other)
    live = Live(attention_only())
    live.tokenizer = object()
    with pytest.raises(BadInput, match="it has a tokenizer"):
        from_transformer_lens(live)


def with_masks(mask, ignore, layers=2):
    state, configuration = in_lens(attention_stack(layers))
    n = configuration["n_ctx"]
    for i in range(layers):
        state |= {f"blocks.{i}.attn.mask": mask(n), f"blocks.{i}.attn.IGNORE": torch.tensor(ignore)}
    return state, configuration


def causal(n):
    return torch.ones(n, n, dtype=torch.bool).tril()


def test_stored_masks_are_those_of_the_function():
    assert from_hooked_state(*with_masks(causal, -math.inf), "file")
    for mask in (lambda n: torch.ones(n, n, dtype=torch.bool), lambda n: causal(n + 1), lambda n: causal(n).T):
        with pytest.raises(BadInput, match=r"attn\.mask is not the causal mask"):
            from_hooked_state(*with_masks(mask, -math.inf), "file")
    for ignore in (0.0, -1e5):
        with pytest.raises(BadInput, match=r"attn\.IGNORE is \["):
            from_hooked_state(*with_masks(causal, ignore), "file")
    state, configuration = in_lens(attention_only())
    state["blocks.0.attn.IGNORE"] = torch.tensor(-1e5)  # no score is masked at the last position
    assert from_hooked_state(state, configuration, "file")


def test_shapes_that_no_special_architecture_has_are_a_transformer():
    state, configuration = in_lens(attention_only())
    state |= {name: state[name][..., :-1].clone() for name in ("unembed.W_U", "unembed.b_U")}
    loaded = from_hooked_state(state, configuration | {"d_vocab_out": state["unembed.W_U"].shape[1]}, "file")
    assert loaded.architecture == "transformer"
    state, configuration = in_lens(one_layer_mlp("learned"))
    state["pos_embed.W_pos"] = torch.randn(4, state["pos_embed.W_pos"].shape[1])
    assert from_hooked_state(state, configuration | {"n_ctx": 4}, "file").architecture == "transformer"
