"""Estimates for Max-of-K: exact where nothing is left out, close on trained models, never a bound."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
import torch

import compact_proofs as cp
from compact_proofs import zoo
from compact_proofs.core.claim import margins
from compact_proofs.errors import BadInput
from compact_proofs.estimates import Constant, Estimate, Sampling, estimate, expected_range, noise_of_product
from compact_proofs.models.attention_only import AttentionOnlyConfig, AttentionOnlyTransformer
from compact_proofs.tasks import LoadedModel
from compact_proofs.tasks.max_of_k import BruteForce, MaxOfK
from compact_proofs.tasks.max_of_k.estimates import FewQueries, GuidedSampling, MeanQuery, PathSampling
from compact_proofs.tasks.max_of_k.estimates.windows import multisets, rivals, symbols
from compact_proofs.tasks.max_of_k.specimens import KINDS, specimen
from compact_proofs.tasks.max_of_k.subcubic.table import quadrature_estimate, residual_table


@pytest.mark.parametrize("seed", [seed for seed in range(20) if KINDS[seed % len(KINDS)] in ("good", "noisy", "parabola")])
def test_with_every_query_token_and_rival_it_is_the_truth(seed: int) -> None:
    """Then nothing is left to presumptions."""
    model = specimen(seed).model
    task = MaxOfK.of(model)
    v = model.d_vocab
    found = estimate(model, task, FewQueries(queries=v, window=v, rivals=v))
    inputs = task.inputs(0, task.size)
    right = (margins(model(inputs), task.labels(inputs)) > 0).all(-1)
    assert found.value == pytest.approx(float(right.double().mean()), abs=1e-9)


def test_without_deviations_the_mean_query_is_the_truth() -> None:
    """A model whose queries do not matter, with all tokens in the window and all rivals."""
    generator = torch.Generator().manual_seed(0)
    v, d = 6, 14
    model = AttentionOnlyTransformer(AttentionOnlyConfig(v, 3, d, d), dtype=torch.float64)
    weights = {name: torch.randn(p.shape, generator=generator, dtype=torch.float64) * 0.6 for name, p in model.named_parameters()}
    weights["W_E"][:, -2:] = 0
    weights["W_pos"] = torch.zeros(3, d, dtype=torch.float64)
    weights["W_pos"][:, -1] = 1  # queries are made of the position alone, the direct path reads nothing of it
    weights["W_Q"] = torch.zeros(d, d, dtype=torch.float64)
    weights["W_Q"][-1, 0] = 1
    weights["W_U"][: d - 1] = 0
    weights["W_V"][-1] = 0
    model.load_state_dict(weights)
    found = estimate(model, MaxOfK.of(model), MeanQuery(window=v, rivals=v, noise=False))
    assert found.value == pytest.approx(float(cp.prove(model, MaxOfK.of(model), BruteForce()).bound), abs=1e-9)


@pytest.mark.parametrize("name", ["max-of-4-seed-123", "max-of-4-seed-50"])
def test_estimates_of_trained_models_beat_the_constant(name: str) -> None:
    model, exact = zoo.load(name), zoo.metadata(name)["true_accuracy"]
    truth = float(Fraction(int(exact["numerator"]), int(exact["denominator"])))
    task = MaxOfK.of(model)
    constant, mean, few = (estimate(model, task, e) for e in (Constant(), MeanQuery(), FewQueries()))
    assert constant.cost.total == 0
    assert mean.cost.total < 4e5
    assert few.cost.total < 7e6
    assert abs(mean.value - truth) < abs(constant.value - truth)
    assert abs(few.value - truth) < 2e-5


@pytest.mark.parametrize("options", [{}, {"window": 1, "rivals": 1}], ids=str)
@pytest.mark.parametrize("seed", [seed for seed in range(48) if KINDS[seed % len(KINDS)] == "noisy"])
def test_guided_samples_have_the_truth_as_their_mean(seed: int, options: dict) -> None:
    """However bad the guess is, if it doubts itself; within five standard errors."""
    model = specimen(seed).model
    task = MaxOfK.of(model)
    truth = float(cp.prove(model, task, BruteForce()).bound)
    found = torch.tensor([estimate(model, task, GuidedSampling(300, softness=10.0, seed=i, **options)).value for i in range(100)])
    assert float(found.mean()) == pytest.approx(truth, abs=5 * float(found.std()) / 10 + 1e-9)


@pytest.mark.parametrize("name", [name for name in zoo.names() if name.startswith("max-of-4-")])
def test_guided_samples_of_trained_models(name: str) -> None:
    """Close at every seed, and different at each."""
    model, exact = zoo.load(name), zoo.metadata(name)["true_accuracy"]
    truth = int(exact["numerator"]) / int(exact["denominator"])
    found = [estimate(model, MaxOfK.of(model), GuidedSampling(seed=seed)) for seed in range(4)]
    assert max(abs(e.value - truth) for e in found) < 1e-5
    assert found[0].cost.total == found[1].cost.total < 7e6
    assert len({e.value for e in found}) == 4
    assert estimate(model, MaxOfK.of(model), GuidedSampling(seed=3)).value == found[3].value


def test_sampling_estimates(tiny: LoadedModel) -> None:
    truth = float(cp.prove(tiny.model, tiny.task, BruteForce()).bound)
    for estimator in (Sampling(1000), PathSampling(1000)):
        found = estimate(tiny.model, tiny.task, estimator)
        assert found.value == pytest.approx(truth, abs=5 * math.sqrt(truth * (1 - truth) / 1000))
    assert estimate(tiny.model, tiny.task, Sampling(50)).value == estimate(tiny.model, tiny.task, PathSampling(50)).value


def test_an_estimate_is_no_bound(tiny: LoadedModel) -> None:
    found = estimate(tiny.model, tiny.task, MeanQuery())
    assert isinstance(found, Estimate)
    assert not any(hasattr(found, name) for name in ("bound", "claim", "save", "numerator", "statement"))
    assert "proves nothing" in str(found)
    assert isinstance(found.value, float)


def test_wrong_use() -> None:
    model = AttentionOnlyTransformer(AttentionOnlyConfig(4, 6, 4, 4))
    with pytest.raises(BadInput, match="exponential in n_ctx"):
        estimate(model, MaxOfK.of(model), FewQueries())
    with pytest.raises(BadInput, match="exponential in n_ctx"):
        estimate(model, MaxOfK.of(model), GuidedSampling())
    with pytest.raises(BadInput, match="at least 1"):
        MeanQuery(window=0)
    for wrong in ({"samples": 0}, {"softness": 0.0}, {"softness": math.nan}):
        with pytest.raises(BadInput, match="guided-sampling"):
            GuidedSampling(**wrong)
    with pytest.raises(BadInput, match="finds no number"):
        estimate(model, MaxOfK.of(model), Constant(math.nan))


def test_index_tables() -> None:
    assert rivals(5, 3).tolist() == [[1, 2, 3], [0, 2, 3], [1, 3, 0], [2, 4, 1], [3, 2, 1]]
    near, far, many = symbols(6, 2)
    assert near[4].tolist() == [4, 3, 2]
    assert set(far[5].tolist()) <= {0, 1, 2}
    assert many.tolist()[0] == [1, 0, 0, 0]
    assert many.tolist()[5] == [1, 1, 1, 3]
    counts, orders = multisets(4, 3)
    assert int((orders * torch.prod(torch.tensor([1, 1, 5]) ** counts, 1)).sum()) == 7**4 - 6**4


def test_noise_in_quadrature() -> None:
    generator = torch.Generator().manual_seed(1)
    A, B, C = (torch.randn(n, k, generator=generator, dtype=torch.float64) for n, k in ((60, 30), (30, 40), (40, 50)))
    assert float(noise_of_product(A, B, C)) == pytest.approx(float((A @ B @ C).std()), rel=0.1)
    ranges = torch.randn(4000, 64, generator=generator).aminmax(dim=1)
    assert expected_range(64) == pytest.approx(float((ranges.max - ranges.min).mean()), rel=0.02)


def test_the_quadrature_row_is_cheap_and_below_the_bounds() -> None:
    model = zoo.load("max-of-4-seed-123")
    guess, flops = quadrature_estimate(model)
    bounds = {r.name: r for r in residual_table(model)}
    exact = bounds["max row diff (exact)"].value
    assert exact / 4 < guess < exact
    assert flops <= min(r.flops for r in bounds.values()) * 1.5
