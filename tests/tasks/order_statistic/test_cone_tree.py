"""`ConeTree`: what it proves is true, whatever the tree; certificates are checked; faults are found."""

import itertools
from fractions import Fraction
from unittest import mock

import pytest
import torch

import compact_proofs as cp
from compact_proofs.cones.cone import PARTS
from compact_proofs.cones.measure import by_jensen
from compact_proofs.cones.tree import CHECK, CUT, encode
from compact_proofs.core.soundness import Specimen, evaluate, violations
from compact_proofs.enclosure import lower, sound, upper
from compact_proofs.errors import BadInput, CertificateRejected
from compact_proofs.models.scalar_recurrent import ScalarRecurrent, ScalarRecurrentConfig
from compact_proofs.tasks.order_statistic import ConeTree, OrderStatistic, cone_tree, search
from compact_proofs.tasks.order_statistic.cones import Network, label_cones, run
from compact_proofs.tasks.order_statistic.specimens import specimen


@pytest.fixture(scope="module")
def trained():
    return cp.load("second-of-3")


@pytest.fixture(scope="module")
def certificate(trained):
    return cp.prove(trained, strategy=ConeTree(smallest=1e-4, gain=1e-4))


@pytest.mark.parametrize(("n", "above"), [(2, 0), (2, 1), (3, 1), (4, 1), (5, 2)])
def test_label_cones_partition_the_space_and_have_one_label(n, above):
    cones, inverses, labels = label_cones(n, above)
    x = torch.randn((2000, n), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    inside = torch.stack([(x @ inverse.T > 0).all(1) for inverse in inverses])
    assert bool((inside.sum(0) == 1).all())
    assert torch.equal(labels[inside.double().argmax(0)], OrderStatistic(n, above).labels(x))
    identity = inverses @ cones.rays.mT
    scale = identity[:, 0, 0, None, None]
    assert bool((scale > 0).all())
    assert torch.allclose(identity / scale, torch.eye(n, dtype=torch.float64).expand(len(labels), n, n))
    assert torch.allclose(cones.volume, torch.linalg.det(cones.rays).abs())


@pytest.mark.parametrize("seed", range(12))
def test_bounds_on_rays_hold_inside_cones(seed):
    model = specimen(seed).model
    task = OrderStatistic.of(model)
    cones, _, labels = label_cones(task.n, task.above)
    with sound():
        found = run(Network.of(model), cones.rays, labels)
    weights = torch.rand((len(labels), 50, task.n), generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    x = (weights @ cones.rays).flatten(0, 1)
    with sound():
        logits = model(x)
        own = logits.gather(1, labels.repeat_interleave(50)[:, None])
        others = (labels.repeat_interleave(50)[:, None] + torch.arange(1, task.n)) % task.n
        margins = upper(own - logits.gather(1, others)).reshape(len(labels), 50, task.n - 1)
        claimed = lower(weights @ found.margins)
    assert bool((claimed <= margins).all())


def test_the_trained_network_is_proven_to_a_ten_thousandth(trained):
    certificate = cp.prove(trained)
    exact = 0.8814052  # by solid angles, in float64 (Girard), of the whole sphere
    assert exact - 1e-4 < certificate.bound < exact
    checked = (certificate.explanation["cuts"] % 4 == CHECK).sum()
    assert int(checked) < 1000
    assert "x with 3 independent coordinates, each standard normal" in certificate.statement()


def test_a_certificate_is_checked(trained, certificate, tmp_path):
    file = certificate.save(tmp_path / "c.cert")
    again = cp.check(file, trained)
    assert again.bound == certificate.bound > Fraction(87, 100)
    assert again.length == certificate.length
    other = cp.load("second-of-5")
    with pytest.raises(CertificateRejected, match="it is about"):
        cp.check(file, other)


def test_the_float_and_the_counted_readings_agree_with_the_proof(trained, certificate):
    trial = cp.trial(trained, strategy=ConeTree(smallest=1e-4, gain=1e-4), explanation=certificate.explanation)
    assert abs(float(trial.bound) - float(certificate.bound)) < 1e-9
    assert trial.length == certificate.length
    shapes = cp.measure(trained.model, trained.task, ConeTree(), explanation=certificate.explanation)
    assert shapes == certificate.length


def together(cuts):
    """An explanation: all trees are read together."""
    return {"cuts": cuts, "sizes": torch.tensor([len(cuts)])}


def hostile(tree, n):
    """Trees made from a good one: everything checked, nothing but cuts, cuts elsewhere, a part of it, other edges, other sizes."""
    kinds, rest = tree % 4, tree // 4
    yield together(rest * 4 + CHECK)
    yield together(rest * 4 + torch.where(kinds == CUT, CUT, CHECK))
    yield together(tree[: len(tree) // 2])
    yield together((tree + 4 * 17) % (4 * n * n * 2**40))
    yield together(tree.flip(0))
    yield together(tree[:0])
    parts = torch.tensor([1, PARTS - 1] * 200)
    edges = torch.arange(400) % n
    yield together(encode(torch.full((400,), CUT), edges, (edges + 1) % n, parts, n))
    yield together(encode(torch.full((400,), 3), edges, (edges + 1) % n, parts, n))
    for sizes in ([], [0, len(tree)], [len(tree), len(tree)], [2**25, 5], [3, 1, 2]):
        yield {"cuts": tree, "sizes": torch.tensor(sizes, dtype=torch.int64)}


@pytest.mark.parametrize("seed", [0, 1, 2, 7, 9])
def test_no_tree_proves_what_is_false(seed):
    s, strategy = specimen(seed), ConeTree(smallest=1e-2, gain=1e-3)
    task = OrderStatistic.of(s.model)
    truth = evaluate(s, task)
    tree = strategy.explain(s.model, task)["cuts"]
    for explanation in hostile(tree, task.n):
        assert violations(strategy, s, task, explanation, truth) == []


def test_on_the_plane_the_exact_accuracy_is_approached():
    """Of two numbers the larger is named by x_1 > x_2 but for a wedge: the network compares 2 x_1 with x_2."""
    model = ScalarRecurrent(ScalarRecurrentConfig(n_ctx=2, d_model=2, d_out=2), torch.float64)
    model.load_state_dict(
        {
            "W_in": torch.tensor([1.0, -1.0], dtype=torch.float64),
            "W_h": torch.tensor([[-2.0, 2.0], [2.0, -2.0]], dtype=torch.float64),
            "W_U": torch.tensor([[0.0, 1.0], [1.0, 0.0]], dtype=torch.float64),
        }
    )
    # right unless 2 x_1 and x_1 are on different sides of x_2: the angle between the lines x_2 = x_1 and x_2 = 2 x_1
    exact = 1 - (torch.atan(torch.tensor(2.0, dtype=torch.float64)) / torch.pi - 0.25)
    found = cp.prove(model.requires_grad_(False), OrderStatistic(2, 0), ConeTree(smallest=1e-8, gain=1e-8))
    assert 0 < float(exact) - float(found.bound) < 1e-6


class Counted(ConeTree):
    """A fault: nothing is checked."""

    def verify(self, *args):
        with mock.patch.object(cone_tree, "run", all_right):
            return super().verify(*args)


class all_right:
    def __init__(self, network, rays, labels):
        self.labels = labels

    def right(self):
        return torch.ones(len(self.labels), dtype=torch.bool)


class TwiceTheMeasure(ConeTree):
    """A fault: measures are doubled."""

    def verify(self, *args):
        with mock.patch.dict(cone_tree.MEASURES, jensen=lambda cones: 2 * by_jensen(cones)):
            return super().verify(*args)


class OnlyTheFirstRay(ConeTree):
    """A fault: margins are asked for at one ray."""

    def verify(self, *args):
        with mock.patch.object(cone_tree, "run", first_ray):
            return super().verify(*args)


def first_ray(network, rays, labels):
    found = run(network, rays, labels)
    return type(found)(found.lower, found.upper, found.state, found.slack, found.margins[:, :1])


@pytest.mark.parametrize("fault", [Counted, TwiceTheMeasure, OnlyTheFirstRay])
def test_the_harness_catches_planted_faults(fault):
    strategy = fault(smallest=1e-2, gain=1e-2)
    assert any(faults_of(strategy, seed) for seed in itertools.chain((7, 2, 0), range(20, 30))), (
        "an unsound strategy passed the harness"
    )


def faults_of(strategy, seed):
    s = specimen(seed)
    task = OrderStatistic.of(s.model)
    tree = ConeTree(smallest=1e-2, gain=1e-2).explain(s.model, task)["cuts"]
    truth = evaluate(s, task)
    try:
        return [
            message
            for cuts in (tree, tree // 4 * 4 + torch.where(tree % 4 == CUT, CUT, CHECK))
            for message in violations(strategy, s, task, together(cuts), truth)
        ]
    except BadInput as e:  # more than 1 is measured
        return [str(e)]


def test_what_it_is_not_for_is_refused(trained):
    with pytest.raises(BadInput, match="ScalarRecurrent"):
        cp.prove(torch.nn.Linear(3, 3, dtype=torch.float64), OrderStatistic(3), ConeTree())
    with pytest.raises(BadInput, match="reads 3 numbers"):
        ConeTree().applies_to(trained.model, OrderStatistic(4))
    with pytest.raises(BadInput, match="smallest"):
        ConeTree(smallest=0.0)
    with pytest.raises(BadInput, match="most"):
        ConeTree(most=0)
    with pytest.raises(BadInput, match="cuts"):
        cp.prove(trained, strategy=ConeTree(), explanation=together(torch.tensor([-1])))


def test_tied_outputs_prove_nothing_for_their_label():
    model = ScalarRecurrent(ScalarRecurrentConfig(n_ctx=2, d_model=1, d_out=2), torch.float64)  # all weights 0
    found = cp.prove(model.requires_grad_(False), OrderStatistic(2, 0), ConeTree(smallest=1e-3))
    assert found.bound == 0
    assert violations(ConeTree(smallest=1e-3), Specimen(model), OrderStatistic(2, 0)) == []


@pytest.mark.parametrize("seed", [1004, 1014, 1084, 1094, 1109])
def test_huge_weights_do_not_keep_the_search_busy(seed):
    """Their sums are rounded by more than 1e-11, and some overflow; every cut near a ray left the same question."""
    model = specimen(seed).model
    assert len(ConeTree().explain(model, OrderStatistic.of(model))["cuts"]) < 20000


def test_the_search_ends_at_its_depth(trained):
    with mock.patch.object(search, "DEEPEST", 3):
        cuts = ConeTree().explain(trained.model, trained.task)["cuts"]
    assert 12 < len(cuts) <= 12 * (2**4 - 1)
    assert cp.prove(trained, strategy=ConeTree(), explanation=together(cuts)).bound > 0


@pytest.mark.parametrize("measure", ["jensen", "both"])
def test_large_trees_are_read_apart(trained, certificate, measure):
    """Each label cone has its own codes then, which prove what all prove together."""
    strategy = ConeTree(smallest=1e-4, gain=1e-4, measure=measure)
    together = cp.prove(trained, strategy=strategy)
    with mock.patch.object(search, "TOGETHER", 100):
        apart = cp.prove(trained, strategy=strategy)
    assert len(apart.explanation["sizes"]) == 12
    assert len(apart.explanation["cuts"]) == len(together.explanation["cuts"])
    assert abs(float(apart.bound - together.bound)) < 1e-9
    s = Specimen(trained.model)
    assert violations(strategy, s, trained.task, apart.explanation) == []


def test_a_limit_of_nodes_is_divided_among_the_cones(trained):
    with mock.patch.object(search, "TOGETHER", 10):
        cuts, sizes = ConeTree(most=600).explain(trained.model, trained.task).values()
        assert len(cuts) == int(sizes.sum()) < 900
        assert int(sizes.min()) > 1
        limited = cp.prove(trained, strategy=ConeTree(most=600))
    assert Fraction(6, 10) < limited.bound < Fraction(88, 100)
