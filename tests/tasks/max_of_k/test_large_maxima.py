"""The additive certificate for large maxima: its parts against exact path matrices, its counts, and how short it is."""

import itertools
from fractions import Fraction
from unittest import mock

import pytest
import torch

import compact_proofs as cp
from compact_proofs import zoo
from compact_proofs.core.soundness import evaluate, violations
from compact_proofs.errors import BadInput
from compact_proofs.searches import leading_pair, smallest_ball
from compact_proofs.tasks.max_of_k import KIT, LargeMaxima, MaxOfK
from compact_proofs.tasks.max_of_k.additive.rows import Rows
from compact_proofs.tasks.max_of_k.large_maxima import attention, values
from compact_proofs.tasks.max_of_k.large_maxima import strategy as verifier
from compact_proofs.tasks.max_of_k.large_maxima.attention import exact_attention, split_attention
from compact_proofs.tasks.max_of_k.large_maxima.tokens import Sizes, Window, neighbouring, triangle_excess
from compact_proofs.tasks.max_of_k.large_maxima.values import direct_by_norms, exact_direct, ratios, values_and_last
from compact_proofs.tasks.max_of_k.paths import paths
from compact_proofs.tasks.max_of_k.specimens import specimen

ZOO_OF_4 = [name for name in zoo.names() if name.startswith("max-of-4-")]
SEEDS = [1, 2, 5, 7, 8, 11, 19, 20, 23, 31, 32, 35]
"""Specimens that are good, noisy or parabolas, most of them with a weak direct path."""


def _parts(seed, strategy, own):
    """A specimen's model, its rows, and the parts of the certificate, for the strategy's own hints or for random ones."""
    model = specimen(seed).model
    hints = strategy.explain(model, MaxOfK.of(model))
    if not own:
        generator = torch.Generator().manual_seed(seed)
        group_of = torch.randint(strategy._groups(model), (model.d_vocab,), generator=generator)
        hints = {n: torch.randn(t.shape, generator=generator, dtype=torch.float64) for n, t in hints.items()} | {
            "group_of": group_of
        }
    v, start, G, R = model.d_vocab, strategy._start(model), strategy._window(model), min(strategy.rivals, model.d_vocab - 1)
    rows = Rows.of(hints["group_of"], strategy._groups(model), torch.device("cpu"), strategy._least(model))
    window, sizes = Window.of(v, G, start, rows.m), Sizes.of(model, rows, hints, start)
    if strategy.attention == "norms":
        attention = split_attention(model, rows, hints, sizes, window, min(strategy.close, G))
    else:
        attention = exact_attention(model, rows, hints, sizes, G, start, strategy._least(model))
    VO, last = values_and_last(model)
    direct = (direct_by_norms if strategy.direct == "norms" else exact_direct)(model, last, rows, hints, sizes, strategy.close)
    return paths(model), rows, window, attention, ratios(model, VO, rows, hints, sizes, window, direct, R)


OPTIONS = [
    LargeMaxima(3, 1, 2, 2, close=0),
    LargeMaxima(2, 2, 1, 3),
    LargeMaxima(0, 2, 3, close=1),
    LargeMaxima(4, 1, 1, 1, close=4),
    LargeMaxima(3, 1, 2, 2, attention="exact"),
    LargeMaxima(2, 1, 1, 3, direct="exact", close=1),
    LargeMaxima(4, 2, 2, direct="exact", attention="exact", close=3),
    LargeMaxima(3, 2, 2, direct="exact", close=0),
]


@pytest.mark.parametrize("own", [True, False])
@pytest.mark.parametrize("strategy", OPTIONS, ids=str)
@pytest.mark.parametrize("seed", SEEDS)
def test_attention_is_bounded_for_any_hints(seed, strategy, own):
    p, rows, window, (attention, small), _ = _parts(seed, strategy, own)
    G = window.token.shape[1]
    for i, (g, m) in enumerate(zip(rows.group.tolist(), rows.m.tolist(), strict=True)):
        members = ((rows.group_of == g) & (torch.arange(len(rows.group_of)) <= m)).nonzero().squeeze(1)
        ratio = torch.exp(p.EQKE[members] - p.EQKE[members, m][:, None]).amax(0) * (1 - 1e-9)  # [t]
        for j in range(G):
            if m - 1 - j >= 0:
                assert attention.near[i, j] >= ratio[m - 1 - j]
        if m - G > window.start:
            assert attention.beyond[i] >= ratio[window.start : m - G].amax()
        if window.start:
            assert small[i] >= ratio[: window.start].amax()
        r = torch.exp(p.EQKP[members] - p.EQKP[members].mean(1, keepdim=True))
        assert (attention.low[g] <= r * (1 + 1e-9)).all()
        assert (attention.high[g] >= r * (1 - 1e-9)).all()


@pytest.mark.parametrize("own", [True, False])
@pytest.mark.parametrize("strategy", OPTIONS, ids=str)
@pytest.mark.parametrize("seed", SEEDS)
def test_ratios_are_bounded_for_any_hints(seed, strategy, own):
    """Against the largest ratio over queries of the group, pairs of positions and outputs."""
    p, rows, window, _, (rho, far, small, valid) = _parts(seed, strategy, own)
    v, K = p.EVOU.shape[0], p.PVOU.shape[0]
    for i in valid.nonzero().squeeze(1).tolist():
        g, m = int(rows.group[i]), int(rows.m[i])
        others = torch.arange(v) != m
        worst = torch.zeros(v)
        for q in (rows.group_of == g).nonzero().squeeze(1).tolist():
            if q > m:
                continue
            for at, at_max in itertools.product(range(K), repeat=2):
                written = (p.EVOU + p.PVOU[at] + p.EUPU[q])[:, others] - (p.EVOU + p.PVOU[at] + p.EUPU[q])[:, m, None]
                gap = (p.EVOU[m] + p.PVOU[at_max] + p.EUPU[q])[m] - (p.EVOU[m] + p.PVOU[at_max] + p.EUPU[q])[others]
                assert (gap > 0).all()
                worst = torch.maximum(worst, (written / gap).amax(1))
        worst = worst * (1 - 1e-9)
        for j in range(window.token.shape[1]):
            if m - 1 - j >= 0:
                assert rho[i, j] >= worst[m - 1 - j]
        beyond = m - window.token.shape[1]
        assert far[i] >= max(worst[window.start : beyond], default=0) if beyond > window.start else True
        assert small[i] >= max(worst[: window.start], default=0)


def test_the_parts_are_proven_for_some_rows():
    """So that the comparisons above are not about nothing."""
    valid = [_parts(seed, strategy, own)[4][3] for seed in SEEDS for strategy in OPTIONS for own in (True, False)]
    assert sum(bool(some.any()) for some in valid) > len(valid) / 4


@pytest.mark.parametrize("seed", SEEDS)
def test_it_counts_its_members_which_are_right(seed):
    s = specimen(seed)
    task = MaxOfK.of(s.model)
    right = evaluate(s, task).possible
    for strategy in KIT.variants(LargeMaxima, s.model):
        explanation = strategy.explain(s.model, task)
        inputs = task.inputs(0, task.size)
        with cp.sound():
            certified = strategy.verify(s.model, task, explanation).member(inputs)
        assert cp.prove(s.model, task, strategy, explanation=explanation).claim.numerator == int(certified.sum())
        assert not (certified & ~right).any()
        assert not certified[inputs.amax(1) < strategy.least].any() or strategy.least >= s.model.d_vocab


class SmallTokensForgotten(LargeMaxima):
    """Takes tokens that are not known for harmless."""

    def _symbols(self, *args):
        def forgets(*of):
            attention, small = split_attention(*of)
            return attention, 0 * small

        with mock.patch.object(verifier, "split_attention", forgets):
            return super()._symbols(*args)


class BallForgotten(LargeMaxima):
    """Takes every query of a group for its centre."""

    def _symbols(self, *args):
        of = Sizes.of

        def points(*given):
            sizes = of(*given)
            return Sizes(0 * sizes.query, sizes.output, sizes.small)

        with mock.patch.object(Sizes, "of", points):
            return super()._symbols(*args)


class NeighboursTooNear(LargeMaxima):
    """Takes neighbours for nearer to each other than they are."""

    def _symbols(self, *args):
        def near(x, size, first, close):
            return 2 * triangle_excess(x, size, first, close)

        with mock.patch.object(values, "triangle_excess", near), mock.patch.object(attention, "triangle_excess", near):
            return super()._symbols(*args)


FAULTS = [SmallTokensForgotten(3, 1, 2), BallForgotten(0, 2, 1), NeighboursTooNear(0, 8, 1, 8)]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda s: type(s).__name__)
def test_the_harness_catches_planted_faults(fault):
    models = (specimen(seed) for seed in range(240))
    found = (message for s in models for message in violations(fault, s, MaxOfK.of(s.model)))
    assert any("at most" in message or "are wrong" in message for message in found), "an unsound strategy passed the harness"


@pytest.mark.parametrize("name", ZOO_OF_4)
def test_short_proofs_of_models_that_were_not_tuned(name):
    model = zoo.load(name)
    exact = zoo.metadata(name)["true_accuracy"]
    accuracy = Fraction(int(exact["numerator"]), int(exact["denominator"]))
    found = [cp.prove(model, MaxOfK.of(model), LargeMaxima(least, groups=n)) for least, n in ((40, 2), (24, 2), (16, 3))]
    assert all(c.bound <= accuracy for c in found)
    for certificate, bound, length in zip(found, (0.75, 0.91, 0.94), (600_000, 780_000, 950_000), strict=True):
        assert certificate.bound > bound
        assert certificate.length.total < length


@pytest.mark.parametrize("own", [True, False])
@pytest.mark.parametrize("exact", [True, False])
def test_the_direct_path_of_neighbours(exact, own):
    """What is taken off leaves a bound of every query's difference; and it is the largest one, if exact."""
    strategy = LargeMaxima(1, 1, 2, 2, direct="exact" if exact else "norms", close=2)
    for seed in SEEDS:
        model = specimen(seed).model
        v = model.d_vocab
        hints = strategy.explain(model, MaxOfK.of(model))
        if not own:
            hints |= {name: torch.randn_like(hints[name]) for name in ("centres", "output_centre") if name in hints}
        rows = Rows.of(hints["group_of"], 2, torch.device("cpu"), 1)
        sizes = Sizes.of(model, rows, hints, 0)
        direct = (exact_direct if exact else direct_by_norms)(model, model.W_pos[-1], rows, hints, sizes, 2)
        EUPU = paths(model).EUPU
        for i, j in ((i, j) for i in range(1, v) for j in (1, 2) if j <= i):
            for x, m, side in ((i - j, i, 0), (i, i - j, 1)):
                bound = direct.high[:, x] - direct.low[:, m] - direct.saved[:, i - 1, j - 1, side]
                for g in range(2):
                    most = (EUPU[:, x] - EUPU[:, m])[hints["group_of"] == g].amax()
                    assert bound[g] >= most - 1e-9 * (1 + most.abs())
                    assert not exact or bound[g] <= most + 1e-9 * (1 + most.abs())
        assert direct.saved.amin() >= -1e-9


def test_distances_of_neighbours():
    x = torch.randn(9, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    size = x.norm(dim=1)
    excess = triangle_excess(x, size, 2, 3)
    for i, j in itertools.product(range(2, 9), range(1, 4)):
        expected = size[i] + size[i - j] - (x[i] - x[i - j]).norm() if j <= i else torch.zeros(())
        assert excess[i - 2, j - 1] == pytest.approx(float(expected))
    assert triangle_excess(x, size, 2, 0).shape == (7, 0)


def test_nine_tenths_of_each_model_that_was_not_tuned():
    for model in (zoo.load(name) for name in ZOO_OF_4):
        task = MaxOfK.of(model)
        certificate = cp.prove(model, task, LargeMaxima(26, 6, 2, 11, 16, 24, divisions=15))
        assert certificate.bound > Fraction(9, 10)
        assert certificate.length.total <= 700_000


def test_what_divisions_and_neighbours_gain():
    model = zoo.load(ZOO_OF_4[0])
    task = MaxOfK.of(model)
    some, usual, apart = (LargeMaxima(26, 6, 2, 11, 16, 24, **options) for options in ({"divisions": 4}, {}, {"close": 0}))
    bounds = [cp.prove(model, task, strategy).bound for strategy in (some, usual, apart)]
    assert bounds[0] >= bounds[1] > bounds[2]


def test_five_tokens_in_a_sixth_more_than_the_matrices():
    model = zoo.load("max-of-5-seed-0")
    found = cp.prove(model, MaxOfK.of(model), LargeMaxima(10, 8, 2, 63, 32, 48, "exact", "exact"))
    assert found.bound > Fraction(998, 1000)
    assert found.length.total < 1_560_000


def test_a_later_start_is_shorter_and_gives_up_what_it_says():
    model = zoo.load("max-of-10-seed-0")
    task = MaxOfK.of(model)
    previous = None
    for least in (20, 37, 48):
        found = cp.prove(model, task, LargeMaxima(least))
        assert found.bound < 1 - Fraction(least, 64) ** 10
        if previous is not None:
            assert found.length.total < previous.length.total
            assert found.bound > previous.bound - Fraction(least, 64) ** 10
        previous = found
    assert cp.prove(model, task, LargeMaxima(1000)).bound <= 1 - Fraction(63, 64) ** 10


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"least": -1}, "least must be at least 0"),
        ({"rivals": 0}, "rivals must be at least 1"),
        ({"steps": 3}, "power of two"),
        ({"least": 1.5}, "valid integer"),
        ({"direct": "joint"}, "'norms' or 'exact'"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(BadInput, match=message):
        LargeMaxima.from_options(options)


def test_searches_for_hints():
    points = torch.randn(30, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    radius, of_mean = ((points - c).norm(dim=1).max() for c in (smallest_ball(points), points.mean(0)))
    assert radius < 0.95 * of_mean
    assert (smallest_ball(points[:1]) == points[0]).all()
    assert smallest_ball(points[:0]).tolist() == [0] * 8
    a, b = leading_pair(torch.outer(points[0], points[1]))
    assert torch.allclose(torch.outer(a, b), torch.outer(points[0], points[1]))
    assert neighbouring(64, 1).tolist() == [0] * 64
    sizes = torch.bincount(neighbouring(64, 3)).tolist()
    assert sizes == sorted(sizes, reverse=True)
    assert sum(sizes) == 64
