"""Training, and tuning by the loss that the certificate itself gives."""

import pytest
import torch

from compact_proofs import prove, zoo
from compact_proofs.errors import BadInput
from compact_proofs.tasks import load_model
from compact_proofs.tasks.induction.circuit_tuning import bound_loss, composition, previous_token_loss
from compact_proofs.tasks.lagged_induction import DeepCircuit, LaggedInduction
from compact_proofs.tasks.lagged_induction.deep_circuit import deep_bounds
from compact_proofs.tasks.lagged_induction.finetuning import (
    FinetuningConfig,
    config_for,
    distance,
    finetune,
    project,
)
from compact_proofs.tasks.lagged_induction.specimens import constructed
from compact_proofs.tasks.lagged_induction.training import TrainingConfig, train, uniform_inputs

SIZES = {"n_ctx": 5, "d_vocab": 6, "d_model": 24, "d_head": 6, "evaluation_samples": 200}


def test_tuning_nears_a_proof():
    trained = train(TrainingConfig(**SIZES, steps=150))
    assert trained.final.samples == 200
    tuned = finetune(trained.model, config_for(trained.model, steps=250, hard_steps=150, evaluation_samples=200)).model
    slack = [deep_bounds(m).log_slack()[0].median() for m in (trained.model, tuned)]
    assert slack[1] > slack[0] + 10
    assert composition(tuned.double()) < 1e-9
    assert distance(trained.model, tuned) > 0.1


def test_the_loss_differentiates_the_verifier():
    model = constructed(5, 5, 3, 6.0, 8.0, 3.0, noise=1e-2).requires_grad_(True)
    config = FinetuningConfig(**SIZES)
    bound_loss(deep_bounds(model), config).backward()
    norm = torch.stack([p.grad.square().sum() for p in model.parameters()]).sum().sqrt()
    with torch.no_grad():
        before = bound_loss(deep_bounds(model), config)
        for p in model.parameters():
            p -= 1e-6 * p.grad / norm
        torch.testing.assert_close((before - bound_loss(deep_bounds(model), config)) / 1e-6, norm, rtol=1e-2, atol=0)


@pytest.mark.parametrize("layers", [3, 4])
def test_projection_leaves_the_explained_path(layers):
    """Noise that kills the bound by what it lets other paths read is gone; a chain without noise stays what it is."""
    noisy, clear = (constructed(5, 5, layers, noise=noise, seed=1) for noise in (0.003, 0.0))
    task = LaggedInduction.of(noisy)
    before = prove(noisy, task, DeepCircuit()).claim.bound
    project(noisy)
    assert composition(noisy) < 1e-20
    assert prove(noisy, task, DeepCircuit()).claim.bound > before
    weights = {name: w.clone() for name, w in clear.state_dict().items()}
    project(clear)
    assert all(torch.allclose(w, weights[name], atol=1e-12) for name, w in clear.state_dict().items())


def test_attention_to_the_place_before():
    inputs, labels = uniform_inputs(LaggedInduction(5, 5, 2))(torch.Generator().manual_seed(0), 50)
    assert torch.equal(LaggedInduction(5, 5, 2).labels(inputs), labels)
    sharp, flat = (constructed(5, 5, 3, copying=copying) for copying in (30.0, 0.0))
    assert previous_token_loss(sharp, inputs) < 1e-6 < 1 < previous_token_loss(flat, inputs)


@pytest.mark.parametrize("change", [{"n_layers": 1}, {"n_layers": 5}, {"d_vocab": 3}])
def test_wrong_sizes(change):
    with pytest.raises(BadInput):
        TrainingConfig(**SIZES | change)
    with pytest.raises(BadInput, match="hard_steps"):
        FinetuningConfig(steps=10, hard_steps=10)


def test_the_trained_network_is_proven_whole():
    loaded = load_model("lagged-induction-8-tuned")
    assert loaded.task == LaggedInduction(16, 8, 2)
    assert "lagged-induction-8-tuned" in zoo.names()
    certificate = prove(loaded.model, loaded.task, loaded.kit.default(loaded.model))
    assert certificate.claim.bound == 1
    assert certificate.length.total < 2.2e6
