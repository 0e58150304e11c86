"""``compact-proofs dictionary``, and the section of the report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import schemas

MODEL = "c31-seed-0"
TERMS = {"explained", "residual", "interaction", "projection", "smallest margin", "median margin"}


def test_kinds_side_by_side(run: Any) -> None:
    found = schemas.Dictionaries.model_validate_json(run("dictionary", MODEL, "-O", "rank=31", "-L", 24, "--json").stdout)
    kinds = {s.name: s for s in found.dictionaries}
    assert list(kinds) == ["tokens", "fourier", "pca", "metric-pca"]
    assert found.true_accuracy == kinds["tokens"].proof.bound == 1
    assert kinds["tokens"].relative_mse < 1e-20
    assert kinds["pca"].relative_mse < kinds["metric-pca"].relative_mse
    assert all(set(s.margins) == TERMS and s.proof.strategy == "dictionary" and s.proof.reading == "sound" for s in kinds.values())
    assert kinds["tokens"].features == 62
    assert kinds["tokens"].l0 == 2
    assert kinds["pca"].features == kinds["pca"].l0 == 24
    shown = run("dictionary", MODEL, "-k", "pca", "-k", "random", "-O", "rank=31").stdout
    assert all(word in shown for word in ("relative MSE", "explanation", "residual", "interaction", "projection", "random"))


def test_a_dictionary_is_saved_and_scored_again(run: Any, tmp_path: Path) -> None:
    options = ("-O", "rank=31", "-O", "steps=60", "-L", 40, "--active", 12)
    made = run("dictionary", MODEL, "-k", "topk-bound", *options, "--save", "sae", "-o", "sae.cert", "--json")
    assert "--load sae" in made.stderr
    assert "compact-proofs check sae.cert" in made.stderr
    config = json.loads((tmp_path / "sae" / "cfg.json").read_text())
    assert (config["architecture"], config["d_sae"], config["k"]) == ("topk", 40, 12)
    assert safetensors.torch.load_file(tmp_path / "sae" / "sae_weights.safetensors")["W_dec"].shape == (40, config["d_in"])
    first = schemas.Dictionaries.model_validate_json(made.stdout).dictionaries[0]
    loaded = run("dictionary", MODEL, "--load", "sae", "-O", "rank=31", "-o", "again.cert", "--json")
    again = schemas.Dictionaries.model_validate_json(loaded.stdout).dictionaries[0]
    assert again.name == "sae"
    assert again.proof.options["found"] == "given"
    assert again.relative_mse == pytest.approx(first.relative_mse, rel=1e-4)
    assert again.proof.bound == pytest.approx(first.proof.bound, abs=0.01)
    for certificate in ("sae.cert", "again.cert"):
        assert "Accepted" in run("check", certificate, MODEL).stdout
        run("check", certificate, "s4-seed-0", code=1)


def test_principal_components_are_saved_too(run: Any, tmp_path: Path) -> None:
    run("dictionary", MODEL, "-k", "pca", "-L", 20, "-O", "rank=31", "--save", "pca")
    assert json.loads((tmp_path / "pca" / "cfg.json").read_text())["d_sae"] == 40  # both signs
    both = run("dictionary", MODEL, "-k", "pca", "-L", 20, "-O", "rank=31", "--load", "pca", "--json").stdout
    first, again = schemas.Dictionaries.model_validate_json(both).dictionaries
    assert again.l0 == first.l0 == 20
    assert again.relative_mse == pytest.approx(first.relative_mse, rel=1e-3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("max-of-4-seed-123",), "give it a method component"),
        ((MODEL, "-k", "magic"), "no dictionary 'magic'; there are tokens, pca"),
        ((MODEL, "-o", "x.cert"), "write one dictionary"),
        ((MODEL, "-k", "pca", "-k", "tokens", "--save", "x"), "write one dictionary"),
        ((MODEL, "--load", "nowhere"), "nowhere: a dictionary of SAELens is a folder"),
        ((MODEL, "-k", "pca", "-O", "codes=tokens", "--save", "x"), "no autoencoder has them"),
        ((MODEL, "-k", "tokens", "--save", "x"), "no linear function"),
        ((MODEL, "-k", "pca", "-O", "colour=red"), "no option 'colour'"),
        ((MODEL, "-k", "pca", "-O", "rank=-1"), "rank must be at least 0"),
    ],
)
def test_wrong_use(run: Any, arguments: tuple[Any, ...], message: str) -> None:
    assert message in run("dictionary", *arguments, code=2).stderr


def test_a_dictionary_for_another_width_is_refused(run: Any) -> None:
    run("dictionary", MODEL, "-k", "pca", "--save", "pca")
    assert "but 64 numbers enter" in run("dictionary", "s4-seed-0", "--load", "pca", code=2).stderr
    assert "codes of inputs" in run("dictionary", MODEL, "--load", "pca", "-O", "codes=tokens", code=2).stderr


def test_prove_check_and_help(run: Any, plain: Any) -> None:
    run("prove", "s4-seed-0", "-s", "dictionary", "-O", "features=24", "-O", "active=24", "-O", "rank=24", "-o", "d.cert")
    assert "Accepted" in run("check", "d.cert", "s4-seed-0").stdout
    text = plain(run("dictionary", "--help").stdout)
    assert all(word in text for word in ("--kind", "--load", "--save", "--features", "--active", "squared error", "Example"))
    assert "dictionary" in run("strategies").stdout


def test_what_a_dictionary_leaves_is_sampled(run: Any) -> None:
    options = ("-s", "dictionary", "-O", "features=24", "-O", "active=24", "-O", "rank=18")
    said = json.loads(run("sample", MODEL, *options, "-n", 40, "-o", "hybrid.cert", "--json").stdout)
    proven = schemas.Proven.model_validate_json(run("prove", MODEL, *options, "--json").stdout)
    assert 0 < int(proven.numerator) < 961
    assert said["proven"] == str(proven.numerator)
    assert said["bound"] > proven.bound
    assert "Accepted" in run("check", "hybrid.cert", MODEL).stdout


def test_the_report_compares_dictionaries(run: Any, tmp_path: Path) -> None:
    run("frontier", "s4-seed-0", "--effort", 0, "-o", "report")
    page = (tmp_path / "report" / "index.html").read_text()
    assert "Dictionaries as explanations" in page
    assert "metric-pca, 16 features" in page
    assert "fourier" not in page
    assert (tmp_path / "report" / "dictionary-bounds.png").stat().st_size > 5000
