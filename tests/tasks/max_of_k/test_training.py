"""Training by the published recipe, its record, and the models that ship with the package."""

import dataclasses
import json

import pytest
import torch

from compact_proofs import zoo
from compact_proofs.errors import BadInput
from compact_proofs.models.files import read_weights, weights_sha256
from compact_proofs.models.own_names import attention_only_from_state
from compact_proofs.progress import progress_bars
from compact_proofs.tasks.max_of_k.training import TrainingConfig, initial_model, train, uniform_sequences
from compact_proofs.tasks.max_of_k.zoo import RECIPES
from compact_proofs.train import evaluate, make_generator

TINY = TrainingConfig(n_ctx=2, d_vocab=5, d_model=8, steps=25, batch_size=32, evaluation_samples=1000)


def test_the_defaults_are_the_published_recipe():
    config = TrainingConfig()
    assert (config.n_ctx, config.d_vocab, config.d_model, config.steps, config.batch_size) == (4, 64, 32, 3000, 128)
    assert (config.learning_rate, config.betas, config.weight_decay) == (1e-3, (0.9, 0.999), 0.01)
    spread = torch.cat([weight.detach().flatten() for weight in initial_model(config).parameters()])
    assert spread.std().item() == pytest.approx(0.8 / 32**0.5, rel=0.02)


def test_training_is_reproducible_bit_for_bit():
    state = torch.random.get_rng_state()
    threads = torch.get_num_threads()
    first = train(TINY)
    torch.manual_seed(1)
    torch.set_num_threads(2)
    second = train(TINY)
    torch.set_num_threads(threads)
    assert weights_sha256(first.model) == weights_sha256(second.model)
    assert (first.curves, first.final) == (second.curves, second.final)
    other = train(dataclasses.replace(TINY, seed=1))
    assert weights_sha256(other.model) != weights_sha256(first.model)
    torch.random.set_rng_state(state)


def test_global_randomness_is_left_alone():
    before = torch.random.get_rng_state()
    train(dataclasses.replace(TINY, steps=1))
    assert torch.equal(torch.random.get_rng_state(), before)


def test_it_learns():
    result = train(dataclasses.replace(TINY, steps=600, learning_rate=1e-2))
    assert result.curves.loss[0] > 1.0
    assert result.curves.loss[-1] < 0.3
    assert result.final.accuracy > 0.9
    assert result.model.W_E.dtype == torch.float32


def test_curves_cover_every_step():
    curves = train(TINY).curves
    assert curves.step == [10, 20, 25]
    assert len(curves.loss) == len(curves.accuracy) == 3
    assert all(0 <= accuracy <= 1 for accuracy in curves.accuracy)


def test_saved_record(tmp_path):
    result = train(TINY)
    path = tmp_path / "tiny.safetensors"
    result.save(path)
    weights, metadata = read_weights(path)
    assert metadata == json.loads((tmp_path / "tiny.json").read_text())
    assert weights_sha256(attention_only_from_state(weights, str(path))) == metadata["weights_sha256"]
    assert metadata["task"] == "max-of-k"
    assert metadata["config"]["seed"] == 0
    assert metadata["config"]["betas"] == [0.9, 0.999]
    assert metadata["final"] == dataclasses.asdict(result.final)
    assert metadata["last_training_window"]["loss"] == result.curves.loss[-1]
    assert metadata["versions"]["torch"] == torch.__version__
    assert metadata["curves"]["step"] == [10, 20, 25]


def test_samples_are_uniform_with_their_maximum():
    tokens, labels = uniform_sequences(3, 4)(make_generator(0, "test"), 6400)
    assert tokens.shape == (6400, 3)
    assert torch.equal(labels, tokens.max(-1).values)
    counts = torch.stack([torch.bincount(column, minlength=4) for column in tokens.T])
    assert counts.min() > 1400
    assert counts.max() < 1800


def test_purposes_do_not_share_a_stream():
    draws = [torch.rand(4, generator=make_generator(seed, purpose)) for seed in (0, 1) for purpose in ("init", "data")]
    assert len({tuple(draw.tolist()) for draw in draws}) == 4


def test_a_tie_is_wrong():
    model = initial_model(TINY)
    with torch.no_grad():
        model.W_U.zero_()
    assert evaluate(model, uniform_sequences(2, 5), TINY).accuracy == 0.0


def test_divergence_is_an_error():
    with pytest.raises(BadInput, match=r"the training loss is \w+ at step \d+: try a smaller learning rate"):
        train(dataclasses.replace(TINY, learning_rate=1e30))


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("n_ctx", 0),
        ("d_vocab", 1),
        ("d_model", -1),
        ("seed", -1),
        ("steps", 0),
        ("batch_size", 0),
        ("evaluation_samples", 0),
        ("learning_rate", float("nan")),
        ("learning_rate", 0.0),
    ],
)
def test_meaningless_options_are_refused(option, value):
    with pytest.raises(BadInput, match=option):
        TrainingConfig(**{option: value})


def test_the_progress_bar_goes_to_standard_error(capfd, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")  # rich takes it for a terminal
    with progress_bars():
        train(dataclasses.replace(TINY, steps=20))
    out, err = capfd.readouterr()
    assert out == ""
    assert "max-of-2, 5 tokens, seed 0" in err


# --- the zoo ----------------------------------------------------------------------------------------------------------


def test_every_recipe_of_the_zoo_is_shipped():
    assert sorted(zoo.names("max-of-k")) == sorted(RECIPES)
    assert zoo.names("max-of-k")[0] == "max-of-4-seed-50"


@pytest.mark.parametrize("name", RECIPES)
def test_zoo_models_are_what_they_say(name):
    model, record, config = zoo.load(name), zoo.metadata(name), RECIPES[name]
    assert model.config == config.sizes
    assert model.W_E.dtype == torch.float32
    assert record["config"] == json.loads(json.dumps(dataclasses.asdict(config)))
    assert record["weights_sha256"] == weights_sha256(model)
    assert zoo.path(name).with_suffix(".json").is_file()
    assert record["final"]["accuracy"] > 0.95
    quick = dataclasses.replace(config, evaluation_samples=2**12, seed=config.seed + 1)
    measured = evaluate(model, uniform_sequences(config.n_ctx, config.d_vocab), quick)
    assert measured.accuracy > 0.95


def test_unknown_zoo_model():
    with pytest.raises(BadInput, match=r"no model 'max-of-9' \(did you mean max-of-.*[?]\); compact-proofs zoo lists them"):
        zoo.load("max-of-9")
