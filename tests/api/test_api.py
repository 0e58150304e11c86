"""The public face: defaults, and what goes in as it is."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import compact_proofs as cp
from compact_proofs import zoo
from compact_proofs.models.hooked import is_live
from compact_proofs.tasks.max_of_k import MaxOfK

MINE = """
import torch
import compact_proofs as cp


class Network(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.W = torch.nn.Parameter(torch.eye(5))

    def forward(self, x):
        return self.W[x[:, 0]]


task = cp.FiniteTask(n_ctx=2, d_vocab=5, label=lambda tokens: tokens[:, 0])
"""


@pytest.fixture
def mine(tmp_path: Path) -> str:
    (tmp_path / "mine.py").write_text(MINE)
    return str(tmp_path / "mine.py")


def test_the_default_proof_is_that_of_the_command_line(tiny):
    certificate = cp.prove(tiny)
    assert certificate.claim == cp.prove(tiny.model, tiny.task, tiny.kit.default(tiny.model)).claim
    assert certificate.strategy == tiny.kit.default(tiny.model).name
    assert cp.check(certificate, tiny).claim == certificate.claim


def test_a_module_of_ones_own_is_proved_whole(mine):
    loaded = cp.load(f"{mine}:Network", f"{mine}:task")
    assert cp.prove(loaded).bound == 1
    assert cp.brute_force(loaded.model, loaded.task).bound == 1


def test_what_the_zoo_says_of_the_task_is_taken_unless_another_is_given():
    assert cp.load("finite-max-2-heads").task.name == "finite"
    other = cp.FiniteTask(n_ctx=4, d_vocab=64, label=lambda tokens: tokens[:, 0])
    loaded = cp.load("finite-max-2-heads", other)
    assert loaded.task is other
    assert "true_accuracy" not in loaded.metadata
    assert cp.load(zoo.path("max-of-4-seed-50"), MaxOfK(64, 4)).kit.name == "max-of-k"


def test_a_frontier_holds_brute_force_if_it_is_asked_for(tiny):
    found = cp.frontier(tiny, effort=0.01, moves=0, with_brute_force=True)
    assert any(c.bound == found.highest.bound and c.strategy == "brute-force" for c in found.certificates)
    assert len(found.best) > 2
    assert len(cp.frontier(tiny, effort=0.01, moves=0).certificates) == len(found.certificates) - 1


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda net, task: cp.prove("max-of-4-seed-123"), r"cp\.load\('max-of-4-seed-123'\)"),
        (lambda net, task: cp.prove(net), "cp.FiniteTask"),
        (lambda net, task: cp.load(net, "maximum"), "maximum"),
        (lambda net, task: cp.load(3, task), "a int is no network"),
        (lambda net, task: cp.load(net, task, config="c.json"), "config is for files of weights"),
        (lambda net, task: cp.load("max-of-4-sed-123"), r"neither a file nor a model of the zoo \(did you mean max-of-4-seed-123"),
        (lambda net, task: cp.frontier(net), "cp.FiniteTask"),
        (lambda net, task: cp.check("none.cert", net), "cp.FiniteTask"),
    ],
)
def test_errors_name_the_object_and_the_cure(call, said):
    task = cp.FiniteTask(n_ctx=2, d_vocab=5, label=lambda tokens: tokens[:, 0])
    with pytest.raises(cp.BadInput, match=said):
        call(torch.nn.Linear(2, 2), task)


def test_only_models_of_transformer_lens_are_live():
    assert not is_live(torch.nn.Linear(2, 2))
    assert not is_live(None)


def test_the_version_is_that_of_the_package():
    from importlib.metadata import version

    assert cp.__version__ == version("compact-proofs")


def test_an_explanation_in_words_and_pictures(mine: str) -> None:
    loaded = cp.load(f"{mine}:Network", f"{mine}:task")
    assert not cp.explain(loaded).pictures  # nothing is lost, and no box is divided
    with torch.no_grad():
        loaded.model.W[4] = 0  # a tie, which is wrong
    found = cp.explain(loaded)
    assert "What is done with the inputs" in str(found)
    assert found == cp.explain(loaded.model, loaded.task)
    assert all(picture.png.startswith(b"\x89PNG") for picture in found.pictures)
    page = found._repr_html_()
    assert page.count("<table>") == len(found.tables) > 1
    assert page.count("data:image/png;base64,") == len(found.pictures) > 0


def test_an_explanation_by_the_circuits(tiny) -> None:
    found = cp.explain(tiny)
    assert found.tables
    assert found._repr_html_().count("<img") == len(found.heatmaps) > 0


def test_nothing_to_explain() -> None:
    class Parity(cp.Task):
        name, size = "parity", 4

        def parameters(self):
            return {}

        def inputs(self, start, stop):
            return torch.arange(start, min(stop, 4))[:, None].double()

        def labels(self, inputs):
            return inputs[:, 0].long() % 2

    with pytest.raises(cp.BadInput, match="nothing to explain"):
        cp.explain(torch.nn.Linear(1, 2), Parity())
