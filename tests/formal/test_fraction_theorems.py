"""Theorems about one layer of attention from boxes of inputs: what Coq accepts, and false ones that it must not."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from typer.testing import CliRunner

from compact_proofs.automatic.strategy import Automatic
from compact_proofs.cli.app import app
from compact_proofs.core.certificate import Certificate
from compact_proofs.core.prove import prove
from compact_proofs.errors import BadInput
from compact_proofs.formal.compact import compact_statement, refuse_early
from compact_proofs.formal.fractions.box_hints import Group, boxes_in, groups_of
from compact_proofs.formal.fractions.fraction_source import hints_source
from compact_proofs.formal.fractions.fraction_statement import FractionStatement, statement_on
from compact_proofs.formal.fractions.fraction_structure import Fractions, fractions_of
from compact_proofs.formal.goal.boxes import Box
from compact_proofs.formal.goal.lead import lead_of
from compact_proofs.formal.network.statement import network_for
from compact_proofs.formal.theorem import Formalization, check_theorem, write_theorem
from compact_proofs.sequences.boxes import Boxes
from compact_proofs.sequences.labels import Maximum, TokenAt
from compact_proofs.sequences.task import FiniteTask
from tests.formal.counting import counts
from tests.formal.sabotage import Change, Compile, assert_rejected, first, zeros

BUILT_ON = ("Weights.v", "Program.v", "Tables.v", "Hints.v")
N, V = 3, 4
TASK = FiniteTask(N, V, Maximum())


class Attention(nn.Module):
    """Two heads with biases that attend to larger tokens and name them, and noise; logits at the last position."""

    def __init__(self, noise: float, seed: int = 0) -> None:
        super().__init__()
        d = V + 1
        self.embed = nn.Parameter(torch.cat([torch.eye(V), torch.arange(V)[:, None]], 1).to(torch.float64))
        self.pos = nn.Parameter(torch.zeros(N, d, dtype=torch.float64))
        self.keys = nn.Parameter(torch.tensor([[0.0] * V + [2.0], [0.0] * V + [1.5]], dtype=torch.float64))
        self.values = nn.Parameter(torch.stack([torch.eye(d, dtype=torch.float64)] * 2))
        self.bias = nn.Parameter(torch.zeros(2, d, dtype=torch.float64))
        self.head = nn.Linear(d, V, dtype=torch.float64)
        with torch.no_grad():
            self.head.weight.copy_(torch.cat([torch.eye(V), torch.zeros(V, 1)], 1))
            self.head.bias.zero_()
            generator = torch.Generator().manual_seed(seed)
            for w in self.parameters():
                w += noise * torch.randn(w.shape, generator=generator, dtype=torch.float64)
        self.requires_grad_(False)

    def forward(self, t: Tensor) -> Tensor:
        x = self.embed[t] + self.pos
        scores = (self.keys[:, None] @ x[:, None].mT) * (1 + x[:, None, -1:, -1:] / 10)  # [B, heads, 1, N]
        mixed = scores.softmax(-1) @ (x[:, None] @ self.values + self.bias[:, None])
        return self.head(x[:, -1] / 4 + mixed[:, :, 0].sum(1))


def right(model: nn.Module, task: FiniteTask = TASK) -> int:
    """How many inputs it answers rightly."""
    inputs = torch.cartesian_prod(*[torch.arange(V)] * N)
    logits, labels = model(inputs), task.labels(inputs)
    own = logits.gather(1, labels[:, None])
    return int(((logits < own).sum(1) == V - 1).sum())


def statement(model: nn.Module, task: FiniteTask = TASK) -> FractionStatement:
    found = compact_statement(model, task, Automatic(), prove(model, task, Automatic()).explanation)
    assert isinstance(found, FractionStatement)
    return found


@pytest.fixture(scope="module")
def model() -> Attention:
    return Attention(0.2)


@pytest.fixture(scope="module")
def proven(model: Attention) -> Certificate:
    return prove(model, TASK, Automatic())


@pytest.fixture(scope="module")
def accepted(model: Attention, coq, compiled: Compile, tmp_path_factory) -> tuple[Path, int]:
    """The folder of a theorem that Coq has checked, with the files compiled on which it builds, and what it proves."""
    folder = tmp_path_factory.mktemp("fractions")
    checked = check_theorem(write_theorem(statement(model), 0, folder))
    program = "Formalized.Program.model"
    accuracy = f"accuracy {program} (inputs [4; 4; 4]%nat) maximum >= {checked.numerator} / 64"
    assert " ".join(checked.statement.split()) == f"shaped {program} = true /\\ {accuracy}"
    for name in (*BUILT_ON, "Accuracy.v"):
        assert compiled(folder / name).accepted
    return folder, checked.numerator


def test_a_theorem_is_as_strong_as_the_certificate(accepted: tuple[Path, int], model: Attention, proven: Certificate):
    """Inputs that bounds leave open are evaluated in both, so each is the exact accuracy."""
    assert accepted[1] == right(model) == int(proven.claim.numerator)


SABOTAGE: dict[str, Change] = {
    "one more than is proven": (
        "Accuracy.v",
        r"(?<=>= )(\d+)(?= / 64)|(\d+)%Z(?= 64%Z)",
        lambda f: f[0].replace(f[1] or f[2], str(int(f[1] or f[2]) + 1)),
    ),
    "another total": ("Accuracy.v", r"(?<=/ )64|64(?=%Z same)", first("63")),
    "other labels": ("Accuracy.v", r"(?<=\%nat\) )maximum|(?<=same_maximum )maximum", first("minimum")),
    "fewer tokens": (
        "Accuracy.v",
        r"\[4; 4; 4\]|(?<= )3 4(?= Formalized)",
        lambda f: f[0].replace("3 4", "2 4").replace("; 4", "", 1),
    ),
    "other weights": ("Weights.v", r"rows_embed_0 := \[\| [^|]*\|", zeros),
    "another program": ("Program.v", r"Exp \(", first("Sqrt (")),
    "tables of another program": ("Tables.v", r"Token \(Fixed 2\)", first("Token (Fixed 1)")),
    "another head": ("Hints.v", r"heads := \[head_0; head_1\]", first("heads := [head_0; head_0]")),
    "a head that is left out": ("Hints.v", r"heads := \[head_0; head_1\]", first("heads := [head_0]")),
    "a box twice": ("Hints.v", r"(\(\d+, \[)(\[[^]]*\])", lambda f: f"{f[1]}{f[2]}; {f[2]}"),
    "a last token twice": ("Hints.v", r"(\(0, \[\[.*?\]\]\))", lambda f: f"{f[1]}; {f[1]}"),
    "boxes under another label": ("Hints.v", r"group_from 3 ", first("group_from 2 ")),
    "a label twice": ("Hints.v", r"\[group_0; ", first("[group_0; group_0; ")),
    "tokens that there are not": ("Hints.v", r"group_from 3 \[", first("group_from 3 [1; ")),
}


@pytest.mark.parametrize("kind", SABOTAGE)
def test_false_theorems_are_rejected(kind: str, accepted: tuple[Path, int], compiled: Compile, tmp_path: Path):
    assert_rejected(SABOTAGE[kind], accepted[0], BUILT_ON, compiled, tmp_path / "copy")


def counted(found: FractionStatement, variants: Sequence[tuple[Group, ...]], compiled: Compile, folder: Path) -> list[int]:
    """What Coq counts on other boxes, with the steps of the statement and with none."""
    write_theorem(found, 0, folder)

    def queries(V: str) -> list[str]:
        count = found.counting().replace("Formalized.Hints", V)
        return [count, re.sub(r"\[1; 2\]%nat 4 4096", "[0; 1]%nat 0 0", count)]

    imports = ("CompactProofs Require Import Machine Boxes Tasks Labels", "Formalized Require Program Tables")
    hints = [hints_source(found.fractions, groups) for groups in variants]
    return counts(hints, imports, queries, BUILT_ON[:3], compiled, folder)


def one_by_one() -> list[Box]:
    """A box for every input."""
    inputs = torch.cartesian_prod(*[torch.arange(V)] * N)
    return [Box(y, tuple((u, 1) for u in t)) for t, y in zip(inputs.tolist(), TASK.labels(inputs).tolist(), strict=True)]


@pytest.mark.parametrize(
    ("noise", "seed"), [(0.4, 0), *(pytest.param(a, s, marks=pytest.mark.slow) for a in (0.1, 0.4, 1.0) for s in (1, 2))]
)
def test_never_more_than_is_true(noise: float, seed: int, compiled: Compile, tmp_path: Path):
    """With the boxes that were found, in any pieces; every right input, if each is a box."""
    model = Attention(noise, seed)
    found, truth = statement(model), right(model)
    pieces = [(1, 1, 1, 1), (4,), (2, 2), (1, 3)]
    variants = [found.groups, groups_of(one_by_one()), *(tuple(replace(g, pieces=p) for g in found.groups) for p in pieces)]
    numbers = counted(found, variants, compiled, tmp_path)
    assert all(number <= truth for number in numbers)
    assert numbers[0] == numbers[2] == truth
    assert 0 < numbers[1] <= truth


def test_labels_that_are_run_through(compiled: Compile, tmp_path: Path):
    """A label without a lemma of its own: that it is the same on a box is found by running through it."""
    model, task = Attention(0.1), FiniteTask(N, V, TokenAt(1))
    boxes = [Box(a, ((0, 4), (a, 1), (q, 1))) for a in range(V) for q in range(V)]
    [count, _] = counted(statement_on(model, task, boxes), [groups_of(boxes)], compiled, tmp_path)
    assert 0 < count <= right(model, task)


def test_boxes_are_divided_into_intervals():
    masks = torch.tensor([[[1, 0, 1, 1], [1, 1, 1, 1], [0, 1, 1, 0]]]).bool()
    found = boxes_in(Boxes(masks, torch.tensor([3])))
    assert {box.intervals for box in found} == {((a, n), (0, 4), (q, 1)) for a, n in ((0, 1), (2, 2)) for q in (1, 2)}
    assert sum(box.size for box in found) == int(masks[0].sum(-1).prod())
    [group] = groups_of(found)
    assert (group.label, set(group.queries), sum(group.pieces)) == (3, {1, 2}, 4)


def test_the_lead_is_the_sum_of_fractions():
    found = fractions_of(lead_of(network_for(Attention(0.2), TASK), V), N)
    assert isinstance(found, Fractions)
    assert [len(h.attention) for h in found.heads] == [len(h.written) for h in found.heads] == [N, N]


class Behind(Attention):
    """With something behind attention."""

    def forward(self, t: Tensor) -> Tensor:
        return super().forward(t).relu()


def test_other_networks_are_refused_before_the_search():
    with pytest.raises(BadInput, match="with nothing behind it"):
        refuse_early(Behind(0.1), TASK, Automatic(), "mine")
    refuse_early(Attention(0.1), TASK, Automatic(), "mine")


def network() -> Attention:
    """For the command line."""
    return Attention(0.2)


def test_from_the_command_line(compiled: Compile, proven: Certificate, model: Attention, tmp_path: Path):
    """A network of one's own, or a certificate about it: the same theorem."""
    folder, own = tmp_path / "theorem", [f"{__file__}:network", "--task", f"{__file__}:TASK"]
    result = CliRunner().invoke(app, ["formalize", *own, "-s", "automatic", "-o", str(folder), "--check", "--json"])
    assert result.exit_code == 0, result.stderr
    document = json.loads(result.stdout)
    assert document["claimed"] == str(proven.claim.numerator)
    assert 0 < int(document["checked"]["numerator"]) <= right(model)
    certificate = proven.save(tmp_path / "proof.cert")
    again = tmp_path / "again"
    arguments = ["formalize", str(certificate), "--model", *own, "-o", str(again), "--json"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.stderr
    assert (again / "Hints.v").read_text() == (folder / "Hints.v").read_text()


def test_time_is_said_beforehand(model: Attention, tmp_path: Path):
    found = statement(model)
    assert isinstance(write_theorem(found, 0, tmp_path), Formalization)
    assert found.seconds() > replace(found, groups=found.groups[:1]).seconds() > 0
