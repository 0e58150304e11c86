"""Networks that were compiled from programs: their tasks, and how their files are made where tracr is installed."""

from __future__ import annotations

from itertools import product

import pytest
import torch

import compact_proofs as cp
from compact_proofs.errors import BadInput
from compact_proofs.models.transformer import Transformer, TransformerConfig
from compact_proofs.tasks import load_model
from compact_proofs.tasks.finite.files import answer, beginning_with, task_of
from compact_proofs.tasks.finite.zoo import COMPILED


def test_sequences_begin_with_the_token_that_a_file_names():
    every = torch.tensor(list(product(range(3), repeat=4)))
    held = beginning_with(1, 3)(every) != 0
    expected = (every[:, 0] == 1) & (every[:, 1:] != 1).all(1)
    assert torch.equal(held, expected)


@pytest.mark.parametrize("first", [-1, 3, "0", True])
def test_what_is_no_token_is_refused_by_name(first: object):
    network = Transformer(TransformerConfig(d_vocab=3, n_ctx=2, d_out=3, d_model=2, d_head=2))
    with pytest.raises(BadInput, match=f"begin with {first!r}, which is no token below 3"):
        answer(network, {"label": {"name": "count-of-last", "parameters": {}, "first": first}}, "file")


def test_a_compiled_histogram_is_proven_right_by_boxes():
    loaded = load_model("finite-histogram")
    assert task_of(loaded.model).size == 7**6
    certificate = cp.prove(loaded, strategy=cp.Automatic())
    assert certificate.claim.bound > 0.9999
    labels = sum(sum(work.values()) for name, work in certificate.length.by_stage.items() if name == "boxes")
    assert certificate.length.total - labels < 10 * 7**6  # what it takes beside labelling the sequences


@pytest.mark.parametrize("name", ["finite-sort", "finite-dyck"])
def test_deep_compiled_networks_are_proven_right_by_listing(name: str):
    loaded = load_model(name)
    certificate = cp.prove(loaded, strategy=cp.Shared())
    assert certificate.claim.bound == 1


@pytest.mark.parametrize("name", COMPILED)
def test_a_program_is_compiled_into_the_file(name: str):
    pytest.importorskip("tracr")
    from compact_proofs.tasks.finite.compiled import COMPILED as made

    network, _ = made[name]()
    shipped = load_model(name).model.state_dict()
    assert network.state_dict().keys() == shipped.keys()
    assert all(torch.equal(tensor, shipped[name]) for name, tensor in network.state_dict().items())
