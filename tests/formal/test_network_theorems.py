"""Theorems about networks that Coq accepts, and false ones that it must not."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn
from typer.testing import CliRunner

from compact_proofs.cli.app import app
from compact_proofs.core.exhaustive import brute_force
from compact_proofs.formal.arithmetic import Arithmetic
from compact_proofs.formal.coq import Output
from compact_proofs.formal.formalizing import formalize
from compact_proofs.formal.network.statement import statement_of
from compact_proofs.formal.theorem import write_theorem
from compact_proofs.inputs.task import Task
from compact_proofs.tasks import KITS
from tests.formal.modules import Copy, Function, Transformer, modules

TASK = Copy((4, 4, 4), 2)
Compile = Callable[[Path], Output]


def proven_by(module: nn.Module, task: Task) -> int:
    return int(brute_force(module, task).claim.numerator)


def accepts(folder: Path, compiled: Compile) -> bool:
    """Does Coq accept the theorem, once its other files are compiled?"""
    for name in ("Weights.v", "Task.v", "Program.v", "Tables.v"):
        if (folder / name).exists():
            output = compiled(folder / name)
            assert output.accepted, output.text
    return compiled(folder / "Accuracy.v").accepted


@pytest.fixture(scope="module")
def transformer() -> nn.Module:
    torch.manual_seed(0)
    return Transformer(nn.GELU(approximate="tanh"), layers=2)


@pytest.fixture(scope="module")
def accepted(transformer: nn.Module, coq, tmp_path_factory) -> Path:
    """The folder of a theorem that Coq has checked."""
    folder = tmp_path_factory.mktemp("network")
    checked = formalize(transformer, TASK, folder).check()
    assert checked.numerator == proven_by(transformer, TASK) > 0
    model, labels = "Formalized.Program.model", "(tabulated [4; 4; 4]%nat Formalized.Task.labels)"
    accuracy = f"accuracy {model} (inputs [4; 4; 4]%nat) {labels} >= {checked.numerator} / 64"
    assert " ".join(checked.statement.split()) == f"shaped {model} = true /\\ {accuracy}"
    assert any("arrays" in word for word in checked.assumptions)
    return folder


SABOTAGE: dict[str, tuple[str, str, str]] = {
    "one more than is right": ("Accuracy.v", r"(\d+) / 64|(\d+)%Z\s+64%Z", "more"),
    "another total": ("Accuracy.v", r"/ 64|64%Z", "total"),
    "a prelude that reads the input": ("Accuracy.v", r"(?<=\]%nat )0(?= \()", "3"),
    "a place that does not exist": ("Program.v", r"\[Token \(Axis 0\)", "[Shifted (Token (Axis 0)) (Fixed 1)"),
    "other labels": ("Task.v", r"0; 1; 2; 3", "3; 0; 1; 2"),
    "other weights": ("Weights.v", r"rows_head_(?:weight|bias)_0 := \[\| [^|]*\|", "zero"),
    "a weight with a missing entry": ("Weights.v", r"rows_head_bias_0 := \[\| [^;]*;", "rows_head_bias_0 := [| "),
    "another number of outputs": ("Program.v", r"outputs := 4", "outputs := 3"),
}


SECOND = ("another total", "a prelude that reads the input", "another number of outputs")
"""Sabotages of a kind that others have."""


@pytest.mark.parametrize("kind", [pytest.param(kind, marks=pytest.mark.slow if kind in SECOND else ()) for kind in SABOTAGE])
def test_false_theorems_are_rejected(kind: str, accepted: Path, compiled: Compile, tmp_path: Path):
    folder = shutil.copytree(accepted, tmp_path / "copy")
    name, old, new = SABOTAGE[kind]
    text = (folder / name).read_text()
    assert re.search(old, text)

    def change(found: re.Match[str]) -> str:
        whole = found[0]
        if new == "more":
            return re.sub(r"^\d+", lambda n: str(int(n[0]) + 1), whole)
        if new == "total":
            return whole.replace("64", "63")
        if new == "zero":
            return whole.split("[|")[0] + "[| " + "; ".join("0" for _ in whole.split(";")) + " |"
        return new

    changed = re.sub(old, change, text)
    assert changed != text
    (folder / name).write_text(changed)
    assert not accepts(folder, compiled)
    (folder / name).write_text(text)
    assert accepts(folder, compiled)


@pytest.mark.parametrize("arithmetic", [pytest.param(Arithmetic.software, marks=pytest.mark.slow), Arithmetic.pure])
def test_with_fewer_assumptions(arithmetic: Arithmetic, coq, tmp_path: Path):
    torch.manual_seed(0)
    module, task = Function(lambda x: (x[:, 0] + x[:, 1]).relu(), 4), Copy((4, 4), 1)
    n = proven_by(module, task)
    checked = formalize(module, task, tmp_path, arithmetic=arithmetic).check()
    assert checked.numerator == n > 0
    assert not any("binary64" in word for word in checked.assumptions)


@pytest.mark.parametrize(
    "name",  # theorems about the others are in other files too
    ["induction", *(pytest.param(name, marks=pytest.mark.slow) for name in ("groups", "modular-addition", "max-of-k"))],
)
def test_the_tasks_that_ship(name: str, coq, compiled: Compile, tmp_path: Path):
    """Coq's task is the package's: it counts what the package counts.

    Weights are made small, so that scores stay below 700: above, no float is their exponential, and an input does not count.
    """
    kit = KITS[name]
    model = next(m for m in (kit.specimen(i).model for i in range(20)) if kit.task_of(m).size < 2000)
    with torch.no_grad():
        for p in model.parameters():
            p.mul_(0.25)
    task = kit.task_of(model)
    n = proven_by(model, task)
    statement = statement_of(model, task)
    write_theorem(statement, n, tmp_path)
    assert n > 0
    assert accepts(tmp_path, compiled)
    write_theorem(statement, n + 1, tmp_path)
    assert not compiled(tmp_path / "Accuracy.v").accepted


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=() if name in ("GRU", "fused attention, tanh", "erf") else pytest.mark.slow) for name in modules()],
)
def test_every_operation(name: str, coq, compiled: Compile, tmp_path: Path):
    module = modules()[name]
    write_theorem(statement_of(module, TASK), proven_by(module, TASK), tmp_path)
    assert accepts(tmp_path, compiled)


def test_inputs_that_are_listed(coq, compiled: Compile, tmp_path: Path):
    torch.manual_seed(0)
    module, task = Function(lambda x: x.flatten(1), 8), Copy((4, 4), 1)
    task.all = task.all[[1, 5, 7, 11]]
    n = proven_by(module, task)
    write_theorem(statement_of(module, task), n, tmp_path)
    assert accepts(tmp_path, compiled)
    assert f">= {n} / 4." in (tmp_path / "Accuracy.v").read_text()


def test_logits_that_are_too_close_for_a_row_times_a_matrix(coq, compiled: Compile, tmp_path: Path):
    """Such rows are rounded to about 1e-15; an input that they leave open is evaluated entry by entry."""
    torch.manual_seed(0)
    module, task = Function(lambda x: (x[:, 0] + x[:, 1]).relu(), 4), Copy((4, 4), 1)
    with torch.no_grad():
        for p in module.head.parameters():
            p.mul_(1e-17)
    n = proven_by(module, task)
    statement = statement_of(module, task)
    assert statement.network.row_products() == 4 * 4
    write_theorem(statement, n, tmp_path)
    assert n > 0
    assert accepts(tmp_path, compiled)
    write_theorem(statement, n + 1, tmp_path)
    assert not compiled(tmp_path / "Accuracy.v").accepted


OWN = """
import torch
from torch import nn
from tests.formal.modules import Copy, Transformer

def network():
    torch.manual_seed(0)
    return Transformer(nn.ReLU())

task = Copy((4, 4, 4), 2)
"""


def test_a_module_of_ones_own_from_the_command_line(coq, tmp_path: Path):
    (tmp_path / "own.py").write_text(OWN)
    own = str(tmp_path / "own.py")
    arguments = ["formalize", f"{own}:network", "--task", f"{own}:task", "-o", str(tmp_path / "t"), "--check", "--json"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.stderr
    document = json.loads(result.stdout)
    assert document["checked"]["numerator"] == document["claimed"]
    assert document["denominator"] == "64"


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["{own}:network"], "which task is it for"),
        (["{own}:other", "--task", "{own}:task"], "defines no other"),
        (["{own}:task", "--task", "{own}:task"], "it is a Copy, not a torch.nn.Module"),
        (["{own}:network", "--task", "{own}:task", "-s", "additive"], "leave out --strategy and --option"),
        (["none.py:network", "--task", "{own}:task"], "there is no file none.py"),
        (["induction-6-seed-0"], r"on all 2096640 inputs takes Coq 1.6e\+10 multiply-adds, some \d+ minutes; at most 1e\+10"),
    ],
)
def test_what_is_refused_on_the_command_line(arguments: list[str], reason: str, tmp_path: Path):
    (tmp_path / "own.py").write_text(OWN)
    given = [a.format(own=tmp_path / "own.py") for a in arguments]
    result = CliRunner().invoke(app, ["formalize", *given, "-o", str(tmp_path / "t")])
    assert result.exit_code == 2
    assert re.search(reason, " ".join(result.stderr.split()))
