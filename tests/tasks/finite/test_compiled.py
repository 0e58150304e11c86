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


def test_a_program_is_compiled_into_the_file():
    pytest.importorskip("tracr")
    from compact_proofs.tasks.finite.compiled import histogram

    made, _ = histogram()
    shipped = load_model("finite-histogram").model.state_dict()
    assert made.state_dict().keys() == shipped.keys()
    assert all(torch.equal(tensor, shipped[name]) for name, tensor in made.state_dict().items())
