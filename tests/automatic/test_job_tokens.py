"""Tables hold the tokens that boxes allow: the same numbers as tables of all tokens, for less; and no token is left out."""

import copy
from unittest import mock

import pytest
import torch

from compact_proofs.automatic.bounds import rows as rows_module
from compact_proofs.automatic.bounds.jobs import jobs_of, of_similar_tokens
from compact_proofs.automatic.bounds.projection import Leaves
from compact_proofs.automatic.bounds.relaxed import Shared
from compact_proofs.automatic.bounds.rows import Deviations, Rows, weights_of
from compact_proofs.automatic.reading.blocks import Averages, Network, Sums
from compact_proofs.automatic.reading.operations import read
from compact_proofs.automatic.reading.values import Form
from compact_proofs.automatic.search.judging import axes
from compact_proofs.enclosure import sound
from compact_proofs.length import count
from compact_proofs.program import program_of
from compact_proofs.sequences.boxes import Boxes
from compact_proofs.tasks import load_model
from tests.automatic.test_automatic_rules import symbols_outside

N, V, HEADS, WIDTH = 4, 7, 2, 3


def drawn_jobs(seed, share=0.4):
    generator = torch.Generator().manual_seed(seed)
    masks = torch.rand(12, N, V, generator=generator) < share
    masks[:, :, 2] |= ~masks.any(2)
    labels, group = (torch.randint(0, 3, (12,), generator=generator) for _ in range(2))
    return jobs_of(Boxes(masks, labels), group, N - 1)


@pytest.mark.parametrize("seed", range(3))
def test_tokens_are_those_that_some_box_allows(seed):
    jobs = drawn_jobs(seed)
    widest = 0
    for j in range(len(jobs)):
        for i, position in enumerate(jobs.free):
            allowed = jobs.masks[jobs.of == j, position].any(0).nonzero()[:, 0]
            widest = max(widest, len(allowed))
            own = jobs.tokens[j, i]
            assert own[: len(allowed)].tolist() == allowed.tolist()
            assert len(own.unique()) == len(own)
    assert jobs.tokens.shape[2] == widest
    assert torch.equal(jobs.allowed, jobs.masks[:, jobs.free].gather(-1, jobs.tokens[jobs.of]))
    assert torch.equal(jobs.allowed.sum(-1), jobs.masks[:, jobs.free].sum(-1))


def test_tables_of_tokens_are_put_back_in_their_places():
    jobs = drawn_jobs(0)
    tables = torch.randn(len(jobs), 1, N - 1, V, dtype=torch.float64)
    back = jobs.at_all_tokens(jobs.picked(tables)[:, 0], torch.arange(len(jobs)))
    named = jobs.masks[:, jobs.free]
    assert torch.equal(back[jobs.of][named], tables[jobs.of, 0][named])


@pytest.mark.parametrize("axes_of_sums", ["nk", "qnk"])
def test_rows_are_those_of_all_tokens(axes_of_sums):
    generator = torch.Generator().manual_seed(1)
    normal = lambda *shape: torch.randn(shape, generator=generator, dtype=torch.float64)  # noqa: E731
    values = normal(N, V, HEADS, WIDTH)
    tables = normal(*[V] * (axes_of_sums == "qnk"), N, V, WIDTH)
    blocks = [Averages(normal(V, N, V, HEADS).exp(), values), Sums(tables, axes_of_sums)]
    network = Network(N, V, N - 1, blocks, Form(torch.zeros(2, dtype=torch.float64), "", {}))
    jobs = drawn_jobs(2)
    c, s = normal(len(jobs), 2, HEADS * WIDTH), normal(len(jobs), 2, WIDTH)
    rows = Leaves(network).rows_of({0: c, 1: s}, normal(len(jobs), 2), jobs)
    everywhere = torch.einsum("jrge,nkge->jrgnk", c.reshape(len(jobs), 2, HEADS, WIDTH), values)
    own = tables[jobs.query] if axes_of_sums == "qnk" else tables.expand(len(jobs), *tables.shape)
    sums = torch.einsum("jre,jnke->jrnk", s, own)
    at = jobs.tokens
    for j in range(len(jobs)):
        for i, position in enumerate(jobs.free):
            torch.testing.assert_close(rows.averages[j, :, :, i], everywhere[j, :, :, position, at[j, i]])
            torch.testing.assert_close(rows.sums[j, :, i], sums[j, :, position, at[j, i]])
        torch.testing.assert_close(rows.own[j], everywhere[j, :, :, N - 1, jobs.query[j]])


def test_jobs_of_similar_tokens_are_the_same_jobs():
    jobs = drawn_jobs(3)
    ordered, box = of_similar_tokens(jobs)
    assert torch.equal(ordered.masks, jobs.masks[box])
    described = lambda x: sorted(  # noqa: E731
        (int(x.query[j]), int(x.label[j]), x.masks[x.of == j].tolist()) for j in range(len(x))
    )
    assert described(ordered) == described(jobs)
    assert bool((ordered.of.diff() >= 0).all())
    widths = rows_module.tokens_allowed(ordered).sum(-1).amax(1)
    assert bool((widths.diff() >= 0).all())


def test_tokens_that_no_box_allows_cost_nothing():
    lengths = []
    for share in (0.01, 1.0):
        jobs = drawn_jobs(0, share)
        k = jobs.tokens.shape[2]
        rows = Rows(torch.zeros(len(jobs), 1), torch.zeros(len(jobs), 1, 1, N - 1, k), torch.zeros(len(jobs), 1, 1))
        weights = weights_of([Averages(torch.ones(V, N, V, 1), torch.zeros(N, V, 1, 1))], jobs)
        with count() as counter:
            Deviations.of(rows, torch.zeros(len(jobs), 1, 1), weights, jobs)
        lengths.append(counter.length.total / len(jobs))
    assert lengths[0] < lengths[1] / 3


def test_tokens_left_out_are_caught():
    right = rows_module.tokens_allowed

    def the_first_of_each(jobs):
        allowed = right(jobs)
        return allowed & (allowed.cumsum(-1) == 1)

    with mock.patch.object(rows_module, "tokens_allowed", the_first_of_each):
        assert symbols_outside("relu", 0, 1.5, 1.0) > 0


def test_norms_of_the_same_leaves_are_bounded_once():
    loaded = load_model("finite-max-2-heads-norm-relu")
    program = program_of(loaded.model, loaded.task)
    basis = axes(read(copy.deepcopy(program).double(), 64, 3))
    with sound():
        shared = Shared(read(program, 64, 3), basis)
    first, last = shared.norms
    assert shared.like == {last: first}
    assert shared.frames[last] is shared.frames[first]
