"""Cones: cuts partition, measures are lower bounds, trees are read as they are written."""

import math

import pytest
import torch

from compact_proofs.cones.cone import PARTS, Cones, cut
from compact_proofs.cones.measure import by_both, by_jensen, by_mean_field
from compact_proofs.cones.tree import CUT, DROP, REFINE, Stack, decode, encode, largest_code
from compact_proofs.enclosure import lower, sound, upper
from compact_proofs.tasks.order_statistic.cones import label_cones


def random_cones(n, count, seed=0):
    rays = torch.randn((count, n, n), generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return Cones(rays, torch.linalg.det(rays).abs())


def coefficients(cones, x):
    """Of x [N, n] in the rays of one cone."""
    return torch.linalg.solve(cones.rays[0].T, x.T).T


def share(cones, samples=200_000, seed=1):
    """The share of directions in each cone, by sampling."""
    x = torch.randn((samples, cones.n), generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    inverse = torch.linalg.inv(cones.rays.mT)
    return torch.stack([(x @ i.T > 0).all(1).double().mean() for i in inverse])


@pytest.mark.parametrize("part", [1, PARTS // 3, PARTS // 2, PARTS - 1])
@pytest.mark.parametrize("n", [2, 3, 5])
def test_a_cut_partitions_a_cone(n, part):
    cone = random_cones(n, 1, seed=n)
    x = torch.rand((500, n), generator=torch.Generator().manual_seed(0), dtype=torch.float64) @ cone.rays[0]
    first, second, s = cut(cone, torch.tensor([0]), torch.tensor([n - 1]), torch.tensor([part]))
    inside = torch.stack([(coefficients(half, x) > 0).all(1) for half in (first, second)])
    assert bool((inside.sum(0) == 1).all())
    assert float(s) > 0
    for half in (first, second):
        assert torch.allclose(half.volume, torch.linalg.det(half.rays).abs(), rtol=1e-6)


def test_the_new_ray_has_length_one():
    cones = random_cones(4, 20)
    first, _, _ = cut(cones, torch.zeros(20, dtype=torch.int64), torch.ones(20, dtype=torch.int64), torch.full((20,), PARTS // 3))
    assert torch.allclose(first.rays[:, 1].norm(dim=1), torch.ones(20, dtype=torch.float64))


def test_the_sound_reading_encloses_cuts():
    cones = random_cones(3, 50)
    chosen = torch.arange(50) % 3, (torch.arange(50) + 1) % 3, torch.randint(1, PARTS, (50,))
    plain = cut(cones, *chosen)
    with sound():
        enclosed = cut(cones, *chosen)
    for a, b in zip(plain[:2], enclosed[:2], strict=True):
        assert float((upper(b.rays) - lower(b.rays)).max()) < 1e-12
        assert torch.allclose(a.rays, lower(b.rays), atol=1e-12)


@pytest.mark.parametrize("n", [2, 3, 4, 5, 6])
def test_orthants_have_less_than_their_share(n):
    orthant = Cones(torch.eye(n, dtype=torch.float64)[None], torch.ones(1, dtype=torch.float64))
    with sound():
        jensen, mean_field, both = (measure(orthant) for measure in (by_jensen, by_mean_field, by_both))
    assert 0.2 * 2.0**-n < float(lower(jensen)) <= float(upper(jensen)) <= 2.0**-n
    assert (1 - 1e-12) * 2.0**-n < float(lower(mean_field)) <= 2.0**-n  # which is exact where rays are orthogonal
    assert float(lower(both)) == float(lower(mean_field))


@pytest.mark.parametrize("measure", [by_jensen, by_mean_field])
@pytest.mark.parametrize("n", [2, 3, 4])
def test_measures_are_lower_bounds(n, measure):
    cones = random_cones(n, 8, seed=n)
    with sound():
        bound = lower(measure(cones))
    assert bool((bound <= share(cones) + 0.005).all())
    assert bool((bound > 0).all())


def test_in_many_dimensions_the_mean_field_is_better():
    cones, _, _ = label_cones(8, 1)
    with sound():
        bounds = [lower(measure(cones).sum()) for measure in (by_jensen, by_mean_field)]
    jensen, mean_field = map(float, bounds)
    assert jensen < 0.2 < 0.6 < mean_field < 1


@pytest.mark.parametrize("n", [2, 3, 4, 5])
def test_measures_of_small_cones_are_tight(n):
    middle = torch.nn.functional.normalize(torch.ones(n, dtype=torch.float64), dim=0)
    rays = torch.nn.functional.normalize(middle + 0.01 * torch.eye(n, dtype=torch.float64), dim=1)[None]
    cones = Cones(rays, torch.linalg.det(rays).abs())
    # A small cone is a simplex of dimension n - 1 at distance about 1: its volume over the sphere's surface.
    edge = (rays[0, 0] - rays[0, 1]).norm()
    simplex = edge ** (n - 1) * math.sqrt(n / 2 ** (n - 1)) / math.factorial(n - 1)
    surface = 2 * math.pi ** (n / 2) / math.gamma(n / 2)
    assert torch.allclose(by_jensen(cones), simplex / surface, rtol=1e-3)


def test_in_the_plane_halving_gives_the_angle():
    cones = Cones(torch.eye(2, dtype=torch.float64)[None], torch.ones(1, dtype=torch.float64))
    for _ in range(8):
        count = len(cones.volume)
        zero, one, half = (torch.full((count,), k) for k in (0, 1, PARTS // 2))
        first, second, _ = cut(cones, zero, one, half)
        cones = Cones(torch.cat([first.rays, second.rays]), torch.cat([first.volume, second.volume]))
    assert 0.25 - 1e-6 < float(by_jensen(cones).sum()) < 0.25 + 1e-12


@pytest.mark.parametrize("n", [2, 5, 16])
def test_codes_are_read_as_they_are_written(n):
    kind = torch.tensor([CUT, REFINE, CUT])
    first, second = torch.tensor([0, n - 1, 1]), torch.tensor([1, 0, n - 1])
    part = torch.tensor([1, PARTS - 1, 12345])
    codes = encode(kind, first, second, part, n)
    assert int(codes.min()) >= 0
    assert int(codes.max()) <= largest_code(n) < 2**63
    node = decode(codes, torch.zeros(3, dtype=torch.bool), n)
    chosen = first != second
    assert torch.equal(node.divided, chosen.nonzero()[:, 0])
    assert torch.equal(torch.stack([node.first, node.second, node.part]), torch.stack([first, second, part])[:, chosen])
    assert node.checked.tolist() == [1]


def test_a_cut_of_no_edge_ends_a_branch():
    codes = encode(torch.tensor([CUT, REFINE, DROP]), *(torch.tensor([1, 1, 0]),) * 2, torch.tensor([5, 5, 1]), 3)
    outside = decode(codes, torch.tensor([False, False, False]), 3)
    assert (outside.checked.tolist(), outside.ended.tolist(), outside.divided.tolist()) == ([1], [1], [])
    inside = decode(codes, torch.tensor([True, True, True]), 3)
    assert (inside.checked.tolist(), inside.ended.tolist(), inside.divided.tolist()) == ([], [0, 1, 2], [])


def test_stacks_give_their_last_rows_in_order():
    stack = Stack(torch.arange(5), torch.arange(5) + 10)
    stack.push(torch.tensor([7, 8]), torch.tensor([17, 18]))
    a, b = stack.pop(4)
    assert (a.tolist(), b.tolist()) == ([3, 4, 7, 8], [13, 14, 17, 18])
    assert stack.pop(4)[0].tolist() == [0, 1, 2]
    assert not stack
