"""Boxes of mixed label: each input counts under its own label, whatever the hints."""

import copy

import pytest
import torch

import compact_proofs as cp
from compact_proofs.automatic.boxes.roots import by_last_token, roots, valid_labels
from compact_proofs.automatic.boxes.tree import LIST, PROVE, REST
from compact_proofs.automatic.reading.operations import read
from compact_proofs.automatic.search.find import can_be_mixed
from compact_proofs.automatic.search.prices import Prices
from compact_proofs.automatic.search.relaxed import relaxed_search
from compact_proofs.automatic.strategy import Automatic
from compact_proofs.core.soundness import Specimen, evaluate, violations
from compact_proofs.enclosure import sound
from compact_proofs.program import program_of
from compact_proofs.sequences.labels import OccurredBefore
from compact_proofs.sequences.task import FiniteTask
from tests.automatic.specimens import N, V, network, occurred


def told(kinds, numbers, generator):
    """Roots of mixed label, one for each last token, with leaves of some kinds, the first one cut at its first position."""
    tree = torch.tensor([[0, 5]] + [[kind, 0] for kind in (kinds * (V + 1))[: V + 1]])
    return {
        "roots": torch.ones(1, dtype=torch.int64),
        "tree": tree,
        "group": torch.randint(0, 2, (V + 1,), generator=generator),
        "choices": torch.zeros(0, dtype=torch.int64),
        "numbers": numbers,
    }


@pytest.mark.parametrize("kinds", [(REST,), (PROVE, REST, LIST)])
@pytest.mark.parametrize("kind", ["heads", "gelu", "recurrent"])
def test_nothing_false_is_claimed_of_mixed_boxes(kind, kinds):
    task, strategy, model = occurred(), Automatic(kept=1), network(kind, 4, 0.4)
    specimen, program = Specimen(model), program_of(model, task)
    truth = evaluate(specimen, task)
    generator = torch.Generator().manual_seed(0)
    explanation = told(kinds, torch.randn(300, generator=generator, dtype=torch.float64), generator)
    assert violations(strategy, specimen, task, explanation, truth) == []
    with sound():
        found = strategy.verify(program, task, explanation)
    assert found.size == int(found.member(task.inputs(0, task.size)).sum())
    if kinds == (REST,):
        assert found.size == cp.brute_force(model, task).claim.numerator


def test_inputs_outside_the_task_are_not_counted():
    task, model = FiniteTask(N, V, OccurredBefore(), valid=lambda x: x[:, 0] != 2), network("relu", 4, 0.4)
    explanation = told((REST,), torch.zeros(0, dtype=torch.float64), torch.Generator().manual_seed(1))
    assert cp.prove(model, task, Automatic(), explanation=explanation).bound == cp.brute_force(model, task).bound


def large_margins():
    """A network that is right by far, on a task of two labels whose boxes are small."""

    class Sum(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.E = torch.nn.Parameter(torch.tensor([[0.0], [1.0]]))

        def forward(self, tokens):
            total = self.E[tokens].sum((1, 2))
            return torch.stack([5.5 - total, total - 5.5], 1)

    return Sum(), FiniteTask(11, 2, lambda x: (2 * x.sum(1) > 11).long())


def test_a_search_with_mixed_boxes_proves_what_it_found():
    model, task = large_margins()
    program = program_of(model, task)
    boxes = by_last_token(task)
    assert can_be_mixed(task, roots(task), 2)
    assert not can_be_mixed(task, roots(task), 20)
    with torch.no_grad():
        plain = copy.deepcopy(program).double()
        network, prices = read(plain, 2, 10), Prices(1000.0, float("inf"), 0.0, 30.0)
        explanation, value = relaxed_search(network, boxes, 2, 1, prices, lambda x: valid_labels(task, x))
    certificate = cp.prove(model, task, Automatic(kept=2, worth=1000), explanation=explanation)
    assert certificate.bound == 1
    assert 0 < value < 1000.0 * task.size
    assert "list" not in certificate.length.by_stage
