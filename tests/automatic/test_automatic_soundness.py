"""`Automatic` against exhaustive evaluation, whatever the network and whatever it is told."""

from fractions import Fraction

import pytest
import torch

from compact_proofs.automatic.strategy import Automatic
from compact_proofs.core.exhaustive import brute_force
from compact_proofs.core.prove import prove
from compact_proofs.core.soundness import Specimen, evaluate, explanations, violations
from compact_proofs.program import program_of
from tests.automatic.specimens import NETWORKS, largest, network, occurred

HOSTILE = 2


@pytest.mark.parametrize("kind", NETWORKS)
def test_nothing_false_is_claimed(kind):
    task, strategy = largest(kind), Automatic(kept=2, cuts=1)
    model = network(kind, 3, 0.5)
    specimen, program = Specimen(model), program_of(model, task)
    truth = evaluate(specimen, task)
    for explanation in explanations(strategy, program, task, seed=0, number=HOSTILE):
        assert violations(strategy, specimen, task, explanation, truth) == []


@pytest.mark.parametrize("kind", ["heads", "gelu"])
def test_wrong_hints_lose_and_never_lie(kind):
    task, strategy = occurred(), Automatic(hard=1, kept=2)
    model = network(kind, 4)
    specimen, program = Specimen(model), program_of(model, task)
    truth = evaluate(specimen, task)
    own = strategy.explain(program, task)
    generator = torch.Generator().manual_seed(0)
    for factor in (0.0, -1.0, 1e6, 1e300):
        told = dict(own)
        told["numbers"] = own["numbers"] * factor
        told["group"] = torch.randint(0, 3, own["group"].shape, generator=generator)
        told["choices"] = own["choices"].flip(0)
        assert violations(strategy, specimen, task, told, truth) == []


def test_boxes_alone_prove_causal_networks_of_two_layers():
    task, strategy = largest("two causal layers"), Automatic(most=0, cuts=0, worth=10**7)
    model = network("two causal layers", 3, 0.1)
    certificate = prove(model, task, strategy)
    assert "list" not in certificate.length.by_stage
    assert certificate.bound == brute_force(model, task).bound > 0


def test_no_more_inputs_are_listed_than_the_option_says():
    task, model = largest("two layers"), network("two layers", 3, 0.5)
    whole = prove(model, task, Automatic(worth=10**6))
    some = prove(model, task, Automatic(worth=10**6, most=40))
    assert whole.bound == brute_force(model, task).bound > some.bound
    told = prove(model, task, Automatic(worth=10**6, most=40), explanation=whole.explanation)
    assert 0 < told.bound <= Fraction(40, 125)
    assert told.length.total < whole.length.total
