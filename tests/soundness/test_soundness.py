"""Every registered strategy against exhaustive evaluation, and planted faults that the harness must catch."""

import functools
from unittest import mock

import pytest
import torch
from torch.utils._python_dispatch import _disable_current_modes

from compact_proofs.core.soundness import evaluate, explanations, violations
from compact_proofs.tasks import KITS
from compact_proofs.tasks.max_of_k import Additive, BruteForce, Cubic, MaxOfK
from compact_proofs.tasks.max_of_k.additive import positions
from compact_proofs.tasks.max_of_k.specimens import KINDS, specimen

REGISTERED = [(kit, kind) for kit in KITS.values() for kind in kit.strategies]


@functools.lru_cache(maxsize=64)
def evaluated(name, seed):
    """A specimen of a task by name, and what is true of it: one for all strategies."""
    specimen = KITS[name].specimen(seed)
    return specimen, evaluate(specimen, KITS[name].task_of(specimen.model))


def find_violations(kit, kind, seeds):
    found = []
    for seed in seeds:
        specimen, truth = evaluated(kit.name, seed)
        task = kit.task_of(specimen.model)
        for strategy in kit.variants(kind, specimen.model):
            for explanation in explanations(strategy, specimen.model, task, seed, number=3):
                found += violations(strategy, specimen, task, explanation, truth)
    return found


@pytest.mark.parametrize(("kit", "kind"), REGISTERED, ids=lambda x: x.name)
def test_no_strategy_claims_more_than_is_true(kit, kind):
    """On two models of each kind that specimens have."""
    assert find_violations(kit, kind, range(12)) == []


@pytest.mark.slow
@pytest.mark.parametrize(("kit", "kind"), REGISTERED, ids=lambda x: x.name)
def test_no_strategy_claims_more_than_is_true_on_many_models(kit, kind):
    assert find_violations(kit, kind, range(1000, 1150)) == []


def test_specimens_are_not_trivial():
    accuracies = {kind: [] for kind in KINDS}
    for seed in range(40):
        s = specimen(seed)
        accuracies[KINDS[seed % len(KINDS)]].append(evaluate(s, MaxOfK.of(s.model)).right.float().mean().item())
    assert sum(a > 0.9 for a in accuracies["good"]) >= 4
    assert any(0.2 < a < 0.95 for a in accuracies["noisy"])
    assert any(0 < a < 0.9 for a in accuracies["tied"])


class MinWhereMaxIsNeeded(Cubic):
    """Takes the better of the two extreme arrangements of positions."""

    def verify(self, *args):
        with mock.patch.object(torch, "maximum", torch.minimum):
            return super().verify(*args)


class RoundingForgotten(BruteForce):
    """Counts by plain float64 arithmetic."""

    def verify(self, *args):
        with _disable_current_modes(), torch.no_grad():
            return super().verify(*args)


class GapOffByOne(Additive):
    """Forgets the largest of the far tokens, m - G - 1."""

    def symbols(self, *args):
        def wrong(v, G, device="cpu"):
            token, real, behind, some = window_tokens(v, G)
            return token, real, (behind - 1).clamp(min=0), some

        window_tokens = positions.window_tokens
        with mock.patch.object(positions, "window_tokens", wrong):
            return super().symbols(*args)


@pytest.mark.parametrize(
    "fault",
    [MinWhereMaxIsNeeded(), RoundingForgotten(), GapOffByOne(window=1, groups=1)],
    ids=lambda s: type(s).__name__,
)
def test_the_harness_catches_planted_faults(fault):
    models = (specimen(seed) for seed in range(120))
    found = (message for s in models for message in violations(fault, s, MaxOfK.of(s.model)))
    assert any("at most" in message or "are wrong" in message for message in found), "an unsound strategy passed the harness"


def test_without_the_faults_the_same_models_pass():
    for strategy in (Cubic(), BruteForce(), Additive(window=1, groups=1)):
        for seed in range(30):
            s = specimen(seed)
            assert violations(strategy, s, MaxOfK.of(s.model)) == []
