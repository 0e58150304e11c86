"""Recipes for finite tasks, and the files of what they train."""

from dataclasses import replace

import pytest
import torch

from compact_proofs import zoo
from compact_proofs.core.soundness import evaluate
from compact_proofs.draws import Draws
from compact_proofs.errors import BadInput
from compact_proofs.models.architectures import architecture_of
from compact_proofs.models.files import read_weights, save_model, weights_sha256
from compact_proofs.models.recurrent import RecurrentConfig
from compact_proofs.models.transformer import TransformerConfig
from compact_proofs.sequences.labels import Avoids, Balanced, Majority
from compact_proofs.sequences.task import FiniteTask
from compact_proofs.tasks import load_model
from compact_proofs.tasks.finite.files import read_network, task_of
from compact_proofs.tasks.finite.specimens import specimen
from compact_proofs.tasks.finite.training import FiniteRecipe, initial_network, train, uniform, varied
from compact_proofs.tasks.finite.zoo import COMPILED, CONVERTED, RECIPES
from compact_proofs.train import make_generator

TRANSFORMER = TransformerConfig(d_vocab=4, n_ctx=4, d_out=2, d_model=8, d_head=4, n_heads=2, d_mlp=8, norm="layer", biases=True)
TINY = FiniteRecipe(
    label="balanced",
    n_ctx=4,
    d_vocab=4,
    d_model=8,
    n_heads=2,
    d_mlp=8,
    norm="layer",
    biases=True,
    steps=120,
    batch_size=128,
    learning_rate=1e-2,
    evaluation_samples=2000,
)


def test_a_recipe_teaches_a_network_and_its_file_says_what_it_is(tmp_path):
    result = train(TINY)
    assert result.final.accuracy > 0.9
    path = tmp_path / "brackets.safetensors"
    result.save(path)
    model, task = read_network(path)
    assert task == FiniteTask(4, 4, Balanced())
    assert weights_sha256(model) == weights_sha256(result.model) == read_weights(path)[1]["weights_sha256"]
    inputs = task.inputs(0, task.size)
    assert (model(inputs) == result.model(inputs)).all()
    assert architecture_of(model) == ("transformer", TRANSFORMER.__dict__)
    loaded = load_model(path)
    assert (loaded.kit.name, loaded.task) == ("finite", task)


def test_the_same_recipe_gives_the_same_weights():
    short = replace(TINY, steps=3)
    assert weights_sha256(train(short).model) == weights_sha256(train(short).model)
    assert weights_sha256(train(short).model) != weights_sha256(train(replace(short, seed=1)).model)


def test_a_recurrent_network_learns_too():
    recipe = replace(TINY, n_ctx=3, cell="gru", label="majority", parameters="least=2")
    assert recipe.network == RecurrentConfig(d_vocab=4, n_ctx=3, d_out=2, d_model=8, cell="gru")
    assert recipe.task == FiniteTask(3, 4, Majority(2))
    assert train(recipe).final.accuracy > 0.9


@pytest.mark.parametrize("label", ["balanced", "maximum", "repeats"])
def test_training_inputs_are_varied_and_labelled(label):
    recipe = replace(TINY, label=label, n_ctx=8)
    generator = make_generator(0, "data")
    inputs, labels = varied(recipe.task, recipe.function)(generator, 600)
    assert inputs.shape == (600, 8)
    assert (inputs >= 0).all()
    assert (inputs < 4).all()
    assert (labels == recipe.function(inputs)).all()
    if label == "balanced":  # rare among uniform sequences
        assert labels.double().mean() > 2 * uniform(recipe.task)(generator, 600)[1].double().mean()


def test_initial_weights_have_the_scale_of_what_they_multiply():
    model = initial_network(TINY)
    block = model.blocks[0]
    assert block.W_O.abs().max() <= 1 / 8**0.5
    assert block.W_out.abs().max() <= 1 / 8**0.5
    assert (block.ln1_w == 1).all()
    assert model.W_E.abs().max() > 0


def test_a_recipe_that_means_nothing_is_refused():
    assert replace(TINY, label="avoids", parameters="factor=0,1").function == Avoids((0, 1))
    for options, message in [
        ({"label": "chess"}, "no label function"),
        ({"label": "majority"}, "majority"),
        ({"label": "majority", "parameters": "least=few"}, "like least=4"),
        ({"label": "contains", "parameters": "token=9"}, "no token 9"),
        ({"n_heads": 3}, "n_heads"),
        ({"act": "swish"}, "act"),
        ({"cell": "lstm"}, "cell"),
    ]:
        with pytest.raises(BadInput, match=message):
            replace(TINY, **options)


def test_a_file_that_does_not_say_which_labels_is_refused(tmp_path):
    result = train(replace(TINY, steps=1))
    good = result.metadata()
    path = tmp_path / "model.safetensors"
    for changes, message in [
        ({"label": None}, "which label function"),
        ({"label": {"name": "balanced"}}, "name and parameters"),
        ({"label": {"name": "chess", "parameters": {}}}, "no label function"),
    ]:
        save_model(result.model, path, good | changes)
        with pytest.raises(BadInput, match=message):
            read_network(path)
        with pytest.raises(BadInput):
            load_model(path)


def test_only_networks_with_a_label_function_have_a_task():
    network = initial_network(TINY)
    with pytest.raises(BadInput, match="which label function"):
        task_of(network)
    with pytest.raises(BadInput, match="FiniteTask"):
        task_of(torch.nn.Linear(2, 2))


def test_specimens_are_right_sometimes():
    accuracies = []
    for seed in range(8):
        s = specimen(seed)
        accuracies.append(float(evaluate(s, task_of(s.model)).right.double().mean()))
        assert architecture_of(s.model) is not None
    assert sum(0.2 < a < 1 for a in accuracies) >= 3
    assert max(accuracies) > 0.7


def test_the_zoo_has_what_its_recipes_say():
    names = zoo.names("finite")
    assert set(names) <= RECIPES.keys() | set(CONVERTED) | set(COMPILED)
    assert set(CONVERTED) | set(COMPILED) <= set(names)
    for name in names:
        model, task = read_network(zoo.path(name))
        if name in RECIPES:
            assert model.config == RECIPES[name].network
            assert task == RECIPES[name].task
        inputs = task.draw(500, Draws(b"zoo"))
        with torch.no_grad():
            right = (model(inputs).argmax(1) == task.labels(inputs)).double().mean()
        assert right > 0.97, name
        assert read_weights(zoo.path(name))[1]["weights_sha256"] == weights_sha256(model)
