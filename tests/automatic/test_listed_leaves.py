"""Leaves whose inputs are evaluated one by one: what is proven then, by any hints, is what is true; and what is worth it."""

import math

import pytest
import torch

import compact_proofs as cp
from compact_proofs.automatic.bounds.rows import Jobs
from compact_proofs.automatic.boxes.tree import DROP, LIST, PROVE, REST
from compact_proofs.automatic.search.nodes import Node
from compact_proofs.automatic.search.prices import Prices
from compact_proofs.automatic.strategy import Automatic
from compact_proofs.core.soundness import Specimen, evaluate, violations
from compact_proofs.enclosure import sound
from compact_proofs.program import program_of
from compact_proofs.sequences.boxes import MIXED
from tests.automatic.specimens import N, V, largest, network, occurred

INFINITE = float("inf")


@pytest.mark.parametrize("task", [largest("heads"), occurred()], ids=["largest", "occurred"])
@pytest.mark.parametrize("kind", ["heads", "relu", "norm", "two layers"])
def test_with_all_rests_listed_the_bound_is_the_accuracy_whatever_the_hints(kind, task):
    model, strategy = network(kind, 3, 0.5), Automatic(cuts=1)
    found = strategy.explain(program_of(model, task), task)
    brute = cp.brute_force(model, task)
    tree = found["tree"].clone()
    tree[tree[:, 0] < 0, 0] = REST
    generator = torch.Generator().manual_seed(0)
    for numbers in (found["numbers"], torch.randn(500, generator=generator, dtype=torch.float64)):
        told = {**found, "tree": tree, "numbers": numbers, "group": found["group"][:0]}
        assert cp.prove(model, task, strategy, explanation=told).bound == brute.bound


@pytest.mark.parametrize("kinds", [(REST, LIST, PROVE, DROP), (LIST, LIST, REST), (REST, DROP)])
def test_leaves_of_every_kind_side_by_side_say_nothing_false(kinds):
    task, strategy = largest("gelu"), Automatic(cuts=2)
    model = network("gelu", 3, 0.5)
    specimen, program = Specimen(model), program_of(model, task)
    truth = evaluate(specimen, task)
    found = strategy.explain(program, task)
    leaves = found["tree"][:, 0] < 0
    tree = found["tree"].clone()
    tree[leaves, 0] = torch.tensor(kinds).repeat(int(leaves.sum()))[: int(leaves.sum())]
    told = {**found, "tree": tree}
    assert violations(strategy, specimen, task, told, truth) == []
    with sound():
        claimed = strategy.verify(program, task, told)
    assert claimed.size == int(claimed.member(task.inputs(0, task.size)).sum())


def test_a_search_lists_what_is_worth_it_and_nothing_else():
    task, model = occurred(), network("relu", 4, 0.5)
    dear = cp.prove(model, task, Automatic(worth=10**9))
    assert dear.bound == cp.brute_force(model, task).bound
    assert "list" in dear.length.by_stage
    cheap = cp.prove(model, task, Automatic(worth=1))
    assert "list" not in cheap.length.by_stage


def one_job(sizes):
    masks = torch.zeros(len(sizes), N, V, dtype=torch.bool)
    masks[:, -1, 0] = masks[:, 1, 0] = True
    for b, size in enumerate(sizes):
        masks[b, 0, :size] = True
    return Jobs(torch.zeros(1, dtype=torch.int64), torch.zeros(1, dtype=torch.int64), masks, torch.zeros(len(sizes)).long(), N - 1)


@pytest.mark.parametrize(
    ("worth", "each", "cost", "share", "expected"),
    [
        (100.0, INFINITE, 10.0, 1.0, PROVE),
        (100.0, INFINITE, 1e6, 1.0, DROP),
        (100.0, 50.0, 1e6, 1.0, LIST),
        (100.0, 50.0, 10.0, 0.5, REST),
        (100.0, 50.0, 10.0, 0.0, LIST),
        (100.0, 50.0, 10.0, 1.0, PROVE),
    ],
)
def test_the_best_kind_is_chosen(worth, each, cost, share, expected):
    jobs = one_job([4])
    rows = torch.full((1,), float(share < 1), dtype=torch.float64)
    kind, _ = Prices(worth, each, 0.0).decide(jobs, torch.tensor([cost]), torch.tensor([share], dtype=torch.float64), rows)
    assert kind.tolist() == [expected]


def leaf(label, size, kind, share=0.0):
    box = torch.zeros(1, max(size, 1), dtype=torch.bool)
    box[0, :size] = True
    return Node(box, label, kind=kind, share=share)


def test_no_more_is_listed_than_pays():
    def kinds(prices, *leaves):
        prices.settle(list(leaves), 3)
        return [x.kind for x in leaves]

    assert kinds(Prices(100.0, 50.0, 0.0), leaf(0, 4, LIST), leaf(1, 4, REST), leaf(3, 4, LIST), leaf(MIXED, 4, DROP)) == [
        LIST,
        REST,
        DROP,
        LIST,
    ]
    assert kinds(Prices(100.0, 50.0, 1e9), leaf(0, 4, LIST), leaf(1, 4, REST)) == [DROP, PROVE]
    assert kinds(Prices(100.0, 50.0, 0.0, inputs=10**12), leaf(0, 4, LIST), leaf(1, 4, REST)) == [DROP, PROVE]  # no bound shows it
    assert kinds(Prices(100.0, INFINITE, 0.0), leaf(MIXED, 4, PROVE)) == [DROP]
    assert math.isinf(Prices(100.0, INFINITE, 0.0).each)
