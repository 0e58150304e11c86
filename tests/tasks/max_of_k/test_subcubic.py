"""The published subcubic family: soundness of all 100 combinations, its inequalities, and the published faults."""

import math
from unittest import mock

import pytest
import torch

from compact_proofs import zoo
from compact_proofs.bounds import products
from compact_proofs.bounds.ranges import spread
from compact_proofs.core.prove import measure, prove, run
from compact_proofs.core.soundness import Specimen, evaluate, explanations, violations
from compact_proofs.enclosure import sound
from compact_proofs.errors import BadInput
from compact_proofs.models.attention_only import AttentionOnlyConfig, AttentionOnlyTransformer
from compact_proofs.tasks.max_of_k import KIT, MaxOfK
from compact_proofs.tasks.max_of_k.specimens import KINDS, specimen
from compact_proofs.tasks.max_of_k.subcubic import COMBINATIONS, Subcubic, residual_table, strategy
from compact_proofs.tasks.max_of_k.subcubic.attention import ATTENTIONS, MeanAndDifference
from compact_proofs.tasks.max_of_k.subcubic.direct import DIRECTS
from compact_proofs.tasks.max_of_k.subcubic.peeling import FACTORS, LEADING, Peeling
from compact_proofs.tasks.max_of_k.subcubic.residual import RESIDUALS, Remainder

BEST = Subcubic()


def of_kind(kind, number):
    """The number-th specimen of a kind (see `specimens.KINDS`)."""
    return specimen(KINDS.index(kind) + len(KINDS) * number)


def double(model):
    return model.double().requires_grad_(False)


def gaussian(*shape, scale=1.0, seed=0):
    return scale * torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


# ------------------------------------------------------------------------------------------------------------ soundness


@pytest.mark.parametrize("residual", RESIDUALS)
def test_every_combination_is_sound(residual):
    specimens = [of_kind("good", 0), of_kind("noisy", 1)]
    truths = [evaluate(s, MaxOfK.of(s.model)) for s in specimens]
    proven = 0
    for i, combination in enumerate(c for c in COMBINATIONS if c.residual == residual):
        s = specimens[(i + i // 2) % 2]
        task = MaxOfK.of(s.model)
        explanation = combination.explain(s.model, task)
        assert violations(combination, s, task, explanation, truths[(i + i // 2) % 2]) == []
        proven += run(s.model, task, combination, explanation, "float")[0]
    assert proven > 0


def test_there_are_a_hundred_and_the_harness_meets_every_choice():
    assert len(set(COMBINATIONS)) == 100
    met = [variant for seed in range(25) for variant in KIT.variants(Subcubic, specimen(seed).model)]
    assert {v.direct for v in met} == set(DIRECTS)
    assert {v.attention for v in met} == set(ATTENTIONS)
    assert {v.residual for v in met} == set(RESIDUALS)


def test_hostile_explanations():
    s = of_kind("good", 1)
    task = MaxOfK.of(s.model)
    truth = evaluate(s, task)
    for combination in (COMBINATIONS[i] for i in (0, 22, 44, 66, 88, 92)):
        own, *others = explanations(combination, s.model, task, seed=3)
        for explanation in others:
            mixed = own | {name: explanation[name] for name in own if name != "gap"}
            tightest = own | {"gap": torch.ones_like(own["gap"])}
            for hostile in (explanation, mixed, tightest):
                assert violations(combination, s, task, hostile, truth) == []


@pytest.mark.parametrize("K", [2, 3, 20])
def test_everything_proven_with_the_least_gap_counts_every_sequence_once(K):
    v = 9
    model = AttentionOnlyTransformer(AttentionOnlyConfig(v, K, 2, 2))
    gap = torch.ones(strategy.number_of_gaps(v, K), dtype=torch.int64)
    tokens = strategy.choices(gap, v, K)
    with mock.patch.object(Subcubic, "_proven", return_value=(torch.ones_like(tokens, dtype=torch.bool), tokens)):
        assert BEST.verify(model, MaxOfK.of(model), {"gap": gap}).size == v**K


# --------------------------------------------------------------------------------------------------------- the readings


@pytest.mark.parametrize("number", range(0, 100, 11))
def test_all_readings_have_one_length(number):
    combination = COMBINATIONS[number]
    s = of_kind("noisy", 3)
    task = MaxOfK.of(s.model)
    explanation = combination.explain(s.model, task)
    in_float, length = run(s.model, task, combination, explanation, "float")
    in_sound, same = run(s.model, task, combination, explanation, "sound")
    assert length == same == measure(s.model, task, combination)
    assert in_sound == in_float  # no margin is within rounding of zero: the search keeps away from it
    assert sum(sum(stage.values()) for name, stage in length.by_stage.items() if name == "other") == sum(
        math.prod(t.shape) for t in explanation.values()
    )


def test_unknown_choices_are_refused():
    with pytest.raises(BadInput, match="residual must be one of exact_EQKE"):
        Subcubic(residual="exact")
    with pytest.raises(BadInput, match="direct must be one of"):
        Subcubic.from_options({"direct": "max"})
    with pytest.raises(BadInput, match="attention must be one of mean_query"):
        Subcubic(attention="")


# ------------------------------------------------------------------------------------------------------ the inequalities


@pytest.mark.parametrize("seed", range(4))
def test_bounds_of_row_differences(seed):
    shapes = [(9, 5), (5, 4), (4, 5), (5, 9)]
    factors = [gaussian(*shape, seed=10 * seed + i) + (seed % 2) for i, shape in enumerate(shapes)]
    exact = products.exact_range(factors)
    slack = 1 + 1e-12
    torch.testing.assert_close(exact, spread(torch.linalg.multi_dot(factors)))
    best = products.best_break(factors)
    for bound in (
        best,
        products.best_break(factors, products.mean_break),
        *(products.recursive(factors, means) for means in range(4)),
        products.spectral(factors),
        products.product_of_spectral_norms(factors),
        products.product_of_frobenius_norms(factors),
    ):
        assert bool((exact <= bound * slack).all())
    assert bool((best <= products.recursive(factors) * slack).all())
    sigma = torch.linalg.matrix_norm(torch.linalg.multi_dot(factors), 2)
    assert 1 / slack <= products.spectral(factors) / (2**0.5 * sigma) <= len(factors[1]) ** (1 / 16)
    assert products.spectral(factors) <= 1.1 * products.product_of_spectral_norms(factors)
    assert products.product_of_spectral_norms(factors) <= 1.3 * products.product_of_frobenius_norms(factors)


@pytest.mark.parametrize("peeling", [LEADING, FACTORS, Peeling(3, 0), Peeling(1, 2)])
@pytest.mark.parametrize("scale", [0.0, 1.0, 1e6])
def test_peeling_is_an_identity_for_any_directions(peeling, scale):
    model = of_kind("good", 1).model
    query, key = model.W_E + model.W_pos[-1], model.W_E + model.W_pos.mean(0)
    EQKE = query @ model.W_Q @ model.W_K.mT @ key.mT
    explanation = {name: gaussian(*spec.shape, scale=scale) for name, spec in peeling.specs(model).items()}
    with sound():
        split = peeling.split(model, explanation)
        total = split.left @ split.right + products.product(split.factors)
    room = 1e-12 * (1 + EQKE.abs().max())
    assert bool(((total.lo <= EQKE + room) & (EQKE - room <= total.hi)).all())
    if scale <= 1:
        assert float(total.width.max()) < 1e-6


def test_singular_directions_leave_little():
    model = double(zoo.load("max-of-4-seed-123"))
    sizes = []
    for peeling in (LEADING, FACTORS):
        split = peeling.split(model, peeling.explain(model))
        sizes.append(float(products.exact_range(split.factors).max()))
        assert sizes[-1] < 0.01 * float(split.left.abs().max() * split.right.abs().max())


@pytest.mark.parametrize("residual", [name for name in RESIDUALS if not name.startswith("exact")])
def test_no_remainder_is_better_than_any_bound_of_it(residual):
    """Under one explanation, what is proven with bounded scores is proven with exact ones."""
    model = double(zoo.load("max-of-4-seed-500"))
    task = MaxOfK.of(model)
    bounded, exact = Subcubic(residual=residual), Subcubic()
    explanation = bounded.explain(model, task)
    for_exact = {name: explanation[name] for name in exact.specs(model, task)}
    with_bound, _ = bounded._proven(model, explanation)
    without, _ = exact._proven(model, for_exact)
    assert bool((with_bound <= without).all())
    assert 0 < int(with_bound.sum()) < int(without.sum())


def test_exact_rows_are_better_than_bounded_ones():
    model = double(zoo.load("max-of-4-seed-500"))
    worst = {name: DIRECTS[name].split(model, {})[1] for name in ("max_diff_exact", "global_max_diff_exact", "max_diff")}
    assert bool((worst["max_diff_exact"] <= worst["global_max_diff_exact"]).all())
    assert bool((worst["max_diff_exact"] <= worst["max_diff"]).all())
    z = gaussian(model.d_model)
    for name in ("mean_query+max_diff", "svd_query+max_diff"):
        shared, rest = DIRECTS[name].split(model, {"shared_query": z})
        EUPU = (model.W_E + model.W_pos[-1]) @ model.W_U
        assert bool((spread(EUPU - shared) <= rest + 1e-9).all())


# -------------------------------------------------------------------------------------------------------- planted faults


def sixteen_sequences():
    """A model of 4 tokens and 2 positions that is wrong on (3, 0) only because query 0 hardly attends to the maximum.

    Token 3 writes -10 to output 0 and -1 to outputs 1 and 2 (relative to its own), the others write nothing; the direct path
    favours output 0 by 5. All queries but 0 attend to token 3.
    """
    v, constant, outputs = 4, 4, slice(5, 9)
    config = AttentionOnlyConfig(d_vocab=v, n_ctx=2, d_model=9, d_head=9)
    weights = {name: torch.zeros(shape, dtype=torch.float64) for name, shape in config.shapes.items()}
    weights["W_E"][:, :v] = torch.eye(v)
    weights["W_E"][:, constant] = 1
    weights["W_Q"][:v, 0] = 3 * torch.tensor([-0.3, 7.0, 7.0, 7.0])  # scores are divided by sqrt(9)
    weights["W_K"][3, 0] = 1
    weights["W_V"][3, 0] = 1
    weights["W_O"][0, outputs] = torch.tensor([-10.0, -1.0, -1.0, 0.0])
    weights["W_U"][outputs] = torch.eye(v)
    weights["W_U"][constant, 0] = 5
    model = AttentionOnlyTransformer(config, dtype=torch.float64)
    model.load_state_dict(weights)
    return Specimen(model.requires_grad_(False))


def max_where_min_is_needed(self, a, right, c, m, explanation):
    """The published rule: the difference of the attention times max R, whatever its sign."""
    return (a - explanation["attention"][c, m]) * right.best[m]


def too_much(found):
    return [message for message in found if "at most" in message or "are wrong" in message]


def test_the_published_rule_for_attention_below_its_mean_is_caught():
    s = sixteen_sequences()
    task = MaxOfK.of(s.model)
    truth = evaluate(s, task)
    combination = Subcubic(direct="mean_query+max_diff")
    explanation = combination.explain(s.model, task)
    mean_over_queries = (torch.sigmoid(torch.tensor([-0.3, 7.0, 7.0])).sum() + 1) / 4
    explanation["attention"][0, 3] = mean_over_queries
    assert violations(combination, s, task, explanation, truth) == []
    with mock.patch.object(MeanAndDifference, "rest", max_where_min_is_needed):
        found = violations(combination, s, task, explanation, truth)
    assert any("[3, 0]" in message for message in too_much(found)), found


def forgotten_slack(self, model, explanation, real=Remainder.scores):
    scores, slack = real(self, model, explanation)
    return scores, 0 * slack


def dropped_cross_terms(self, model, explanation, real=Peeling.split):
    split = real(self, model, explanation)
    r = self.tokens
    return type(split)(torch.cat([split.left[:, :r], 0 * split.left[:, r:]], 1), split.right, split.factors)


@pytest.mark.parametrize(
    ("owner", "name", "fault"),
    [(Remainder, "scores", forgotten_slack), (Peeling, "split", dropped_cross_terms)],
    ids=["forgotten slack", "dropped cross terms"],
)
def test_faults_in_the_scores_are_caught(owner, name, fault):
    """On models whose attention prefers small tokens, so that ignoring a part of the scores claims too much."""
    combination = Subcubic("mean_query+max_diff", "drop_average", "max_diff_exact")
    found = []
    for number in range(6):
        s = of_kind("good", number)
        s.model.W_Q.neg_()
        task = MaxOfK.of(s.model)
        hints = combination.explain(s.model, task)
        hints["query_directions"] *= 0
        hints["gap"] = torch.ones_like(hints["gap"])
        if owner is Remainder:
            hints["key_directions"] *= 0
        truth = evaluate(s, task)
        assert violations(combination, s, task, hints, truth) == []
        with mock.patch.object(owner, name, fault):
            found += too_much(violations(combination, s, task, hints, truth))
    assert found, "an unsound strategy passed the harness"


# ---------------------------------------------------------------------------------------------------------------- figures


def test_bounds_and_lengths_at_the_published_size():
    model = zoo.load("max-of-4-seed-123")
    task = MaxOfK.of(model)
    for combination, bound, length in (
        (BEST, 0.88, 1_510_000),
        (Subcubic("mean_query+max_diff"), 0.78, 1_250_000),
        (Subcubic("mean_query+max_diff", residual="max_diff_subproduct_recursive"), 0.41, 960_000),
    ):
        certificate = prove(model, task, combination)
        assert certificate.claim.numerator / certificate.claim.denominator > bound
        assert certificate.length.total < length


def test_residual_table():
    model = zoo.load("max-of-4-seed-123")
    table = residual_table(model)
    rows = {row.name: row for row in table}
    model = double(model)
    split = FACTORS.split(model, FACTORS.explain(model))
    R = torch.linalg.multi_dot(split.factors)
    norms = [torch.linalg.matrix_norm(F, 2) for F in split.factors]
    truths = {
        "max row diff (exact)": spread(R).max(),
        "2 max |entry|": 2 * R.abs().max(),
        "sqrt(2) sigma_1": 2**0.5 * torch.linalg.matrix_norm(R, 2),
        "sqrt(2) product of sigma_1": 2**0.5 * math.prod(norms),
        "sqrt(2) product of Frobenius norms": 2**0.5 * math.prod(torch.linalg.matrix_norm(F) for F in split.factors),
    }
    for name, truth in truths.items():
        assert truth <= rows[name].value <= 1.06 * truth
    least = rows["max row diff (exact)"]
    assert all(least.value <= row.value for row in table)
    assert rows["max row diff on subproduct"].value < rows["recursive max row diff"].value
    assert rows["recursive max row diff"].flops < least.flops / 20


def test_proven_sequences_are_right():
    """The certified set of a trained model, sampled, against the model itself."""
    model = zoo.load("max-of-4-seed-500")
    task = MaxOfK.of(model)
    tokens = torch.randint(0, 64, (20_000, 4), generator=torch.Generator().manual_seed(0))
    near = (tokens[:, :1] - tokens % 8).clamp(min=0)
    inputs = torch.cat([tokens, near])
    explanation = BEST.explain(model, task)
    with sound():
        member = BEST.verify(model, task, explanation).member(inputs)
    assert bool((double(model)(inputs[member]).argmax(-1) == inputs[member].max(-1).values).all())
    assert 0.8 < member[: len(tokens)].double().mean() < 0.95
