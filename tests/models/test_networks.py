"""The general transformer and recurrent networks, against torch.nn's own layers; their files."""

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from compact_proofs.enclosure import enclose, sound
from compact_proofs.errors import BadInput
from compact_proofs.models.files import read_weights, save_model
from compact_proofs.models.networks import empty_network, network_from_state, read_configuration
from compact_proofs.models.recurrent import Recurrent, RecurrentConfig
from compact_proofs.models.transformer import Transformer, TransformerConfig


def randomised(model, seed=0):
    generator = torch.Generator().manual_seed(seed)
    for parameter in model.parameters():
        parameter.data = torch.randn(parameter.shape, generator=generator, dtype=torch.float64) * 0.5
    return model


configs = st.builds(
    TransformerConfig,
    d_vocab=st.integers(2, 5),
    n_ctx=st.integers(1, 4),
    d_out=st.integers(1, 4),
    d_model=st.sampled_from([4, 6]),
    d_head=st.integers(1, 3),
    n_heads=st.integers(1, 3),
    n_layers=st.integers(1, 2),
    d_mlp=st.sampled_from([0, 5]),
    act=st.sampled_from(["relu", "gelu", "gelu_tanh", "silu", "tanh"]),
    gated=st.booleans(),
    norm=st.sampled_from(["none", "layer", "rms"]),
    eps=st.sampled_from([1e-5, 1e-2]),
    biases=st.booleans(),
    causal=st.booleans(),
)


def reference(model: Transformer, tokens: torch.Tensor) -> torch.Tensor:
    """The same function for one sequence, position by position and head by head."""
    c = model.config
    act = {
        "relu": F.relu,
        "gelu": F.gelu,
        "gelu_tanh": lambda z: 0.5 * z * (1 + torch.tanh(math.sqrt(2 / math.pi) * (z + 0.044715 * z**3))),
        "silu": lambda z: z * torch.sigmoid(z),
        "tanh": torch.tanh,
    }[c.act]

    def norm(x, owner, name):
        if c.norm == "none":
            return x
        w = getattr(owner, f"{name}_w")
        if c.norm == "rms":
            return w * x / torch.sqrt((x**2).mean() + c.eps)
        return w * (x - x.mean()) / torch.sqrt(x.var(unbiased=False) + c.eps) + getattr(owner, f"{name}_b")

    def bias(owner, name):
        return getattr(owner, name) if c.biases else 0

    r = [model.W_E[t] + model.W_pos[i] for i, t in enumerate(tokens)]
    for b in model.blocks:
        x = [norm(a, b, "ln1") for a in r]
        written = [torch.zeros(c.d_model, dtype=torch.float64) for _ in r]
        for h in range(c.n_heads):
            q, k, v = ([a @ getattr(b, f"W_{s}")[h] + (getattr(b, f"b_{s}")[h] if c.biases else 0) for a in x] for s in "QKV")
            for j in range(len(r)):
                seen = range(j + 1) if c.causal else range(len(r))
                pattern = torch.softmax(torch.stack([q[j] @ k[i] / math.sqrt(c.d_head) for i in seen]), 0)
                written[j] = written[j] + sum(p * v[i] for p, i in zip(pattern, seen, strict=True)) @ b.W_O[h]
        r = [a + w + bias(b, "b_O") for a, w in zip(r, written, strict=True)]
        if c.d_mlp:
            for j, a in enumerate(r):
                x_j = norm(a, b, "ln2")
                hidden = x_j @ b.W_in + bias(b, "b_in")
                hidden = act(x_j @ b.W_gate) * hidden if c.gated else act(hidden)
                r[j] = a + hidden @ b.W_out + bias(b, "b_out")
    return norm(r[-1], model, "ln_final") @ model.W_U + bias(model, "b_U")


@given(configs, st.integers(0, 1000))
@settings(max_examples=60, deadline=None)
def test_the_transformer_is_the_function_that_it_says(config, seed):
    model = randomised(Transformer(config, torch.float64), seed)
    tokens = torch.randint(0, config.d_vocab, (3, config.n_ctx), generator=torch.Generator().manual_seed(seed))
    with torch.no_grad():
        logits = model(tokens)
        assert torch.allclose(logits, torch.stack([reference(model, t) for t in tokens]), rtol=1e-9, atol=1e-9)
        assert torch.allclose(model(tokens[0]), logits[0], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("act", ["relu", "gelu", "gelu_tanh", "silu", "tanh"])
@pytest.mark.parametrize("norm", ["none", "layer", "rms"])
def test_the_transformer_runs_in_the_sound_reading(act, norm):
    config = TransformerConfig(
        d_vocab=3, n_ctx=3, d_out=2, d_model=4, d_head=2, n_heads=2, d_mlp=5, act=act, norm=norm, biases=True, causal=True
    )
    model = randomised(Transformer(config, torch.float64))
    tokens = torch.tensor([[0, 1, 2], [2, 2, 1]])
    with torch.no_grad():
        plain = model(tokens)
    with sound():
        bounds = enclose(model(tokens))
    assert (bounds.lo <= plain + 1e-12).all()
    assert (bounds.hi >= plain - 1e-12).all()
    assert bounds.width.max() < 1e-8


@pytest.mark.parametrize("cell", ["relu", "tanh", "gru"])
def test_recurrent_networks_are_torchs(cell):
    config = RecurrentConfig(d_vocab=4, n_ctx=5, d_out=3, d_model=6, cell=cell)
    model = randomised(Recurrent(config, torch.float64))
    torch_cell = nn.GRUCell(6, 6) if cell == "gru" else nn.RNNCell(6, 6, nonlinearity=cell)
    torch_cell = torch_cell.double()
    state = {"weight_ih": model.W_x.T, "weight_hh": model.W_h.T, "bias_hh": model.b_h}
    state["bias_ih"] = model.b_x if cell == "gru" else torch.zeros(6)
    torch_cell.load_state_dict(state)
    tokens = torch.randint(0, 4, (7, 5), generator=torch.Generator().manual_seed(0))
    h = torch.zeros(7, 6, dtype=torch.float64)
    with torch.no_grad():
        for i in range(5):
            h = torch_cell(model.W_E[tokens[:, i]], h)
        assert torch.allclose(model(tokens), h @ model.W_U + model.b_U, rtol=1e-12, atol=1e-12)
        assert torch.allclose(model(tokens[2]), model(tokens)[2], rtol=1e-12, atol=1e-12)
    with sound():
        assert enclose(model(tokens)).width.max() < 1e-8


CONFIGS = (
    TransformerConfig(d_vocab=3, n_ctx=3, d_out=2, d_model=4, d_head=2, norm="layer", d_mlp=5, gated=True, biases=True),
    RecurrentConfig(d_vocab=4, n_ctx=5, d_out=3, d_model=6, cell="gru"),
)


@pytest.mark.parametrize("config", CONFIGS, ids=["transformer", "recurrent"])
def test_a_file_gives_the_network_back(config, tmp_path):
    model = randomised(empty_network(config)).float()
    path = tmp_path / "model.safetensors"
    save_model(model, path, {"architecture": model.architecture, "configuration": model.configuration()})
    state, metadata = read_weights(path)
    again = network_from_state(metadata["architecture"], metadata["configuration"], state, "file")
    assert again.config == config
    tokens = torch.randint(0, config.d_vocab, (5, config.n_ctx))
    assert (again(tokens) == model(tokens)).all()


def test_nothing_is_guessed():
    config = CONFIGS[0]
    model = randomised(empty_network(config)).float()
    good, state = model.configuration(), model.state_dict()
    for architecture, configuration, weights, message in [
        (None, good, state, "architecture None is unknown"),
        ("transformer", None, state, "missing act"),
        ("transformer", {k: v for k, v in good.items() if k != "causal"}, state, "missing causal"),
        ("transformer", good | {"window": 3}, state, "unknown window"),
        ("transformer", good | {"act": "swish"}, state, "act = 'swish'"),
        ("transformer", good | {"n_ctx": "3"}, state, "n_ctx"),
        ("transformer", good | {"n_heads": 0}, state, "at least 1"),
        ("transformer", good | {"biases": False}, state, "unexpected"),
        ("transformer", good | {"d_model": 5}, state, "has shape"),
        ("transformer", good, state | {"W_U": state["W_U"] * torch.inf}, "not finite"),
        ("transformer", good, state | {"W_U": state["W_U"].long()}, "dtype"),
    ]:
        with pytest.raises(BadInput, match=message):
            network_from_state(architecture, configuration, weights, "file")


def test_every_option_of_a_configuration_is_written_down():
    for config in CONFIGS:
        model = empty_network(config)
        assert read_configuration(model.architecture, model.configuration(), "file") == config
    with pytest.raises(BadInput, match="norm"):
        replace(CONFIGS[0], norm="batch")
    with pytest.raises(BadInput, match="cell"):
        replace(CONFIGS[1], cell="lstm")


def test_sequences_of_another_length_are_refused():
    for config in CONFIGS:
        with pytest.raises(BadInput, match=f"{config.n_ctx} tokens"):
            empty_network(config)(torch.zeros(2, config.n_ctx + 1, dtype=torch.int64))
