"""Copying chains of several layers and their certificate."""

import itertools
import math

import pytest

from compact_proofs import Specimen, measure, prove, violations
from compact_proofs.core.soundness import evaluate
from compact_proofs.errors import BadInput
from compact_proofs.models.attention_stack import AttentionStack, AttentionStackConfig
from compact_proofs.tasks.induction.task import Induction
from compact_proofs.tasks.lagged_induction.deep_circuit import DeepCircuit
from compact_proofs.tasks.lagged_induction.specimens import constructed
from compact_proofs.tasks.lagged_induction.task import LaggedInduction


@pytest.mark.parametrize(("D", "n", "lag"), [(4, 4, 1), (4, 4, 2), (5, 5, 3)])
def test_inputs_and_labels(D, n, lag):
    task = LaggedInduction(D, n, lag)
    inputs = task.inputs(0, task.size)
    expected = {(*first, first[i]): first[i + lag] for first in itertools.permutations(range(D), n - 1) for i in range(n - 1 - lag)}
    assert dict(zip(map(tuple, inputs.tolist()), task.labels(inputs).tolist(), strict=True)) == expected
    assert len(expected) == task.size == (n - 1 - lag) * math.perm(D, n - 1)


def test_lag_one_is_induction():
    assert (LaggedInduction(5, 4, 1).inputs(0, 120) == Induction(5, 4).inputs(0, 120)).all()
    with pytest.raises(BadInput, match="lag"):
        LaggedInduction(5, 4, 3)


@pytest.mark.parametrize(("D", "n", "layers"), [(4, 4, 2), (5, 5, 3), (5, 5, 4)])
def test_sound_and_not_empty(D, n, layers):
    """With growing noise the bound falls from 1 to 0, and never exceeds the accuracy."""
    bounds = []
    for noise in (0.0, 1e-4, 4e-3, 0.03, 0.3):
        s = Specimen(constructed(D, n, layers, noise=noise, seed=layers))
        task = LaggedInduction.of(s.model)
        assert violations(DeepCircuit(), s, task, truth=evaluate(s, task)) == []
        bounds.append(float(prove(s.model, task, DeepCircuit()).claim.bound))
    assert bounds[0] == bounds[1] == 1
    assert bounds[-1] == 0


@pytest.mark.parametrize("seed", range(8))
def test_weak_models(seed):
    """Attention that is barely sharp enough, so that the bounds of leak and match decide."""
    layers = 2 + seed % 2
    s = Specimen(constructed(4, 4, layers, copying=3 + seed / 2, matching=4 + seed, strength=3, noise=1e-3, seed=seed))
    assert violations(DeepCircuit(), s, LaggedInduction.of(s.model)) == []


def test_length_grows_by_layers_and_not_by_paths():
    lengths = []
    for layers in range(2, 10):
        model = AttentionStack(AttentionStackConfig(32, 16, 256, 32, layers), device="meta")
        lengths.append(measure(model, LaggedInduction.of(model), DeepCircuit()).total)
    steps = [b - a for a, b in itertools.pairwise(lengths)]  # what a layer more costs: itself, and a product with each other layer
    assert len({b - a for a, b in itertools.pairwise(steps)}) == 1
    assert steps[-1] < 3 * steps[0]
