"""The network on pairs, and files of its weights."""

import pytest
import torch

from compact_proofs.errors import BadInput
from compact_proofs.models.pair_mlp import PairMLP, pair_mlp_from_state

TABLE = torch.tensor([[0, 1, 2], [1, 2, 0], [2, 0, 1]])


def state(d=None, m=4):
    generator = torch.Generator().manual_seed(0)
    model = PairMLP(TABLE, m, d)
    return {name: t if name == "table" else torch.randn(t.shape, generator=generator) for name, t in model.state_dict().items()}


@pytest.mark.parametrize("d", [None, 5])
def test_logits_are_what_the_docstring_says(d):
    weights = state(d)
    model = pair_mlp_from_state(weights, "file")
    left = weights["E_l"] if d is None else weights["E_l"] @ weights["W_l"]
    right = weights["E_r"] if d is None else weights["E_r"] @ weights["W_r"]
    expected = torch.relu(left[1] + right[2]) @ weights["U"] + weights["bias"]
    assert torch.allclose(model(torch.tensor([1, 2])), expected)
    assert model(torch.zeros(2, 3, 2, dtype=torch.int64)).shape == (2, 3, 3)
    assert (model.order, model.width) == (3, 4)


def test_names_of_layers_are_understood():
    weights = state(5)
    layers = {
        "embedding_left.weight": weights["E_l"],
        "linear_left.weight": weights["W_l"].T,
        "embedding_right.weight": weights["E_r"],
        "linear_right.weight": weights["W_r"].T,
        "unembedding.weight": weights["U"].T,
        "unembedding.bias": weights["bias"],
        "table": TABLE,
    }
    model, same = pair_mlp_from_state(layers, "file"), pair_mlp_from_state(weights, "file")
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, same.state_dict()[name])


def test_float64_weights_stay_float64():
    weights = {name: t if name == "table" else t.double() for name, t in state().items()}
    assert pair_mlp_from_state(weights, "file").U.dtype == torch.float64


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.pop("U"), "missing U"),
        (lambda s: s.pop("table"), "missing table"),
        (lambda s: s.update(W_Q=torch.zeros(2, 2)), "unexpected W_Q"),
        (lambda s: s.update(E_l=torch.zeros(3)), "E_l has shape .* must be a matrix"),
        (lambda s: s.update(E_r=torch.zeros(3, 7)), "E_r has shape"),
        (lambda s: s.update(bias=torch.zeros(4)), "bias has shape"),
        (lambda s: s.update(table=torch.zeros(2, 2, dtype=torch.int64)), "table has shape .* Cayley table"),
        (lambda s: s.update(table=TABLE.float()), "table has shape .* integers"),
        (lambda s: s.update(W_l=torch.zeros(5, 4)), "come together"),
        (lambda s: s.update(U=s["U"] / 0), "not finite"),
        (lambda s: s.update(U=s["U"].to(torch.int64)), "dtype"),
    ],
)
def test_other_weights_are_rejected_by_name(change, message):
    weights = state()
    change(weights)
    with pytest.raises(BadInput, match=message):
        pair_mlp_from_state(weights, "file")


def test_inputs_must_be_pairs():
    with pytest.raises(BadInput, match="pairs"):
        PairMLP(TABLE, 2)(torch.zeros(4, 3, dtype=torch.int64))
