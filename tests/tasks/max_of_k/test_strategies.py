"""The strategies for Max-of-K on small trained models, where every sequence can be tried, and on the zoo."""

import dataclasses
import functools
import math
from fractions import Fraction

import pytest
import torch

import compact_proofs as cp
from compact_proofs import zoo
from compact_proofs.core.claim import margins
from compact_proofs.core.prove import run
from compact_proofs.core.soundness import Specimen, evaluate
from compact_proofs.errors import BadInput
from compact_proofs.models.attention_only import AttentionOnlyConfig, AttentionOnlyTransformer
from compact_proofs.tasks.max_of_k import KIT, Additive, BruteForce, Cubic, LinearBaseline, MaxOfK
from compact_proofs.tasks.max_of_k.cubic import margin_bounds
from compact_proofs.tasks.max_of_k.training import TrainingConfig, train

SIZES = ((2, 12), (3, 9), (4, 6))
"""(n_ctx, d_vocab) of the small models."""
ZOO_OF_4 = [name for name in zoo.names() if name.startswith("max-of-4-")]


@functools.cache
def small(K, v):
    """Train for a moment: right on most inputs, provably on fewer."""
    steps = {2: 45, 3: 60, 4: 45}[K]
    return train(TrainingConfig(n_ctx=K, d_vocab=v, d_model=16, steps=steps, learning_rate=5e-3, evaluation_samples=1)).model


@pytest.fixture(params=SIZES, ids=lambda size: f"K={size[0]} v={size[1]}")
def model(request):
    return small(*request.param)


def all_variants(model):
    return [s for kind in KIT.strategies for s in KIT.variants(kind, model)]


def correct(model):
    """Bool [v^K]: right in float64, with no margin near 0."""
    task = MaxOfK.of(model)
    inputs = task.inputs(0, task.size)
    with torch.no_grad():
        logits = AttentionOnlyTransformer(model.config, dtype=torch.float64)
        logits.load_state_dict(model.state_dict())
        logits = logits(inputs)
    margin = margins(logits, task.labels(inputs)).amin(-1)
    assert margin.abs().min() > 1e-9
    return margin > 0


def count(model, strategy, explanation=None):
    return cp.prove(model, MaxOfK.of(model), strategy, explanation=explanation).claim.numerator


def members(model, strategy, explanation=None):
    task = MaxOfK.of(model)
    explanation = strategy.explain(model, task) if explanation is None else explanation
    with cp.sound():
        return strategy.verify(model, task, explanation).member(task.inputs(0, task.size))


def true_accuracy(name):
    exact = zoo.metadata(name)["true_accuracy"]
    return Fraction(int(exact["numerator"]), int(exact["denominator"]))


# --- brute force ------------------------------------------------------------------------------------------------------


def test_brute_force_is_plain_exhaustive_evaluation(model):
    right = correct(model)
    assert 0.5 < right.double().mean() < 1
    assert count(model, BruteForce()) == int(right.sum())
    assert cp.brute_force(model, MaxOfK.of(model)).claim.numerator == int(right.sum())
    assert torch.equal(members(model, BruteForce()), right)


def test_brute_force_in_small_blocks(model, monkeypatch):
    monkeypatch.setattr("compact_proofs.tasks.max_of_k.brute_force.ROWS", 20)
    assert count(model, BruteForce()) == int(correct(model).sum())


def test_linear_baseline(model):
    task, full = MaxOfK.of(model), cp.prove(model, MaxOfK.of(model), BruteForce())
    assert count(model, LinearBaseline(1.0)) == full.claim.numerator
    previous = 0
    for share in (0.1, 0.3, 0.6):
        part = cp.prove(model, task, LinearBaseline(share))
        assert previous < part.claim.numerator < full.claim.numerator
        assert part.length.total < full.length.total
        previous = part.claim.numerator


def test_linear_baseline_is_linear_on_the_zoo():
    model = zoo.load("max-of-4-seed-123")
    small_, large = (cp.prove(model, MaxOfK.of(model), LinearBaseline(share)) for share in (2**-10, 2**-9))
    assert float(small_.bound) == pytest.approx(2**-10, rel=0.2)
    assert float(large.bound) == pytest.approx(2**-9, rel=0.2)


# --- one verifier, several readings -----------------------------------------------------------------------------------


def test_every_reading_has_the_same_length(model):
    task = MaxOfK.of(model)
    for strategy in all_variants(model):
        explanation = strategy.explain(model, task)
        _, sound = run(model, task, strategy, explanation, "sound")
        _, float_ = run(model, task, strategy, explanation, "float")
        assert sound == float_, strategy
        assert sound == cp.measure(model, task, strategy, explanation), strategy


def test_lengths_at_sizes_that_cannot_be_run():
    d_vocab = 2000
    model = AttentionOnlyTransformer(AttentionOnlyConfig(d_vocab, 4, 32, 32), device="meta")
    strategy = Additive(groups=1, direct="norms", counting="grid")
    length = cp.measure(model, MaxOfK.of(model), strategy).total
    assert 2 * d_vocab**2 * 32 < length < 20 * d_vocab**2 * 32


def test_float_and_sound_readings_agree_on_the_zoo():
    model = zoo.load("max-of-4-seed-123")
    for strategy in (Cubic(), Additive()):
        sound, float_ = (run(model, MaxOfK.of(model), strategy) for run in (cp.prove, cp.trial))
        assert sound.bound == float_.bound


# --- the cubic proof --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ZOO_OF_4)
def test_cubic_on_the_zoo(name):
    model = zoo.load(name)
    certificate = cp.prove(model, MaxOfK.of(model), Cubic())
    assert 0.9 < certificate.bound < true_accuracy(name)
    assert certificate.unexplained_dimension == 12_800


def test_margins_are_narrow():
    """Margins of size 1 or more (95% of them) have a relative width below 1e-9; none is wider than 1e-9."""
    model = zoo.load("max-of-4-seed-123")
    with cp.sound():
        bounds = margin_bounds(model)
    margins = [bounds.alone, *bounds.others.values()]
    width, size = (torch.cat([getattr(m, kind).flatten() for m in margins]) for kind in ("width", "mid"))
    size = size.abs()
    assert width.max() < 1e-9
    assert (width / size)[size >= 1].max() < 1e-9
    assert (size >= 1).double().mean() > 0.95


def test_cubic_counts_its_members(model):
    right = correct(model)
    certified = members(model, Cubic())
    assert count(model, Cubic()) == int(certified.sum()) > 0
    assert not (certified & ~right).any()


# --- the additive certificate -----------------------------------------------------------------------------------------


def test_additive_counts_its_members(model):
    right = correct(model)
    best = 0
    for strategy in KIT.variants(Additive, model):
        certified = members(model, strategy)
        assert count(model, strategy) == int(certified.sum()), strategy
        assert not (certified & ~right).any(), strategy
        best = max(best, int(certified.sum()))
    assert best > 0.75 * right.sum()


def test_a_wider_window_certifies_more(model):
    v = model.d_vocab
    explanation = Additive(1, 2).explain(model, MaxOfK.of(model))
    previous = torch.zeros(v**model.n_ctx, dtype=torch.bool)
    for window in range(1, v + 1):
        certified = members(model, Additive(window, 2), explanation)
        assert not (previous & ~certified).any()
        previous = certified
    assert torch.equal(previous, members(model, Additive(10 * v, 2), explanation))


def test_finer_groups_certify_more(model):
    v = model.d_vocab
    query = torch.arange(v)
    previous = torch.zeros(v**model.n_ctx, dtype=torch.bool)
    for groups in ([0] * v, query // 4, query // 2, query):
        certified = members(model, Additive(3, v), {"group_of": torch.as_tensor(groups)})
        assert not (previous & ~certified).any()
        previous = certified


def test_names_of_groups_do_not_matter(model):
    v = model.d_vocab
    group = torch.arange(v) % 3
    for direct in ("joint", "separate"):
        strategy = Additive(3, v, direct)
        assert count(model, strategy, {"group_of": group}) == count(model, strategy, {"group_of": v - 1 - group})


@pytest.mark.parametrize("name", ZOO_OF_4)
def test_additive_on_the_zoo(name):
    model, accuracy = zoo.load(name), true_accuracy(name)
    grouped = cp.prove(model, MaxOfK.of(model), Additive())
    assert accuracy * Fraction("0.998") <= grouped.bound <= accuracy
    assert grouped.length.total <= 2_600_000
    per_query = cp.prove(model, MaxOfK.of(model), Additive(window=8, groups=64))
    assert accuracy * Fraction("0.9985") <= per_query.bound <= accuracy
    assert per_query.bound > grouped.bound


# --- what is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        (Additive, {"window": 0}, "window must be at least 1"),
        (Additive, {"groups": 0}, "groups must be at least 1"),
        (Additive, {"steps": 3}, "power of two"),
        (Additive, {"direct": "all"}, "'joint', 'separate' or 'norms'"),
        (Additive, {"window": "6"}, "valid integer"),
        (Additive, {"values": "lowrank"}, "needs direct=norms"),
        (Additive, {"attention": "rank1"}, "needs counting=grid"),
        (LinearBaseline, {"share": 0.0}, "share must be greater than 0, not 0.0"),
        (LinearBaseline, {"share": 1.1}, "share must be at most 1, not 1.1"),
        (LinearBaseline, {"share": math.nan}, "share must be at most 1, not nan"),
        (Cubic, {"window": 3}, "no option 'window'; it has no options"),
    ],
)
def test_bad_options(kind, options, message):
    with pytest.raises(BadInput, match=message):
        kind.from_options(options)


def test_exact_positions_are_refused_where_they_are_exponential():
    model = AttentionOnlyTransformer(AttentionOnlyConfig(4, 6, 4, 4))
    with pytest.raises(BadInput, match="use counting=grid for n_ctx = 6"):
        cp.prove(model, MaxOfK.of(model), Additive())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda group_of: group_of + 3, r"'group_of' has entries outside 0 \.\.\. 2"),
        (lambda group_of: group_of - 3, r"'group_of' has entries outside 0 \.\.\. 2"),
        (lambda group_of: group_of[:-1], "has shape"),
        (lambda group_of: group_of.double(), "has dtype torch.float64, not torch.int64"),
    ],
)
def test_malformed_explanations(model, change, message):
    strategy, task = Additive(3, 3), MaxOfK.of(model)
    explanation = strategy.explain(model, task)
    with pytest.raises(BadInput, match=message):
        cp.prove(model, task, strategy, explanation={"group_of": change(explanation["group_of"])})
    with pytest.raises(BadInput, match="must hold group_of, not nothing"):
        cp.prove(model, task, strategy, explanation={})


def test_a_model_of_another_task(model):
    task = MaxOfK.of(model)
    other = dataclasses.replace(task, d_vocab=task.d_vocab + 1)
    with pytest.raises(BadInput, match="this model is for"):
        cp.prove(model, other, Cubic())
    with pytest.raises(BadInput, match="models of the class AttentionOnlyTransformer; this model's is Linear"):
        cp.prove(torch.nn.Linear(2, 2), task, Cubic())


# --- figures ----------------------------------------------------------------------------------------------------------


def test_unexplained_dimensions():
    model = AttentionOnlyTransformer(AttentionOnlyConfig(64, 4, 32, 32), device="meta")
    task = MaxOfK.of(model)
    assert Cubic().unexplained_dimension(model, task) == 12_800
    assert BruteForce().unexplained_dimension(model, task) == 64**5
    assert LinearBaseline(1 / 4).unexplained_dimension(model, task) == 64**5 // 4


def test_zoo_accuracy_is_that_of_a_sample():
    """The zoo's true accuracies are counted by `python -m compact_proofs.tasks.build_zoo --only-accuracy`."""
    for name in ZOO_OF_4:
        sampled = zoo.metadata(name)["final"]
        error = math.sqrt(sampled["accuracy"] * (1 - sampled["accuracy"]) / sampled["samples"])
        assert abs(sampled["accuracy"] - float(true_accuracy(name))) < 5 * error


def test_rigorous_evaluation_agrees_with_brute_force(model):
    truth = evaluate(Specimen(model), MaxOfK.of(model))
    assert torch.equal(truth.right, truth.possible)
    assert int(truth.right.sum()) == count(model, BruteForce())


def test_queries_that_attend_to_positions_alike_belong_together():
    """In one of the models of five positions, attention depends on them."""
    model = zoo.load("max-of-5-seed-1")
    task = MaxOfK.of(model)
    by_tokens, by_positions = (cp.prove(model, task, Additive(8, 16, "joint", "grid", alike=a)) for a in ("tokens", "positions"))
    assert by_positions.bound > Fraction(998, 1000) > by_tokens.bound
    assert by_positions.length.total < 3_400_000 < by_tokens.length.total
