"""`WholeCones`: exact proofs of networks of whole numbers; bounds by symbols hold inside cones, on any network."""

from fractions import Fraction
from unittest import mock

import pytest
import torch

import compact_proofs as cp
from compact_proofs.core.soundness import Specimen, violations
from compact_proofs.enclosure import lower, sound, upper
from compact_proofs.errors import BadInput, CompactProofsError
from compact_proofs.tasks.order_statistic import OrderStatistic, WholeCones, whole_cones
from compact_proofs.tasks.order_statistic.by_hand import by_hand
from compact_proofs.tasks.order_statistic.by_pairs import by_pairs
from compact_proofs.tasks.order_statistic.cones import Network, label_cones, label_shares, run
from compact_proofs.tasks.order_statistic.specimens import specimen
from compact_proofs.tasks.order_statistic.symbolic import symbolic_margins, twins


def rounded(seed):
    """A specimen whose weights are rounded to whole numbers."""
    s = specimen(seed)
    with torch.no_grad():
        for w in s.model.parameters():
            w.copy_((3 * w).nan_to_num().clamp(-1000, 1000).round())
    return Specimen(s.model, s.tied)


def test_a_network_of_ten_numbers_is_proven_exactly_where_two_are_positive():
    loaded = cp.load("second-of-10-by-pairs")
    certificate = cp.prove(loaded)
    assert certificate.strategy == "whole-cones"
    assert certificate.bound == 1 - Fraction(1 + 10, 2**10)
    assert cp.measure(loaded.model, loaded.task, WholeCones()) == certificate.length


@pytest.mark.parametrize("n", [2, 3, 4, 5])
def test_that_holds_for_any_number(n):
    model = by_pairs(n).double()
    assert violations(WholeCones(), Specimen(model), OrderStatistic(n)) == []
    assert cp.prove(model, OrderStatistic(n), WholeCones()).bound >= 1 - Fraction(1 + n, 2**n)


@pytest.mark.parametrize(("n", "above"), [(2, 0), (3, 1), (4, 3), (5, 2)])
def test_shares_of_label_cones(n, above):
    cones, inverses, _ = label_cones(n, above)
    shares = label_shares(n, above)
    assert len(shares) == len(cones.volume)
    assert sum(shares) == 1
    x = torch.randn((100_000, n), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    found = torch.stack([(x @ inverse.T > 0).all(1).double().mean() for inverse in inverses])
    assert torch.allclose(found, torch.tensor([float(share) for share in shares], dtype=torch.float64), atol=0.005)


@pytest.mark.parametrize("seed", [seed for seed in range(60) if seed % 20 not in (16, 17, 18)])  # whose numbers have no direction
def test_no_network_of_whole_numbers_is_said_to_be_better_than_it_is(seed):
    s = rounded(seed)
    assert violations(WholeCones(), s, OrderStatistic.of(s.model)) == []


def test_a_network_that_is_wrong_is_not_proven():
    model = by_hand(3).double()
    with torch.no_grad():
        model.W_U.neg_()
    assert cp.prove(model, OrderStatistic(3), WholeCones()).bound == 0


@pytest.mark.parametrize("seed", range(20))
def test_bounds_by_symbols_hold_inside_cones(seed):
    """And they are the network itself, as those of `run` are, where no neuron changes its sign."""
    model = specimen(seed).model if seed % 2 else by_pairs(2 + seed % 3).double()
    n = model.config.n_ctx
    cones, _, labels = label_cones(n, OrderStatistic.of(model).above)
    with sound():
        claimed = symbolic_margins(Network.of(model), cones.rays, labels)
        found = run(Network.of(model), cones.rays, labels)
    weights = torch.rand((len(labels), 50, n), generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    x = (weights @ cones.rays).flatten(0, 1)
    with sound():
        logits = model(x)
        own = logits.gather(1, labels.repeat_interleave(50)[:, None])
        others = (labels.repeat_interleave(50)[:, None] + torch.arange(1, n)) % n
        margins = upper(own - logits.gather(1, others)).reshape(len(labels), 50, n - 1)
        least = lower(weights @ claimed)
    assert bool((least <= margins).all())
    signs = [(low >= 0).all(1) | (high <= 0).all(1) for low, high in zip(found.lower, found.upper, strict=True)]
    known = torch.stack([sign.all(1) for sign in signs]).all(0)
    finite = found.margins.isfinite().flatten(1).all(1) & known
    size = found.margins[finite].abs().amax() if bool(finite.any()) else 1.0
    assert torch.allclose(claimed[finite], found.margins[finite], atol=1e-9 * float(size))


def test_twins_are_found():
    network = Network.of(by_pairs(3).double())
    place = twins(network).tolist()
    assert place == [0, 1, 2, 0, 4, 5, 6, 7, 6, 7, 10, 11]  # minus 0 is plus 0's; down 1 and 2 are up 1's and 2's


class Strict(WholeCones):
    """A fault: a margin that is 0 at all rays is taken for positive."""

    def verify(self, *args):
        with mock.patch.object(whole_cones, "are_right", lambda margins: (margins >= 0).all(1).all(1)):
            return super().verify(*args)


class NoSlack(WholeCones):
    """A fault: what ReLUs add is forgotten."""

    def verify(self, *args):
        def forgetful(network, rays, labels):
            exact = run(network, rays, labels)
            return exact.margins + 5

        with mock.patch.object(whole_cones, "symbolic_margins", forgetful):
            return super().verify(*args)


@pytest.mark.parametrize("fault", [Strict(), NoSlack()], ids=lambda s: type(s).__name__)
def test_the_harness_catches_planted_faults(fault):
    models = (rounded(seed) for seed in range(60))
    assert any(violations(fault, s, OrderStatistic.of(s.model)) for s in models), "an unsound strategy passed the harness"


def test_what_it_is_not_for_is_refused():
    with pytest.raises(BadInput, match="whole numbers"):
        cp.prove(cp.load("second-of-3"), strategy=WholeCones())
    model = by_pairs(8)
    with torch.no_grad():
        model.W_h.mul_(60000)
        model.W_h.clamp_(-65536, 65536)
    with pytest.raises(CompactProofsError):
        cp.prove(model, OrderStatistic(8), WholeCones())
