"""Statements with confidence: the bound, the draws, the classes, coverage by simulation, files and forgeries."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from fractions import Fraction
from math import comb
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from flint import arb
from forging import write
from hypothesis import given, settings
from hypothesis import strategies as st

import compact_proofs as cp
from compact_proofs.confidence import Confidence, Draws, NotExact, can_be_sampled, check_confidence, clopper_pearson, sample
from compact_proofs.confidence.binomial import tail_at_most
from compact_proofs.confidence.others import draw_others
from compact_proofs.confidence.statement import KEY
from compact_proofs.errors import BadInput, CertificateRejected
from compact_proofs.inputs.task import Task
from compact_proofs.program import program_of
from compact_proofs.tasks import LoadedModel
from compact_proofs.tasks.max_of_k import Additive, BruteForce, Cubic, LinearBaseline, Listed

GRID = Additive(2, 2, "joint", "grid")


# --- the bound ----------------------------------------------------------------------------------------------------------


def tail(k: int, n: int, p: Fraction) -> Fraction:
    return sum((comb(n, i) * p**i * (1 - p) ** (n - i) for i in range(k, n + 1)), Fraction(0))


@given(st.integers(1, 60), st.data())
@settings(max_examples=60, deadline=None)
def test_the_binomial_tail_is_bounded_from_above(n: int, data: Any) -> None:
    k = data.draw(st.integers(1, n))
    numerator = data.draw(st.integers(1, 2**40 - 1))
    exact = tail(k, n, Fraction(numerator, 2**40))
    assert exact <= Fraction(tail_at_most(k, n, numerator)) <= exact * (1 + Fraction(1, 10**30)) + Fraction(1, 10**50)


@given(st.integers(1, 40), st.data(), st.sampled_from(["0.5", "1e-2", "1e-6", "1e-24"]))
@settings(max_examples=40, deadline=None)
def test_the_bound_is_the_largest_that_is_allowed(n: int, data: Any, delta: str) -> None:
    k = data.draw(st.integers(0, n))
    bound = clopper_pearson(k, n, Fraction(delta))
    step = Fraction(1, 2**40)
    if k == 0:
        assert bound == 0
        return
    assert tail(k, n, bound) <= Fraction(delta)
    assert bound + step == 1 or tail(k, n, bound + step) > Fraction(delta)


@pytest.mark.parametrize(("k", "n", "delta"), [(99_950, 100_000, "1e-6"), (700, 1000, "1e-24"), (3, 10_000, "1e-3")])
def test_large_samples_against_arb(k: int, n: int, delta: str) -> None:
    bound = clopper_pearson(k, n, Fraction(delta))
    p = arb(bound.numerator) / bound.denominator
    exact = p.beta_lower(k, n - k + 1, 1)  # P[Bin(n, p) >= k] is a regularised incomplete beta function
    assert float(exact) == pytest.approx(float(Fraction(delta)), rel=1e-6)
    assert bound < Fraction(k, n)


@pytest.mark.parametrize(("k", "n", "delta"), [(2, 1, "0.1"), (-1, 3, "0.1"), (0, 0, "0.1"), (1, 2, "0"), (1, 2, "1")])
def test_numbers_out_of_range(k: int, n: int, delta: str) -> None:
    with pytest.raises(BadInput, match="0 <= k <= n"):
        clopper_pearson(k, n, Fraction(delta))


# --- draws --------------------------------------------------------------------------------------------------------------


def test_draws_are_uniform_reproducible_and_in_range() -> None:
    a, b = Draws(b"seed").below(torch.full((30_000,), 6)), Draws(b"seed").below(torch.full((30_000,), 6))
    assert torch.equal(a, b)
    assert not torch.equal(a, Draws(b"other").below(torch.full((30_000,), 6)))
    chi = sum((n - 5000) ** 2 / 5000 for n in Counter(a.tolist()).values())
    assert chi < 30  # 5 degrees of freedom: one in 10^5
    draws = Draws(b"seed")
    assert set(draws.below(torch.tensor([1, 2**62 + 1, 3] * 50)).view(50, 3)[:, 0].tolist()) == {0}
    assert {draws.integer(3) for _ in range(60)} == {0, 1, 2}
    assert all(0 <= draws.integer(10**40) < 10**40 for _ in range(20))


@dataclasses.dataclass(frozen=True)
class Ten(Task):
    name = "ten"

    @property
    def size(self) -> int:
        return 10

    def parameters(self) -> dict[str, int]:
        return {}

    def inputs(self, start: int, stop: int) -> torch.Tensor:
        return torch.arange(start, min(stop, 10))

    def labels(self, inputs: torch.Tensor) -> torch.Tensor:
        return inputs % 2


class Table(torch.nn.Module):
    """Right on the inputs where `right` is true."""

    def __init__(self, right: list[bool]) -> None:
        super().__init__()
        label = torch.arange(10) % 2
        self.logits = torch.nn.Parameter(torch.nn.functional.one_hot(torch.where(torch.tensor(right), label, 1 - label)).double())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.logits[x]


def test_any_task_draws_its_inputs_uniformly() -> None:
    drawn = Counter(Ten().draw(3000, Draws(b"")).tolist())
    assert set(drawn) == set(range(10))
    assert sum((n - 300) ** 2 / 300 for n in drawn.values()) < 40


# --- the set that is proven, and the others ------------------------------------------------------------------------------


def proven(loaded: LoadedModel, strategy: cp.Strategy) -> Any:
    explanation = strategy.explain(loaded.model, loaded.task)
    with cp.sound():
        return strategy.verify(loaded.model, loaded.task, explanation)


@pytest.mark.parametrize(
    "strategy", [GRID, Additive(3, 8, "separate", "grid", steps=4, reach=3), Cubic(), LinearBaseline(0.5)], ids=str
)
def test_draws_are_uniform_over_the_unproven(tiny: LoadedModel, strategy: cp.Strategy) -> None:
    """Compared with the true number of unproven inputs: each is drawn equally often."""
    found = proven(tiny, strategy)
    inputs = tiny.task.inputs(0, tiny.task.size)
    with cp.sound():
        outside = inputs[~found.member(inputs)]
        drawn = draw_others(found, tiny.task, 4000, Draws(b"uniform"))
    assert len(outside) == tiny.task.size - found.size > 5
    times = Counter(map(tuple, drawn.tolist()))
    assert set(times) <= set(map(tuple, outside.tolist()))
    expected = 4000 / len(outside)
    chi = sum((times[tuple(x)] - expected) ** 2 / expected for x in outside.tolist())
    degrees = len(outside) - 1
    assert chi < degrees + 5 * (2 * degrees) ** 0.5 + 15


def test_class_weights_are_exact(tiny: LoadedModel) -> None:
    found = proven(tiny, GRID)
    inputs = tiny.task.inputs(0, tiny.task.size)
    with cp.sound():
        outside, classes = inputs[~found.member(inputs)], found.complement()
    m, q = outside.max(-1).values, outside[:, -1]
    row = found.rows.of_pair[m * (m + 1) // 2 + q]
    kinds = found.queries.shape[1]
    seen = Counter((row * kinds + (m - q).clamp(max=kinds - 1)).tolist())
    assert {i: n for i, n in enumerate(classes.class_counts) if n} == dict(seen)


@pytest.mark.parametrize("strategy", [Additive(), Listed()], ids=str)
def test_strategies_whose_set_is_not_exact_are_refused(tiny: LoadedModel, strategy: cp.Strategy) -> None:
    with pytest.raises(NotExact, match="known up to rounding only"):
        sample(tiny.model, tiny.task, strategy, samples=10)
    assert not can_be_sampled(tiny.model, tiny.task, strategy, strategy.explain(tiny.model, tiny.task))
    assert can_be_sampled(tiny.model, tiny.task, GRID, GRID.explain(tiny.model, tiny.task))


def test_another_score_is_refused() -> None:
    with pytest.raises(BadInput, match="bounds the score log-likelihood, not the accuracy"):
        sample(Table([True] * 10), Ten(), cp.Exhaustive(score_name="log-likelihood"), samples=10)


# --- coverage -----------------------------------------------------------------------------------------------------------


def test_coverage_of_plain_sampling() -> None:
    """Over many seeds the bound exceeds the truth about as rarely as it says, and is often close to it."""
    task = Ten()
    model = program_of(Table([True] * 7 + [False] * 3), task)  # traced once, not for every statement
    bounds = [sample(model, task, samples=20, delta="0.1", public=f"{i}").bound for i in range(400)]
    false = sum(b > Fraction(7, 10) for b in bounds)
    assert 5 <= false <= 40 + 4 * 6  # P[Bin(20, .7) >= 17] = .107, and the bound of 17 is just below .7 or just above
    assert sum(b > Fraction(45, 100) for b in bounds) > 200


def test_coverage_of_hybrids(tiny: LoadedModel) -> None:
    truth = cp.prove(tiny.model, tiny.task, BruteForce()).bound
    explanation = GRID.explain(tiny.model, tiny.task)
    proven = cp.prove(tiny.model, tiny.task, GRID, explanation=explanation).bound
    options = {"samples": 25, "delta": "0.2", "explanation": explanation}
    bounds = [sample(tiny.model, tiny.task, GRID, public=f"{i}", **options).bound for i in range(40)]
    assert sum(b > truth for b in bounds) <= 8 + 4 * 3
    assert all(b > proven for b in bounds)


def test_tries_share_delta(tiny: LoadedModel) -> None:
    one = sample(tiny.model, tiny.task, GRID, samples=50, delta="1e-3")
    five = dataclasses.replace(one, tries=5)
    share = clopper_pearson(one.right, 50, Fraction(1, 5000))
    assert five.bound == (one.proven + (one.inputs - one.proven) * share) / one.inputs < one.bound
    assert five.seed != one.seed


# --- files --------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def said(tiny: LoadedModel) -> Confidence:
    return sample(tiny.model, tiny.task, GRID, samples=40, public="a word")


def test_what_is_said_is_reproduced(tiny: LoadedModel, said: Confidence, tmp_path: Path) -> None:
    path = said.save(tmp_path / "hybrid.cert")
    read = Confidence.load(path)
    again = check_confidence(path, tiny.model, tiny.task)
    for found in (read, again):
        assert (found.bound, found.length, found.seed, found.right) == (said.bound, said.length, said.seed, said.right)
    assert said.proven == cp.prove(tiny.model, tiny.task, GRID).claim.numerator
    assert 0 < said.right < 40


FUNCTION = {"architecture": "module", "configuration": {}, "weights_sha256": "1" * 64, "program_sha256": "2" * 64}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"right": 40}, "right samples, but"),
        ({"proven": "500"}, "it says 500 proven inputs, but"),
        ({"samples": 41}, "but"),
        ({"public": "another word"}, "but"),
        ({"tries": 2}, "but"),
        ({"delta": ["1", "10"]}, "but"),
        ({"delta": ["1", "1"]}, "out of range"),
        ({"proven": "512"}, "out of range"),
        ({"right": 41}, "out of range"),
        ({"samples": 0}, "malformed certificate"),
        ({"inputs": "511"}, "out of range|it is about"),
        ({"function": {**FUNCTION, "weights_sha256": "0" * 64}}, "it is about the module"),
        ({"task": "max-of-n"}, "it is about max-of-n"),
        ({"more": 1}, "malformed certificate"),
    ],
)
def test_forgeries(tiny: LoadedModel, said: Confidence, tmp_path: Path, change: dict[str, Any], reason: str) -> None:
    """With repaired hashes. Whatever entered the seed changes the draw, and with it (here) what is counted or the length."""
    path = said.save(tmp_path / "hybrid.cert")
    document, tensors = document_of(path)
    document["confidence"].update(change)
    write(path, document, tensors, key=KEY)
    with pytest.raises(CertificateRejected, match=reason):
        check_confidence(path, tiny.model, tiny.task)


def document_of(path: Path) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    data = path.read_bytes()
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    return json.loads(header["__metadata__"][KEY]), safetensors.torch.load(data)


def test_a_statement_is_no_certificate(tiny: LoadedModel, said: Confidence, tmp_path: Path) -> None:
    path = said.save(tmp_path / "hybrid.cert")
    with pytest.raises(CertificateRejected, match="not a certificate"):
        cp.check(path, tiny.model, tiny.task)
    with pytest.raises(CertificateRejected, match="not a certificate"):
        Confidence.load(cp.prove(tiny.model, tiny.task, GRID).save(path))
    assert not isinstance(said, cp.Certificate)


def test_caution_about_chosen_draws(said: Confidence) -> None:
    assert "the public text 'a word', which the prover must not have been able to choose or foresee" in said.statement()
    assert "Judge yourself: if the prover could choose this text" in (said.caution() or "")
    alone = dataclasses.replace(said, public="")
    assert "could have varied until luck came" in (alone.caution() or "")
    assert "the draw follows from the explanation, which the prover chose)" in alone.statement()
    for one in (said, alone):
        certain = dataclasses.replace(one, delta=Fraction(1, 2**80))
        assert certain.caution() is None
        assert "prover" not in certain.statement()
    assert "the public text 'a word')" in dataclasses.replace(said, delta=Fraction(1, 2**80)).statement()


def test_trying_texts_is_no_way_to_silence_the_caution(tiny: LoadedModel) -> None:
    """As 6,230 texts once found a false statement: whichever text is taken, the statement shows it and says what to judge."""
    for text in ("0", "headline", "x" * 1000):
        said = sample(tiny.model, tiny.task, GRID, samples=5, public=text)
        assert repr(text) in said.statement()
        assert repr(text) in (said.caution() or "")
