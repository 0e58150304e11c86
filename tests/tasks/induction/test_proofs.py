"""Each bound of the proofs against exhaustive evaluation, and hostile explanations."""

import copy
import itertools
import json
from unittest import mock

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from random_stacks import random_stack

from compact_proofs import Exhaustive, Specimen, measure, prove, violations, zoo
from compact_proofs.core.soundness import evaluate
from compact_proofs.enclosure import sound
from compact_proofs.errors import BadInput
from compact_proofs.tasks.induction import BruteForce, Circuit, Induction, LinearBaseline, Listed, Pairs, circuit, leads, mean
from compact_proofs.tasks.induction.brute_force import _prefixes
from compact_proofs.tasks.induction.cases import answers, free_places, place_among_free
from compact_proofs.tasks.induction.chain import Chain
from compact_proofs.tasks.induction.circuit import circuit_bounds
from compact_proofs.tasks.induction.composition import Composition
from compact_proofs.tasks.induction.hints import Hints, OnTheSpot, Search
from compact_proofs.tasks.induction.leads import Cases, Place
from compact_proofs.tasks.induction.paths import path_tables, vectors
from compact_proofs.tasks.induction.rows import Rows
from compact_proofs.tasks.induction.specimens import specimen
from compact_proofs.tasks.induction.tables import _patterns

GOOD, CIRCUIT, NOISY, RANDOM, SMALL = 13, 21, 20, 0, 32
"""Seeds of specimens."""


def everything(seed):
    model = specimen(seed).model
    task = Induction.of(model)
    inputs = task.inputs(0, task.size)
    return model, task, inputs, _patterns(vectors(model), inputs)[1]


@pytest.mark.parametrize("seed", [GOOD, CIRCUIT, NOISY, RANDOM, 5])
def test_circuit_bounds_hold_for_every_score(seed):
    """s_k - s_c is at most key - answer + composition."""
    model, task, inputs, score = everything(seed)
    bounds = circuit_bounds(model)
    i, q, a = task.places(inputs), inputs[:, -1], task.labels(inputs)
    every = torch.arange(len(inputs))
    behind = score - score[every, i + 1][:, None]
    bound = bounds.key[q] - bounds.answer[q, i, a][:, None] + bounds.composition
    other = torch.arange(task.n_ctx) != i[:, None] + 1
    assert bool((behind <= bound + 1e-9 * (1 + bound.abs()))[other].all())


@pytest.mark.parametrize("seed", [GOOD, CIRCUIT, NOISY, RANDOM, 5])
def test_pair_bounds_hold_for_every_score(seed):
    """s_c - s_k is at least what is claimed for the tokens of places k - 1 and k, for hints good and bad."""
    model, task, inputs, score = everything(seed)
    D, n = task.d_vocab, task.n_ctx
    rows, every = Rows(path_tables(model)), answers(D)
    for i, hints in itertools.product(range(n - 2), (OnTheSpot(), Careless())):
        cases = Cases(Place.of(rows, i, Composition(rows.t, hints)), every, slice(None), hints)
        mine = task.places(inputs) == i
        x, s = inputs[mine], score[mine]
        row = (every.q * (D - 1) + every.a - (every.a > every.q).long()).argsort()[
            x[:, -1] * (D - 1) + x[:, i + 1] - (x[:, i + 1] > x[:, -1]).long()
        ]
        token = place_among_free(D)
        free = free_places(n, i)
        for k in range(n):
            if k == i + 1:
                continue
            if k == n - 1:
                bound = cases.ahead_of_last()[row]
            else:
                u = token[row, x[:, k - 1]] if k and k - 1 in free else torch.zeros_like(row)
                v = token[row, x[:, k]] if k in free else torch.zeros_like(row)
                bound = cases.ahead(k)[row, u, v]
            true = s[:, i + 1] - s[:, k]
            assert bool((bound <= true + 1e-9 * (1 + true.abs())).all()), (i, k)


@pytest.mark.parametrize("seed", [GOOD, CIRCUIT, NOISY, RANDOM, 5])
def test_composed_scores_hold_for_every_row(seed):
    """What key k scores for each query part lies within the bounds of its own token and the one before, nearly attained."""
    model, task, inputs, _ = everything(seed)
    t = path_tables(model)
    place = torch.arange(task.n_ctx)
    for hints in (OnTheSpot(), Careless()):
        composition, slack = Composition(t, hints), []
        for k in range(task.n_ctx - 1):
            before, tokens = place[: k + 1], inputs[:, : k + 1]
            u, v = inputs[:, k - 1] if k else torch.zeros_like(inputs[:, 0]), inputs[:, k]
            weight = t.weight[k, v[:, None], before, tokens]
            attention = weight / weight.sum(1, keepdim=True)  # [inputs, place]
            true = t.OX[:, :, k, v] + (t.OO[:, :, before, tokens] * attention).sum(-1)  # [m, s, inputs]
            above = composition.keys[k][:, :, u, v] - true
            assert bool((above >= -1e-9 * (1 + true.abs())).all())
            slack.append(above.amin())
            if k > 0:
                assert bool((composition.answer(k - 1)[u, v].movedim(0, -1) <= true + 1e-9 * (1 + true.abs())).all())
        if not isinstance(hints, Careless):
            assert max(slack) < 1e-6


class Careless(OnTheSpot):
    """Hints that are 3 off."""

    @staticmethod
    def _iterate(bound, shape):
        return OnTheSpot._iterate(bound, shape) + 3 * torch.randn(
            shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64
        )


def test_found_hints_are_the_best():
    model = specimen(CIRCUIT).model
    task, pairs = Induction.of(model), Pairs()
    found = pairs.explain(model, task)
    best = pairs.certified(model, task, found).chains
    worse = {name: t + 0.1 * torch.randn_like(t) if t.is_floating_point() else t for name, t in found.items()}
    for a, b in zip(best, pairs.certified(model, task, worse).chains, strict=True):
        assert bool((a.worst() <= b.worst()).double().mean() > 0.95)


@pytest.mark.parametrize("places", [0, 1, 2, 3])
@given(seed=st.integers(0, 10**6), scale=st.sampled_from([0.1, 0.4, 2.0]))
@settings(max_examples=15, deadline=None)
def test_counting_along_the_chain(places, seed, scale):
    generator = torch.Generator().manual_seed(seed)
    J = 4

    def costs(*shape):
        return scale * torch.rand(2, *shape, generator=generator, dtype=torch.float64)

    chain = Chain(costs(J if places else 1), [costs(J, J) for _ in range(places - 1)])
    totals = [[], []]
    for tokens in itertools.permutations(range(J), places):
        for g in (0, 1):
            totals[g].append(chain.total(torch.tensor([g]), torch.tensor([tokens], dtype=torch.int64).reshape(1, places)).item())
    exact = [sum(t < 1 for t in total) for total in totals]
    assert chain.count(enumerated=5, steps=8) == exact
    if places:
        coarse, fine = chain.count(0, 8), chain.count(0, 2**10)
        assert all(c <= f <= e for c, f, e in zip(coarse, fine, exact, strict=True))
        if places <= 2:
            assert sum(exact) - sum(fine) <= 2
    assert all(w >= max(t) - 1e-12 for w, t in zip(chain.worst().tolist(), totals, strict=True))


def test_costs_that_are_not_numbers_count_nothing():
    J = 3
    chain = Chain(torch.tensor([[torch.inf, 0.0, 0.2]], dtype=torch.float64), [torch.full((1, J, J), 0.5, dtype=torch.float64)])
    assert chain.count(3, 16) == [4]
    assert chain.count(0, 16) == [4]
    assert not chain.always()


@pytest.mark.parametrize("seed", [GOOD, CIRCUIT, NOISY])
def test_what_is_enumerated_is_counted_exactly(seed):
    model = specimen(seed).model
    task = Induction.of(model)
    found = Pairs().explain(model, task)
    with sound():
        member = Pairs().verify(model, task, found).member(task.inputs(0, task.size))
    assert prove(model, task, Pairs(), explanation=found).claim.numerator == int(member.sum())


def test_inputs_of_refined_cases():
    """What a whole case's bounds prove of each input, and more."""
    model = specimen(NOISY).model
    task = Induction.of(model)
    usual, refined = Pairs(refined=0), Pairs(refined=200)
    found = refined.explain(model, task)
    assert len(found["refined"])
    inputs = task.inputs(0, task.size)
    with sound():
        before, after = (
            s.verify(model, task, found | lists).member(inputs)
            for s, lists in ((usual, {"refined": found["refined"][:0]}), (refined, {}))
        )
    assert not bool((before & ~after).any())
    assert int(after.sum()) > int(before.sum())


@pytest.mark.parametrize("seed", [GOOD, CIRCUIT, NOISY, RANDOM])
def test_the_list_reaches_the_exact_accuracy(seed):
    s = specimen(seed)
    task = Induction.of(s.model)
    assert prove(s.model, task, Listed()).claim.numerator == int(evaluate(s, task).right.sum())


def test_hostile_lists():
    s = specimen(SMALL)
    task = Induction.of(s.model)
    truth, good = evaluate(s, task), Listed().explain(s.model, task)
    everything_ = torch.arange(task.size)
    for inputs in (everything_, everything_.flip(0), everything_.repeat(2), good["inputs"].repeat_interleave(2), everything_[:0]):
        assert violations(Listed(), s, task, good | {"inputs": inputs}, truth) == []
    for counted in (
        good["counted"].repeat(2)[: good["counted"].numel()],
        torch.arange((task.n_ctx - 2) * task.d_vocab * (task.d_vocab - 1)),
    ):
        most = Pairs().specs(s.model, task)["refined"].shape[0]
        for refined in (good["refined"].repeat(2)[:most], torch.arange(most)):
            lists = {k: v for k, v in good.items() if k != "inputs"} | {"counted": counted, "refined": refined}
            assert violations(Pairs(), s, task, lists, truth) == []
    with pytest.raises(BadInput, match="outside"):
        prove(s.model, task, Listed(), explanation=good | {"inputs": torch.tensor([task.size])})


@pytest.mark.parametrize("huge", [-1e300, 1e308])
def test_huge_hints_prove_less(huge):
    s = specimen(1)
    task = Induction.of(s.model)
    good = Pairs().explain(s.model, task)
    bad = {name: torch.full_like(t, huge) if t.is_floating_point() else t for name, t in good.items()}
    assert violations(Pairs(), s, task, bad) == []
    assert prove(s.model, task, Pairs(), explanation=bad).claim.numerator == 0


def test_brute_force_is_exhaustive():
    s = specimen(NOISY)
    task = Induction.of(s.model)
    certificate = prove(s.model, task, BruteForce())
    assert certificate.claim.numerator == prove(s.model, task, Exhaustive()).claim.numerator
    shares = [prove(s.model, task, LinearBaseline(share)).length.total for share in (0.25, 0.5, 1.0)]
    assert shares[0] <= shares[1] <= shares[2] == certificate.length.total


@pytest.mark.parametrize(("D", "n", "fixed"), [(5, 4, 0), (5, 4, 1), (5, 5, 2), (4, 5, 3)])
def test_blocks_of_prefixes(D, n, fixed):
    seen = []
    for block in range(len(list(itertools.permutations(range(D), fixed)))):
        levels = _prefixes(D, n, fixed, block)
        last = levels[-1]
        for k, level in enumerate(levels):
            assert (level.tokens[last.ancestors[k]] == last.tokens[:, : k + 1]).all()
        seen += map(tuple, last.tokens.tolist())
    assert sorted(seen) == sorted(itertools.permutations(range(D), n - 1))


@pytest.mark.parametrize("strategy", [Circuit(), Pairs(), BruteForce()])
def test_costs_are_known_from_shapes(strategy):
    model = specimen(GOOD).model
    task = Induction.of(model)
    found = {name: t[:0] if name == "counted" else t for name, t in strategy.explain(model, task).items()}
    run = prove(model, task, strategy, explanation=found)
    assert measure(model, task, strategy, found).total == run.length.total


def test_length_of_the_circuit_is_polynomial():
    """At D = 1000, n = 500 there are more than 10^1400 inputs."""
    from compact_proofs.models.attention_stack import AttentionStack, AttentionStackConfig

    model = AttentionStack(AttentionStackConfig(256, 128, 64, 32), device="meta")
    assert measure(model, Induction.of(model), Circuit()).total < 5e8


@pytest.mark.parametrize(
    ("name", "most"),
    [("induction-6-seed-0-tuned", 0.5e6), ("induction-8-seed-0-tuned", 0.5e6), ("induction-16-v32-seed-0-tuned", 4e6)],
)
def test_tuned_models_are_proven_whole(name, most):
    model = zoo.load(name)
    certificate = prove(model, Induction.of(model), Circuit())
    assert certificate.claim.bound == 1
    assert certificate.length.total <= most


@pytest.mark.slow
def test_an_unmodified_model_is_proven_exactly():
    model = zoo.load("induction-6-seed-1")
    task = Induction.of(model)
    pairs, listed = prove(model, task, Pairs()), prove(model, task, Listed())
    assert pairs.claim.bound > 0.9999
    assert prove(model, task, Pairs(refined=0)).claim.bound < 0.9995
    assert pairs.length.total < 60e6
    assert json.dumps(str(listed.claim.numerator)) == json.dumps(zoo.metadata("induction-6-seed-1")["true_accuracy"]["numerator"])
    assert listed.length.total < 250e6


@pytest.mark.slow
@pytest.mark.parametrize("kind", [Circuit, Pairs, Listed])
def test_models_without_structure(kind):
    for seed in range(6):
        model = random_stack(2, seed, d_vocab=5, n_ctx=4)
        assert violations(kind(), Specimen(copy.deepcopy(model)), Induction.of(model)) == []


def test_search_keeps_what_it_finds():
    specs = {"x": Pairs().specs(specimen(GOOD).model, Induction.of(specimen(GOOD).model))["last_key"]}
    search = Search(specs)
    root = torch.linspace(-5, 5, 4, dtype=torch.float64)
    index = (0, slice(0, 4))
    search.one("x", index, (4,), lambda h: h + torch.minimum((root - h) / 2, (root - h) / 3))
    torch.testing.assert_close(search.values["x"][index], root)
    torch.testing.assert_close(Hints(search.values, root.device).one("x", index, (4,), lambda h: h), root)


def test_planted_faults_are_caught():
    """A leak of nothing (by the harness), no query composition, the wrong end of Lemma R (by the scores of every input)."""
    s = specimen(51)
    with mock.patch.object(circuit, "moved_mean", lambda before, lam, extreme: before):
        assert any("are wrong" in message for message in violations(Circuit(), s, Induction.of(s.model)))
    with mock.patch.object(circuit, "longest_atom", lambda rows, D: rows.sum() * 0), pytest.raises(AssertionError):
        test_circuit_bounds_hold_for_every_score(NOISY)

    def wrong_end(hint, sigma, low, high):
        return hint + torch.maximum(sigma / low, sigma / high)

    with mock.patch.object(leads, "ratio_at_least", wrong_end), pytest.raises(AssertionError):
        test_pair_bounds_hold_for_every_score(NOISY)
    with mock.patch.object(mean, "ratio_at_least", wrong_end), pytest.raises(AssertionError):
        test_composed_scores_hold_for_every_row(NOISY)
