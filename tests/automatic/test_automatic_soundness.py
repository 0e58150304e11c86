"""`Automatic` against exhaustive evaluation, whatever the network and whatever it is told."""

import pytest
import torch

from compact_proofs.automatic.strategy import Automatic
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
