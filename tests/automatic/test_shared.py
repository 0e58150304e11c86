"""Brute force with shared tables, as a strategy."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from compact_proofs.automatic.listing.choice import Choice
from compact_proofs.automatic.shared import Shared, inputs_of, listed
from compact_proofs.core.check import check
from compact_proofs.core.exhaustive import brute_force
from compact_proofs.core.prove import measure, prove, trial
from compact_proofs.core.soundness import Specimen, violations
from compact_proofs.errors import BadInput
from compact_proofs.models.networks import empty_network
from compact_proofs.models.recurrent import RecurrentConfig
from compact_proofs.models.transformer import TransformerConfig
from compact_proofs.program import program_of
from compact_proofs.sequences.boxes import Boxes
from compact_proofs.sequences.labels import FirstIsLast, Maximum
from compact_proofs.sequences.task import FiniteTask
from compact_proofs.tasks.max_of_k import MaxOfK
from compact_proofs.tasks.modular_addition.task import ModularAddition

TRANSFORMER = TransformerConfig(
    d_vocab=4, n_ctx=3, d_out=4, d_model=4, d_head=2, n_heads=2, d_mlp=5, norm="layer", biases=True, n_layers=2, causal=True
)
RECURRENT = RecurrentConfig(d_vocab=4, n_ctx=4, d_out=4, d_model=3, cell="tanh")


def randomised(config, seed):
    generator = torch.Generator().manual_seed(seed)
    model = empty_network(config)
    for parameter in model.parameters():
        parameter.data = torch.randn(parameter.shape, generator=generator)
    return model


@pytest.mark.parametrize("seed", [3, 5])
@pytest.mark.parametrize("config", [TRANSFORMER, RECURRENT], ids=["transformer", "recurrent"])
def test_it_is_sound_and_proves_what_brute_force_does(config, seed):
    model = randomised(config, seed)
    task = FiniteTask(config.n_ctx, 4, Maximum())
    assert violations(Shared(), Specimen(model), task) == []
    certificate, brute = prove(model, task, Shared()), brute_force(model, task)
    assert certificate.bound == brute.bound > 0
    assert set(certificate.length.by_stage) >= {"tables", "list"}
    few = FiniteTask(config.n_ctx, 4, Maximum(), valid=lambda x: x[:, 0] != x[:, 1])
    assert prove(model, few, Shared()).bound == brute_force(model, few).bound


def test_its_certificate_is_checked_and_names_the_label_function():
    model = randomised(RECURRENT, 0)
    task = FiniteTask(4, 4, Maximum())
    certificate = prove(model, task, Shared())
    assert check(certificate, model, task, {"shared": Shared}).bound == certificate.bound
    assert certificate.claim.parameters["label"] == "maximum"
    with pytest.raises(Exception, match="first-is-last"):
        check(certificate, model, FiniteTask(4, 4, FirstIsLast()), {"shared": Shared})


def test_it_is_for_any_task_on_tokens():
    class Largest(nn.Module):
        def forward(self, tokens):
            return -(tokens.amax(1)[:, None] - torch.arange(5)).abs().float()

    assert prove(Largest(), MaxOfK(d_vocab=5, n_ctx=3), Shared()).bound == 1
    with pytest.raises(BadInput, match="FiniteTask"):
        prove(Largest(), ModularAddition(5), Shared())


def test_inputs_of_boxes_are_listed_once_each():
    model = randomised(TRANSFORMER, 3)
    task = FiniteTask(3, 4, Maximum(), valid=lambda x: x[:, 0] != 2)
    boxes = Boxes(torch.rand(3, 3, 4, generator=torch.Generator().manual_seed(1)) < 0.9, torch.full((3,), -1))
    found = listed(Choice(program_of(model, task), 4), task, inputs_of(boxes, 1000))
    inputs = task.sequences(0, 64)
    with torch.no_grad():
        right = model(inputs).argmax(1) == task.labels(inputs)
    expected = right & task.valid(inputs) & boxes.member(inputs).any(1)
    assert found.size == int(expected.sum()) > 0
    assert (found.member(inputs) == expected).all()
    assert listed(Choice(program_of(model, task), 4), task, torch.zeros(0, 3, dtype=torch.int64)).size == 0


def test_no_more_inputs_of_boxes_are_made_than_asked_for():
    boxes = Boxes(torch.rand(5, 3, 4, generator=torch.Generator().manual_seed(1)) < 0.7, torch.full((5,), -1))
    whole = inputs_of(boxes, 1000)
    assert len(whole) == sum(boxes.sizes) < 1000
    for most in (0, 1, boxes.sizes[0], boxes.sizes[0] + 1, len(whole) - 1, len(whole)):
        assert torch.equal(inputs_of(boxes, most), whole[:most])
    everything = Boxes(torch.ones(1, 40, 1000, dtype=torch.bool), torch.tensor([-1]))
    assert inputs_of(everything, 3)[:, -1].tolist() == [0, 1, 2]


@pytest.mark.parametrize("config", [TRANSFORMER, RECURRENT], ids=["transformer", "recurrent"])
def test_its_length_is_known_from_shapes(config):
    model, task = randomised(config, 3), FiniteTask(config.n_ctx, 4, Maximum())
    certificate = prove(model, task, Shared())
    assert measure(model, task, Shared()) == certificate.length
    assert trial(model, task, Shared()).length == certificate.length


def test_without_zeros_it_proves_the_same_for_less_than_shapes_say():
    model, task = randomised(replace(TRANSFORMER, act="relu"), 3), FiniteTask(3, 4, Maximum())
    assert violations(Shared(zeros=True), Specimen(model), task) == []
    whole, less = prove(model, task, Shared()), prove(model, task, Shared(zeros=True))
    assert less.bound == whole.bound > 0
    assert less.length.by_category["matmul"] < whole.length.by_category["matmul"]
    assert measure(model, task, Shared(zeros=True)) == measure(model, task, Shared())
