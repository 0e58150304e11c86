"""Certificates of automatic proofs: written, read and checked; lists of any length; a whole network of the zoo."""

import pytest
import torch

import compact_proofs as cp
from compact_proofs.automatic.explanation import Reader
from compact_proofs.automatic.hints import Hints
from compact_proofs.automatic.strategy import Automatic
from compact_proofs.errors import CertificateRejected
from compact_proofs.tasks.max_of_k import MaxOfK
from compact_proofs.zoo import load
from tests.automatic.specimens import largest, network

KNOWN = {Automatic.name: Automatic}


def test_a_certificate_is_checked_and_one_of_another_network_rejected(tmp_path):
    task, model = largest("heads"), network("heads", 3, 0.5)
    certificate = cp.prove(model, task, Automatic())
    assert certificate.claim.numerator > 0
    path = certificate.save(tmp_path / "proof.cert")
    assert cp.check(path, model, task, KNOWN).bound == certificate.bound
    with pytest.raises(CertificateRejected):
        cp.check(path, network("heads", 4, 0.5), task, KNOWN)


def test_the_search_is_deterministic():
    task, model = largest("relu"), network("relu", 3, 0.5)
    first, second = (cp.prove(model, task, Automatic(cuts=2)) for _ in range(2))
    assert first.bound == second.bound
    assert first.length == second.length
    assert all(torch.equal(first.explanation[name], second.explanation[name]) for name in first.explanation)


def test_lists_that_end_too_early_read_as_zeros():
    reader = Reader(torch.tensor([1, 2, 3]))
    assert reader.take(2).tolist() == [1, 2]
    assert reader.take(2, 1).tolist() == [[3], [0]]
    hints = Hints(torch.ones(2, 3, dtype=torch.float64), 2)
    assert hints.take((2,), lambda: torch.zeros(0)).tolist() == [[1, 1], [1, 1]]
    assert hints.take((2,), lambda: torch.zeros(0)).tolist() == [[1, 0], [1, 0]]


@pytest.mark.slow
def test_max_of_4_is_proven_in_a_ten_thousandth_of_brute_force():
    certificate = cp.prove(load("max-of-4-seed-123"), MaxOfK(d_vocab=64, n_ctx=4), Automatic())
    assert certificate.bound > 0.998
    assert certificate.length.total < 0.0001 * 2.5e4 * 64**4
