"""The network on pairs; files of its weights are tested with those of all architectures."""

import pytest
import torch
from small_networks import TABLE, pair_mlp

from compact_proofs.errors import BadInput
from compact_proofs.models.pair_mlp import PairMLP


@pytest.mark.parametrize("d", [None, 5])
def test_logits_are_what_the_docstring_says(d):
    model = pair_mlp(d)
    left = model.E_l if d is None else model.E_l @ model.W_l
    right = model.E_r if d is None else model.E_r @ model.W_r
    expected = torch.relu(left[1] + right[2]) @ model.U + model.bias
    assert torch.allclose(model(torch.tensor([1, 2])), expected)
    assert model(torch.zeros(2, 3, 2, dtype=torch.int64)).shape == (2, 3, 3)
    assert (model.order, model.width) == (3, 4)


def test_inputs_must_be_pairs():
    with pytest.raises(BadInput, match="pairs"):
        PairMLP(TABLE, 2)(torch.zeros(4, 3, dtype=torch.int64))
