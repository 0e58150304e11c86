"""Tuning for provability, as its command does it."""

from __future__ import annotations

from pathlib import Path

import torch

from compact_proofs.tasks import load_model
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
