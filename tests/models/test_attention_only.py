"""The model against an independent evaluation by numpy loops, and its face."""

import math

import numpy as np
import pytest
import torch

from compact_proofs.errors import BadInput
from compact_proofs.models.attention_only import AttentionOnlyConfig, AttentionOnlyTransformer

CONFIG = AttentionOnlyConfig(d_vocab=11, n_ctx=3, d_model=5, d_head=2)


def random_model(config: AttentionOnlyConfig = CONFIG, dtype: torch.dtype = torch.float64) -> AttentionOnlyTransformer:
    model = AttentionOnlyTransformer(config, dtype=dtype)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(generator=generator)
    return model


def evaluate_by_loops(model: AttentionOnlyTransformer, tokens: list[int]) -> np.ndarray:
    """Formulas of the theory, one number at a time, float64."""
    W = {name: weight.detach().double().numpy() for name, weight in model.named_parameters()}
    x = [W["W_E"][t] + W["W_pos"][i] for i, t in enumerate(tokens)]
    query = x[-1] @ W["W_Q"]
    scores = [float(np.dot(query, x_i @ W["W_K"])) / math.sqrt(W["W_Q"].shape[1]) for x_i in x]
    weights = [math.exp(score - max(scores)) for score in scores]
    head = sum(w * (x_i @ W["W_V"] @ W["W_O"]) for w, x_i in zip(weights, x, strict=True)) / sum(weights)
    return (x[-1] + head) @ W["W_U"]


def test_forward_equals_numpy():
    model = random_model()
    tokens = torch.randint(0, 11, (50, 3), generator=torch.Generator().manual_seed(1))
    expected = np.stack([evaluate_by_loops(model, row) for row in tokens.tolist()])
    np.testing.assert_allclose(model(tokens).detach().numpy(), expected, rtol=1e-12, atol=1e-12)


def test_order_of_positions_matters_and_only_the_last_token_asks():
    model = random_model()
    a, b = model(torch.tensor([1, 2, 3])), model(torch.tensor([2, 1, 3]))
    assert not torch.allclose(a, b)
    with torch.no_grad():
        model.W_pos.zero_()
    torch.testing.assert_close(model(torch.tensor([1, 2, 3])), model(torch.tensor([2, 1, 3])))


@pytest.mark.parametrize("leading", [(), (4,), (2, 3)])
def test_any_leading_shape(leading):
    model = random_model()
    tokens = torch.randint(0, 11, (*leading, 3), generator=torch.Generator().manual_seed(2))
    logits = model(tokens)
    assert logits.shape == (*leading, 11)
    torch.testing.assert_close(logits.reshape(-1, 11), model(tokens.reshape(-1, 3)))


def test_float32_stays_float32():
    model = random_model(dtype=torch.float32)
    assert model(torch.tensor([[0, 1, 2]])).dtype == torch.float32


def test_runs_on_meta():
    model = AttentionOnlyTransformer(AttentionOnlyConfig(10**6, 4, 32, 32), device="meta")
    assert model(torch.zeros(8, 4, dtype=torch.int64, device="meta")).shape == (8, 10**6)


def test_sizes_and_scale():
    model = random_model()
    assert (model.d_vocab, model.n_ctx, model.d_model, model.d_head) == (11, 3, 5, 2)
    assert model.config == CONFIG
    assert model.attn_scale().dtype == torch.float64
    assert model.attn_scale().item() == pytest.approx(math.sqrt(2), rel=2**-52)


@pytest.mark.parametrize("shape", [(), (2,), (5, 4)])
def test_wrong_length_is_refused(shape):
    with pytest.raises(BadInput, match="reads sequences of 3 tokens"):
        random_model()(torch.zeros(shape, dtype=torch.int64))


def test_sizes_are_positive():
    with pytest.raises(BadInput, match="d_head must be at least 1"):
        AttentionOnlyConfig(4, 4, 4, 0)
