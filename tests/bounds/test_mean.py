"""Means at a hint and dominance against direct evaluation, at random and at hostile hints."""

import itertools

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from compact_proofs.bounds.dominance import harm_ratio
from compact_proofs.bounds.mean import moved_mean, ratio_at_least, ratio_at_most
from compact_proofs.enclosure import lower, sound

seeds = st.integers(0, 10**6)


def normal(seed, *shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_a_moved_mean_has_the_sign_of_the_extreme():
    before, lam = torch.tensor([1.0, 1.0]), torch.tensor([0.25, 0.25])
    assert moved_mean(before, lam, torch.tensor([3.0, -3.0])).tolist() == [1.5, 0.0]


@given(seeds, st.floats(-1e3, 1e3), st.integers(0, 3))
@settings(max_examples=60, deadline=None)
def test_ratios_hold_at_every_hint(seed, hint, places):
    w, F = normal(seed, places, 3).exp(), normal(seed + 1, places, 3) * 3
    (W, S) = normal(seed + 2, 2)
    W = W.exp()
    true = []
    for tokens in itertools.product(range(3), repeat=places):
        m = torch.arange(places)
        true.append((S + (w[m, list(tokens)] * F[m, list(tokens)]).sum()) / (W + w[m, list(tokens)].sum()))
    h = torch.tensor(hint, dtype=torch.float64)
    least = S - h * W + (w * (F - h)).amin(1).sum()
    most = S - h * W + (w * (F - h)).amax(1).sum()
    low, high = W + w.amin(1).sum(), W + w.amax(1).sum()
    assert ratio_at_least(h, least, low, high) <= min(true) + 1e-9 * (1 + abs(hint))
    assert ratio_at_most(h, most, low, high) >= max(true) - 1e-9 * (1 + abs(hint))


def test_a_ratio_is_exact_at_its_own_value():
    w, F = normal(5, 2, 4).exp(), normal(6, 2, 4)
    best = min((w[0, a] * F[0, a] + w[1, b] * F[1, b]) / (w[0, a] + w[1, b]) for a, b in itertools.product(range(4), repeat=2))
    sigma = (w * (F - best)).amin(1).sum()
    torch.testing.assert_close(ratio_at_least(best, sigma, w.amin(1).sum(), w.amax(1).sum()), best)


def test_a_denominator_that_may_vanish_proves_nothing():
    with sound():
        zero = torch.zeros(1, dtype=torch.float64)
        bound = ratio_at_least(zero, zero + 1, zero, zero + 1)
    assert lower(bound).item() == -torch.inf


@given(seeds)
@settings(max_examples=60, deadline=None)
def test_decision(seed):
    """Whenever sum rho e^gap < 1 and gains are positive, the answer wins against every b."""
    gain, harm, score = normal(seed, 4).abs(), normal(seed + 1, 3, 4), normal(seed + 2, 4) * 3
    ratio, valid = harm_ratio(harm, gain[None])
    if bool((ratio * (score[1:] - score[0]).exp()).sum() < 1):
        assert bool(valid.all())
        weight = score.exp()
        assert bool((weight[0] * gain - (weight[1:, None] * harm).sum(0) > 0).all())


def test_a_gain_that_is_not_positive_is_not_valid():
    gain = torch.tensor([[1.0, 0.0], [1.0, -2.0], [1.0, 2.0]], dtype=torch.float64)
    assert harm_ratio(torch.ones(3, 2, dtype=torch.float64), gain)[1].tolist() == [False, False, True]
