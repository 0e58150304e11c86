"""Theorems that Coq accepts, and false ones that it must not: on a tiny model."""

from __future__ import annotations

import json
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from compact_proofs.cli.app import app
from compact_proofs.core.certificate import Certificate
from compact_proofs.core.prove import prove
from compact_proofs.core.soundness import Specimen, evaluate
from compact_proofs.errors import BadInput, CertificateRejected
from compact_proofs.formal import checkers
from compact_proofs.formal.arithmetic import Arithmetic
from compact_proofs.formal.checkers import checker_for
from compact_proofs.formal.compact import formalize_compact
from compact_proofs.formal.network.lowering import network_of
from compact_proofs.formal.sources import TransformerStatement
from compact_proofs.formal.theorem import check_theorem, write_theorem
from compact_proofs.program import program_of
from compact_proofs.tasks import KITS, LoadedModel
from compact_proofs.tasks.max_of_k import Additive, BruteForce, MaxOfK

BUILT_ON = ("Weights.v", "Program.v", "Hints.v")
GRID = Additive(counting="grid", window=3, groups=3, steps=16, reach=24)


@pytest.fixture(scope="module")
def proven(tiny: LoadedModel) -> Certificate:
    return prove(tiny.model, tiny.task, GRID)


@pytest.fixture(scope="module")
def accepted(tiny: LoadedModel, proven: Certificate, coq, tmp_path_factory) -> Path:
    """The folder of a theorem that Coq has checked."""
    folder = tmp_path_factory.mktemp("theorem")
    checked = check_theorem(formalize_compact(tiny.model, tiny.task, GRID, proven.explanation, proven.claim.numerator, folder))
    assert checked.numerator == proven.claim.numerator > 100
    assert checked.statement == FALSE.replace("1000", str(checked.numerator))
    assert any("binary64" in word for word in checked.assumptions)
    return folder


def test_one_more_than_is_proven_is_rejected(accepted: Path, proven: Certificate, compiled, tmp_path: Path):
    n = proven.claim.numerator
    text = (accepted / "Accuracy.v").read_text()
    folder = shutil.copytree(accepted, tmp_path / "more")
    for name in BUILT_ON:
        assert compiled(folder / name).accepted
    (folder / "Accuracy.v").write_text(text.replace(str(n), str(n + 1)))
    output = compiled(folder / "Accuracy.v")
    assert not output.accepted
    assert "check_additive" in output.text
    (folder / "Accuracy.v").write_text(text.replace(f">= {n} ", f">= {n + 1} "))  # the claim alone
    assert not compiled(folder / "Accuracy.v").accepted
    (folder / "Accuracy.v").write_text(text.replace(str(n), str(n - 1)))
    assert compiled(folder / "Accuracy.v").accepted


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (r"(rows_W_U_0 := \[\|)[^|]*", lambda found: found[1] + " " + "; ".join(["0"] * found[0].count(";")) + "; 0 "),
        (r"(rows_W_pos_0 := \[\|)", lambda found: found[1] + " 0;"),
    ],
)
def test_other_weights_are_rejected(old: str, new, accepted: Path, compiled, tmp_path: Path):
    """Logits that are all 0, so that no token is named; a weight with an entry too many."""
    folder = shutil.copytree(accepted, tmp_path / "weights")
    text = (accepted / "Weights.v").read_text()
    changed = re.sub(old, new, text, count=1)
    assert changed != text
    (folder / "Weights.v").write_text(changed)
    for name in BUILT_ON:
        assert compiled(folder / name).accepted
    assert not compiled(folder / "Accuracy.v").accepted


def test_another_program_is_rejected(accepted: Path, compiled, tmp_path: Path):
    """The checker's argument is about the transformer; a program that computes something else is not it."""
    folder = shutil.copytree(accepted, tmp_path / "program")
    text = (accepted / "Program.v").read_text()
    (folder / "Program.v").write_text(text.replace("Read W_K", "Read W_Q"))
    for name in BUILT_ON:
        assert compiled(folder / name).accepted
    assert not compiled(folder / "Accuracy.v").accepted


UNSAFE = {
    "an axiom": "Axiom cheat : {goal}.\n",
    "an axiom with a known name": "Module PrimFloat. Axiom cheat : {goal}. End PrimFloat.\nImport PrimFloat.\n",
    "guard": "#[local] Unset Guard Checking.\nFixpoint loop (n : nat) : {goal} := loop n.\n"
    "#[local] Set Guard Checking.\nDefinition cheat := loop 0.\n",
    "positivity": "#[local] Unset Positivity Checking.\nInductive odd := Odd (f : odd -> False).\n"
    "#[local] Set Positivity Checking.\n"
    "Definition no (o : odd) : False := match o with Odd f => f o end.\nLemma absurd : False.\nProof. exact (no (Odd no)). Qed.\n"
    "Definition cheat : {goal} := match absurd with end.\n",
    "another statement": "Definition accuracy (M : network) (domain : list (list nat)) (l : task) : R := 2.\n"
    "Lemma cheat : {goal}. Proof. split; [vm_compute; reflexivity|unfold accuracy; Lra.lra]. Qed.\n",
}
"""Texts of a hostile Accuracy.v, with the goal where it goes."""


FALSE = (
    "shaped Formalized.Program.model = true /\\\n  accuracy Formalized.Program.model (inputs [8; 8; 8]%nat) maximum >= 1000 / 8 ^ 3"
)


@dataclass(frozen=True)
class Hostile(TransformerStatement):
    """A false theorem, proved by a cheat."""

    cheat: str

    def words(self, numerator: int) -> str:
        return FALSE

    def accuracy(self, numerator: int) -> str:
        return (
            "From Coq Require Import Reals Lra List.\nFrom CompactProofs Require Import Network Tasks.\n"
            "From Formalized Require Program.\nImport ListNotations.\nOpen Scope R_scope.\n"
            f"{self.cheat.format(goal=FALSE)}Theorem accuracy_bound : {FALSE}.\nProof. exact cheat. Qed.\n"
        )


@pytest.mark.parametrize("kind", [pytest.param(kind, marks=pytest.mark.slow if kind == "an axiom" else ()) for kind in UNSAFE])
def test_cheats_are_rejected(kind: str, tiny: LoadedModel, proven: Certificate, coq, tmp_path: Path):
    """Coq accepts the file with the theorem; what is asked last does not."""
    checker = checker_for(GRID, tiny.model, proven.explanation)
    network = network_of(program_of(tiny.model, tiny.task))
    hostile = Hostile(tiny.model, network, "m", checker, Arithmetic.hardware, UNSAFE[kind])
    theorem = write_theorem(hostile, proven.claim.numerator, tmp_path)
    reason = "Assumptions.v: Coq does not accept it" if kind == "another statement" else "rests on what it must not"
    with pytest.raises(CertificateRejected, match=reason):
        check_theorem(theorem)


def test_what_else_is_in_the_folder_has_no_say(tiny: LoadedModel, proven: Certificate, coq, tmp_path: Path):
    """Compiled files that are newer than the theorem's would be loaded in their place: Coq does not look there."""
    n = proven.claim.numerator
    theorem = formalize_compact(tiny.model, tiny.task, GRID, proven.explanation, n, tmp_path / "theorem")
    for name in ("Program.vo", "Program.vio", "PrimFloat.vo"):
        (tmp_path / "theorem" / name).write_bytes(b"no file of Coq's")
        os.utime(tmp_path / "theorem" / name, (2**32, 2**32))
    assert theorem.check().numerator == n


@pytest.mark.parametrize("name", ["Weights.v", "Program.v", "Hints.v", "Accuracy.v"])
def test_a_folder_that_was_changed_is_rejected(name: str, tiny: LoadedModel, proven: Certificate, coq, tmp_path: Path):
    theorem = formalize_compact(tiny.model, tiny.task, GRID, proven.explanation, proven.claim.numerator, tmp_path)
    text = (tmp_path / name).read_text()
    for changed in (text + "\n", text.replace("Require", "Require  ", 1), 'Add LoadPath "/evil".\n' + text):
        (tmp_path / name).write_text(changed)
        with pytest.raises(CertificateRejected, match=f"{name} is not what this network"):
            theorem.check()
    (tmp_path / name).unlink()
    with pytest.raises(CertificateRejected, match=f"{name} is missing"):
        theorem.check()


def test_the_development_is_compiled_anew(coq, monkeypatch, tmp_path: Path):
    source = tmp_path / "Tiny.v"
    source.write_text("Definition one := 1.\n")
    monkeypatch.setattr("compact_proofs.formal.coq.sources", lambda: [source])
    compiled = coq.build() / "Tiny.vo"
    honest = compiled.read_bytes()
    compiled.write_bytes(b"other")
    assert (coq.build() / "Tiny.vo").read_bytes() == b"other"
    assert (coq.build(fresh=True) / "Tiny.vo").read_bytes() == honest


def test_a_file_that_coq_does_not_accept_is_named(coq, monkeypatch, tmp_path: Path):
    files = [tmp_path / f"{name}.v" for name in ("First", "Second", "Third")]
    for file, text in zip(
        files,
        (
            "Definition one := 1.\n",
            "From CompactProofs Require Import First.\nDefinition two := one + 1.\n",
            "From CompactProofs Require Import First.\nDefinition three := another.\n",
        ),
        strict=True,
    ):
        file.write_text(text)
    monkeypatch.setattr("compact_proofs.formal.coq.sources", lambda: files)
    with pytest.raises(BadInput, match=r"(?s)does not accept Third\.v .*another was not found"):
        coq.build()
    assert not coq.place().exists()
    files[2].write_text("From CompactProofs Require Import First\n  Second.\nDefinition three := one + two.\n")
    assert {file.name for file in coq.build().glob("*.vo")} == {"First.vo", "Second.vo", "Third.vo"}


HOSTILE = [
    "{| window := 0; steps := 16%positive; reach := 24 |}",
    "{| window := 1000; steps := 1%positive; reach := 1000 |}",
    "{| window := 3; steps := 1048576%positive; reach := 0 |}",
    "{| window := 2; steps := 3%positive; reach := 7 |}",
]
GROUPINGS = ["(@nil nat)", "[0; 1; 2; 3; 4; 5; 6; 7]", "[0; 0; 0; 7; 7; 7; 7; 7; 7; 7; 7; 7]", "[100; 0; 100; 1]"]


def test_hostile_hints_prove_only_what_is_true(accepted: Path, tiny: LoadedModel, compiled, tmp_path: Path):
    truth = evaluate_count(tiny.model)
    folder = shutil.copytree(accepted, tmp_path / "hostile")
    calls = [f"count_additive hardware Hints.params {options} {groups}" for options in HOSTILE for groups in GROUPINGS]
    text = (
        "From Coq Require Import ZArith List.\nFrom CompactProofs Require Import Additive Processor Theorems.\n"
        "From Formalized Require Hints.\nImport ListNotations.\n" + "".join(f"Eval vm_compute in ({call}).\n" for call in calls)
    )
    (folder / "Hostile.v").write_text(text)
    for name in BUILT_ON:
        assert compiled(folder / name).accepted
    output = compiled(folder / "Hostile.v")
    assert output.accepted, output.text
    counts = [int(n) for n in re.findall(r"= \(?(-?\d+)\)?%Z", output.text)]
    assert len(counts) == len(calls)
    assert all(0 <= n <= truth for n in counts)
    assert max(counts) > truth / 2


def evaluate_count(model: torch.nn.Module) -> int:
    return int(evaluate(Specimen(model), MaxOfK.of(model)).right.sum())


@pytest.mark.parametrize("arithmetic", [pytest.param(Arithmetic.software, marks=pytest.mark.slow), Arithmetic.pure])
def test_exhaustively_with_fewer_assumptions(arithmetic: Arithmetic, coq, tmp_path: Path):
    model = KITS["max-of-k"].specimen(1).model
    task = MaxOfK.of(model)
    n = prove(model, task, BruteForce()).claim.numerator
    checked = check_theorem(formalize_compact(model, task, BruteForce(), {}, n, tmp_path, arithmetic=arithmetic))
    assert checked.numerator == n > 0
    assert not any("binary64" in word for word in checked.assumptions)
    assert any("63-bit" in word for word in checked.assumptions) == (arithmetic is Arithmetic.software)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2, 24))
def test_coq_counts_what_python_counts(seed: int, coq, tmp_path: Path):
    """On the specimens of the soundness harness: the same set, but for roundings; never more than is true."""
    specimen = KITS["max-of-k"].specimen(seed)
    task = MaxOfK.of(specimen.model)
    found = prove(specimen.model, task, GRID)
    checked = check_theorem(formalize_compact(specimen.model, task, GRID, found.explanation, found.claim.numerator, tmp_path))
    assert checked.numerator <= int(evaluate(specimen, task).possible.sum())
    if not specimen.decided_by_rounding:
        assert abs(checked.numerator - found.claim.numerator) <= 2


@pytest.mark.parametrize("window", [3, *(pytest.param(window, marks=pytest.mark.slow) for window in (1, 100))])
def test_counting_by_positions(window: int, tiny: LoadedModel, coq, tmp_path: Path, monkeypatch):
    """Coq bounds each query by itself, and so proves at least what Python does; what bounds leave out, it evaluates."""
    strategy, right = Additive(window, groups=2), evaluate_count(tiny.model)
    proven = prove(tiny.model, tiny.task, strategy)
    counts = []
    for evaluated in (0, checkers.EVALUATED):
        monkeypatch.setattr(checkers, "EVALUATED", evaluated)
        theorem = formalize_compact(tiny.model, tiny.task, strategy, proven.explanation, proven.claim.numerator, tmp_path)
        counts.append(theorem.check().numerator)
    assert proven.claim.numerator <= counts[0] < counts[1] == right


def test_from_the_command_line(coq, tiny_file: Path, proven: Certificate, tmp_path: Path):
    certificate = proven.save(tmp_path / "proof.cert")
    arguments = ["formalize", str(certificate), "--model", str(tiny_file), "-o", str(tmp_path / "t"), "--check", "--json"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.stderr
    document = json.loads(result.stdout)
    assert document["claimed"] == document["checked"]["numerator"] == str(proven.claim.numerator)
    assert document["checked"]["difference"] == "0"
    assert document["checked"]["statement"].startswith("shaped Formalized.Program.model = true /\\")


def test_a_prefix_theorem_from_the_command_line(coq, tiny_file: Path, tmp_path: Path):
    result = CliRunner().invoke(app, ["formalize", str(tiny_file), "-o", str(tmp_path / "u"), "-s", "prefix", "--check"])
    assert result.exit_code == 0, result.stderr
    for words in ("accepted by Coq", "The certificate in Python proves the same number", "It rests on: the classical real"):
        assert words in result.stdout
