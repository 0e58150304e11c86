"""`sound()` on ordinary modules, against Arb."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from exact_functions import attention, gelu, layer_norm, silu, softmax, tanh_gelu
from flint import arb
from oracle import arbs, check_arb
from torch import Tensor, nn

from compact_proofs.enclosure import Enclosure, enclose, sound
from compact_proofs.errors import NoSoundRule

tanh = np.vectorize(lambda x: x.tanh(), otypes=[object])
relu = np.vectorize(lambda x: x if x > 0 else arb(0), otypes=[object])
sigmoid = np.vectorize(lambda x: 1 / (1 + (-x).exp()), otypes=[object])
ACTIVATIONS: list[tuple[nn.Module, Callable[[np.ndarray], np.ndarray]]] = [
    (nn.ReLU(), relu),
    (nn.ReLU(inplace=True), relu),
    (nn.Tanh(), tanh),
    (nn.Sigmoid(), sigmoid),
    (nn.GELU(), np.vectorize(gelu, otypes=[object])),
    (nn.GELU(approximate="tanh"), np.vectorize(tanh_gelu, otypes=[object])),
    (nn.SiLU(), np.vectorize(silu, otypes=[object])),
    (nn.Softmax(-1), lambda x: np.array([softmax(list(r)) for r in x], dtype=object)),
    (nn.ReLU6(), np.vectorize(lambda x: arb(0) if x < 0 else arb(6) if x > 6 else x, otypes=[object])),
    (nn.Dropout(0.5).eval(), lambda x: x),
]


def exact(t: Tensor) -> np.ndarray:
    return arbs(t.detach().double().numpy())


def dense(layer: nn.Linear, x: np.ndarray) -> np.ndarray:
    return x @ exact(layer.weight).T + (exact(layer.bias) if layer.bias is not None else 0)


def normalized(layer: nn.LayerNorm, x: np.ndarray) -> np.ndarray:
    rows = np.array([layer_norm(list(r)) for r in x], dtype=object)
    return rows * exact(layer.weight) + exact(layer.bias)


def heads(module: nn.MultiheadAttention, x: np.ndarray, allowed: np.ndarray) -> np.ndarray:
    d, n = module.embed_dim, module.num_heads
    qkv = x @ exact(module.in_proj_weight).T + exact(module.in_proj_bias)
    q, k, v = (qkv[:, i * d : (i + 1) * d] for i in range(3))
    cuts = [slice(i * d // n, (i + 1) * d // n) for i in range(n)]
    mixed = np.concatenate([attention(q[:, c], k[:, c], v[:, c], allowed) for c in cuts], 1)
    return dense(module.out_proj, mixed)


def encoder_layer(layer: nn.TransformerEncoderLayer, x: np.ndarray, allowed: np.ndarray) -> np.ndarray:
    def feed_forward(y: np.ndarray) -> np.ndarray:
        return dense(layer.linear2, relu(dense(layer.linear1, y)))

    if layer.norm_first:
        x = x + heads(layer.self_attn, normalized(layer.norm1, x), allowed)
        return x + feed_forward(normalized(layer.norm2, x))
    x = normalized(layer.norm1, x + heads(layer.self_attn, x, allowed))
    return normalized(layer.norm2, x + feed_forward(x))


def recurrent(module: nn.RNNBase, x: np.ndarray) -> np.ndarray:
    """All hidden states of an RNN, GRU or LSTM with one layer."""
    W, U, b, c = (exact(p) for p in (module.weight_ih_l0, module.weight_hh_l0, module.bias_ih_l0, module.bias_hh_l0))
    h = cell = arbs(np.zeros(module.hidden_size))
    out = []
    for row in x:
        given, kept = W @ row + b, U @ h + c
        if isinstance(module, nn.GRU):
            (r1, z1, n1), (r2, z2, n2) = np.split(given, 3), np.split(kept, 3)
            r, z = sigmoid(r1 + r2), sigmoid(z1 + z2)
            h = (1 - z) * tanh(n1 + r * n2) + z * h
        elif isinstance(module, nn.LSTM):
            i, f, g, o = np.split(given + kept, 4)
            cell = sigmoid(f) * cell + sigmoid(i) * tanh(g)
            h = sigmoid(o) * tanh(cell)
        else:
            h = tanh(given + kept)
        out.append(h)
    return np.stack(out)


def run(module: Callable[..., Any], *inputs: Tensor, **options: Any) -> Enclosure:
    with sound():
        result = module(*inputs, **options)
    result = result[0] if isinstance(result, tuple) else result
    assert isinstance(result, Enclosure)
    assert float((result.width / (result.mid.abs() + 1e-3)).max()) < 1e-9
    return result


def check_module(result: Enclosure, expected: np.ndarray) -> None:
    check_arb("module", result, expected)


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_linear_of_every_width(dtype: torch.dtype) -> None:
    layer, x = nn.Linear(6, 4).to(dtype), torch.randn(3, 6).to(dtype)
    check_module(run(layer, x), dense(layer, exact(x)))
    check_module(run(layer, x[0]), dense(layer, exact(x[:1]))[0])
    check_module(run(layer, x[None])[0], dense(layer, exact(x)))
    check_module(run(nn.Linear(6, 4, bias=False).to(dtype), x * 0), arbs(np.zeros((3, 4))))


@pytest.mark.parametrize("activation", ACTIVATIONS, ids=lambda pair: str(pair[0]))
def test_perceptrons(activation: tuple[nn.Module, Callable[[np.ndarray], np.ndarray]]) -> None:
    module, f = activation
    first, second, x = nn.Linear(5, 8), nn.Linear(8, 3), torch.randn(4, 5) * 3
    result = run(nn.Sequential(first, module, second), x)
    check_module(result, dense(second, f(dense(first, exact(x)))))


def test_embedding_and_layer_norm() -> None:
    embedding, norm = nn.Embedding(5, 6, padding_idx=0), nn.LayerNorm(6)
    nn.init.normal_(norm.weight)
    nn.init.normal_(norm.bias)
    tokens = torch.tensor([1, 4, 0, 1])
    check_module(run(nn.Sequential(embedding, norm), tokens), normalized(norm, exact(embedding.weight)[tokens.numpy()]))
    with sound(), pytest.raises(NoSoundRule, match="embedding_renorm_"):
        F.embedding(tokens, embedding.weight, max_norm=1.0)


@pytest.mark.parametrize("need_weights", [True, False])
@pytest.mark.parametrize("mask", ["none", "float", "bool", "padding"])
def test_multihead_attention(need_weights: bool, mask: str) -> None:
    module, x = nn.MultiheadAttention(6, 2, batch_first=True).eval(), torch.randn(2, 4, 6)
    nn.init.normal_(module.in_proj_bias)
    allowed = np.tril(np.ones((4, 4), dtype=bool))
    options: dict[str, Any] = {"need_weights": need_weights}
    if mask == "float":
        options["attn_mask"] = nn.Transformer.generate_square_subsequent_mask(4)
    elif mask == "bool":
        options["attn_mask"] = torch.from_numpy(~allowed)
    else:
        allowed = np.ones((4, 4), dtype=bool)
    if mask == "padding":
        options["key_padding_mask"] = torch.tensor([[False, False, False, True]] * 2)
        allowed[:, 3] = False
    result = run(module, x, x, x, **options)
    for i in range(2):
        check_module(result[i], heads(module, exact(x[i]), allowed))


@pytest.mark.parametrize("norm_first", [True, False])
def test_transformer_encoder_layer(norm_first: bool) -> None:
    layer = nn.TransformerEncoderLayer(6, 2, 8, batch_first=True, norm_first=norm_first).eval()
    x = torch.randn(1, 4, 6)
    check_module(run(layer, x)[0], encoder_layer(layer, exact(x[0]), np.ones((4, 4), dtype=bool)))
    causal = run(layer, x, src_mask=nn.Transformer.generate_square_subsequent_mask(4), is_causal=True)
    check_module(causal[0], encoder_layer(layer, exact(x[0]), np.tril(np.ones((4, 4), dtype=bool))))


@pytest.mark.parametrize("kind", [nn.RNN, nn.GRU, nn.LSTM])
@pytest.mark.parametrize("batch_first", [True, False])
def test_recurrent_networks(kind: type[nn.RNNBase], batch_first: bool) -> None:
    module, x = kind(3, 4, batch_first=batch_first), torch.randn(5, 3)
    result = run(module, x[None] if batch_first else x[:, None])
    check_module(result[0] if batch_first else result[:, 0], recurrent(module, exact(x)))


def test_attention_kernels() -> None:
    q = torch.randn(1, 2, 5, 4)
    for options in ({}, {"is_causal": True}, {"attn_mask": torch.ones(5, 5).tril().bool()}):
        result = run(F.scaled_dot_product_attention, q, q, q, **options)
        allowed = np.tril(np.ones((5, 5), dtype=bool)) if options else np.ones((5, 5), dtype=bool)
        check_module(result[0, 1], attention(*[exact(q[0, 1])] * 3, allowed))


def test_einsum_and_functional_call() -> None:
    a, b = torch.randn(3, 4), torch.randn(3, 4, 5)
    check_module(run(torch.einsum, "ij,ijk->ik", a, b), np.einsum("ij,ijk->ik", exact(a), exact(b)))
    layer, x = nn.Linear(4, 2), torch.randn(3, 4)
    weights = {name: enclose(p) for name, p in layer.named_parameters()}
    outside = torch.func.functional_call(layer, weights, (x,))
    check_module(outside, dense(layer, exact(x)))


@pytest.mark.parametrize(
    ("name", "module"),
    [
        ("native_batch_norm", nn.BatchNorm1d(4)),
        ("rrelu", nn.RReLU()),
        ("bernoulli|dropout|empty", nn.Dropout(0.5)),
        ("fractional_max_pool2d", nn.FractionalMaxPool2d(2, output_size=2)),
    ],
    ids=str,
)
def test_modules_without_rules_name_the_operation(name: str, module: nn.Module) -> None:
    with sound(), pytest.raises(NoSoundRule, match=name):
        module(torch.randn(2, 4, 4, 4) if name.startswith("fractional") else torch.randn(2, 4))
