"""Modular addition from the command line, end to end."""

import json

import pytest
import typer
from typer.testing import CliRunner

from compact_proofs.cli.app import app
from compact_proofs.tasks.modular_addition.__main__ import command


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def command(*arguments, code=0):
        result = CliRunner().invoke(app, [str(a) for a in arguments], env={"COLUMNS": "240", "TERMINAL_WIDTH": "240"})
        assert result.exit_code == code, (result.stdout, result.stderr, result.exception)
        return result

    return command


def test_train_tune_prove_check(run):
    options = ("--p", 11, "--d-model", 16, "--d-mlp", 32, "--n-heads", 2, "--steps", 60, "--evaluation-samples", 100)
    run("train", "modular-addition", "-o", "raw.safetensors", *options)
    proven = json.loads(run("prove", "raw.safetensors", "-o", "raw.cert", "--json").stdout)
    assert proven["strategy"] == "directions"
    run("check", "raw.cert", "raw.safetensors")
    tuned = run("finetune", "modular-addition", "raw.safetensors", "-o", "tuned.safetensors", "--no-train").stdout
    assert "This is another network" in tuned
    run("prove", "tuned.safetensors", "-s", "kinks", "-O", "frequencies=5", "-O", "fallback=tables", "-o", "tuned.cert")
    run("check", "tuned.cert", "tuned.safetensors")
    run("check", "tuned.cert", "raw.safetensors", code=1)


def test_frontier_with_the_pictures_of_the_integral(run, tmp_path):
    run("frontier", "mod-59-mlp-seed-0-tuned", "-o", "report", "--effort", 0, "--json")
    page = (tmp_path / "report" / "index.html").read_text()
    for title in ("The integral and its kinks", "What each frequency answers", "What the explanation leaves unexplained"):
        assert title in page
    for picture in ("rectangles", "answer", "classes"):
        assert (tmp_path / "report" / f"integral-{picture}.png").stat().st_size > 5000


def test_explain_tells_the_kinks_from_the_integral(run):
    tables = json.loads(run("explain", "mod-59-mlp-seed-0-tuned", "--json").stdout)["tables"]
    (table,) = (s for s in tables if s["name"] == "frequencies")
    columns = table["headings"][1:]
    first = dict(zip(columns, table["rows"][0][1], strict=True))
    assert first["v / u"] < 0.1 < 1 < first["error / integral"]


def test_transplant(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    program = typer.Typer()
    program.command()(command)
    given = ["mod-59-mlp-seed-0-tuned", "--p", "31", "-o", "moved.safetensors", "--theorem", "layer.safetensors"]
    result = CliRunner().invoke(program, given)
    assert result.exit_code == 0, result.output
    assert "p = 31: 961 of 961 pairs are right" in result.output
    assert (tmp_path / "moved.safetensors").exists()
    assert (tmp_path / "layer.safetensors").exists()
    refused = CliRunner().invoke(program, ["mod-59-mlp-seed-0", "--p", "31", "-o", "moved.safetensors"])
    assert refused.exit_code == 2
    assert "only projected models" in refused.output
