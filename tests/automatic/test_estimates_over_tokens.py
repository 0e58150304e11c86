"""Estimates for any network over tokens: the truth on average, exact where every input is paid for, and counted."""

import pytest
import torch

from compact_proofs.automatic.effort import effort, uncounted
from compact_proofs.automatic.estimates import BoxSampling, SharedSampling, spread
from compact_proofs.automatic.listing.program import Listing
from compact_proofs.core.claim import margins
from compact_proofs.core.exhaustive import brute_force
from compact_proofs.draws import Draws
from compact_proofs.estimates import Sampling, estimate
from compact_proofs.length import count
from compact_proofs.program import program_of
from compact_proofs.sequences.labels import Maximum
from compact_proofs.sequences.task import FiniteTask
from compact_proofs.tasks.finite.training import FiniteRecipe, train


@pytest.fixture(scope="module")
def unsure():
    """A network with heads, a norm and an MLP that is right on most inputs and wrong on some; its task; its accuracy."""
    recipe = FiniteRecipe(
        n_ctx=3,
        d_vocab=8,
        d_model=8,
        n_heads=2,
        d_mlp=6,
        norm="layer",
        steps=80,
        batch_size=64,
        learning_rate=1e-2,
        evaluation_samples=1,
    )
    model = train(recipe).model
    truth = float(brute_force(model, recipe.task).bound)
    assert 0.6 < truth < 0.99
    return model, recipe.task, truth


def test_where_every_input_is_paid_for_it_is_the_accuracy(unsure):
    model, task, truth = unsure
    found = estimate(model, task, SharedSampling(10**9))
    assert found.value == pytest.approx(truth, abs=1e-12)
    assert found.cost.total < estimate(model, task, Sampling(task.size)).cost.total / 2
    few = FiniteTask(3, 8, Maximum(), valid=lambda x: x[:, 0] != x[:, 1])
    assert estimate(model, few, SharedSampling(10**9)).value == pytest.approx(float(brute_force(model, few).bound), abs=1e-12)


def test_the_mean_over_draws_is_the_accuracy(unsure):
    """Within five standard errors, for samples that do not fit the number of tokens."""
    model, task, truth = unsure
    every = task.inputs(0, task.size)
    with torch.no_grad():
        right = (margins(model(every), task.labels(every)) > 0).all(-1).double()
    means = torch.stack([right[task.numbers(spread(task, 13, Draws(bytes([seed]))))].mean() for seed in range(200)])
    assert float(means.mean()) == pytest.approx(truth, abs=5 * float(means.std()) / 200**0.5)
    assert 0 < float(means.std()) < 1.2 * (truth * (1 - truth) / 13) ** 0.5


def test_boxes_and_a_sample_of_the_rest(unsure):
    model, task, truth = unsure
    found = estimate(model, task, BoxSampling(samples=5000))
    assert found.value == pytest.approx(truth, abs=0.03)
    by_stage = found.cost.by_stage
    assert sum(by_stage["search"].values()) > 10 * sum(by_stage["boxes"].values())


def test_what_may_be_spent_is_spent_and_no_more(unsure):
    model, task, _ = unsure
    costs = [estimate(model, task, SharedSampling(n)).cost for n in (10_000, 200_000)]
    assert costs[0].total < 0.7 * 200_000 < costs[1].total < 1.05 * 200_000
    assert "tables" not in costs[0].by_stage  # too dear: the module's program is run


def test_effort_counts_what_proofs_do_not():
    a, b = torch.ones(2, 3), torch.ones(3, 4)
    with effort() as search, count() as counter:
        with uncounted():
            _ = a @ b
            with count() as inner:  # what a part of the search costs is asked for inside of it
                _ = a @ b
            with uncounted():
                torch.linalg.svd(b)
        _ = a + 1
    assert inner.length.total == 2 * 2 * 3 * 4
    assert search.operations == 2 * inner.length.total + 21 * 3 * 3 * 4
    assert counter.length.total == a.numel()
    with count() as counter, uncounted():
        _ = a @ b
    assert counter.length.total == 0


def test_every_token_is_drawn_equally_often():
    task = FiniteTask(3, 5, Maximum())
    for n in (20, 22):
        x = spread(task, n, Draws(b"seed"))
        assert (x.shape, x.dtype) == ((n, 3), torch.int64)
        often = torch.stack([torch.bincount(column, minlength=5) for column in x.T])
        assert n // 5 <= int(often.min()) <= int(often.max()) <= -(-n // 5)
    assert not torch.equal(spread(task, 20, Draws(b"seed")), spread(task, 20, Draws(b"other")))
    assert not torch.equal(x[:, 0], x[:, 1])


def test_maps_that_are_not_carried_out_on_tables(unsure):
    """The same logits; cheaper tables and dearer inputs."""
    model, task, _ = unsure
    program, x = program_of(model.double(), task), task.inputs(0, 100)
    costs, logits = [], []
    for folded in (True, False):
        with count() as tables:
            listing = Listing(program, 8, folded=folded)
        with count() as each:
            logits.append(listing.logits(x))
        costs.append((tables.length.total, each.length.total))
    assert torch.allclose(logits[0], logits[1], atol=1e-12)
    assert costs[1][0] < costs[0][0]
    assert costs[1][1] > costs[0][1]
