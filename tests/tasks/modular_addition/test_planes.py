"""The plane proof: what it claims, hostile hints, planted faults, and networks that are projected for it."""

import copy
import math
from fractions import Fraction
from unittest import mock

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from compact_proofs import zoo
from compact_proofs.core.prove import measure, prove, trial
from compact_proofs.core.soundness import Specimen, violations
from compact_proofs.enclosure import lower, sound, upper
from compact_proofs.errors import BadInput
from compact_proofs.models.one_layer_mlp import OneLayerMLP, OneLayerMLPConfig
from compact_proofs.tasks.modular_addition import KIT, BruteForce, Directions, ModularAddition, Planes, planes
from compact_proofs.tasks.modular_addition.planar import PlanarProjection, common_planes, planes_of
from compact_proofs.tasks.modular_addition.specimens import specimen
from compact_proofs.tasks.modular_addition.tuning import config_for, distance, tune

GOOD = (24, 35, 54, 59, 66)
"""Specimens that are right on many pairs: without attention, with uniform and with learned attention."""


def learned_network():
    """A network of the zoo whose attention depends on its input, on which its function hardly does."""
    uniform = zoo.load("mod-59-attn-seed-0")
    c = uniform.config
    model = OneLayerMLP(OneLayerMLPConfig(59, 59, c.d_model, c.d_mlp, "learned", c.n_heads, c.d_head))
    generator = torch.Generator().manual_seed(0)
    drawn = {name: 0.05 * torch.randn(model.config.shapes[name], generator=generator) for name in ("W_Q", "W_K")}
    model.load_state_dict(uniform.state_dict() | drawn)
    return model.requires_grad_(False)


@pytest.fixture(scope="module")
def planar():
    model = learned_network()
    return tune(model, config_for(model, train=False)).model


def test_specimens_are_proven_wholly_or_in_part():
    bounds = {}
    for seed in (*GOOD, 0):
        s = specimen(seed)
        bounds.setdefault(s.model.config.attention, []).append(float(prove(s.model, ModularAddition.of(s.model), Planes(3)).bound))
    assert set(bounds) == {"none", "uniform", "learned"}
    assert all(max(found) > 0.5 for found in bounds.values()), bounds
    assert any(0 < bound < 0.95 for found in bounds.values() for bound in found)


HOSTILE = {
    "shuffled clusters": lambda h, roll: {"cluster": roll(h["cluster"])},
    "the next arc": lambda h, roll: {"arc": (h["arc"] + 1) % (int(h["arc"].max()) + 1)},
    "other arcs": lambda h, roll: {"arc": roll(h["arc"].T).T},
    "opposite planes": lambda h, roll: {"reads": -h["reads"]},
    "other reads": lambda h, roll: {"reads": roll(h["reads"])},
    "other writes": lambda h, roll: {"writes": roll(h["writes"])},
    "degenerate bases": lambda h, roll: {"read_basis": 0 * h["read_basis"], "write_basis": 0 * h["write_basis"]},
    "huge numbers": lambda h, roll: {"reads": 1e150 * h["reads"], "writes": 1e150 * h["writes"]},
}


@pytest.mark.parametrize("which", HOSTILE)
def test_nearly_right_hints_prove_nothing_false(which):
    for seed in GOOD:
        s = specimen(seed)
        task = ModularAddition.of(s.model)
        for strategy in (Planes(3, 16), Planes(2, 3)):
            hints = strategy.explain(s.model, task)
            assert violations(strategy, s, task, hints | HOSTILE[which](hints, lambda t: t.roll(1, -1))) == []


def changed(model, **weights):
    """A copy of a model with other weights."""
    copied = copy.deepcopy(model)
    copied.load_state_dict(model.state_dict() | weights)
    return copied


def everywhere(self, read, arc):
    """Takes every pair to be in the arc that it is said to be in."""
    answer, error, within = ANSWERS(self, read, arc)
    return answer, error, torch.ones_like(within)


def without_errors(self, read, arc):
    """Forgets the neurons whose kinks are in the arc."""
    answer, error, within = ANSWERS(self, read, arc)
    return answer, 0 * error, within


def without_rests(model, hints):
    """Forgets what the planes leave of the weights."""
    found = WRITTEN(model, hints)
    return found._replace(rest=0 * found.rest)


ANSWERS, WRITTEN = planes.Arcs.answers, planes._written
FAULTS = {
    "arcs are believed": ((planes.Arcs, "answers", everywhere), lambda m: {}, lambda h: {"arc": h["arc"].roll(1, 0)}),
    "kinks are forgotten": ((planes.Arcs, "answers", without_errors), lambda m: {}, lambda h: {}),
    "another plane is read": ((planes, "_written", without_rests), lambda m: {"W_in": m.W_in.roll(1, 1)}, lambda h: {}),
    "another plane is written": ((planes, "_written", without_rests), lambda m: {"W_out": m.W_out.roll(1, 0)}, lambda h: {}),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_planted_faults_are_caught(fault):
    """The hints are those of the model before its weights were changed."""
    planted, change, confuse = FAULTS[fault]
    caught = 0
    for seed in GOOD:
        s = specimen(seed)
        task, wrong = ModularAddition.of(s.model), Specimen(changed(s.model, **change(s.model)))
        for strategy in (Planes(3, 64), Planes(3, 3)):
            hints = strategy.explain(s.model, task)
            hints |= confuse(hints)
            assert violations(strategy, wrong, task, hints) == []
            with mock.patch.object(*planted):
                caught += bool(violations(strategy, wrong, task, hints))
    assert caught, "an unsound strategy passed"


numbers = st.integers(-8, 8).map(lambda n: n / 4)
vectors = st.tuples(numbers, numbers)


@settings(max_examples=60, deadline=None)
@given(
    neurons=st.lists(st.tuples(vectors, vectors), min_size=1, max_size=8),
    f=vectors,
    angles=st.integers(3, 12),
    shift=st.integers(-1, 1),
)
def test_answers_hold_in_exact_arithmetic(neurons, f, angles, shift):
    X, Y = (torch.tensor([pair[side] for pair in neurons], dtype=torch.float64).T for side in (0, 1))
    hints = {"cluster": torch.zeros(len(neurons), dtype=torch.int64), "reads": X, "writes": Y}
    arc = (round(math.atan2(f[1], f[0]) * angles / (2 * math.pi)) + shift) % angles
    with sound():
        arcs = Planes(1, angles)._arcs(hints, torch.ones(1, dtype=torch.float64))
        answer, error, within = arcs.answers(torch.tensor([f], dtype=torch.float64), torch.tensor([[arc]]))
    if not bool(within):
        assert shift or f == (0, 0)
        return
    true = [Fraction(0), Fraction(0)]
    for x, y in neurons:
        active = max(Fraction(0), Fraction(x[0]) * Fraction(f[0]) + Fraction(x[1]) * Fraction(f[1]))
        true = [t + active * Fraction(n) for t, n in zip(true, y, strict=True)]
    most = Fraction(float(upper(error))) / 2
    for t, low, high in zip(true, lower(answer).flatten().tolist(), upper(answer).flatten().tolist(), strict=True):
        assert Fraction(low) - most <= t <= Fraction(high) + most


def test_arcs_are_less_than_half_of_the_circle():
    with pytest.raises(BadInput, match="at least 3"):
        Planes(3, 2)


def test_planes_are_found_where_rows_lie_in_few():
    generator = torch.Generator().manual_seed(0)
    planted = torch.arange(60) % 5
    bases = torch.randn(5, 2, 12, generator=generator, dtype=torch.float64)
    rows = (torch.randn(60, 1, 2, generator=generator, dtype=torch.float64) @ bases[planted]).squeeze(1)
    rows[7] = 0
    found = common_planes(rows.float().double(), 5)
    pairs_alike = (found[:, None] == found) == (planted[:, None] == planted)
    assert bool(pairs_alike[torch.arange(60) != 7][:, torch.arange(60) != 7].all())
    assert common_planes(rows, 4) is None


def test_projection_makes_a_planar_network_once():
    raw = learned_network()
    project = PlanarProjection(raw, 8)
    once = copy.deepcopy(raw).double()
    project(once)
    twice = copy.deepcopy(once)
    project(twice)
    assert 0.1 < distance(raw, once) < 20
    assert distance(once, twice) < 1e-6
    assert planes_of(once) == 8
    assert planes_of(raw) == 0


def test_learned_attention_is_proven_in_a_third_of_what_directions_take(planar):
    task, strategy = ModularAddition.of(planar), KIT.default(planar)
    assert strategy == Planes(8, evaluate=59)
    certificate = prove(planar, task, strategy)
    assert certificate.bound == 1
    assert certificate.length.total < 26e6
    assert measure(planar, task, Directions(5, rank=12, label="bounded")).total > 3 * certificate.length.total
    assert measure(planar, task, BruteForce()).total > 60 * certificate.length.total


def test_tuning_keeps_the_planes():
    raw = learned_network()
    result = tune(raw, config_for(raw, steps=2, planes=6))
    assert planes_of(result.model) == 6


def test_what_is_left_is_evaluated():
    s = specimen(23)
    task = ModularAddition.of(s.model)
    none, all_ = (prove(s.model, task, Planes(3, evaluate=n)).claim.numerator for n in (0, task.size))
    assert none <= all_ == prove(s.model, task, BruteForce()).claim.numerator


def test_lengths_are_known_without_running(planar):
    task, strategy = ModularAddition.of(planar), Planes(8)
    explanation = strategy.explain(planar, task)
    run = trial(planar, task, strategy, explanation=explanation).length.total
    assert measure(planar, task, strategy, explanation).total == run
    assert 0.8 * run <= measure(planar, task, strategy).total <= 1.25 * run
