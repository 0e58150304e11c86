"""`LinearPieces`: a few cones prove nearly everything; whatever points and simplices say, what is proven is true."""

from unittest import mock

import pytest
import torch

import compact_proofs as cp
from compact_proofs.cones.tree import CHECK
from compact_proofs.core.soundness import evaluate, violations
from compact_proofs.errors import BadInput
from compact_proofs.tasks.order_statistic import ConeTree, LinearPieces, OrderStatistic
from compact_proofs.tasks.order_statistic.cones import Network, label_cones
from compact_proofs.tasks.order_statistic.pieces import Functions, Points, TooMany, linear_cones, simplices
from compact_proofs.tasks.order_statistic.specimens import specimen


@pytest.fixture(scope="module")
def trained():
    return cp.load("second-of-3")


@pytest.fixture(scope="module")
def certificate(trained):
    return cp.prove(trained, strategy=LinearPieces())


def test_it_proves_more_than_a_tree_in_as_many_operations(trained, certificate):
    tree = cp.prove(trained, strategy=ConeTree(smallest=1e-8, gain=1e-8))
    assert certificate.length.total < tree.length.total
    assert 0.88138 < float(certificate.bound) < 0.8814052  # which is exact


def test_a_certificate_is_checked_and_measured_by_shapes(trained, certificate, tmp_path):
    again = cp.check(certificate.save(tmp_path / "c.cert"), trained)
    assert (again.bound, again.length) == (certificate.bound, certificate.length)
    shapes = cp.measure(trained.model, trained.task, LinearPieces(), explanation=certificate.explanation)
    assert shapes == certificate.length


@pytest.mark.parametrize("root", [0, 5, 11])
def test_pieces_fill_their_label_cone(trained, root):
    network = Network.of(trained.model)
    cones, _, labels = label_cones(3, 1)
    points = Points(Functions.of(network, cones.rays[root], int(labels[root])))
    found = linear_cones(points, 1000)
    rows = simplices(points, found, 10000)
    corners = torch.from_numpy(points.coefficients)[torch.from_numpy(rows)]
    corners = corners / corners.sum(2, keepdim=True)
    volumes = torch.linalg.det(corners)
    assert bool((volumes > 0).all())
    assert abs(float(volumes.sum()) - 1) < 1e-9
    for cone in found:  # each function has one sign
        signs = points.signs[cone]
        assert not ((signs > 0).any(0) & (signs < 0).any(0)).any()
    with pytest.raises(TooMany):
        linear_cones(Points(Functions.of(network, cones.rays[root], int(labels[root]))), 3)


def test_a_label_cone_with_too_many_pieces_is_left_whole_and_cut(trained):
    found = cp.prove(trained, strategy=LinearPieces(pieces=2, smallest=1e-4, gain=1e-4))
    assert 0.86 < float(found.bound) < 0.8814052
    assert found.explanation["simplices"].shape[0] < 40


def test_the_search_ends_where_sizes_of_numbers_hide_bends():
    """A network of weights of 1e149: what enters the first neurons is nothing beside what enters the last."""
    s = specimen(1049)
    found = LinearPieces(gain=1e-3).explain(s.model, OrderStatistic.of(s.model))
    assert len(found["cuts"]) < 1000


def hostile(explanation, n):
    """Points moved, simplices turned, left out, repeated, exchanged; everything checked; other sizes."""
    sizes, points, rows, cuts = (explanation[name] for name in ("sizes", "points", "simplices", "cuts"))
    generator = torch.Generator().manual_seed(0)
    everything = cuts // 4 * 4 + CHECK
    yield {"cuts": everything}
    yield {"points": points.roll(1, 0), "cuts": everything}
    yield {"points": points.roll(1, 1), "cuts": everything}
    moved = (points + torch.randint(0, 2**49, points.shape, generator=generator)) * (points > 0)
    yield {"points": moved, "cuts": everything}
    yield {"points": torch.randint(0, 2**50, points.shape, generator=generator), "cuts": everything}
    yield {"simplices": rows.flip(0), "cuts": everything}
    yield {"simplices": rows.flip(1), "cuts": everything}
    yield {"simplices": rows[:, [1, 0, *range(2, n)]] if n > 1 else rows}
    yield {"simplices": torch.zeros_like(rows)}
    yield {"points": torch.zeros_like(points)}
    yield {"sizes": sizes.flip(0), "cuts": everything}
    yield {"sizes": sizes[:0]}
    yield {"sizes": sizes * 2, "cuts": everything}
    yield {"points": points[:0], "simplices": rows[:0]}


@pytest.mark.parametrize("seed", [0, 1, 2, 3, 7, 9, 1004])
def test_no_explanation_proves_what_is_false(seed):
    s, strategy = specimen(seed), LinearPieces(smallest=1e-2, gain=1e-3)
    task = OrderStatistic.of(s.model)
    truth = evaluate(s, task)
    explanation = strategy.explain(s.model, task)
    for changed in hostile(explanation, task.n):
        assert violations(strategy, s, task, explanation | changed, truth) == []


def doubled(explanation):
    """The simplices that are right alone, each twice."""
    sizes, cuts = explanation["sizes"], explanation["cuts"]
    parts = zip(explanation["simplices"].split(sizes[:, 1].tolist()), cuts.split(sizes[:, 2].tolist()), strict=True)
    rows = [some[-len(some) :][(codes[: len(some)] % 4 == CHECK)].repeat(2, 1) for some, codes in parts]
    counts = torch.tensor([len(some) for some in rows])
    return {
        "points": explanation["points"],
        "simplices": torch.cat(rows),
        "cuts": torch.full((int(counts.sum()),), CHECK),
        "sizes": torch.stack([sizes[:, 0], counts, counts], 1),
    }


def test_what_is_listed_twice_is_seen_and_the_harness_sees_that_it_must_be(trained):
    """A planted fault: nothing asks whether facets cancel."""
    strategy = LinearPieces(gain=1.0)  # without cuts
    explanation = doubled(strategy.explain(trained.model, trained.task))
    assert len(explanation["simplices"]) > 100
    assert cp.prove(trained, strategy=strategy, explanation=explanation).bound == 0
    with (
        mock.patch("compact_proofs.cones.triangulation.is_closed", lambda points, rows: len(rows) > 0),
        pytest.raises(BadInput, match="report this fault"),
    ):
        cp.prove(trained, strategy=strategy, explanation=explanation)


def test_what_it_is_not_for_is_refused(trained):
    with pytest.raises(BadInput, match="up to 8 numbers"):
        cp.prove(cp.load("second-of-10-by-hand"), strategy=LinearPieces())
    with pytest.raises(BadInput, match="reads 3 numbers"):
        LinearPieces().applies_to(trained.model, OrderStatistic(4))
