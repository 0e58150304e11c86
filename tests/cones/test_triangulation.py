"""Triangulations of a cone: what is accepted is disjoint, and what is not is seen."""

import pytest
import torch

from compact_proofs.cones.cone import Cones
from compact_proofs.cones.measure import by_jensen
from compact_proofs.cones.triangulation import UNIT, Triangulated, determinants, is_closed, triangulate
from compact_proofs.enclosure import lower, sound, upper
from compact_proofs.length import count

ONE = int(1 / UNIT)


def orthant(n):
    return Cones(torch.eye(n, dtype=torch.float64)[None], torch.ones(1, dtype=torch.float64))


def inward(n):
    return torch.ones(n, dtype=torch.float64)


def starred(n, centre=None):
    """The orthant's corners and a point, joined to all facets."""
    centre = [1] * n if centre is None else centre
    points = torch.cat([torch.eye(n), torch.tensor([centre], dtype=torch.float32)]).to(torch.int64) * (ONE // 8)
    rows = torch.arange(n).repeat(n, 1)
    return points, rows.fill_diagonal_(n)


def sound_triangulation(n, points, rows):
    with sound():
        return triangulate(orthant(n), inward(n), points, rows)


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 8])
def test_determinants(n):
    matrices = torch.randn((20, n, n), generator=torch.Generator().manual_seed(n), dtype=torch.float64)
    exact = torch.linalg.det(matrices)
    assert torch.allclose(determinants(matrices), exact)
    with sound():
        found = determinants(matrices)
    assert bool(((lower(found) <= exact + 1e-12) & (exact - 1e-12 <= upper(found))).all())
    assert float((upper(found) - lower(found)).max()) < 1e-8


@pytest.mark.parametrize("n", [2, 3, 5])
def test_a_star_is_a_triangulation(n):
    points, rows = starred(n)
    assert is_closed(points, rows)
    found = sound_triangulation(n, points, rows)
    assert bool((lower(found.cones.volume) > 0).all())
    assert float(upper(found.excess)) < 1e-300
    x = torch.rand((50, n), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    with sound():
        places = list(Triangulated(torch.eye(n, dtype=torch.float64), points, rows).coefficients(x))
    assert sum(len(at) for at, _, _ in places) == 50
    for at, root, coefficients in places:
        back = lower(coefficients)[:, None] @ (points[rows[root]].double() * UNIT)
        assert torch.allclose(torch.nn.functional.normalize(back[:, 0], dim=1), torch.nn.functional.normalize(x[at], dim=1))


def test_what_does_not_cancel_is_refused():
    points, rows = starred(3)
    assert not is_closed(points, rows[1:])  # one is missing
    assert not is_closed(points, torch.cat([rows, rows[:1]]))  # one is there twice
    assert not is_closed(points, torch.stack([rows[0], rows[1], rows[2][[1, 0, 2]]]))  # one is turned
    assert not is_closed(points, torch.tensor([[0, 1, 4]]))  # a point that does not exist
    assert not is_closed(points, torch.tensor([[0, 1, 1]]))
    assert not is_closed(points, rows[:0])
    assert not is_closed(points * torch.tensor([1, 1, 1, 0])[:, None], rows)  # a point without coefficients
    assert len(sound_triangulation(3, points, rows[1:]).cones.volume) == 0
    assert is_closed(points, torch.tensor([[0, 1, 2]]))  # the whole cone


def test_what_is_covered_twice_does_not_count():
    points, rows = starred(3)
    twice = torch.cat([rows, torch.tensor([[0, 1, 2]])])
    assert is_closed(points, twice)
    found = sound_triangulation(3, points, twice)
    assert float(lower(found.cones.volume).max()) == 0
    assert float(upper(found.excess)) < 1e-300
    once = torch.cat([rows, torch.tensor([[0, 1, 2], [1, 0, 2]])])  # and once in the other orientation
    found = sound_triangulation(3, points, once)
    measures = lower(by_jensen(found.cones))
    assert measures.tolist()[-1] == 0
    assert float(measures[:3].sum()) + float(measures[3]) - float(upper(found.excess)) <= 1 / 8


@pytest.mark.parametrize("seed", range(20))
def test_measures_less_the_excess_never_exceed_the_cone(seed):
    """Points that are moved anywhere leave facets that cancel: simplices turn over, and others overlap."""
    generator = torch.Generator().manual_seed(seed)
    points, rows = starred(3)
    centre = torch.randint(0, ONE // 8, (3,), generator=generator)
    points = torch.cat([points[:3], centre[None], torch.randint(0, ONE // 8, (1, 3), generator=generator)])
    finer = torch.cat([rows[1:], torch.stack([rows[0].where(rows[0] != old, torch.tensor(4)) for old in rows[0]])])
    assert is_closed(points, finer)
    found = sound_triangulation(3, points, finer)
    counted = float(lower(by_jensen(found.cones)).sum())
    assert counted - float(upper(found.excess)) <= 1 / 8
    x = torch.rand((4000, 3), generator=generator, dtype=torch.float64)
    inverses = torch.linalg.inv(points[finer].double())
    holds = (x @ inverses > 0).all(2)  # [simplex, N]
    if float(upper(found.excess)) < 1e-300:
        assert int(holds.sum(0).max()) <= 1


def test_flat_simplices_are_allowed_and_cost_nearly_nothing():
    points, rows = starred(3, [1, 1, 0])  # the centre lies on an edge: a simplex is flat
    assert is_closed(points, rows)
    found = sound_triangulation(3, points, rows)
    assert (lower(found.cones.volume) > 0).tolist() == [True, True, False]
    assert 0 <= float(upper(found.excess)) < 1e-10


def test_the_check_is_charged_by_number():
    points, rows = starred(3)
    with count() as counter:
        is_closed(points, rows)
    assert counter.length.total == 9 * (3 + 4) * 2 + 9 * 6 + 12
