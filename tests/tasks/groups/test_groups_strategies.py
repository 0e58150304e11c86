"""Bounds on models of the zoo, what strategies are worth on them, their lengths, and the command line."""

import json

import pytest
import torch
from typer.testing import CliRunner

import compact_proofs as cp
from compact_proofs import zoo
from compact_proofs.cli.app import app
from compact_proofs.core.soundness import evaluate
from compact_proofs.errors import BadInput
from compact_proofs.models.pair_mlp import PairMLP
from compact_proofs.report.data import Proof
from compact_proofs.tasks import load_model
from compact_proofs.tasks.groups import KIT, BruteForce, Cosets, Groups, GSets, GSetsLinear, LinearBaseline, group_named, search
from compact_proofs.tasks.groups.pictures import STORIES, best, verdict
from compact_proofs.tasks.groups.specimens import KINDS, specimen

S4 = [name for name in zoo.names("groups") if name.startswith("s4")]


def proven(name, strategy):
    model = zoo.load(name)
    return cp.prove(model, Groups.of(model), strategy)


@pytest.mark.parametrize("name", [*S4, "a5-seed-0", "a5-seed-1", "s5-seed-1", "s5-seed-3"])
def test_the_linear_cost_proof_proves_every_pair(name):
    certificate = proven(name, GSetsLinear())
    assert certificate.bound == 1
    assert certificate.length.total < 0.25 * proven(name, BruteForce()).length.total


@pytest.mark.parametrize(("name", "least"), [("s5-seed-0", 0.99), ("s5-seed-2", 1.0)])
def test_harder_models_are_proven_pair_by_pair(name, least):
    circuits, everything = proven(name, GSets(rest=False)), proven(name, GSets())
    assert circuits.bound >= least
    assert everything.bound == 1
    assert everything.length.total < 0.1 * proven(name, BruteForce()).length.total
    assert proven(name, GSetsLinear()).bound < circuits.bound  # the bound for every output adds to it


def test_brute_force_on_what_is_left_over_makes_the_bound_exact():
    for seed in (2, 7, 12):
        s = specimen(seed)
        task = Groups.of(s.model)
        exact = cp.prove(s.model, task, BruteForce()).claim.numerator
        assert cp.prove(s.model, task, GSets()).claim.numerator == exact
        assert cp.prove(s.model, task, GSets(rest=False)).claim.numerator <= exact


def test_cosets_are_the_right_story_where_circuits_see_quotients():
    """D12's circuits see proper quotients only; S5's see the whole group, up to its sign."""
    joint, single = proven("d12-seed-0", Cosets()), proven("d12-seed-0", Cosets(joint=False))
    assert joint.bound == 1
    assert joint.length.total < 0.1 * proven("d12-seed-0", BruteForce()).length.total
    assert single.bound == 0
    assert proven("s5-seed-1", Cosets()).bound == 0


@pytest.mark.parametrize("name", zoo.names("groups"))
def test_the_recorded_accuracy_is_that_of_brute_force(name):
    certificate, recorded = proven(name, BruteForce()), zoo.metadata(name)["true_accuracy"]
    assert (certificate.claim.numerator, certificate.claim.denominator) == (
        int(recorded["numerator"]),
        int(recorded["denominator"]),
    )


@pytest.mark.parametrize("strategy", [GSetsLinear(), GSets(), Cosets()])
def test_a_search_without_operations_explains_nothing(monkeypatch, strategy):
    model = zoo.load("s4-seed-0")
    task = Groups.of(model)
    in_time = cp.prove(model, task, strategy).bound
    monkeypatch.setattr(search, "OPERATIONS", 0)
    assert cp.prove(model, task, strategy).bound <= in_time
    assert cp.prove(model, task, GSetsLinear()).bound == 0


def test_the_batched_brute_force_agrees_with_the_plain_module():
    for seed in range(0, 30, 3):
        s = specimen(seed)
        task = Groups.of(s.model)
        assert cp.prove(s.model, task, BruteForce()).claim.numerator == cp.brute_force(s.model, task).claim.numerator


def test_the_linear_baseline_is_a_share_of_brute_force():
    model = zoo.load("s4-seed-0")
    task = Groups.of(model)
    whole, part = cp.prove(model, task, BruteForce()), cp.prove(model, task, LinearBaseline(0.25))
    assert part.claim.numerator == 144
    assert part.length.total == pytest.approx(whole.length.total / 4, rel=0.02)
    with pytest.raises(BadInput, match="share"):
        LinearBaseline(0.0)


MEASURED = (BruteForce(), GSetsLinear(), GSetsLinear(exact=False), Cosets())


@pytest.mark.parametrize("strategy", MEASURED, ids=str)
def test_lengths_from_shapes_alone_are_those_of_the_run(strategy):
    model = zoo.load("s4-seed-0")
    task = Groups.of(model)
    certificate = cp.prove(model, task, strategy)
    assert cp.measure(model, task, strategy, certificate.explanation).total == certificate.length.total


def test_lengths_grow_as_they_should():
    """Brute force as n^3 m; the linear-cost proof by norms as n m, the same circuits on twice the neurons."""
    lengths = {name: proven(name, GSetsLinear(exact=False)).length.total for name in ("s4-seed-0", "s5-seed-1")}
    brute = {name: proven(name, BruteForce()).length.total for name in ("s4-seed-0", "s5-seed-1")}
    assert brute["s5-seed-1"] / brute["s4-seed-0"] > 200
    assert lengths["s5-seed-1"] / lengths["s4-seed-0"] < 15


def test_a_proof_of_the_unfolded_network():
    """Factors are multiplied out in the sound reading; what is proven is about the network that they define."""
    folded = zoo.load("s4-seed-1")
    model = with_factors(folded)
    task = Groups.of(model)
    certificate = cp.prove(model, task, GSetsLinear())
    assert certificate.bound == 1
    assert certificate.claim.function != cp.prove(folded, task, GSetsLinear()).claim.function


def with_factors(folded):
    n, m = folded.order, folded.width
    model = PairMLP(folded.table, m, n)
    eye = torch.eye(n)
    state = {
        "E_l": eye,
        "W_l": folded.E_l,
        "E_r": eye,
        "W_r": folded.E_r,
        "U": folded.U,
        "bias": folded.bias,
        "table": folded.table,
    }
    model.load_state_dict(state)
    return model


def test_specimens_are_not_trivial():
    accuracies = {kind: [] for kind in KINDS}
    certified = 0
    for seed in range(40):
        s = specimen(seed)
        task = Groups.of(s.model)
        accuracies[KINDS[seed % len(KINDS)]].append(evaluate(s, task).right.float().mean().item())
        certified += cp.prove(s.model, task, GSets(rest=False)).bound > 0
    assert all(a == 1 for a in accuracies["good"])
    assert any(0.2 < a < 0.95 for a in accuracies["noisy"])
    assert any(0 < a < 0.9 for a in accuracies["tied"])
    assert certified > 15


def test_the_task_is_its_table():
    task = Groups(group_named("S4"))
    assert task.parameters() == {"order": 24, "fingerprint": task.group.fingerprint}
    inputs = task.inputs(30, 33)
    assert inputs.tolist() == [[1, 6], [1, 7], [1, 8]]
    assert task.labels(inputs).tolist() == task.group.table[1, 6:9].tolist()
    with pytest.raises(BadInput, match="at least 2 elements"):
        Groups(group_named("C1"))
    model = zoo.load("s4-seed-0")
    with pytest.raises(BadInput, match="another group"):
        cp.prove(model, Groups(group_named("C24")), BruteForce())


def test_a_certificate_goes_through_the_command_line(tmp_path):
    runner, file = CliRunner(), str(tmp_path / "proof.cert")
    result = runner.invoke(app, ["prove", "s4-seed-0", "-o", file, "--json"])
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["bound"] == 1.0
    assert runner.invoke(app, ["check", file, "s4-seed-0"]).exit_code == 0
    assert runner.invoke(app, ["check", file, "s4-seed-1"]).exit_code == 1
    shown = runner.invoke(app, ["explain", "s4-seed-0"])
    assert "Circuits found in the weights" in shown.output


def test_a_frontier_with_its_report(tmp_path):
    result = CliRunner().invoke(app, ["frontier", "s4-seed-0", "-o", str(tmp_path / "report"), "--json"])
    assert result.exit_code == 0, result.output
    proofs = json.loads(result.stdout)["proofs"]
    assert {p["strategy"] for p in proofs} >= {"g-sets-linear", "cosets", "brute-force", "linear"}
    best = [p for p in proofs if p["on_frontier"]]
    assert max(p["bound"] for p in best) == 1.0
    page = (tmp_path / "report" / "index.html").read_text()
    assert "circuit-0-neurons" in page
    assert "Right for this model, by proof: irreps as G-sets, which prove 1 in " in page
    assert (tmp_path / "report" / "pairs-margins.png").stat().st_size > 10_000
    assert load_model("s4-seed-0").kit is KIT


def proof(strategy, bound, length, **options):
    return Proof(
        strategy=strategy,
        options=options,
        numerator=bound,
        denominator=100,
        true_accuracy=1.0,
        flops=length,
        int_ops=0,
        length=length,
        by_category={},
        by_stage={},
        unexplained_dimension=None,
        explanation_size=0,
        reading="sound",
        seconds=None,
        model_sha256="0",
        on_frontier=False,
    )


@pytest.mark.parametrize(
    ("proofs", "words"),
    [
        (
            [proof("g-sets-linear", 100, 50), proof("cosets", 100, 40)],
            "cosets, which prove 1 in 40 operations; irreps as G-sets prove 1",
        ),
        ([proof("g-sets-linear", 99, 50), proof("cosets", 98, 40)], "irreps as G-sets, which prove 0.990000 in 50 operations"),
        ([proof("g-sets", 100, 90, rest="True"), proof("g-sets", 0, 50, rest="False")], "none is right for this model"),
        ([proof("cosets", 100, 2000)], "none is right for this model"),
    ],
)
def test_the_right_explanation_proves_most_in_fewest_operations(proofs, words):
    found = {story: p for story in STORIES if (p := best([*proofs, proof("brute-force", 100, 1000)], story))}
    assert words in verdict(found)
