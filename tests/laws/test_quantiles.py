"""Exact draws: intervals that hold the quantiles, and statements with confidence under a law."""

import dataclasses
from fractions import Fraction

import pytest
import torch
from flint import arb

import compact_proofs as cp
from compact_proofs.confidence import Confidence, NotExact, check_confidence, sample
from compact_proofs.draws import Draws
from compact_proofs.enclosure import Enclosure, sound
from compact_proofs.errors import CertificateRejected
from compact_proofs.laws import Independent, Normal, Uniform, UniformDirection, standard_normal
from compact_proofs.laws.quantiles import DIGITS, normal_quantiles, uniform_digits, uniform_quantiles
from compact_proofs.tasks.order_statistic import ConeTree, OrderStatistic


def phi(x):
    """Phi as an Arb ball; 0 and 1 at the infinities."""
    if x in (-float("inf"), float("inf")):
        return arb(x > 0)
    return (1 + (arb(x) / arb(2).sqrt()).erf()) / 2


@pytest.mark.parametrize("k", [0, 1, 2**20, 2**30, 2**45, 2**51 - 1, 2**51, 2**52 - 2**40, 2**52 - 2, 2**52 - 1])
def test_normal_quantiles_are_enclosed(k):
    with sound():
        x = normal_quantiles(torch.tensor([k]))
    low, high = torch.Tensor.tolist(x.lo)[0], torch.Tensor.tolist(x.hi)[0]
    assert phi(low) <= arb(k) / 2**DIGITS
    assert phi(high) >= arb(k + 1) / 2**DIGITS


def test_most_normal_quantiles_are_known_well():
    k = uniform_digits((5000,), Draws(b"test"))
    with sound():
        x = normal_quantiles(k)
    known = ~(x.lo.isinf() | x.hi.isinf())
    assert int(known.sum()) > 4995
    assert float((x.hi - x.lo)[known].max()) < 1e-10
    assert abs(float(x.lo[known].mean())) < 0.06
    assert abs(float(x.lo[known].std()) - 1) < 0.05


def test_uniform_quantiles_are_the_digits():
    k = torch.tensor([0, 3, 2**52 - 1])
    with sound():
        x = uniform_quantiles(k)
    assert [Fraction(v) for v in torch.Tensor.tolist(x.lo)] == [Fraction(int(i), 2**52) for i in k]
    assert [Fraction(v) for v in torch.Tensor.tolist(x.hi)] == [Fraction(int(i) + 1, 2**52) for i in k]


@pytest.mark.parametrize(
    "law", [standard_normal(2), Independent((Normal(1.0, 2.0), Uniform(-1.0, 3.0))), UniformDirection(3)], ids=lambda x: x.words
)
def test_the_readings_draw_the_same(law):
    plain = law.draw(50, Draws(b"test"))
    with sound():
        enclosed = law.draw(50, Draws(b"test"))
    assert plain.shape == (50, law.n)
    assert not isinstance(plain, Enclosure)
    assert bool(((enclosed.lo <= plain) & (plain <= enclosed.hi)).all())


def test_labels_of_boxes_are_known_where_all_points_have_them():
    low = torch.tensor([[0.0, 1.0, 2.0], [0.0, 1.0, 2.0], [0.0, 1.0, 2.0]], dtype=torch.float64)
    high = torch.tensor([[0.5, 1.5, 2.5], [1.0, 1.5, 2.5], [0.5, 2.0, 2.5]], dtype=torch.float64)
    labels, known = OrderStatistic(3, 1).known_labels(Enclosure(low, high))
    assert labels.tolist() == [1, 1, 1]
    assert known.tolist() == [True, False, False]


@pytest.fixture(scope="module")
def loaded():
    return cp.load("second-of-3")


@pytest.fixture(scope="module")
def said(loaded):
    return sample(loaded.model, loaded.task, samples=300, delta="1e-3")


def test_a_statement_with_confidence_under_a_law(loaded, said, tmp_path):
    assert Fraction(75, 100) < said.bound < Fraction(882, 1000)
    assert "x with 3 independent coordinates, each standard normal" in said.statement()
    assert f"of 300 draws {said.right} are right" in said.statement()
    again = check_confidence(said.save(tmp_path / "said"), loaded.model, loaded.task)
    assert (again.bound, again.length) == (said.bound, said.length)
    assert Confidence.load(tmp_path / "said").inputs == 1


def test_another_count_is_rejected(loaded, said):
    with pytest.raises(CertificateRejected):
        check_confidence(dataclasses.replace(said, right=said.right + 1), loaded.model, loaded.task)


def test_what_a_region_leaves_is_not_sampled(loaded):
    with pytest.raises(NotExact, match="has a law"):
        sample(loaded.model, loaded.task, ConeTree(), samples=10)
