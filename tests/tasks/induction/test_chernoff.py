"""Expected exponentials of gaps: counts of each case, and faults that the harness must catch."""

from collections import Counter
from unittest import mock

import pytest
import torch

from compact_proofs import prove
from compact_proofs.core.soundness import evaluate, violations
from compact_proofs.enclosure import sound
from compact_proofs.tasks.induction import Chernoff, Induction
from compact_proofs.tasks.induction.gaps import Gaps
from compact_proofs.tasks.induction.specimens import specimen

NOISY = 3
"""The seed of a network of which a part is proven, and not all."""


def test_no_case_counts_more_than_is_right_in_it():
    """In place of the sum over cases, which the harness compares."""
    s = specimen(NOISY)
    task, strategy = Induction.of(s.model), Chernoff()
    truth, explanation = evaluate(s, task), strategy.explain(s.model, task)
    with sound():
        proven = strategy.verify(s.model, task, explanation)
        members = int(proven.member(truth.inputs).sum())
    inputs = truth.inputs[truth.possible]
    keys = zip(task.places(inputs).tolist(), inputs[:, -1].tolist(), task.labels(inputs).tolist(), strict=True)
    right, D = Counter(keys), task.d_vocab
    cases = [(i, q, a) for i in range(task.n_ctx - 2) for q in range(D) for a in range(D) if a != q]
    assert all(number <= right[case] for number, case in zip(proven.right, cases, strict=True))
    assert 0 < proven.size < task.size
    assert proven.size <= members


def test_steepness_and_shares_only_make_it_loose():
    s = specimen(NOISY)
    task, strategy = Induction.of(s.model), Chernoff()
    found = strategy.explain(s.model, task)
    best = prove(s.model, task, strategy, explanation=found).bound
    for name, number in (("steepness", -1e300), ("steepness", 1e300), ("shares", 1e300)):
        hostile = found | {name: torch.full_like(found[name], number)}
        assert prove(s.model, task, strategy, explanation=hostile).bound <= best
    assert prove(s.model, task, strategy, explanation=found | {"steepness": found["steepness"] - 50}).bound == 0


def forgotten_leak(self, k, F):
    """As if layer 1 copied from the place before only."""
    return F[:, :, 0, None] if k == 0 else F[:, :, k - 1, :, None].expand(*F.shape[:2], *[self.t.sizes[0]] * 2)


def whole_shares(i, k, harm, common, shares):
    """As if each key could be as near as if it were alone, and nearer."""
    return (harm - common).amax(-1) - 3


@pytest.mark.parametrize("fault", [("_composed", forgotten_leak), ("_near", staticmethod(whole_shares))], ids=["leak", "shares"])
def test_planted_faults_are_caught(fault):
    with mock.patch.object(Gaps, *fault):
        found = (violations(Chernoff(), s, Induction.of(s.model)) for s in map(specimen, (8, 14, 20, 2)))
        assert any(found)
