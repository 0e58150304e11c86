"""Bounds up to a goal about real numbers: what is enclosed, and what Coq takes and refuses."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from compact_proofs.cli.app import app
from compact_proofs.errors import BadInput, CertificateRejected
from compact_proofs.formal.goal.boxes import Box, check_kinds, maximum_kinds
from compact_proofs.formal.goal.closing import margin
from compact_proofs.formal.goal.enclosing import OVER, constants, filled
from compact_proofs.formal.goal.goal_statement import GoalStatement, check_goal, goal_of, write_goal
from compact_proofs.formal.goal.goal_text import COQ, LEAN, write
from compact_proofs.formal.goal.grammar import refused
from compact_proofs.formal.goal.kinds import closable_kinds
from compact_proofs.formal.goal.lead import chain, lead, unroll
from compact_proofs.formal.network.evaluation import logits, meaning_of
from compact_proofs.formal.network.language import ONE, Scalar, axis, exp, fixed, over, plus, read, times, total
from compact_proofs.tasks import LoadedModel, load_model
from compact_proofs.tasks.max_of_k import MaxOfK

EXAMPLE = Path(__file__).parent.parent.parent / "examples" / "goal" / "Closed.v"


class Votes(torch.nn.Module):
    """Each token votes for itself, larger ones more: the logits of the maximum of two tokens."""

    def __init__(self, v: int) -> None:
        super().__init__()
        self.W = torch.nn.Parameter(torch.diag(torch.arange(v) + 0.5))

    def forward(self, pairs: torch.Tensor) -> torch.Tensor:
        return self.W[pairs].sum(1)


VOTES = Votes(4), MaxOfK(d_vocab=4, n_ctx=2)
BY_LRA = """From Coq Require Import Reals Lra.
From Formalized Require Import Goal.
Theorem closed : goal.
Proof. repeat split; intro; intros; lra. Qed.
"""


def votes(folder: Path, proof: str, *, kinds: tuple[tuple[Box, ...], ...] | None = None) -> GoalStatement:
    """The statement about `Votes`, written into a folder with a proof of its goal."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "Closed.v").write_text(proof)
    statement = goal_of(*VOTES, kinds or maximum_kinds(2, 4, 1), folder)
    write_goal(statement, folder)
    return statement


@pytest.mark.parametrize("name", ["tiny", "finite-max-2-heads"])
def test_the_lead_is_the_difference_of_logits_and_its_parts_are_enclosed(name: str, tiny: LoadedModel, tmp_path: Path):
    loaded = tiny if name == "tiny" else load_model(name)
    v, n = loaded.task.d_vocab, loaded.task.n_ctx
    statement = goal_of(loaded.model, loaded.task, maximum_kinds(n, v, v // 4, v - 3), tmp_path)
    form, network = statement.lead, statement.lead.distributed.network
    env = constants(network)
    random = torch.Generator().manual_seed(0)
    for kind, facts in zip(statement.kinds, statement.facts, strict=True):
        box = kind[int(torch.randint(len(kind), (), generator=random))]
        t = [a + int(torch.randint(k, (), generator=random)) for a, k in box.intervals]
        assert max(t) == box.label
        x = (box.label + 1 + int(torch.randint(v - 1, (), generator=random))) % v
        at = [meaning_of(atom, env, (box.label, x), t) for atom in form.atoms]
        found = logits(statement.network, t)
        assert meaning_of(form.body, [np.array(at)], (), t) == pytest.approx(found[box.label] - found[x], abs=1e-8)
        for fact in facts:
            value = meaning_of(filled(form, fact.form), env, (box.label, x), t)
            assert fact.low / OVER < value < fact.high / OVER
            places = (box.label, x, *(t[p] for p in fact.tokens))
            assert meaning_of(fact.value, env, places, ()) == pytest.approx(value, abs=1e-9)
    assert statement.numerator == sum(box.size for kind in statement.kinds for box in kind) > 0


def test_leads_of_expressions():
    """What does not depend on the output is taken out; small sums are written out, others are not."""
    a, b = read(0, [axis(0)]), read(1, [fixed(2)])
    assert lead(b) == lead(ONE) == read(0, []).__class__("Number", (0, 1))
    assert lead(plus(a, b)) == Scalar("Minus", (a, read(0, [axis(1)])))
    assert lead(times(b, a)) == times(b, lead(a))
    assert lead(over(a, b)) == over(lead(a), b)
    assert lead(exp(a)) == Scalar("Minus", (exp(a), exp(read(0, [axis(1)]))))
    inner = read(2, [axis(0), axis(1)])
    assert unroll(2, 1, total(2, inner)) == chain([read(2, [axis(0), fixed(0)]), read(2, [axis(0), fixed(1)])])
    assert unroll(2, 1, total(3, inner)) == total(3, inner)


def test_brackets_stand_where_they_change_themeaning_of():
    x, y, z = (read(0, [fixed(i)]) for i in range(3))
    names = ["x", "y", "z"]
    assert write(plus(x, plus(y, z)), names, COQ) == "x + (y + z)"
    assert write(plus(plus(x, y), z), names, COQ) == "x + y + z"
    assert write(over(x, times(y, z)), names, COQ) == "x / (y * z)"
    assert write(exp(plus(x, y)), names, LEAN) == "Real.exp (x + y)"
    with pytest.raises(BadInput, match="error function"):
        write(Scalar("Erf", (x,)), names, COQ)


@pytest.mark.parametrize(("gap", "least"), [(0, 0), (8, 0), (2, 8)])
def test_kinds_without_inputs_are_refused(gap: int, least: int):
    with pytest.raises(BadInput, match="gap"):
        maximum_kinds(3, 8, gap, least)


def test_boxes_that_are_not_of_the_task_are_refused():
    for kinds in ([], [()], [(Box(1, ((0, 3), (0, 5))),)], [(Box(1, ((0, 3),)),)], [(Box(1, ((0, 0), (1, 1))),)]):
        with pytest.raises(BadInput):
            check_kinds(kinds, (4, 4))


def test_a_goal_that_is_closed_makes_the_theorem(coq, tmp_path: Path):
    statement = votes(tmp_path, BY_LRA)
    assert statement.numerator == 12  # two different tokens of four
    checked = check_goal(statement, tmp_path)
    assert checked.statement == statement.words(12)
    assert "maximum >= 12 / 16" in checked.statement
    assert any("binary64" in word for word in checked.assumptions)
    lean = (tmp_path / "Goal.lean").read_text()
    assert lean.count("sorry") == len(statement.kinds)
    assert len(re.findall(r"0 < g0", lean)) == len(statement.kinds)


BY = "repeat split; intro; intros; lra."


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (f"{BY} Qed.", "Admitted.", "'Admitted' is not let through"),
        (
            f"Theorem closed : goal.\nProof. {BY}",
            "Axiom false : False.\nTheorem closed : goal.\nProof. destruct false.",
            "'Axiom false : False' is not let through",
        ),
        (
            f"Theorem closed : goal.\nProof. {BY}",
            "Variable false : False.\nTheorem closed : goal.\nProof. destruct false.",
            "rests on",
        ),
        pytest.param(f"{BY} Qed.", "Abort.", "does not accept", marks=pytest.mark.slow),
        (BY, "lia.", "does not accept"),
        (f"goal.\nProof. {BY}", "True.\nProof. exact I.", "does not accept"),
    ],
)
def test_only_a_proof_closes_a_goal(old: str, new: str, message: str, coq, tmp_path: Path):
    """What is admitted, an axiom, no proof at all, one that fails, and one of something else."""
    assert old in BY_LRA
    statement = votes(tmp_path, BY_LRA.replace(old, new))
    with pytest.raises(CertificateRejected, match=message):
        check_goal(statement, tmp_path)


@pytest.mark.parametrize(
    "command",
    [
        'Declare ML Module "a".',
        'Add LoadPath "/a".',
        'Load "a.v".',
        'Redirect "a" Print nat.',
        'Print Universes "a".',
        "#[global] Unset Guard Checking.",
        "Global Set Printing Width 1.",
        "Local Set Printing All.",
        "Unset Universe Checking.",
        'Notation "x >= y" := (x = y).',
        "Number Notation R f g : R_scope.",
        "Delimit Scope evil with nat.",
        "From Evil Require Import Goal.",
        "Require Evil.",
        "Module PrimFloat.",
        "Parameter false : False.",
        "(* a (* b *) *) - { 1: { Axiom false : False.",
        '(* "*)" *) Declare Module M : T.',
        "Lemma a : True (* no end",
    ],
)
def test_a_proof_that_does_more_than_prove_is_refused(command: str, tmp_path: Path):
    statement = votes(tmp_path, BY_LRA.replace("Theorem", f"{command}\nTheorem"))
    with pytest.raises(CertificateRejected, match="not let through"):
        check_goal(statement, tmp_path)


@pytest.mark.parametrize(
    "proof",
    [
        BY_LRA,
        EXAMPLE.read_text(),
        "Lemma a : 1.5 = 2. Proof. - { all: Lra.lra. } - 1-2: lra... Qed.",
        '(* Axiom a. "*) Axiom b. (*" *) Lemma a : a. Proof using. [x]: exact "Axiom c. ". Unshelve. Qed.',
        "Local Open Scope R_scope. Section S. Variable x : R. Let y := x. End S. Ltac f := idtac.",
    ],
)
def test_what_states_and_proves_is_let_through(proof: str):
    assert refused(proof) is None


def test_a_changed_file_is_refused(coq, tmp_path: Path):
    statement = votes(tmp_path, BY_LRA)
    for name in ("Goal.v", "Enclosures.v", "Program.v", "Accuracy.v"):
        folder = shutil.copytree(tmp_path, tmp_path / f"changed-{name}", ignore=shutil.ignore_patterns("changed-*"))
        (folder / name).write_text((folder / name).read_text() + "\n")
        with pytest.raises(CertificateRejected, match="changed"):
            check_goal(statement, folder)
        (folder / name).unlink()
        with pytest.raises(CertificateRejected, match="missing"):
            check_goal(statement, folder)


def test_enclosures_that_do_not_hold_are_rejected(coq, compiled, tmp_path: Path):
    statement = votes(tmp_path, BY_LRA)
    for name in ("Weights.v", "Program.v", "Tables.v", "Enclosures.v"):
        assert compiled(tmp_path / name).accepted
    text = statement.parts["Enclosures.v"]
    low = re.search(r"low := \((-?\d+)\)", text)
    assert low
    (tmp_path / "Enclosures.v").write_text(text.replace(low[0], f"low := ({int(low[1]) + 2})", 1))
    assert not compiled(tmp_path / "Enclosures.v").accepted


@pytest.mark.parametrize(
    "kinds",
    [
        ((Box(1, ((1, 1), (0, 1))),), (Box(1, ((1, 1), (0, 1))),)),  # one box twice
        ((Box(2, ((1, 1), (0, 1))), Box(3, ((3, 1), (0, 1)))),),  # a label that is not the maximum
    ],
)
def test_boxes_that_do_not_count_are_rejected(kinds, coq, tmp_path: Path):
    proof = BY_LRA.replace(
        f"Theorem closed : goal.\nProof. {BY}", "Variable false : False.\nTheorem closed : goal.\nProof. destruct false."
    )
    statement = votes(tmp_path, proof, kinds=kinds)
    with pytest.raises(CertificateRejected, match="Accuracy"):
        check_goal(statement, tmp_path)


def test_a_label_without_a_rule_is_run_through(coq, compiled, tmp_path: Path):
    """Boxes of a task whose label is not the maximum by name."""
    statement = votes(tmp_path, BY_LRA)
    statement = replace(statement, task=replace(statement.task, label="(fun t => fold_right Nat.max 0 t)%nat"))
    write_goal(statement, tmp_path)
    assert "same_label_sound" in (tmp_path / "Accuracy.v").read_text()
    for name in (*statement.parts, "Accuracy.v"):
        output = compiled(tmp_path / name)
        assert output.accepted, output.text


def test_the_command_line_says_what_it_needs(tiny_file: Path, tmp_path: Path):
    runner = CliRunner()
    for arguments in (["s4-seed-0"], [str(tiny_file), "-O", "window=3"], [str(tiny_file), "-s", "cubic"]):
        result = runner.invoke(app, ["formalize", *arguments, "--goal", "-o", str(tmp_path / "theorem")])
        assert result.exit_code == 2
    assert not (tmp_path / "theorem").exists()
    arguments = ["formalize", str(tiny_file), "--goal", "-O", "gap=3", "-o", str(tmp_path / "theorem")]
    result = runner.invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert {"Goal.v", "Goal.lean", "Closed.v", "Enclosures.v"} <= {file.name for file in (tmp_path / "theorem").iterdir()}
    (tmp_path / "theorem" / "Closed.v").write_text(BY_LRA)
    assert runner.invoke(app, arguments).exit_code == 2  # the folder is not empty
    assert runner.invoke(app, [*arguments, "--force"]).exit_code == 0
    assert (tmp_path / "theorem" / "Closed.v").read_text() == BY_LRA  # whoever's proof it is


@pytest.mark.parametrize("name", ["tiny", "finite-max-2-heads"])
def test_what_a_machine_proves_is_a_bound_of_the_lead(name: str, tiny: LoadedModel, tmp_path: Path):
    """The margin of a proof by machine is at most the lead of any input of its boxes, and no more is claimed than is true."""
    loaded = tiny if name == "tiny" else load_model(name)
    v, n = loaded.task.d_vocab, loaded.task.n_ctx
    statement = goal_of(loaded.model, loaded.task, partial(closable_kinds, n_ctx=n, d_vocab=v, least=v - 6, block=3), tmp_path)
    assert not statement.is_open
    assert statement.closed.count("Lemma closed_") == len(statement.kinds) >= n
    random = torch.Generator().manual_seed(1)
    for kind, facts in zip(statement.kinds, statement.facts, strict=True):
        left = margin(statement.lead, facts)
        assert left is not None
        assert left > 0
        for box in (kind[0], kind[-1]):
            t = [a + int(torch.randint(k, (), generator=random)) for a, k in box.intervals]
            found = logits(statement.network, t)
            assert float(left) < found[box.label] - np.delete(found, box.label).max()


def test_coq_accepts_what_a_machine_proves(tiny: LoadedModel, coq, compiled, tmp_path: Path):
    statement = goal_of(tiny.model, tiny.task, partial(closable_kinds, n_ctx=3, d_vocab=8, block=1), tmp_path)
    assert statement.numerator > 100
    write_goal(statement, tmp_path)
    assert compiled(tmp_path / "Goal.v").accepted
    output = compiled(tmp_path / "Closed.v")
    assert output.accepted, output.text


def test_a_goal_that_no_machine_proves_is_open(tmp_path: Path):
    """The gap is too small for attention to be sharp; and where no box is left, nothing is proved."""
    loaded = load_model("max-of-4-seed-123")
    statement = goal_of(loaded.model, loaded.task, maximum_kinds(4, 64, 1), tmp_path)
    assert statement.is_open
    with pytest.raises(BadInput, match="no goal"):
        goal_of(*VOTES, partial(closable_kinds, n_ctx=2, d_vocab=4, least=4), tmp_path)


def test_a_goal_without_attention_is_closed_by_machine(tmp_path: Path):
    statement = goal_of(*VOTES, partial(closable_kinds, n_ctx=2, d_vocab=4), tmp_path)
    assert not statement.is_open
    assert statement.numerator == 12  # all but those with one token twice


@pytest.mark.slow
def test_goals_of_a_network_with_two_heads_are_closed(coq, tmp_path: Path):
    """By machine, and by hand. No other checker proves anything about this model: it has two heads, and 16.8 million inputs."""
    runner = CliRunner()
    arguments = ["formalize", "finite-max-2-heads", "--goal", "-O", "least=61", "-o"]
    result = runner.invoke(app, [*arguments, str(tmp_path / "machine"), "--check"])
    assert result.exit_code == 0, result.output
    assert "accepted by Coq" in result.output
    arguments = [*arguments, str(tmp_path / "hand"), "-O", "gap=10"]
    assert runner.invoke(app, arguments).exit_code == 0
    shutil.copy(EXAMPLE, tmp_path / "hand")
    result = runner.invoke(app, [*arguments, "--check"])
    assert result.exit_code == 0, result.output
    assert "1787796 / 16777216" in result.output
