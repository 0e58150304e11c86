"""What the command line says about files that do not say it: --task and --config, at every command that takes a model."""

import json

import pytest
import torch
import typer

from compact_proofs.cli.app import app
from compact_proofs.tasks import load_model


@pytest.fixture
def lens_file(tiny, tmp_path):
    """A state dict as TransformerLens saves it, its configuration elsewhere."""
    w = tiny.model.state_dict()
    state = {"embed.W_E": w["W_E"], "pos_embed.W_pos": w["W_pos"], "unembed.W_U": w["W_U"]}
    state |= {f"blocks.0.attn.{name}": w[name][None] for name in ("W_Q", "W_K", "W_V", "W_O")}
    torch.save(state, tmp_path / "lens.pt")
    sizes = {"n_layers": 1, "n_heads": 1, "d_model": 8, "d_head": 8, "n_ctx": 3, "d_vocab": 8}
    (tmp_path / "cfg.json").write_text(json.dumps(sizes | {"attn_only": True, "normalization_type": None}))
    return tmp_path / "lens.pt"


def test_nothing_is_guessed(run, lens_file):
    assert "give the model's configuration" in run("prove", lens_file, code=2).stderr
    assert "give the model's configuration" in run("prove", lens_file, "--task", "max-of-k", code=2).stderr
    assert "nothing says which task it is for" in run("prove", lens_file, "--config", "cfg.json", code=2).stderr
    assert "the task 'chess' is not known" in run("prove", lens_file, "--config", "cfg.json", "--task", "chess", code=2).stderr
    for wrong in ("induction", "groups"):
        text = run("prove", lens_file, "--config", "cfg.json", "--task", wrong, code=2).stderr
        assert "architecture attention-only, and the proofs of" in text
    assert "absent.json: there is no such file" in run("prove", lens_file, "--config", "absent.json", code=2).stderr


def test_a_declared_file_is_that_model(run, lens_file, tiny_file):
    said = ("--task", "max-of-k", "--config", "cfg.json")
    run("prove", lens_file, *said, "-o", "proof.cert")
    assert "Accepted" in run("check", "proof.cert", tiny_file).stdout
    assert "Accepted" in run("check", "proof.cert", lens_file, *said).stdout
    run("finetune", "max-of-k", lens_file, "--config", "cfg.json", "-o", "tuned.safetensors", "--steps", 2, "--hard-steps", 1)
    assert load_model("tuned.safetensors").task == load_model(tiny_file).task


def commands() -> dict[str, set[str]]:
    """The commands that take a model, with their options."""
    found = {}
    for name, command in typer.main.get_command(app).commands.items():
        named = {p.name for p in command.params}
        if named & {"model", "models", "source"}:
            found[name] = {option for p in command.params for option in p.opts}
    return found


def test_every_command_that_takes_a_model_has_both():
    takers = commands()
    assert {"prove", "check", "frontier", "explain", "estimate", "sample", "search", "dictionary", "formalize"} <= takers.keys()
    for name, options in takers.items():
        assert {"--task", "--config"} <= options, name
