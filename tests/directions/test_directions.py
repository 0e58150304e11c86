"""Neurons that write into few directions: what is proven of networks that no other explanation fits, and what each part is for."""

from __future__ import annotations

from unittest import mock

import pytest
import torch

import compact_proofs as cp
from compact_proofs import zoo
from compact_proofs.core.soundness import evaluate, explanations, violations
from compact_proofs.directions import Doubt, bound
from compact_proofs.directions.search import divided
from compact_proofs.models.one_layer_mlp import OneLayerMLP, OneLayerMLPConfig
from compact_proofs.tasks import modular_addition
from compact_proofs.tasks.groups import KIT, BruteForce, Directions, Groups
from compact_proofs.tasks.groups.specimens import specimen
from compact_proofs.tasks.modular_addition import ModularAddition, spans
from compact_proofs.tasks.modular_addition.attending import attending
from compact_proofs.tasks.modular_addition.specimens import specimen as adding_specimen


def test_a_cyclic_group_is_explained_in_less_than_half_of_brute_force():
    model = zoo.load("c31-seed-0")
    task = Groups.of(model)
    brute = cp.prove(model, task, BruteForce())
    everything, bounded = (cp.prove(model, task, Directions(rest=rest)) for rest in (True, False))
    assert everything.claim.bound == brute.claim.bound == 1
    assert 0.98 < bounded.claim.bound < 1
    assert bounded.length.total < everything.length.total < 0.45 * brute.length.total


@pytest.mark.parametrize(("name", "chosen"), [("c31-seed-0", "directions"), ("d12-seed-0", "cosets"), ("s4-seed-0", "g-sets")])
def test_the_default_is_the_explanation_that_fits(name, chosen):
    assert KIT.default(zoo.load(name)).name == chosen


@pytest.mark.parametrize("seed", range(0, 40, 3))
def test_pairs_left_over_make_the_bound_exact(seed):
    s = specimen(seed)
    task = Groups.of(s.model)
    exact = cp.prove(s.model, task, BruteForce()).claim.numerator
    proof = cp.prove(s.model, task, Directions(2, 1))
    assert proof.claim.numerator == exact
    assert cp.prove(s.model, task, Directions(2, 1, rest=False)).claim.numerator <= exact


def test_the_error_of_the_rest_is_needed():
    found = []
    with mock.patch.object(bound, "norm", lambda x, dim: torch.zeros_like(x.sum(dim))):
        for seed in range(10):
            s = specimen(seed)
            task = Groups.of(s.model)
            truth, strategy = evaluate(s, task), Directions(1, 1, rest=False)
            for explanation in explanations(strategy, s.model, task, seed, number=3):
                found += violations(strategy, s, task, explanation, truth)
            if found:
                return
    raise AssertionError("no violation was found")


def test_a_scale_of_either_sign_is_the_same_scale_and_one_of_zero_proves_nothing():
    model = zoo.load("s4-seed-0")
    task, strategy = Groups.of(model), Directions(2, 9, rest=False)
    explanation = strategy.explain(model, task)
    proven = [
        cp.prove(model, task, strategy, explanation=explanation | {"scale": explanation["scale"] * factor}).claim.numerator
        for factor in (1.0, -1.0, 0.0)
    ]
    assert proven == [task.size, task.size, 0]


def test_rows_are_divided_by_the_subspaces_that_they_lie_in():
    generator = torch.Generator().manual_seed(1)
    spaces = torch.linalg.qr(torch.randn(3, 12, 2, dtype=torch.float64, generator=generator)).Q.mT  # [3, 2, 12]
    of = torch.arange(60) % 3
    rows = (torch.randn(60, 1, 2, dtype=torch.float64, generator=generator) @ spaces[of]).squeeze(1)
    cluster, found = divided(rows, 3, 2)
    assert len({(int(a), int(b)) for a, b in zip(of, cluster, strict=True)}) == 3
    assert torch.allclose((rows[:, None] @ found[cluster].mT @ found[cluster]).squeeze(1), rows)


@pytest.mark.parametrize(("name", "most"), [("mod-59-attn-seed-1", 0.2), ("mod-59-mlp-seed-0", 0.15)])
def test_raw_networks_on_modular_addition_are_proven_right_on_every_pair(name, most):
    model = zoo.load(name)
    task, strategy = ModularAddition.of(model), modular_addition.KIT.default(model)
    assert isinstance(strategy, modular_addition.Directions)
    certificate = cp.prove(model, task, strategy)
    assert certificate.claim.bound == 1
    assert certificate.length.total < most * cp.measure(model, task, modular_addition.BruteForce()).total


@pytest.mark.parametrize("seed", range(0, 72, 5))
def test_pairs_left_over_make_the_bound_exact_with_any_attention(seed):
    s = adding_specimen(seed)
    task = ModularAddition.of(s.model)
    exact = cp.prove(s.model, task, modular_addition.BruteForce()).claim.numerator
    assert cp.prove(s.model, task, modular_addition.Directions(2, 1)).claim.numerator == exact


@pytest.mark.parametrize("seed", range(1, 72, 5))
@pytest.mark.parametrize("options", [{"span": 3}, {"rank": 2}, {"label": "bounded"}, {"span": 2, "rank": 1, "label": "bounded"}])
def test_cheaper_readings_lose_nothing_that_brute_force_does_not_find_again(seed, options):
    s = adding_specimen(seed)
    task = ModularAddition.of(s.model)
    exact = cp.prove(s.model, task, modular_addition.BruteForce()).claim.numerator
    assert cp.prove(s.model, task, modular_addition.Directions(2, 1, **options)).claim.numerator == exact


@pytest.mark.parametrize("seed", [0, 6, 18, 21, 22, 23, 30, 42, 45, 47])
def test_a_doubt_bounds_how_far_the_network_is_from_its_tables(seed):
    model = adding_specimen(seed).model
    a, b = torch.cartesian_prod(torch.arange(model.p), torch.arange(model.p)).T
    generator = torch.Generator().manual_seed(seed)
    for V in (torch.randn(2, model.config.d_model, generator=generator, dtype=torch.float64), spans.span_of(model, 2)):
        with torch.no_grad():
            found = spans.through_span(model, V)
            pre, direct = found.exactly(a, b)
            far, slack = found.doubt.far.at(a, b), 1e-6 * (1 + pre.abs().max())
            assert torch.allclose(torch.relu(pre) @ found.G + direct, model(torch.stack([a, b], 1)), rtol=1e-9, atol=1e-9)
            assert bool(((pre - found.pre(a, b)).abs() <= far * found.doubt.neurons + slack).all())
            assert bool(((direct - found.direct(a, b)).abs() <= far * found.doubt.outputs + slack).all())


def test_what_a_span_leaves_is_needed():
    found = []
    with mock.patch.object(Doubt, "reach", lambda self, G: torch.zeros_like(self.outputs)):
        for seed in range(40):
            s = adding_specimen(seed)
            task, strategy = ModularAddition.of(s.model), modular_addition.Directions(2, 2, rest=False, span=2)
            truth = evaluate(s, task)
            for explanation in explanations(strategy, s.model, task, seed, number=3):
                found += violations(strategy, s, task, explanation, truth)
            if found:
                return
    raise AssertionError("no violation was found")


@pytest.mark.parametrize("equals", [0, 1])
@pytest.mark.parametrize("biases", [False, True])
def test_learned_attention_is_multiplied_out_exactly(equals, biases):
    config = OneLayerMLPConfig(5 + equals, 5, 6, 8, "learned", n_heads=3, d_head=2, biases=biases)
    model = OneLayerMLP(config, dtype=torch.float64)
    generator = torch.Generator().manual_seed(equals)
    for parameter in model.parameters():
        parameter.data = torch.randn(parameter.shape, dtype=torch.float64, generator=generator)
    a, b = torch.cartesian_prod(torch.arange(5), torch.arange(5)).T
    with torch.no_grad():
        neurons, logits, G = attending(model)
        found = torch.relu(neurons.at(a, b)) @ G + logits.at(a, b)
        expected = model(torch.stack([a, b], 1))
        z = (a + 2 * b) % 5
        entries = logits.entry(a, b, z)
    assert torch.allclose(found, expected, rtol=1e-12, atol=1e-12)
    assert torch.equal(entries, logits.at(a, b).gather(1, z[:, None]).squeeze(1))
