"""Theorems about networks on groups from circuits: what Coq accepts, and false ones that it must not."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn
from typer.testing import CliRunner

from compact_proofs.algebra.group import group_named
from compact_proofs.cli.app import app
from compact_proofs.core.certificate import Certificate
from compact_proofs.core.prove import prove
from compact_proofs.core.soundness import Specimen, evaluate
from compact_proofs.errors import BadInput
from compact_proofs.formal.compact import formalize_compact
from compact_proofs.formal.groups.group_source import hints_source
from compact_proofs.formal.groups.hints import GroupHints, group_hints
from compact_proofs.formal.groups.length import brute_force_length, compact_length
from compact_proofs.models.files import save_model
from compact_proofs.models.pair_mlp import PairMLP
from compact_proofs.tasks import load_model
from compact_proofs.tasks.groups.gsets import GSetsLinear
from compact_proofs.tasks.groups.task import Groups
from tests.formal.counting import counts
from tests.formal.sabotage import Change, Compile, assert_rejected, first, zeros

STRATEGY = GSetsLinear(exact=False)
BUILT_ON = ("Weights.v", "Task.v", "Program.v", "Hints.v")


def on_three_points(noise: float, seed: int = 0) -> PairMLP:
    """A network on S3 = G / H, of three points p: neurons (b, c) add x^-1 b - y c, and write -3 where b = z c; and noise."""
    group = group_named("S3")
    swap = next(g for g in range(6) if g != group.identity and int(group.table[g, g]) == group.identity)
    point, representatives = torch.full((6,), -1), []
    for g in range(6):
        if point[g] < 0:
            point[[g, int(group.table[g, swap])]] = len(representatives)
            representatives.append(g)
    act = point[group.table[:, representatives]]  # [g, p]: the point g p
    b, c = torch.arange(3).repeat_interleave(3), torch.arange(3).repeat(3)
    left, right, output = act[group.inverse][:, b], -act[:, c], -3 * (act[:, c] == b).T.long()
    weights = {"E_l": left, "E_r": right, "U": output, "bias": torch.zeros(6)}
    generator = torch.Generator().manual_seed(seed)
    noisy = {name: w + noise * torch.randn(w.shape, generator=generator, dtype=torch.float64) for name, w in weights.items()}
    model = PairMLP(group.table, 9, dtype=torch.float64)
    model.load_state_dict({**noisy, "table": group.table})
    return model.requires_grad_(False)


@pytest.fixture(scope="module")
def model() -> PairMLP:
    return on_three_points(0.03)


@pytest.fixture(scope="module")
def proven(model: PairMLP) -> Certificate:
    return prove(model, Groups.of(model), STRATEGY)


@pytest.fixture(scope="module")
def accepted(model: PairMLP, proven: Certificate, compiled: Compile, tmp_path_factory) -> Path:
    """The folder of a theorem that Coq has checked, with the files compiled on which it builds."""
    folder = tmp_path_factory.mktemp("group")
    theorem = formalize_compact(model, Groups.of(model), STRATEGY, proven.explanation, proven.claim.numerator, folder)
    checked = theorem.check()
    program, table = "Formalized.Program.model", "Formalized.Task.table"
    accuracy = f"accuracy {program} (inputs [6; 6]%nat) (composition {table}) >= 36 / 36"
    assert " ".join(checked.statement.split()) == f"shaped {program} = true /\\ {accuracy}"
    assert checked.numerator == proven.claim.numerator == 36
    assert {word.split(",")[0] for word in checked.assumptions} <= {
        "the classical real numbers of Coq's standard library",
        "functional extensionality",
        "the processor's binary64 numbers",
        "63-bit machine integers",
        "Coq's primitive arrays",
    }
    for name in (*BUILT_ON, "Accuracy.v"):
        assert compiled(folder / name).accepted
    return folder


AGAIN = {name: (name,) for name in BUILT_ON} | {"Weights.v": ("Weights.v", "Program.v"), "Accuracy.v": ()}
"""What is compiled again where a file was changed, before Accuracy.v."""


SABOTAGE: dict[str, Change] = {
    "one more than is right": ("Accuracy.v", r"36%Z(?=\s+36%Z)|36(?= / 36)", first("37")),
    "another total": ("Accuracy.v", r"(?<=/ )36|(?<= )36%Z(?= program)", lambda found: found[0].replace("36", "35")),
    "another width": ("Accuracy.v", r"(?<=Program.model )6 9", first("6 8")),
    "other weights": ("Weights.v", r"rows_U_0 := \[\| [^|]*\|", zeros),
    "a weight with a missing entry": ("Weights.v", r"rows_bias_0 := \[\| [^;]*; [^;]*;", first("rows_bias_0 := [|")),  # m; e
    "a table of no group": ("Task.v", r"\[\| 0; 1; 2; 3; 4; 5 \| 0 \|\]", first("[| 0; 2; 1; 3; 4; 5 | 0 |]")),
    "another program": ("Program.v", r"Read E_r \[Token \(Fixed 1\)", first("Read E_r [Token (Fixed 0)")),
    "an image that is no permutation": (
        "Hints.v",
        r"left_image := \[\s*\[(\d+); (\d+)",
        lambda f: f"left_image := [[{f[1]}; {f[1]}",
    ),
    "an image out of range": ("Hints.v", r"right_image := \[\s*\[\d+", first("right_image := [[99")),
    "an image of another element": ("Hints.v", r"(right_image := \[)\s*(\[.*\]);\s*(\[.*\]);", lambda f: f"{f[1]}{f[3]}; {f[2]};"),
    "gamma without symmetry": ("Hints.v", r"gamma := \[\s*z \[", first("gamma := [z [1; ")),
    "a table that does not sum to 0": ("Hints.v", r"table := \[\s*z \[", first("table := [z [1; ")),
    "a share too many": ("Hints.v", r"read 0 ", first("read 1 ")),
    "a neuron that there is not": ("Hints.v", r"read 0 ", first("read 999 ")),
    "another neutral element": ("Hints.v", r"neutral := 0", first("neutral := 1")),
    "no inverse": ("Hints.v", r"inverse : list nat := \[0; 1; 2", first("inverse : list nat := [0; 1; 1")),
    "no circuits": ("Hints.v", r"circuits : list circuit := \[.*\]", first("circuits : list circuit := []")),
}


SECOND = (
    "another total",
    "another width",
    "an image out of range",
    "a table that does not sum to 0",
    "a neuron that there is not",
    "no inverse",
    "no circuits",
)
"""Sabotages of a kind that others have."""


@pytest.mark.parametrize("kind", [pytest.param(kind, marks=pytest.mark.slow if kind in SECOND else ()) for kind in SABOTAGE])
def test_false_theorems_are_rejected(kind: str, accepted: Path, compiled: Compile, tmp_path: Path):
    assert_rejected(SABOTAGE[kind], accepted, AGAIN[SABOTAGE[kind][0]], compiled, tmp_path / "copy")


def hostile(hints: GroupHints, generator: torch.Generator, numbers: str) -> GroupHints:
    """The same circuits, with arbitrary numbers of one kind in their readings."""

    def drawn(x: int) -> int:
        return x + int(torch.randint(-(2**60), 2**60, (), generator=generator)) // 2 ** int(
            torch.randint(0, 58, (), generator=generator)
        )

    def reading(r):
        old = getattr(r, numbers)
        return replace(r, **{numbers: [drawn(x) for x in old] if isinstance(old, list) else drawn(old)})

    circuits = tuple(replace(c, cells=[[[reading(r) for r in cell] for cell in row] for row in c.cells]) for c in hints.circuits)
    return replace(hints, circuits=circuits)


@pytest.mark.parametrize(
    "noise", [0.04, *(pytest.param(n, marks=pytest.mark.slow) for n in (0.0, 0.03, 0.042, 0.046, 0.1, 0.2, 0.5))]
)
def test_never_more_than_is_true(noise: float, coq, compiled: Compile, tmp_path: Path):
    """Of networks that circuits explain in part, with the numbers that were fitted, and with any other numbers."""
    model = on_three_points(noise, seed=1)
    task = Groups.of(model)
    explanation = STRATEGY.explain(model, task)
    explanation["alike"] = torch.tensor([0])
    hints, generator = group_hints(model, task, explanation), torch.Generator().manual_seed(1)
    formalize_compact(model, task, STRATEGY, explanation, 0, tmp_path)
    kinds = ("seen_left", "seen_right", "rows", "columns", "mean", "slope")
    variants = [hints, *(hostile(hints, generator, kind) for kind in kinds)]
    program = "Formalized.Program.model 6 9 Formalized.Task.table"
    found = counts(
        [hints_source(variant) for variant in variants],
        (
            "Coq Require Import ZArith",
            "CompactProofs Require Processor",
            "CompactProofs Require Import GroupTheorems",
            "Formalized Require Task Program",
        ),
        lambda V: [f"count_groups Processor.hardware {program} {V}.bits {V}.neutral {V}.inverse {V}.circuits"],
        ("Weights.v", "Task.v", "Program.v"),
        compiled,
        tmp_path,
    )
    truth = int(evaluate(Specimen(model), task).possible.sum())
    assert all(0 <= count <= truth for count in found)
    assert found[0] == {0.0: 36, 0.03: 36, 0.04: 23}.get(noise, found[0])


def test_from_a_certificate_on_the_command_line(model: PairMLP, proven: Certificate, coq, tmp_path: Path):
    file = tmp_path / "model.safetensors"
    save_model(model, file, {"task": "groups"})
    certificate = proven.save(tmp_path / "proof.cert")
    arguments = ["formalize", str(certificate), "--model", str(file), "-o", str(tmp_path / "t"), "--check", "--json"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.stderr
    document = json.loads(result.stdout)
    assert document["checked"]["numerator"] == document["claimed"] == document["denominator"] == "36"
    assert "groups_hardware" in (tmp_path / "t" / "Accuracy.v").read_text()
    assert "The checker makes" in result.stderr


def test_a_certificate_without_a_checker_is_run_and_that_is_said(model: PairMLP, tmp_path: Path):
    factored = PairMLP(model.table, model.width, d_embed=model.width, dtype=torch.float64)
    eye = torch.eye(model.width, dtype=torch.float64)
    factored.load_state_dict({**model.state_dict(), "W_l": eye, "W_r": eye})
    file = tmp_path / "model.safetensors"
    save_model(factored, file, {"task": "groups"})
    certificate = prove(factored, Groups.of(factored), STRATEGY).save(tmp_path / "proof.cert")
    result = CliRunner().invoke(app, ["formalize", str(certificate), "--model", str(file), "-o", str(tmp_path / "t")])
    assert result.exit_code == 0, result.stderr
    assert "it takes folded networks" in " ".join(result.stderr.split())
    assert not (tmp_path / "t" / "Hints.v").exists()
    refused = CliRunner().invoke(app, ["formalize", str(file), "-s", "g-sets-linear", "-o", str(tmp_path / "u")])
    assert refused.exit_code == 2
    assert "PairMLP.folded" in refused.stderr


def test_shorter_than_running_the_network(tmp_path: Path):
    """On the zoo's networks on S4 and A5: below |G|^2 evaluations, many times."""
    for name, times in (("s4-seed-0", 15), ("a5-seed-0", 150)):
        loaded = load_model(name)
        explanation = STRATEGY.explain(loaded.model, loaded.task)
        hints = group_hints(loaded.model, loaded.task, explanation)
        n, m = loaded.model.order, loaded.model.width
        assert times * compact_length(n, m, hints) < brute_force_length(n, m)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("factors", "folded networks"),
        ("alike", "compares tables for each left point alone"),
        ("nothing", "describes no circuits"),
        ("huge", "below 2^40"),
    ],
)
def test_what_has_no_checker(change: str, reason: str, model: PairMLP, proven: Certificate, tmp_path: Path):
    task, explanation = Groups.of(model), dict(proven.explanation)
    changed: nn.Module = model
    if change == "factors":
        changed = PairMLP(model.table, model.width, d_embed=3, dtype=torch.float64)
    elif change == "alike":
        explanation["alike"] = torch.tensor([1])
    elif change == "nothing":
        explanation["left"] = explanation["left"].roll(1, 1)
    else:
        changed = PairMLP(model.table, model.width, dtype=torch.float64)
        changed.load_state_dict({**model.state_dict(), "E_l": model.E_l * 1e30})
    with pytest.raises(BadInput, match=re.escape(reason)) as error:
        formalize_compact(changed, task, STRATEGY, explanation, 1, tmp_path)
    assert "cp.formalize" in str(error.value)
