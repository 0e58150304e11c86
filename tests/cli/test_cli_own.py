"""Networks and tasks of one's own, as ``file.py:name``, in every command that takes a model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

MINE = '''
import torch
from compact_proofs.inputs.task import Task


class Network(torch.nn.Module):
    """Right on the tokens below 4."""

    def __init__(self):
        super().__init__()
        W = torch.eye(5)
        W[4] = 0
        self.W = torch.nn.Parameter(W)

    def forward(self, x):
        return torch.tanh(self.W[x[:, 0]])


class First(Task):
    name = "first"
    size = 25

    def parameters(self):
        return {}

    def inputs(self, start, stop):
        number = torch.arange(start, min(stop, 25))
        return torch.stack([number // 5, number % 5], 1)

    def labels(self, inputs):
        return inputs[:, 0]


network = Network()
task = First()
number = 3


def make():
    return Network()
'''


@pytest.fixture
def mine(run: Any) -> None:
    Path("mine.py").write_text(MINE)


@pytest.mark.usefixtures("mine")
def test_prove_and_check(run: Any) -> None:
    own = ("--task", "mine.py:task")
    result = run("prove", "mine.py:network", *own, "-o", "proof.cert", "--json")
    proven = json.loads(result.stdout)
    assert (proven["numerator"], proven["denominator"]) == ("20", "25")
    assert proven["function"]["architecture"] == "module"
    assert "compact-proofs check proof.cert mine.py:network --task mine.py:task" in result.stderr
    assert "Accepted" in run("check", "proof.cert", "mine.py:make", *own).stdout
    Path("other.py").write_text(MINE.replace("torch.tanh(", "torch.relu("))
    refused = run("check", "proof.cert", "other.py:network", *own, code=1)
    assert "it is about another program" in refused.stderr


@pytest.mark.usefixtures("mine")
def test_frontier_sample_and_estimate(run: Any) -> None:
    own = ("mine.py:Network", "--task", "mine.py:First")
    found = json.loads(run("frontier", *own, "--effort", 0, "--json", "-o", "report").stdout)
    assert found["proofs"][0]["true_accuracy"] == 0.8
    assert Path("report/index.html").is_file()
    run("frontier", *own, "--effort", 0)
    assert Path("frontier-mine-Network/index.html").is_file()
    assert "of 9 right" in run("sample", *own, "-s", "nothing", "-n", 9, "--delta", "1e-3").stdout
    assert "estimate" in run("estimate", *own).stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("mine.py:network",), "which task is it for"),
        (("mine.py:network", "--task", "max-of-k"), "which task is it for"),
        (("mine.py:nothing", "--task", "mine.py:task"), "mine.py defines no nothing"),
        (("mine.py:netwrk", "--task", "mine.py:task"), "mine.py defines no netwrk (did you mean network"),
        (("mine.py:number", "--task", "mine.py:task"), "it is a int, not a torch.nn.Module"),
        (("absent.py:network", "--task", "mine.py:task"), "there is no file absent.py"),
        (("mine.py:network", "--task", "mine.py:number"), "it is a int, not a compact_proofs.Task"),
    ],
)
@pytest.mark.usefixtures("mine")
def test_what_is_missing_is_named(run: Any, arguments: tuple[str, ...], message: str) -> None:
    assert message in run("prove", *arguments, code=2).stderr


TOKENS = """
import torch
import compact_proofs as cp


class Network(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.W = torch.nn.Parameter(4.0 ** torch.arange(8.0)[:, None] * torch.eye(8))

    def forward(self, x):
        return self.W[x].sum(1)  # a repeated token can outweigh the greatest


task = cp.FiniteTask(n_ctx=5, d_vocab=8, label=lambda x: x.amax(1))
"""


def no_picture(*args: Any) -> None:
    raise AssertionError("the command line shows no pictures")


def test_explanations_in_words_and_a_search(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("tokens.py").write_text(TOKENS)
    monkeypatch.setattr("compact_proofs.automatic.report.tables.pictures", no_picture)
    own = ("tokens.py:Network", "--task", "tokens.py:task")
    done, worst, largest = json.loads(run("explain", *own, "--json").stdout)["tables"]
    _, inputs, proven, lost = (sum(column) for column in zip(*(numbers for _, numbers in done["rows"]), strict=True))
    assert (inputs, proven + lost) == (8**5, 8**5)
    assert 0 < lost < 8**5
    assert 0 < sum(numbers[-1] for _, numbers in worst["rows"]) <= lost
    assert any(words.endswith("the last token is 7") for words in dict(largest["rows"]))
    found = json.loads(run("search", *own, "-n", 2, "--json").stdout)
    assert found["q"] > 0
    assert {judged["result"]["status"] for judged in found["tried"]} == {"proved"}


@pytest.mark.usefixtures("mine")
def test_nothing_to_explain(run: Any) -> None:
    assert "there is nothing to explain" in run("explain", "mine.py:network", "--task", "mine.py:task", code=2).stderr


LATER = """
from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

"""


def test_annotations_that_are_read_later_are_understood(run: Any) -> None:
    own = MINE.replace("class First(Task):\n    name =", "@dataclass(frozen=True)\nclass First(Task):\n    name: ClassVar[str] =")
    Path("mine.py").write_text(LATER + own.replace("    size = 25", "    size: int = 25"))
    assert "Theorem." in run("prove", "mine.py:network", "--task", "mine.py:task").stdout


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("def (", "mine.py, line 1: SyntaxError"),
        ("import absent_package", "mine.py, line 1: ModuleNotFoundError"),
        ("\nnetwork = 1 / 0", "mine.py, line 2: ZeroDivisionError"),
        ("def network():\n    raise SystemExit(0)", "mine.py, line 2: SystemExit"),
    ],
)
def test_faults_of_the_file_are_said_with_their_line(run: Any, text: str, message: str) -> None:
    Path("mine.py").write_text(text)
    Path("task.py").write_text(MINE)
    assert message in run("prove", "mine.py:network", "--task", "task.py:task", code=2).stderr
