"""Which function a file's weights are those of, and for which task: declared, or refused; never a guess."""

import json

import numpy as np
import pytest
import torch
from small_networks import NETWORKS, attention_only, attention_stack, in_lens, one_layer_mlp, pair_mlp, state_of

from compact_proofs import zoo
from compact_proofs.errors import BadInput
from compact_proofs.models.files import save_model, weights_sha256
from compact_proofs.models.loading import load_network
from compact_proofs.tasks import KITS, load_model

WRITTEN_HERE = {"versions": {"compact_proofs": "0.1.0", "torch": "2.13.0"}}


def refuse(state, declared, match):
    with pytest.raises(BadInput, match=match) as error:
        load_network(state, declared, "file")
    assert str(error.value).startswith("file: ")


# --- the function -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("architecture", NETWORKS)
def test_a_declared_architecture(architecture):
    model = NETWORKS[architecture]()
    state, configuration = state_of(model), model.configuration()
    for declared in (
        {"architecture": architecture},
        {"architecture": architecture, "configuration": configuration},
        {"architecture": architecture, "configuration": {}, "task": "anything", "config": {"steps": 3}},
        WRITTEN_HERE,
    ):
        assert weights_sha256(load_network(state, declared, "file")) == weights_sha256(model)
    for field, value in configuration.items():
        other = "gelu" if field == "activation" else "uniform" if field == "attention" else not value
        wrong = configuration | {field: other}
        refuse(state, {"architecture": architecture, "configuration": wrong}, f"says {field} = {other!r}, and its weights")
    refuse(state, {"architecture": architecture, "configuration": configuration | {"norm": "LN"}}, "has norm, which")
    refuse(state, {"architecture": architecture, "configuration": [1]}, r"its configuration is \[1\] and must be a JSON object")
    refuse(state, {"architecture": "resnet"}, "its architecture is 'resnet'; known are attention-only, attention-stack")
    refuse(state, {"architecture": "HookedTransformer"}, "have not TransformerLens's names; known are")


@pytest.mark.parametrize("model", [attention_only(), attention_stack()])
def test_names_that_fit_one_function(model):
    for declared in ({}, {"format": "pt"}, {"act_fn": "gelu"}):
        assert weights_sha256(load_network(state_of(model), declared, "file")) == weights_sha256(model)


@pytest.mark.parametrize("model", [one_layer_mlp(), one_layer_mlp("none"), pair_mlp(), pair_mlp(5)])
def test_an_mlp_says_its_activation(model):
    state = state_of(model)
    refuse(state, {}, f'do not tell its activation function; if it is ReLU, say "architecture": "{model.architecture}"')
    refuse(state, {"task": "groups"}, "do not tell its activation function")
    refuse(state, {"act_fn": "gelu"}, "says activation = 'gelu', and its weights 'relu'")
    assert weights_sha256(load_network(state, {"act_fn": "relu"}, "file")) == weights_sha256(model)


@pytest.mark.parametrize("bridge", [False, True])
@pytest.mark.parametrize("model", [attention_only(), attention_stack(), one_layer_mlp()])
def test_the_names_of_transformer_lens_need_a_configuration(model, bridge):
    state, configuration = in_lens(model, bridge)
    for declared in ({}, {"act_fn": "relu"}, {"architecture": "HookedTransformer"}, {"format": "pt"}, {"task": "max-of-k"}):
        refuse(state, declared, "those of many functions.*give the model's configuration")
    name = "TransformerBridge" if bridge else "HookedTransformer"
    for declared in (
        configuration,
        configuration | {"task": "max-of-k"},
        {"architecture": name, "configuration": configuration},
        {"architecture": name} | configuration,
    ):
        assert weights_sha256(load_network(state, declared, "file")) == weights_sha256(model)
    refuse(state, configuration | {"normalization_type": "LN", "eps": 1e-5}, "missing ln_final_w")
    refuse(state, configuration | {"my_notes": "good"}, "cfg.my_notes is not known here")
    refuse(state, {"architecture": model.architecture} | configuration, "cfg.architecture is")


def test_one_message_about_the_closest_architecture():
    state = state_of(attention_stack())
    del state["blocks.1.W_Q"]
    with pytest.raises(BadInput) as error:
        load_network(state, {}, "file")
    assert str(error.value) == (
        "file: missing blocks.1.W_Q; the weights of attention-stack are W_E, W_pos, blocks.0.W_Q, .W_K, .W_V, .W_O, ..., W_U"
    )
    refuse({"layer.weight": torch.ones(2, 2)}, {}, r"its weights \(layer.weight\) are those of no architecture .*cp.brute_force")
    refuse({}, {}, r"its weights \(none\) are those of no architecture")


# --- the task ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "model.npz"
    np.savez(path, **{name: tensor.numpy() for name, tensor in state_of(attention_only()).items()})
    return path


def test_a_task_is_never_guessed(file, tmp_path):
    with pytest.raises(BadInput, match=r"nothing says which task it is for; .* max-of-k .* give it by --task"):
        load_model(file)
    assert load_model(file, task="max-of-k").task.name == "max-of-k"
    with pytest.raises(BadInput, match="architecture attention-only, and the proofs of induction are for attention-stack"):
        load_model(file, task="induction")
    for wrong in ("chess", ["max-of-k"], 3):
        file.with_suffix(".json").write_text(json.dumps({"task": wrong}))
        with pytest.raises(BadInput, match="is not known; known are max-of-k, induction, lagged-induction, modular-addition"):
            load_model(file)
    file.with_suffix(".json").write_text('{"task": "max-of-k"}')
    assert load_model(file).kit.name == "max-of-k"
    with pytest.raises(BadInput, match="the task 'chess' is not known"):
        load_model(file, task="chess")


def test_a_true_accuracy_is_that_on_the_task_of_the_file(file):
    file.with_suffix(".json").write_text('{"task": "first-token", "true_accuracy": {"numerator": 1, "denominator": 1}, "seed": 3}')
    assert load_model(file, task="max-of-k").metadata == {"task": "first-token", "seed": 3}


def test_the_configuration_of_a_file(tmp_path):
    """From a file beside it, or from one that is named; what is named counts."""
    state, configuration = in_lens(one_layer_mlp())
    path, config = tmp_path / "model.pt", tmp_path / "cfg.json"
    torch.save(state, path)
    config.write_text(json.dumps(configuration))
    with pytest.raises(BadInput, match="give the model's configuration"):
        load_model(path, task="modular-addition")
    loaded = load_model(path, task="modular-addition", config=config)
    assert weights_sha256(loaded.model) == weights_sha256(one_layer_mlp())
    path.with_suffix(".json").write_text(json.dumps(configuration | {"task": "modular-addition"}))
    assert load_model(path).task == loaded.task
    config.write_text(json.dumps(configuration | {"act_fn": "solu"}))
    with pytest.raises(BadInput, match=r"cfg\.act_fn is 'solu'"):
        load_model(path, config=config)
    with pytest.raises(BadInput, match="there is no such file"):
        load_model(path, config=tmp_path / "absent.json")


@pytest.mark.parametrize("architecture", NETWORKS)
def test_saved_models_load_by_themselves(architecture, tmp_path):
    task = next(kit.name for kit in KITS.values() if architecture in [kind.architecture for kind in kit.architectures])
    save_model(NETWORKS[architecture](), tmp_path / "model.safetensors", {"task": task})
    loaded = load_model(tmp_path / "model.safetensors")
    assert loaded.kit.name == task
    assert weights_sha256(loaded.model) == weights_sha256(NETWORKS[architecture]())


def test_the_zoo_loads_from_before_files_named_their_architecture():
    for name in zoo.names():
        assert load_model(name).metadata["weights_sha256"] == weights_sha256(zoo.load(name))
