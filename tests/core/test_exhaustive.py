"""Brute force on modules of every kind, against plain float64 evaluation."""

import copy
import io
import math
from dataclasses import dataclass
from fractions import Fraction

import pytest
import torch
from rich.console import Console
from torch import nn

import compact_proofs as cp
from compact_proofs.core.claim import margins
from compact_proofs.errors import BadInput, CertificateRejected, NoSoundRule
from examples import modular_addition, recurrent, transformer

EXAMPLES = (transformer, modular_addition, recurrent)


@dataclass(frozen=True)
class Case:
    """A trained example, with what float64 says about each of its inputs."""

    model: nn.Module
    task: cp.Task
    margin: torch.Tensor
    log_likelihood: torch.Tensor


@pytest.fixture(scope="module", params=EXAMPLES, ids=lambda example: example.__name__.split(".")[1])
def case(request):
    model, task = request.param.trained(), request.param.TASK
    inputs = task.inputs(0, task.size)
    with torch.no_grad():
        logits = model.double()(inputs)
    margin = margins(logits, task.labels(inputs)).amin(-1)
    likelihood = torch.log_softmax(logits, -1).gather(1, task.labels(inputs)[:, None]).squeeze(1)
    assert margin.abs().min() > 1e-9  # no input is decided by rounding
    assert 0.5 < (margin > 0).double().mean() < 1
    return Case(model.float(), task, margin, likelihood)


def test_the_count_is_that_of_float_evaluation(case):
    certificate = cp.brute_force(case.model, case.task)
    assert certificate.claim.numerator == int((case.margin > 0).sum())
    assert certificate.claim.denominator == case.task.size
    assert certificate.reading == "sound"
    assert {name for name, operations in certificate.length.by_stage.items() if operations} == {"model", "score"}


def test_batches_change_nothing_but_where_counts_are_added(case):
    whole, parts = cp.brute_force(case.model, case.task), cp.brute_force(case.model, case.task, batch_size=7)
    assert whole.claim == parts.claim
    assert whole.length.flops == parts.length.flops
    assert whole.length.int_ops - parts.length.int_ops == math.ceil(case.task.size / 7) - 1


def test_readings_have_one_length(case):
    exhaustive = cp.Exhaustive()
    sound = cp.prove(case.model, case.task, exhaustive)
    float_ = cp.trial(case.model, case.task, exhaustive)
    assert sound.length == float_.length
    assert sound.bound == float_.bound


@pytest.mark.parametrize("share", [0.25, 0.5])
def test_a_share_is_the_linear_baseline(case, share):
    full, part = cp.brute_force(case.model, case.task), cp.brute_force(case.model, case.task, share=share)
    evaluated = math.ceil(share * case.task.size)
    assert part.claim.numerator == int((case.margin[:evaluated] > 0).sum())
    assert part.bound == pytest.approx(share * float(full.bound), abs=0.15)
    assert part.length.total == pytest.approx(share * full.length.total, rel=0.05)
    length, bound = cp.linear_baseline(part, accuracy=float(full.bound))
    assert bound == float(full.bound)
    assert length == pytest.approx(full.length.total, rel=0.6)


def test_margin(case):
    c = float(case.margin.median())
    certificate = cp.brute_force(case.model, case.task, score=cp.Margin(c - 1e-6))
    assert certificate.claim.numerator == int((case.margin > c - 1e-6).sum())
    assert certificate.claim.score_options == {"c": c - 1e-6}


def test_log_likelihood(case):
    certificate = cp.brute_force(case.model, case.task, score=cp.LogLikelihood())
    mean = float(case.log_likelihood.mean())
    assert mean - 1e-9 < certificate.bound < mean + 1e-12
    assert "mean log-likelihood" in certificate.claim.statement()


@pytest.mark.parametrize("score", [cp.ACCURACY, cp.Margin(0.125), cp.LogLikelihood()], ids=lambda s: s.formula())
def test_certificates_are_checked_from_their_files(case, score, tmp_path):
    file = tmp_path / "proof.cert"
    made = cp.brute_force(case.model, case.task, score=score)
    assert cp.check(made, case.model, case.task).claim == made.claim
    made.save(file)
    assert cp.check(file, case.model, case.task).claim == made.claim
    other = copy.deepcopy(case.model)
    with torch.no_grad():
        next(other.parameters()).mul_(2)
    with pytest.raises(CertificateRejected, match="other weights"):
        cp.check(file, other, case.task)


def test_the_harness_finds_no_fault(case):
    specimen = cp.Specimen(case.model)
    for strategy in (cp.Exhaustive(), cp.Exhaustive(share=0.5)):
        assert cp.violations(strategy, specimen, case.task) == []


class Chooses(nn.Module):
    """Takes an arg-max inside, which bounds do not determine."""

    def forward(self, pairs):
        x = pairs.double() / 3
        return x[torch.arange(len(x)), x.argmax(1)][:, None] * torch.ones(13)


class Determinant(nn.Module):
    """Calls what has no rule at all."""

    def forward(self, pairs):
        x = pairs.double() / 3
        return torch.linalg.det(x[:, :, None] * torch.eye(2))[:, None] * torch.ones(13)


@pytest.mark.parametrize(("module", "name"), [(Chooses(), "argmax"), (Determinant(), "linalg_det")])
def test_a_call_without_a_rule_is_named(module, name):
    with pytest.raises(NoSoundRule, match=name):
        cp.brute_force(module, modular_addition.TASK)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"share": 0.0}, "share must be greater than 0"),
        ({"share": 1.5}, "share must be at most 1"),
        ({"batch_size": 0}, "batch_size must be at least 1"),
        ({"score": cp.LogLikelihood(), "share": 0.5}, "unbounded below"),
    ],
)
def test_meaningless_options_are_refused(options, message):
    with pytest.raises(BadInput, match=message):
        cp.brute_force(nn.Identity(), modular_addition.TASK, **options)


def test_unknown_score_is_refused():
    with pytest.raises(BadInput, match="must be one of margin, log-likelihood"):
        cp.Exhaustive(score_name="brier")


def test_a_likelihood_without_a_bound_is_an_error():
    class Impossible(nn.Module):
        def forward(self, pairs):
            return torch.where(torch.arange(13) == pairs.sum(1, keepdim=True) % 13, -torch.inf, 0.0)

    with pytest.raises(BadInput, match="no finite lower bound"):
        cp.brute_force(Impossible(), modular_addition.TASK, score=cp.LogLikelihood())


def test_a_tie_is_wrong():
    class Constant(nn.Module):
        def forward(self, pairs):
            return torch.zeros(len(pairs), 13)

    assert cp.brute_force(Constant(), modular_addition.TASK).bound == Fraction(0)


def test_a_progress_bar_is_shown(monkeypatch):
    shown = io.StringIO()
    terminal = Console(file=shown, force_terminal=True, width=100)
    monkeypatch.setattr("rich.console.Console", lambda **_: terminal)
    model, task = modular_addition.trained(), modular_addition.TASK
    with cp.progress_bars():
        cp.brute_force(model, task, batch_size=10)
    assert "inputs, in batches" in shown.getvalue()
    assert "/17" in shown.getvalue()
