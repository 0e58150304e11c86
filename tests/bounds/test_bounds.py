"""Every shared lemma against its definition, on random numbers and on hints that are wrong."""

from __future__ import annotations

import itertools

import pytest
import torch

from compact_proofs.bounds.dominance import Gains, harm_ratio
from compact_proofs.bounds.indices import away_from, others, window_pairs, window_tokens
from compact_proofs.bounds.norms import distances, longest, norm, sums_of_squares
from compact_proofs.bounds.positions import extreme_sums, factors_by_group
from compact_proofs.bounds.ranges import ends_by_group, spread
from compact_proofs.bounds.relu import error_of_outputs, separate_neurons
from compact_proofs.bounds.splitting import along, peel, rest_norms, through
from compact_proofs.enclosure import enclose, lower, sound, upper

CLOSE = 1e-9


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_spread_bounds_every_difference_and_is_reached():
    x = random(4, 6)
    differences = x[:, :, None] - x[:, None]
    assert torch.equal(spread(x), differences.amax((1, 2)))
    assert torch.equal(spread(x, (0, 1)), x.max() - x.min())


def test_ends_by_group_hold_every_row_of_a_group():
    x, group = random(7, 3), torch.tensor([0, 2, 0, 2, 2, 0, 2])
    low, high = ends_by_group(x, group, 3)
    for g in (0, 2):
        assert torch.equal(low[g], x[group == g].amin(0))
        assert torch.equal(high[g], x[group == g].amax(0))
    assert not low[1].any()
    assert not high[1].any()


def test_norms_and_distances():
    x = random(5, 4)
    torch.testing.assert_close(norm(x), x.square().sum().sqrt())
    torch.testing.assert_close(longest(x), norm(x, 1).max())
    torch.testing.assert_close(distances(x), torch.cdist(x.T, x.T), atol=1e-7, rtol=0)
    a, b = x[0], x[1]
    for sign in (1, -1):
        found = sums_of_squares(a.square().sum(), b.square().sum(), (a * b).sum(), sign)
        torch.testing.assert_close(found, (a + sign * b).square().sum())


def test_distances_of_equal_columns_are_enclosed_and_not_negative():
    x = random(5, 1).expand(5, 3).contiguous()
    with sound():
        found = distances(x)
    assert bool((lower(enclose(found)) <= 0).all())
    assert bool((upper(enclose(found)) >= 0).all())


@pytest.mark.parametrize("scale", [0.0, 1.0, 30.0])
def test_splittings_are_identities_whatever_the_directions_are(scale):
    M, V = random(6, 5), scale * random(2, 5, seed=1)
    coordinates, rest = along(M, V)
    torch.testing.assert_close(coordinates @ V + rest, M, atol=1e-7, rtol=1e-9)
    directions = scale * random(3, 6, seed=2)
    coordinates, rest = peel(M, directions)
    torch.testing.assert_close(directions.T @ coordinates + rest, M, atol=1e-3 if scale > 1 else CLOSE, rtol=1e-9)


@pytest.mark.parametrize("scale", [0.0, 1.0, 3.0])
def test_a_map_is_read_through_any_directions_exactly(scale):
    z, W, V = random(4, 7), random(7, 5, seed=1), scale * random(3, 7, seed=2)
    gram, (c, rest) = V @ V.T, along(z, V)
    B, norms = through(W, V, gram)
    beyond = W - V.T @ (V @ W)
    torch.testing.assert_close(c @ B + rest @ beyond, z @ W, atol=1e-6, rtol=1e-9)
    torch.testing.assert_close(norms, beyond.norm(dim=0))
    torch.testing.assert_close(rest_norms(z, c, gram), rest.norm(dim=1))


def test_norms_of_rests_that_vanish_are_enclosed():
    z = random(4, 3) @ random(3, 7, seed=1)
    V = torch.linalg.svd(z)[2][:3]
    with sound():
        found = rest_norms(z, z @ V.T, V @ V.T)
    assert bool((lower(enclose(found)) == 0).all())
    assert bool((upper(enclose(found)) < 1e-5).all())


def test_unit_directions_leave_what_is_orthogonal_to_them():
    M = random(6, 5)
    U = torch.linalg.svd(M)[0].T
    assert norm(peel(M, U[:6])[1]) < CLOSE
    assert norm(peel(M, U[:1])[1]) < norm(M)


@pytest.mark.parametrize("seed", range(20))
def test_dominance_implies_that_the_winner_wins(seed):
    """Any logits that satisfy the premise, with the smallest gains and the largest harms that it allows."""
    J, N = random(4, seed=seed).abs() + 0.1, random(3, 4, seed=seed + 100)
    ratio, valid = harm_ratio(N, J)
    assert bool(valid)
    weights = random(3, seed=seed + 200).abs()
    own = (ratio * weights).sum() + 1e-6
    assert bool((own * J - (weights[:, None] * N).sum(0) > 0).all())
    single, one = harm_ratio(N[:1, :1].abs(), J[:1]), weights[0]
    assert not bool((single[0] * one - 1e-6) * J[0] > one * N[0, 0].abs())  # with one rival and one other term it is exact


def test_gains_that_are_not_positive_prove_nothing():
    gains = Gains.of(torch.tensor([[1.0, 2.0], [0.0, 2.0], [-1.0, 3.0]], dtype=torch.float64))
    assert gains.valid().tolist() == [True, False, False]


def test_ratios_by_rows_and_of_the_largest_harm():
    gain, harm = random(2, 3).abs() + 0.1, random(5, 3, seed=1)
    rows = torch.tensor([0, 1, 1, 0, 1])
    gains = Gains.of(gain)
    torch.testing.assert_close(gains.ratio(harm, rows), (harm / gain[rows]).amax(1))
    coarse = Gains.of(gain[rows]).ratio_of_largest(harm.amax(1))
    assert bool((coarse >= gains.ratio(harm, rows) - CLOSE).all())


def test_extreme_sums_are_reached_by_some_positions_and_passed_by_none():
    r = random(3, 5).exp()
    least, most = extreme_sums(r)
    for c in range(6):
        sums = torch.stack([r[:, list(chosen)].sum(1) for chosen in itertools.combinations(range(5), c)])
        torch.testing.assert_close(least[:, c], sums.amin(0))
        torch.testing.assert_close(most[:, c], sums.amax(0))


def test_factors_by_group_bound_every_query_up_to_a_factor_of_its_own():
    scores, group = random(6, 4), torch.tensor([0, 1, 0, 1, 1, 0])
    low, high = factors_by_group(scores, group, 2)
    own = torch.exp(scores - scores.mean(1, keepdim=True))
    assert bool((low[group] <= own + CLOSE).all())
    assert bool((high[group] >= own - CLOSE).all())


def test_errors_of_neurons_bound_what_the_outputs_change():
    x, near, U = random(40, 6), random(40, 6) + 0.3 * random(40, 6, seed=1), random(6, 5, seed=2)
    change = (torch.relu(x) - torch.relu(near)) @ U
    assert bool((spread(change) <= error_of_outputs((x - near).abs(), spread(U)) + CLOSE).all())
    half = (x.abs() - near.abs()) / 2 @ U
    assert bool((spread(half) <= error_of_outputs((x - near).abs(), spread(U)) / 2 + CLOSE).all())


def test_separate_neurons_bound_every_pair():
    sides, U = random(2, 4, 6), random(6, 5, seed=1)
    of_x, of_y = separate_neurons(sides, spread(U))
    written = torch.relu(sides[0][:, None] + sides[1]) @ U
    assert bool((spread(written) <= of_x[:, None] + of_y + CLOSE).all())


def test_index_tables():
    assert others(4).tolist() == [[1, 2, 3], [0, 2, 3], [0, 1, 3], [0, 1, 2]]
    X = random(3, 4)
    assert torch.equal(away_from(X, torch.tensor([2]), torch.tensor([1])), X[2, [0, 2, 3]][None] - X[2, 1])
    token, real, beyond, some = window_tokens(5, 2)
    assert token[4].tolist() == [3, 2]
    assert real[1].tolist() == [True, False]
    assert (int(beyond[4]), bool(some[4]), bool(some[2])) == (1, True, False)
    t, m = window_pairs(4, 2)
    assert list(zip(t.tolist(), m.tolist(), strict=True)) == [(0, 1), (1, 2), (0, 2), (2, 3), (1, 3)]
