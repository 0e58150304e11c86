"""Our own names become the same bits again, and whatever else is there is refused by name."""

import math

import pytest
import torch
from small_networks import NETWORKS, TABLE, attention_only, attention_stack, one_layer_mlp, pair_mlp, state_of

from compact_proofs.errors import BadInput
from compact_proofs.models.files import weights_sha256
from compact_proofs.models.own_names import (
    NAMES,
    attention_only_from_state,
    closest,
    one_layer_mlp_from_state,
    pair_mlp_from_state,
)

V, K, D, H = 7, 3, 6, 4
PAIRS = torch.cartesian_prod(torch.arange(5), torch.arange(5))


@pytest.mark.parametrize(
    "model",
    [
        attention_only(),
        attention_stack(),
        attention_stack(1),
        attention_stack(3),
        *(one_layer_mlp(a, e, 2, b) for a in ("learned", "uniform") for e in (False, True) for b in (False, True)),
        one_layer_mlp("none"),
        pair_mlp(),
        pair_mlp(5),
    ],
)
def test_a_state_dict_is_that_of_its_model(model):
    state = state_of(model)
    assert closest(state) is NAMES[model.architecture]
    again = NAMES[model.architecture].build(state, "file")
    assert again.configuration() == model.configuration()
    assert weights_sha256(again) == weights_sha256(model)


@pytest.mark.parametrize("architecture", NETWORKS)
def test_precision_is_never_lost(architecture):
    state = state_of(NETWORKS[architecture]())
    build = NAMES[architecture].build
    real = [name for name, tensor in state.items() if tensor.is_floating_point()]
    for half in (torch.float16, torch.bfloat16):
        narrow = state | {name: state[name].to(half) for name in real}
        model = build(narrow, "x")
        assert all(torch.equal(model.state_dict()[name], narrow[name].float()) for name in real)
    fine = state | {name: state[name].double() / 3 for name in real}
    assert torch.equal(build(fine, "x").state_dict()[real[0]], fine[real[0]])
    mixed = build(state | {real[-1]: fine[real[-1]]}, "x").state_dict()
    assert torch.equal(mixed[real[-1]], fine[real[-1]])
    assert torch.equal(mixed[real[0]], state[real[0]].double())


@pytest.mark.parametrize("architecture", NETWORKS)
def test_the_model_owns_its_weights(architecture):
    state = state_of(NETWORKS[architecture]())
    model = NAMES[architecture].build(state, "x")
    before = weights_sha256(model)
    for tensor in state.values():
        tensor.zero_()
    assert weights_sha256(model) == before


def refuse(build, state, match):
    with pytest.raises(BadInput, match=match) as error:
        build({name: tensor for name, tensor in state.items() if tensor is not None}, "some/file.pt")
    assert str(error.value).startswith("some/file.pt: ")


@pytest.mark.parametrize("architecture", NETWORKS)
def test_what_no_architecture_takes(architecture):
    """The same checks for all of them: names, numbers, dtypes, dimensions, shapes."""
    build, state = NAMES[architecture].build, state_of(NETWORKS[architecture]())
    real = [name for name, tensor in state.items() if tensor.is_floating_point()]
    refuse(build, {}, "missing")
    refuse(build, state | {"surprise": torch.ones(1)}, "unexpected surprise")
    for name in state:
        refuse(build, state | {name: None}, f"missing .*{name.split('.')[-1][:2]}|{name}")
        refuse(build, state | {name: torch.ones(3, 0)}, name)
        refuse(build, state | {name: torch.ones(2, 3, 4, 5)}, name)
    for name in real:
        shape = tuple(state[name].shape)
        refuse(build, state | {name: torch.full(shape, math.nan)}, rf"{name}\[0.*\] is nan; weights must be finite")
        refuse(build, state | {name: torch.full(shape, math.inf)}, rf"{name}\[0.*\] is inf")
        refuse(build, state | {name: torch.ones(shape, dtype=torch.int64)}, f"{name} has dtype torch.int64; convert")
        refuse(build, state | {name: torch.ones(shape, dtype=torch.complex64)}, f"{name} has dtype torch.complex64; convert")
        refuse(build, state | {name: torch.ones(shape, device="meta")}, f"{name} is on the meta device")
        refuse(build, state | {name: [[1.0]]}, f"{name} is a list; it must be a torch.Tensor")


@pytest.mark.parametrize(
    ("name", "tensor", "match"),
    [
        ("W_U", torch.ones(D, V + 1), r"W_U has shape \[6, 8\] and should have \[6, 7\]"),
        ("W_O", torch.ones(D, H), r"W_O has shape \[6, 4\] and should have \[4, 6\]"),
        ("W_E", torch.ones(V), r"W_E has shape \[7\] and must be a matrix"),
        ("W_pos", torch.ones(0, D), r"W_pos has shape \[0, 6\] and must be a matrix that is not empty"),
        ("W_Q", torch.ones(1, D, H), r"W_Q has shape \[1, 6, 4\] and must be a matrix"),
        ("attn_scale", torch.tensor(2.00001), r"attn_scale is 2\.0000\d* and must be sqrt"),
        ("attn_scale", torch.ones(2), r"attn_scale has shape \[2\] and must be one number"),
        ("attn_scale", torch.tensor(math.nan), "attn_scale.* is nan"),
        ("b_Q", torch.zeros(H), "unexpected b_Q"),
    ],
)
def test_wrong_tensors_are_refused(name, tensor, match):
    refuse(attention_only_from_state, state_of(attention_only()) | {name: tensor}, match)


def test_scale_within_rounding_is_the_real_root():
    for scale in (torch.tensor(2.0000001), torch.tensor(2.0, dtype=torch.float64)):
        model = attention_only_from_state(state_of(attention_only()) | {"attn_scale": scale}, "x")
        assert model.attn_scale().item() == 2.0


def test_learned_attention_by_hand():
    model = one_layer_mlp("learned", heads=2).double()
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
        ({"W_out": None}, "missing W_out"),
        ({"W_O": None}, "missing W_O"),
        ({"b_out": None}, "missing b_out"),
        ({"W_pos": torch.zeros(3, 6)}, "3 positions, 5 tokens and 5 outputs do not fit"),
        ({"W_in": torch.zeros(5, 7)}, r"W_in has shape \[5, 7\] and should have \[6, 7\]"),
        ({"W_U": torch.zeros(6, 9)}, "5 tokens and 9 outputs"),
        ({"b_V": torch.ones(2, 3)}, "unexpected b_V"),
    ],
)
def test_sizes_of_an_mlp(change, message):
    refuse(one_layer_mlp_from_state, state_of(one_layer_mlp("uniform")) | change, message)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"E_l": torch.zeros(3)}, "E_l has shape .* must be a matrix"),
        ({"E_r": torch.zeros(3, 7)}, "E_r has shape"),
        ({"bias": torch.zeros(4)}, "bias has shape"),
        ({"table": torch.zeros(2, 2, dtype=torch.int64)}, "table must be a tensor of 3 x 3 integers: the Cayley table"),
        ({"table": TABLE.float()}, "table must be a tensor of 3 x 3 integers"),
        ({"W_l": torch.zeros(5, 4)}, "missing W_r"),
    ],
)
def test_sizes_of_a_network_on_pairs(change, message):
    refuse(pair_mlp_from_state, state_of(pair_mlp()) | change, message)


def test_names_of_layers_are_understood():
    weights = state_of(pair_mlp(5))
    layers = {
        "embedding_left.weight": weights["E_l"],
        "linear_left.weight": weights["W_l"].T,
        "embedding_right.weight": weights["E_r"],
        "linear_right.weight": weights["W_r"].T,
        "unembedding.weight": weights["U"].T,
        "unembedding.bias": weights["bias"],
        "table": TABLE,
    }
    assert weights_sha256(pair_mlp_from_state(layers, "file")) == weights_sha256(pair_mlp(5))
    refuse(pair_mlp_from_state, layers | {"E_l": weights["E_l"]}, "E_l is there twice")
