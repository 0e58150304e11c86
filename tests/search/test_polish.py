"""Polishing explanations: better by the float reading, never less sound, and only where integers can move."""

from __future__ import annotations

import pytest
import torch

import compact_proofs as cp
from compact_proofs import zoo
from compact_proofs.search.autopilot import best_within
from compact_proofs.search.polish import polish
from compact_proofs.tasks.max_of_k import Additive, Cubic, MaxOfK, specimen


@pytest.fixture(scope="module")
def model():
    return zoo.load("max-of-4-seed-104")


def test_a_bad_grouping_gets_better(model):
    task, strategy = MaxOfK.of(model), Additive(5, 2, "norms", "grid", 8, 8)
    bad = {"group_of": torch.arange(64) % 2}
    good = polish(model, task, strategy, bad, moves=120)
    before, after = (cp.prove(model, task, strategy, explanation=e) for e in (bad, good))
    assert (1 - after.bound) * after.length.total < 0.8 * (1 - before.bound) * before.length.total
    assert torch.equal(bad["group_of"], torch.arange(64) % 2), "the given explanation is left alone"


def test_the_same_seed_moves_the_same(model):
    task, strategy = MaxOfK.of(model), Additive(5, 2, "norms", "grid", 8, 8)
    start = strategy.explain(model, task)
    first, second = (polish(model, task, strategy, start, moves=20, seed=3)["group_of"] for _ in range(2))
    assert torch.equal(first, second)


def test_limits_are_kept_and_bounds_stay_sound():
    for seed in range(0, 60, 6):
        one = specimen(seed)
        task, strategy = MaxOfK.of(one.model), Additive(2, 2, "separate", "grid")
        polished = polish(one.model, task, strategy, strategy.explain(one.model, task), moves=10, seed=seed)
        strategy.accept(one.model, task, polished)
        assert cp.violations(strategy, one, task, polished) == []


def test_what_cannot_move_is_returned(model):
    task = MaxOfK.of(model)
    assert polish(model, task, Cubic(), {}, moves=5) == {}
    alone = Additive(groups=1, counting="grid")
    start = alone.explain(model, task)
    assert polish(model, task, alone, start, moves=5) == start


def test_a_polished_proof_stays_within_its_budget(model):
    task, strategies = MaxOfK.of(model), [Additive(5, 2, "norms", "grid", 8, 8)]
    limit = cp.prove(model, task, strategies[0]).length.total
    found = best_within(model, task, strategies, max_length=limit, moves=30)
    assert found.length.total <= limit
