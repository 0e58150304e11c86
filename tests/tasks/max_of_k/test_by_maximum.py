"""Groups of queries for each maximum by itself: bounds against exact path matrices, counts, the search, and how short it is."""

import itertools
from dataclasses import replace
from fractions import Fraction
from unittest import mock

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import compact_proofs as cp
from compact_proofs import zoo
from compact_proofs.bounds.ranges import largest_by_group
from compact_proofs.core.soundness import evaluate, violations
from compact_proofs.errors import BadInput
from compact_proofs.tasks.max_of_k import KIT, Additive, ByMaximum, MaxOfK
from compact_proofs.tasks.max_of_k.additive.grid import count_classes, on_grid
from compact_proofs.tasks.max_of_k.by_maximum import search
from compact_proofs.tasks.max_of_k.by_maximum import strategy as verifier
from compact_proofs.tasks.max_of_k.by_maximum.pairs import PairTable
from compact_proofs.tasks.max_of_k.by_maximum.paths import Rivals, Written, rivals_of
from compact_proofs.tasks.max_of_k.by_maximum.rows import RowsByMaximum, SomeRows
from compact_proofs.tasks.max_of_k.by_maximum.search import _shares
from compact_proofs.tasks.max_of_k.paths import paths, query_max_pairs
from compact_proofs.tasks.max_of_k.specimens import specimen

SEEDS = [1, 2, 5, 7, 8, 11, 19, 20, 23, 31, 32, 35]
"""Specimens that are good, noisy or parabolas, most of them with a weak direct path."""
OPTIONS = [ByMaximum(0, 1, 1, 1), ByMaximum(3, 9, 1, 2), ByMaximum(2, 100, 2, 3), ByMaximum(4, 6, 2, 100), ByMaximum(1, 7, 8, 1)]


def _hints(strategy, model, own, seed):
    """A strategy's own explanation, or a random one of its form."""
    if own:
        return strategy.explain(model, MaxOfK.of(model))
    generator = torch.Generator().manual_seed(seed)
    return {
        name: torch.randn(spec.shape, generator=generator, dtype=torch.float64)
        if spec.limits is None
        else torch.randint(spec.limits[0], spec.limits[1] + 1, spec.shape, generator=generator)
        for name, spec in strategy.specs(model, MaxOfK.of(model)).items()
    }


def _symbols(strategy, model, hints):
    v, least = model.d_vocab, strategy._least(model)
    rows = RowsByMaximum.of(hints["further"], hints["group_of"], v, least, torch.device("cpu"))
    written = Written.of(model, hints, strategy._start(model))
    table = PairTable.of(model, hints, written, rivals_of(hints["rivals"], v, least), strategy._window(model), least)
    numbers = table.numbers
    return table.symbols(largest_by_group(numbers, rows.of_pair[-len(numbers) :], len(rows.m)), rows), table


def _worst(p, q, m):
    """The largest ratio of every token under one query, over pairs of positions and outputs, and the least gain."""
    v, K = p.EVOU.shape[0], p.PVOU.shape[0]
    others, worst, least = torch.arange(v) != m, torch.zeros(v), torch.inf
    for at, at_max in itertools.product(range(K), repeat=2):
        logits, of_max = p.EVOU + p.PVOU[at] + p.EUPU[q], p.EVOU[m] + p.PVOU[at_max] + p.EUPU[q]
        gap = (of_max[m] - of_max)[others]
        worst, least = torch.maximum(worst, ((logits - logits[:, m, None])[:, others] / gap).amax(1)), min(least, float(gap.min()))
    return worst, least


@pytest.mark.parametrize("own", [True, False])
@pytest.mark.parametrize("strategy", OPTIONS, ids=str)
@pytest.mark.parametrize("seed", SEEDS)
def test_contributions_are_bounded_for_any_hints(seed, strategy, own):
    """Against the weight and the ratio of every query of the row."""
    model = specimen(seed).model
    symbols, _ = _symbols(strategy, model, _hints(strategy, model, own, seed))
    p, rows, G = paths(model), symbols.rows, symbols.window.shape[1]
    for q, m in zip(*(side.tolist() for side in query_max_pairs(model.d_vocab)), strict=True):
        if m < rows.least:
            continue
        row = int(rows.of_pair[m * (m + 1) // 2 + q])
        assert int(rows.m[row]) == m
        r = torch.exp(p.EQKP[q] - p.EQKP[q].mean())
        assert (symbols.low[row] <= r * (1 + 1e-9)).all()
        assert (symbols.high[row] >= r * (1 - 1e-9)).all()
        if not symbols.valid[row]:
            continue
        worst, least = _worst(p, q, m)
        assert least > 0
        harm = worst * torch.exp(p.EQKE[q] - p.EQKE[q, m]) * (1 - 1e-9)
        for t in range(m):
            assert (symbols.window[row, m - 1 - t] if m - t <= G else symbols.far[row]) >= harm[t]


def test_contributions_are_proven_for_some_rows():
    """So that the comparisons above are not about nothing."""
    models = [specimen(seed).model for seed in SEEDS]
    valid = [_symbols(s, m, _hints(s, m, own, 0))[0].valid for m in models for s in OPTIONS for own in (True, False)]
    assert sum(bool(some.any()) for some in valid) > len(valid) / 4


@pytest.mark.parametrize("own", [True, False])
@pytest.mark.parametrize("seed", SEEDS)
def test_it_counts_its_members_which_are_right(seed, own):
    s = specimen(seed)
    task = MaxOfK.of(s.model)
    right = evaluate(s, task).possible
    for strategy in KIT.variants(ByMaximum, s.model):
        explanation = _hints(strategy, s.model, own, seed)
        inputs = task.inputs(0, task.size)
        with cp.sound():
            certified = strategy.verify(s.model, task, explanation).member(inputs)
        assert cp.prove(s.model, task, strategy, explanation=explanation).claim.numerator == int(certified.sum())
        assert not (certified & ~right).any()
        assert not certified[inputs.amax(1) < strategy._least(s.model)].any()


class OthersForgotten(ByMaximum):
    """Compares the maximum with the rivals that are listed, and with no other output."""

    def verify(self, *args):
        def forgets(*of):
            found = whole(*of)
            return replace(found, others=torch.full_like(found.others, -1e3))

        whole = Rivals.of
        with mock.patch.object(Rivals, "of", forgets):
            return super().verify(*args)


class FirstQueryForAll(ByMaximum):
    """Takes the largest numbers of a row for those of all its queries' mean."""

    def verify(self, *args):
        def mean(x, group, groups):
            total = torch.zeros(groups, x.shape[1], dtype=torch.float64).index_add(0, group, x)
            return total / torch.bincount(group, minlength=groups).clamp(min=1)[:, None]

        with mock.patch.object(verifier, "largest_by_group", mean):
            return super().verify(*args)


class SmallTokensForgotten(ByMaximum):
    """Takes tokens that are not known for harmless."""

    def verify(self, *args):
        def forgets(*of):
            found = whole(*of)
            return replace(found, small=torch.full_like(found.small, -1e3))

        whole = Rivals.of
        with mock.patch.object(Rivals, "of", forgets):
            return super().verify(*args)


FAULTS = [OthersForgotten(0, 8, 2, 1), FirstQueryForAll(0, 1, 2, 3), SmallTokensForgotten(3, 9, 1, 3)]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda s: type(s).__name__)
def test_the_harness_catches_planted_faults(fault):
    models = (specimen(seed) for seed in range(240))
    found = (message for s in models for message in violations(fault, s, MaxOfK.of(s.model)))
    assert any("at most" in message or "are wrong" in message for message in found), "an unsound strategy passed the harness"


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_numbers_are_a_partition(data):
    v = data.draw(st.integers(2, 12))
    least, G = data.draw(st.integers(0, v - 1)), data.draw(st.integers(1, v))
    further = data.draw(st.lists(st.integers(least, v - 1), max_size=20))
    n = v * (v + 1) // 2 - least * (least + 1) // 2
    group_of = data.draw(st.lists(st.integers(0, v - 1), min_size=n, max_size=n))
    rows = RowsByMaximum.of(torch.tensor(further, dtype=torch.int64), torch.tensor(group_of), v, least, torch.device("cpu"))
    q, m = query_max_pairs(v)
    looked_at = m >= least
    assert sorted(rows.m.tolist()) == rows.m.tolist() == sorted([*range(least, v), *further])
    assert torch.equal(rows.m[rows.of_pair][looked_at], m[looked_at])
    classes = rows.classes(G)
    found = torch.zeros(len(rows.m), G + 2, dtype=torch.int64)
    found.index_put_((classes.row, classes.kind), classes.queries, accumulate=True)
    expected = torch.zeros_like(found)
    kind = (m - q).clamp(max=G + 1)[looked_at]
    expected.index_put_((rows.of_pair[looked_at], kind), torch.ones_like(kind), accumulate=True)
    assert torch.equal(found, expected)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.integers(0, 50), min_size=1, max_size=4), min_size=1, max_size=4), st.data())
def test_rows_are_shared_so_that_most_is_proven(gains, data):
    totals = [np.cumsum(g).tolist() for g in gains]
    rows = data.draw(st.integers(len(totals), sum(len(t) for t in totals)))
    found = _shares(totals, rows)
    assert sum(found) == rows
    possible = itertools.product(*(range(1, len(t) + 1) for t in totals))
    most = max(sum(t[n - 1] for t, n in zip(totals, share, strict=True)) for share in possible if sum(share) == rows)
    assert sum(t[n - 1] for t, n in zip(totals, found, strict=True)) == most


@pytest.mark.parametrize("seed", SEEDS)
def test_the_search_counts_what_the_proof_counts(seed):
    """Rows that are tried prove in floating point what they prove in the float reading."""
    model = specimen(seed).model
    strategy = ByMaximum(1, 7, 2, 2)
    symbols, table = _symbols(strategy, model, strategy.explain(model, MaxOfK.of(model)))
    rows, v = symbols.rows, model.d_vocab
    q = query_max_pairs(v)[0][rows.least * (rows.least + 1) // 2 :]
    row = rows.of_pair[-len(q) :]
    members = torch.zeros(len(rows.m), v, dtype=torch.bool)
    members[row, q] = True
    asked = members.any(1).nonzero().squeeze(1)
    some = SomeRows(rows.m[asked], members[asked])
    numbers = torch.stack([table.numbers[row == i].amax(0) for i in asked])
    tried = count_classes(on_grid(table.symbols(numbers, some), 32, 48), some, model.n_ctx, np.float64)
    proven = count_classes(on_grid(symbols, 32, 48), rows, model.n_ctx)
    assert (tried[0] * tried[1]).sum() == (proven[0] * proven[1]).sum()


def test_of_many_queries_those_alike_begin_together():
    model = specimen(7).model
    task = MaxOfK.of(model)
    for rows in (9, 1000):  # more than there are to merge, too
        strategy = ByMaximum(0, rows, 2, 2)
        with mock.patch.object(search, "MOST", 2), mock.patch.object(search, "BATCH", 5):
            hints = strategy.explain(model, task)
        strategy.accept(model, task, hints)
        found = cp.prove(model, task, strategy, explanation=hints)
        assert 0 < found.bound <= cp.prove(model, task, strategy).bound


def test_every_explanation_takes_as_long():
    model = specimen(7).model
    strategy = ByMaximum(2, 9, 2, 2)
    lengths = {
        cp.prove(model, MaxOfK.of(model), strategy, explanation=_hints(strategy, model, False, s)).length.total for s in range(4)
    }
    assert len(lengths) == 1
    assert cp.prove(model, MaxOfK.of(model), strategy).length.total in lengths


def test_five_tokens_in_a_third_more_than_the_matrices():
    for seed in (0, 1):
        model = zoo.load(f"max-of-5-seed-{seed}")
        found = cp.prove(model, MaxOfK.of(model), ByMaximum())
        assert found.bound > Fraction(998, 1000)
        assert found.length.total < 1_600_000


def test_four_tokens_in_six_tenths_of_the_default():
    model = zoo.load("max-of-4-seed-999")
    task = MaxOfK.of(model)
    found, default = (cp.prove(model, task, s) for s in (ByMaximum(), Additive()))
    assert found.bound > Fraction(9995, 10_000)
    assert found.length.total < 0.61 * default.length.total


def test_more_rows_prove_more():
    model = zoo.load("max-of-5-seed-1")
    bounds = [cp.prove(model, MaxOfK.of(model), ByMaximum(10, rows, 6, 12)).bound for rows in (54, 80, 160)]
    assert bounds == sorted(set(bounds))


def test_two_tokens():
    """With two outputs, the one rival is compared both ways."""
    model = specimen(1).model
    config = replace(model.config, d_vocab=2)
    small = type(model)(config, dtype=torch.float64)
    small.load_state_dict({n: w[:2] if n == "W_E" else w[:, [0, -1]] if n == "W_U" else w for n, w in model.state_dict().items()})
    task = MaxOfK.of(small)
    strategy = ByMaximum(0, 3, 1, 4)
    found = cp.prove(small, task, strategy)
    assert found.bound <= cp.brute_force(small, task).bound


@pytest.mark.parametrize(
    ("options", "message"),
    [({"least": -1}, "least must be at least 0"), ({"rows": 0}, "rows must be at least 1"), ({"steps": 3}, "power of two")],
)
def test_bad_options(options, message):
    with pytest.raises(BadInput, match=message):
        ByMaximum.from_options(options)
