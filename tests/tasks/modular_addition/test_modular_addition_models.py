"""Folding, training, projection, transplanting, and the theorem that a layer takes along."""

import copy
import json

import pytest
import torch

from compact_proofs import zoo
from compact_proofs.core.prove import prove, trial
from compact_proofs.errors import BadInput
from compact_proofs.tasks import load_model
from compact_proofs.tasks.modular_addition import KIT, Clusters, Kinks, ModularAddition
from compact_proofs.tasks.modular_addition.folding import fold, folded_logits
from compact_proofs.tasks.modular_addition.projection import Projection, is_projected, used_frequencies
from compact_proofs.tasks.modular_addition.specimens import specimen
from compact_proofs.tasks.modular_addition.theorem import apply_theorem, check_theorem, load_theorem, prove_theorem
from compact_proofs.tasks.modular_addition.training import TrainingConfig, train
from compact_proofs.tasks.modular_addition.transplanting import transplant
from compact_proofs.tasks.modular_addition.tuning import all_logits, config_for, distance, tune
from compact_proofs.tasks.modular_addition.zoo import RECIPES

TINY = TrainingConfig(p=7, d_model=16, d_mlp=24, n_heads=2, steps=30, evaluation_samples=100)


@pytest.fixture(scope="module")
def tuned():
    return zoo.load("mod-59-mlp-seed-0-tuned")


@pytest.mark.parametrize("seed", range(24))
def test_folding_changes_nothing(seed):
    model = specimen(seed).model
    if model.config.attention != "learned":
        task = ModularAddition.of(model)
        inputs = task.inputs(0, task.size)
        torch.testing.assert_close(
            folded_logits(fold(model), inputs), model(inputs), rtol=1e-9, atol=1e-9 * float(model(inputs).abs().max())
        )


@pytest.mark.parametrize("architecture", ["attn", "mlp", "learned"])
def test_training_is_reproducible_and_keeps_test_curves(architecture, tmp_path):
    config = TrainingConfig(**(vars(TINY) | {"architecture": architecture}))
    first, second = train(config), train(config)
    assert all(torch.equal(a, b) for a, b in zip(first.model.parameters(), second.model.parameters(), strict=True))
    first.save(tmp_path / "model.safetensors")
    curves = json.loads((tmp_path / "model.json").read_text())["curves"]
    assert len(curves["step"]) == len(curves["test_loss"]) == len(curves["test_accuracy"]) == 30
    assert load_model(tmp_path / "model.safetensors").task == ModularAddition(7)


def test_the_zoo_groks():
    """On the training pairs the accuracy is 1 long before it is on the others."""
    for name in RECIPES:
        curves = zoo.metadata(name)["curves"]
        trained = next(s for s, a in zip(curves["step"], curves["accuracy"], strict=True) if a > 0.99)
        tested = next(s for s, a in zip(curves["step"], curves["test_accuracy"], strict=True) if a > 0.99)
        assert trained <= tested < curves["step"][-1]
        assert zoo.metadata(name)["true_accuracy"]["numerator"] == zoo.metadata(name)["true_accuracy"]["denominator"]


def test_options_are_checked():
    with pytest.raises(BadInput, match="train_share = 1"):
        TrainingConfig(train_share=1.0)
    with pytest.raises(BadInput, match="no multiple"):
        TrainingConfig(n_heads=3)


@pytest.mark.parametrize("name", ["mod-59-attn-seed-2", "mod-59-mlp-seed-1"])
def test_projection_makes_another_network_with_exact_structure(name):
    raw = zoo.load(name)
    result = tune(raw, config_for(raw, train=False))
    assert not is_projected(raw)
    assert is_projected(result.model)
    assert 1 < distance(raw, result.model) < 20
    project = Projection(raw)
    once = copy.deepcopy(raw).double()
    project(once)
    twice = copy.deepcopy(once)
    project(twice)
    assert distance(once, twice) < 1e-9
    project.canonicalise(twice)
    assert distance(once, twice) < 1e-9
    for k in range(len(project.frequencies)):
        assert int(torch.linalg.matrix_rank(twice.W_in[:, project.cluster == k], rtol=1e-9)) == 2
    certificate = trial(result.model, ModularAddition(59), KIT.default(result.model))
    assert certificate.bound == 1
    assert certificate.length.total < 2.5e6


def test_tuning_keeps_the_projection():
    raw = zoo.load("mod-59-mlp-seed-1")
    result = tune(raw, config_for(raw, steps=2, frequencies=4))
    assert is_projected(result.model)
    assert len(used_frequencies(result.model)) == 4
    with pytest.raises(BadInput, match="only models that sum embeddings or attend uniformly"):
        Projection(specimen(18).model)


def test_strategies_say_what_they_need():
    learned = specimen(18).model
    for strategy in (Clusters(), Kinks()):
        with pytest.raises(BadInput, match="attention depends on its input"):
            prove(learned, ModularAddition.of(learned), strategy)
    assert KIT.default(learned).name in ("directions", "planes")
    with pytest.raises(BadInput, match="only projected models"):
        transplant(zoo.load("mod-59-mlp-seed-0"), 31)


def test_one_theorem_for_many_p(tuned, tmp_path):
    K = len(used_frequencies(tuned))
    theorem = prove_theorem(tuned, K)
    check_theorem(theorem, tuned)
    assert "For every p" in theorem.statement()
    proven, length = apply_theorem(theorem, tuned, used_frequencies(tuned))
    assert proven == 59**2
    assert length.total < theorem.length
    for p in (41, 97):
        moved = transplant(tuned, p)
        assert all(torch.equal(getattr(moved.model, name), getattr(tuned, name)) for name in ("W_in", "W_out"))
        frequencies = torch.tensor(moved.config.frequencies)
        proven, _ = apply_theorem(theorem, moved.model, frequencies)
        logits, labels = all_logits(copy.deepcopy(moved.model).double())
        assert 0.9 * p * p < proven <= int((logits.argmax(1) == labels).sum())
        with pytest.raises(BadInput, match="from the waves; the theorem allows"):
            apply_theorem(theorem, moved.model, frequencies.flip(0))

    loaded = load_theorem(theorem.save(tmp_path / "layer.theorem.safetensors"))
    assert loaded.u == theorem.u
    assert loaded.statement() == theorem.statement()
    check_theorem(loaded, tuned)


def test_false_theorems_are_rejected(tuned, tmp_path):
    theorem = prove_theorem(tuned, len(used_frequencies(tuned)))
    better = type(theorem)(**(vars(theorem) | {"u": tuple(x + 1e-6 for x in theorem.u)}))
    with pytest.raises(BadInput, match="claims more than its proof gives"):
        check_theorem(better, tuned)
    bent = type(theorem)(**(vars(theorem) | {"hints": dict(theorem.hints) | {"kink": theorem.hints["kink"].flip(0)}}))
    with pytest.raises(BadInput, match="claims more than its proof gives"):
        check_theorem(bent, tuned)
    other = copy.deepcopy(tuned)
    other.W_in.data[0, 0] += 1
    for use in (lambda: check_theorem(theorem, other), lambda: apply_theorem(theorem, other, used_frequencies(tuned))):
        with pytest.raises(BadInput, match="another layer"):
            use()
    (tmp_path / "nothing.safetensors").write_bytes(zoo.path("mod-59-mlp-seed-0").read_bytes())
    with pytest.raises(BadInput, match="no layer theorem"):
        load_theorem(tmp_path / "nothing.safetensors")
