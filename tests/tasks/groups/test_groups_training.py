"""Training on group composition: its recipe, its stop, its record."""

import dataclasses
import json

import pytest
import torch

import compact_proofs as cp
from compact_proofs import zoo
from compact_proofs.errors import BadInput
from compact_proofs.models.files import read_weights, weights_sha256
from compact_proofs.models.own_names import pair_mlp_from_state
from compact_proofs.tasks.groups import Groups, GSetsLinear
from compact_proofs.tasks.groups.training import TrainingConfig, initial_model, train
from compact_proofs.tasks.groups.zoo import RECIPES

TINY = TrainingConfig(group="S3", width=8, d_embed=5, steps=30, check_every=0, evaluation_samples=100)


def test_training_is_reproducible_and_goes_through_a_file(tmp_path):
    first, second = train(TINY), train(TINY)
    assert weights_sha256(first.model) == weights_sha256(second.model)
    assert weights_sha256(train(dataclasses.replace(TINY, seed=1)).model) != weights_sha256(first.model)
    first.save(tmp_path / "model.safetensors")
    weights, metadata = read_weights(tmp_path / "model.safetensors")
    assert weights_sha256(pair_mlp_from_state(weights, "file")) == weights_sha256(first.model)
    assert metadata["config"]["group"] == "S3"
    assert metadata["task"] == "groups"


def test_the_initialisation_is_the_published_one():
    model = initial_model(TrainingConfig(group="S5", d_embed=128, width=128))
    assert model.E_l.std().item() == pytest.approx(1, abs=0.02)
    assert model.W_l.abs().max().item() <= 128**-0.5
    assert model.W_l.std().item() == pytest.approx((3 * 128) ** -0.5, rel=0.02)


def test_training_stops_when_every_pair_is_proven():
    result = train(TrainingConfig(group="C2xC4", width=32, d_embed=32, steps=4000, evaluation_samples=100))
    assert result.curves.step[-1] < 4000
    assert result.curves.step[-1] % 500 == 0
    assert cp.prove(result.model, Groups.of(result.model), GSetsLinear()).bound == 1


def test_a_folded_model_is_the_same_function_up_to_float32():
    model = initial_model(TINY)
    pairs = torch.cartesian_prod(torch.arange(6), torch.arange(6))
    assert torch.allclose(model(pairs), model.folded()(pairs), atol=1e-4)
    assert model.folded().W_l is None


@pytest.mark.parametrize(
    ("wrong", "message"),
    [({"group": "S99"}, "S99"), ({"share": 0.0}, "share"), ({"width": 0}, "width"), ({"check_every": -1}, "check_every")],
)
def test_options_without_meaning_are_rejected(wrong, message):
    with pytest.raises(BadInput, match=message):
        TrainingConfig(**wrong)


def test_the_zoo_is_what_its_recipes_say():
    assert sorted(zoo.names("groups")) == sorted(RECIPES)
    for name, recipe in RECIPES.items():
        metadata = zoo.metadata(name)
        model = zoo.load(name)
        assert metadata["config"] == json.loads(json.dumps(dataclasses.asdict(recipe())))
        assert metadata["weights_sha256"] == weights_sha256(model)
        assert len(metadata["curves"]["step"]) <= 201
        assert metadata["true_accuracy"] == {"numerator": str(model.order**2), "denominator": str(model.order**2)}
