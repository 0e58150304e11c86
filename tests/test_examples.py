"""Every example runs, and what it shows is true."""

import copy
import importlib
from pathlib import Path

import nbformat
import pytest
import torch
from nbclient import NotebookClient

import compact_proofs as cp
from examples import own_verifier

FOLDER = Path(own_verifier.__file__).parent
NAMES = sorted(file.stem for file in FOLDER.glob("*.py"))


@pytest.mark.parametrize("name", NAMES)
def test_example_runs(name, capsys):
    importlib.import_module(f"examples.{name}").main()
    assert "is at least" in capsys.readouterr().out


def test_the_notebook_runs_and_shows_what_it_says():
    notebook = nbformat.read(FOLDER / "tour.ipynb", as_version=4)
    shown = copy.deepcopy(notebook)
    NotebookClient(shown, timeout=300, resources={"metadata": {"path": str(FOLDER.parent)}}).execute()
    for stored, here in zip(notebook.cells, shown.cells, strict=True):
        assert texts(stored) == texts(here), stored.source


def test_the_notebook_about_transformer_lens_runs():
    """Run by `make test-lens`; what it shows depends on the training, so it is not compared."""
    pytest.importorskip("transformer_lens")
    if not hasattr(importlib.import_module("transformer_lens"), "HookedTransformer"):
        pytest.skip("it is written for version 3")
    notebook = nbformat.read(FOLDER / "transformer_lens.ipynb", as_version=4)
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(FOLDER)}}).execute()


def texts(cell) -> list[str]:
    """What a cell printed, in however many parts it arrived, and what it returned, but for pictures and times."""
    outputs = cell.get("outputs", [])
    printed = "".join(output["text"] for output in outputs if "text" in output)
    return [printed.strip(), *(output["data"]["text/plain"].strip() for output in outputs if "text" not in output)]


@pytest.fixture(params=range(4), ids=lambda steps: f"{steps} steps")
def comparer(request):
    return own_verifier.trained(steps=request.param, v=24)


def test_own_verifier_is_sound(comparer):
    assert cp.violations(own_verifier.Records(), cp.Specimen(comparer), own_verifier.Larger(24)) == []


def test_own_verifier_is_shorter_and_almost_as_good():
    model, task = own_verifier.trained(), own_verifier.Larger(64)
    short, full = cp.prove(model, task, own_verifier.Records()), cp.brute_force(model, task)
    assert 0.9 * full.bound < short.bound < full.bound < 1
    assert short.length.total < full.length.total / 100
    best = cp.Frontier.of([short, full]).best
    assert [c.strategy for c in best] == ["records", "exhaustive"]


def test_an_unsound_verifier_of_ones_own_is_caught():
    class Optimist(own_verifier.Records):
        def records(self, model, v):
            return torch.ones(v, dtype=torch.bool)

    model, task = own_verifier.trained(), own_verifier.Larger(64)
    found = cp.violations(Optimist(), cp.Specimen(model), task)
    assert any("at most" in message for message in found)
    assert any("are wrong" in message for message in found)


def test_own_verifier_is_costed_without_running():
    model = own_verifier.trained()
    measured = cp.measure(model, own_verifier.Larger(64), own_verifier.Records())
    assert measured == cp.prove(model, own_verifier.Larger(64), own_verifier.Records()).length
    assert cp.measure(model, own_verifier.Larger(10**6), own_verifier.Records()).total > 10**8


def test_own_certificate_is_checked(tmp_path):
    model, task = own_verifier.trained(), own_verifier.Larger(64)
    file = cp.prove(model, task, own_verifier.Records()).save(tmp_path / "own.cert")
    assert cp.check(file, model, task, strategies={"records": own_verifier.Records}).claim.numerator > 0
