"""How the zoo's exact accuracies are counted."""

from __future__ import annotations

from fractions import Fraction
from types import SimpleNamespace

import pytest
import torch

from compact_proofs.errors import BadInput
from compact_proofs.tasks import build_zoo
from compact_proofs.tasks.build_zoo import true_accuracy
from compact_proofs.tasks.finite.files import task_of
from compact_proofs.tasks.finite.kit import KIT
from compact_proofs.tasks.finite.training import FiniteRecipe, train


@pytest.fixture(scope="module")
def network():
    recipe = FiniteRecipe(label="maximum", n_ctx=3, d_vocab=6, d_model=8, steps=60, batch_size=64, evaluation_samples=1)
    return train(recipe).model


def counted(network):
    task = task_of(network)
    inputs = task.inputs(0, task.size)
    logits = network.double()(inputs)
    own = torch.nn.functional.one_hot(task.labels(inputs), logits.shape[1]).bool()
    right = logits[own] > logits.masked_fill(own, -torch.inf).amax(1)
    return int(right.sum()), task.size


@pytest.mark.parametrize("few", [0, 10**6])
def test_the_accuracy_is_the_share_of_inputs_that_are_right(network, monkeypatch, few):
    monkeypatch.setattr(build_zoo, "FEW", few)
    found = true_accuracy(network, KIT)
    right, size = counted(network)
    assert 0 < right < size
    assert Fraction(int(found["numerator"]), int(found["denominator"])) == Fraction(right, size)


def test_where_the_automatic_proof_misses_inputs_all_are_proven_one_by_one(network, monkeypatch):
    monkeypatch.setattr(build_zoo, "FEW", 0)
    monkeypatch.setattr(build_zoo, "WORTH", 0)
    asked = []

    def prove(model, task, strategy):
        asked.append(strategy.name)
        return build_zoo.trial(model, task, strategy)

    monkeypatch.setattr(build_zoo, "prove", prove)
    assert true_accuracy(network, KIT)["numerator"] == str(counted(network)[0])
    assert asked == ["automatic", "shared"]


def test_a_count_that_no_proof_reaches_is_refused(network, monkeypatch):
    claim = SimpleNamespace(bound=Fraction(1), numerator=216)
    monkeypatch.setattr(build_zoo, "trial", lambda *given: SimpleNamespace(claim=claim))
    with pytest.raises(BadInput, match="216 are right in float64"):
        true_accuracy(network, KIT)


def test_more_inputs_than_can_be_tried_have_none(network, monkeypatch):
    monkeypatch.setattr(build_zoo, "AFFORDABLE", 215)
    assert true_accuracy(network, KIT) is None
