"""The frontier, the linear baseline, and bounds in decimals."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from fractions import Fraction

import pytest

from compact_proofs.core.certificate import Certificate, Run, Trial
from compact_proofs.core.frontier import Frontier, linear_baseline
from compact_proofs.decimals import decimal
from compact_proofs.length import ProofLength
from compact_proofs.progress import progress_bars, track
from compact_proofs.search.autopilot import fill_frontier
from compact_proofs.tasks import LoadedModel
from compact_proofs.tasks.max_of_k import BruteForce, Cubic


@pytest.fixture
def make(tiny_certificate: Certificate) -> Callable[..., Certificate]:
    def certificate(numerator: int, length: int, kind: type[Run] = Certificate) -> Run:
        claim = dataclasses.replace(tiny_certificate.claim, numerator=numerator)
        counted = ProofLength({"all": {"add": length}})
        given = {f.name: getattr(tiny_certificate, f.name) for f in dataclasses.fields(tiny_certificate)}
        return kind(**{**given, "claim": claim, "length": counted})

    return certificate


def test_best_are_those_that_no_other_beats(make: Callable[..., Certificate]) -> None:
    short, equal, worse, long = make(100, 10), make(200, 20), make(150, 20), make(300, 30)
    vacuous, wasteful, estimate = make(0, 1), make(299, 40), make(512, 5, Trial)
    found = Frontier.of([wasteful, long, worse, equal, estimate, short, vacuous])
    assert found.best == (short, equal, long)
    assert found.highest is long
    assert [c.length.total for c in found.certificates] == [1, 5, 10, 20, 20, 30, 40]
    assert Frontier.of([vacuous]).best == ()
    assert Frontier.of([vacuous]).highest is None


def test_frontier_proves_with_each_strategy(tiny: LoadedModel) -> None:
    found = fill_frontier(tiny.model, tiny.task, [BruteForce()], [Cubic()])
    assert [c.strategy for c in found.certificates] == ["cubic", "brute-force"]
    assert found.highest
    assert found.highest.strategy == "brute-force"


def test_linear_baseline(make: Callable[..., Certificate]) -> None:
    assert linear_baseline(make(128, 10)) == (40, 1.0)
    assert linear_baseline(make(128, 10), 0.5) == (20, 0.5)
    assert linear_baseline(make(0, 10)) is None


@pytest.mark.parametrize(
    ("bound", "text"),
    [
        (Fraction(1, 2), "0.5000000"),
        (Fraction(1), "1.0000000"),
        (Fraction(0), "0.0000000"),
        (Fraction(2, 3), "0.6666666..."),
        (1 - Fraction(1, 10**30), "0.9999999..."),
        (Fraction(1, 10**30), "0.0000000..."),
        (Fraction(-5, 2), "-2.5000000"),
    ],
)
def test_decimals_never_say_more_than_the_fraction(bound: Fraction, text: str) -> None:
    assert decimal(bound) == text
    assert Fraction(text.rstrip(".")) <= bound


def test_work_within_work_under_bars() -> None:
    with progress_bars("all of it"):
        assert [(a, b) for a in track([1, 2], "outer") for b in track("xy", "inner")] == [
            (1, "x"),
            (1, "y"),
            (2, "x"),
            (2, "y"),
        ]
