"""Tuning for provability, as its command does it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from compact_proofs.errors import BadInput
from compact_proofs.tasks import load_model
from compact_proofs.tasks.finite.files import task_of
from compact_proofs.tasks.finite.sparsity import active, hidden
from compact_proofs.tasks.finite.training import FiniteRecipe, train
from compact_proofs.tasks.finite.tuning import config_for, distance, tune

SMALL = {"batch_size": 64, "evaluation_samples": 256}


def test_a_tuned_network_is_saved_with_its_task(tmp_path: Path) -> None:
    trained = train(FiniteRecipe(n_ctx=3, d_vocab=6, d_model=8, n_heads=2, norm="layer", biases=True, steps=20, **SMALL))
    first = {name: t.clone() for name, t in trained.model.state_dict().items()}
    found = tune(trained.model, config_for(trained.model, steps=4, boxes=4, **SMALL))
    assert all(torch.equal(t, first[name]) for name, t in trained.model.state_dict().items())  # a copy is tuned
    assert distance(trained.model, found.model) > 0
    assert distance(found.model, found.model) == 0
    again = tune(trained.model, config_for(trained.model, steps=4, boxes=4, **SMALL))
    assert all(torch.equal(t, again.model.state_dict()[name]) for name, t in found.model.state_dict().items())
    found.save(tmp_path / "tuned.safetensors")
    loaded = load_model(tmp_path / "tuned.safetensors")
    assert loaded.task.labels(torch.tensor([[1, 5, 0]])).tolist() == [5]
    assert distance(loaded.model, found.model) == 0


def test_fewer_hidden_neurons_are_not_zero_after_training_for_it() -> None:
    recipe = FiniteRecipe(n_ctx=3, d_vocab=6, d_model=8, d_mlp=12, norm="layer", biases=True, steps=60, **SMALL)
    model = train(recipe).model
    inputs = task_of(model).inputs(0, 216)
    found = tune(model, config_for(model, strength=0.0, sparsity=0.3, steps=60, learning_rate=3e-3, **SMALL))
    assert active(found.model, inputs) < 0.7 * active(model, inputs)
    assert found.final.accuracy > 0.6


def test_hidden_neurons_are_those_of_the_network() -> None:
    recipe = FiniteRecipe(n_ctx=2, d_vocab=3, d_model=4, d_mlp=5, n_layers=2, steps=1, **SMALL)
    model, inputs = train(recipe).model, torch.tensor([[0, 2], [1, 1]])
    first, second = hidden(model, inputs)
    assert first.shape == second.shape == (2, 2, 5)
    block, embedded = model.blocks[0], model.W_E[inputs] + model.W_pos
    assert torch.equal(first, torch.relu((embedded + model._attention(block, embedded)) @ block.W_in))
    both = torch.cat([first, second])
    assert active(model, inputs) == pytest.approx(float((both > 0).double().mean()))


@pytest.mark.parametrize("options", [{}, {"d_mlp": 4, "act": "gelu"}, {"cell": "relu"}])
def test_sparsity_of_no_hidden_relus_is_refused(options: dict[str, object]) -> None:
    model = train(FiniteRecipe(n_ctx=2, d_vocab=3, d_model=4, steps=1, **SMALL, **options)).model
    with pytest.raises(BadInput, match="hidden ReLU"):
        tune(model, config_for(model, strength=0.0, sparsity=0.1, steps=1, **SMALL))
