"""Training, tuning for provability, tables, and the command line from end to end."""

import json

import pytest
import torch
from typer.testing import CliRunner

from compact_proofs import prove
from compact_proofs.cli.app import app
from compact_proofs.errors import BadInput
from compact_proofs.tasks.induction import KIT, Circuit, Induction
from compact_proofs.tasks.induction.circuit import circuit_bounds
from compact_proofs.tasks.induction.circuit_tuning import bound_loss, composition
from compact_proofs.tasks.induction.finetuning import (
    FinetuningConfig,
    config_for,
    distance,
    finetune,
    project,
)
from compact_proofs.tasks.induction.specimens import specimen
from compact_proofs.tasks.induction.training import TrainingConfig, train

SIZES = {"n_ctx": 4, "d_vocab": 6, "d_model": 16, "d_head": 8, "evaluation_samples": 500}


@pytest.fixture(scope="module")
def trained():
    return train(TrainingConfig(**SIZES, steps=500)).model


def test_training_is_reproducible(trained):
    again = train(TrainingConfig(**SIZES, steps=500)).model
    assert all((a == b).all() for a, b in zip(trained.parameters(), again.parameters(), strict=True))


def test_tuning_makes_a_model_provable(trained):
    """The loss is the certificate's own slack, so the certificate must profit."""
    task = Induction.of(trained)
    result = finetune(trained, config_for(trained, steps=500, hard_steps=250, evaluation_samples=500))
    before, after = (prove(m, task, Circuit()).claim.bound for m in (trained, result.model))
    assert before == 0
    assert after > 0
    slack = [circuit_bounds(m).log_slack()[0].median() for m in (trained, result.model)]
    assert slack[1] > slack[0] + 10
    assert composition(result.model.double()) < 1e-9
    assert distance(trained, result.model) > 0.1
    assert distance(trained, trained) == 0


def test_the_loss_differentiates_the_verifier():
    model = specimen(1).model.requires_grad_(True)
    config = FinetuningConfig()
    bound_loss(circuit_bounds(model), config).backward()
    assert all(p.grad is not None and bool(p.grad.isfinite().all()) for p in model.parameters())
    norm = torch.stack([p.grad.square().sum() for p in model.parameters()]).sum().sqrt()
    with torch.no_grad():
        before = bound_loss(circuit_bounds(model), config)
        for p in model.parameters():
            p -= 1e-6 * p.grad / norm
        torch.testing.assert_close((before - bound_loss(circuit_bounds(model), config)) / 1e-6, norm, rtol=1e-2, atol=0)


def test_projection_removes_composition():
    model = specimen(2).model
    project(model)
    assert composition(model) < 1e-24
    assert circuit_bounds(model).composition < 1e-9


@pytest.mark.parametrize("change", [{"n_ctx": 2}, {"n_ctx": 9, "d_vocab": 6}, {"d_head": 0}])
def test_wrong_sizes(change):
    with pytest.raises(BadInput):
        TrainingConfig(**SIZES | change)
    with pytest.raises(BadInput, match="hard_steps"):
        FinetuningConfig(steps=10, hard_steps=10)


def test_tables_and_pictures(trained):
    leaks, circuit, gaps = KIT.tables(trained)
    for _, (mean, most, mean_bound, most_bound) in leaks.rows:
        assert 0 <= mean <= most <= most_bound <= 1
        assert mean_bound <= most_bound
    assert len(circuit.rows) == len(gaps.rows) == 2
    for picture in KIT.heatmaps(trained):
        assert picture.values.ndim == 2


def test_command_line(tmp_path, trained):
    def call(*arguments):
        result = CliRunner().invoke(app, [str(a) for a in arguments])
        assert result.exit_code == 0, result.output
        return result.stdout

    model, tuned = tmp_path / "m.safetensors", tmp_path / "t.safetensors"
    sizes = ["--n-ctx", 4, "--d-vocab", 6, "--d-model", 16, "--d-head", 8]
    call("train", "induction", "-o", model, *sizes, "--steps", 300, "--evaluation-samples", 100)
    call("finetune", "induction", model, "-o", tuned, "--steps", 60, "--hard-steps", 30, "--evaluation-samples", 100)
    for strategy in ("brute-force", "circuit", "pairs", "listed"):
        proof = tmp_path / f"{strategy}.cert"
        shown = json.loads(call("prove", model, "-s", strategy, "--json", "-o", proof))
        assert shown["strategy"] == strategy
        call("check", proof, model)
    call("frontier", model, "-o", tmp_path / "report")
    assert "mean attention of layer 1" in (tmp_path / "report" / "index.html").read_text()
    assert "Previous-token leak" in call("explain", model)
