"""Estimates against sampling and the constant at equal cost: ``python -m benchmarks.estimates``, results/estimates.md and .svg.

On models that nobody looked at when the options were chosen (that was done on the zoo's, and on seeds 20 to 23): six seeds of the
published recipe, and the same stopped early. They are trained once, into build/estimates.
"""

from __future__ import annotations

import dataclasses
import math
from fractions import Fraction
from pathlib import Path

import torch
from matplotlib.figure import Figure
from torch import nn

from benchmarks.writing import write_results
from compact_proofs import trial
from compact_proofs.estimates import Constant, Estimator, Sampling, estimate
from compact_proofs.inputs.task import Task
from compact_proofs.tasks import load_model
from compact_proofs.tasks.max_of_k import BruteForce
from compact_proofs.tasks.max_of_k.estimates import FewQueries, GuidedSampling, MeanQuery, PathSampling
from compact_proofs.tasks.max_of_k.training import TrainingConfig, train

MODELS = [(seed, steps) for steps in (3000, 1200) for seed in range(7, 13)]
DRAWS = 10
"""Seeds of an estimate that draws, for each model."""
BUILD = Path("build/estimates")
RESULTS = Path(__file__).parent / "results"
ESTIMATORS: list[Estimator] = [
    Constant(),
    MeanQuery(noise=False),
    MeanQuery(),
    MeanQuery(4, 4),
    FewQueries(16),
    FewQueries(64),
    FewQueries(64, 6, 6),
    GuidedSampling(500),
    GuidedSampling(1000),
    GuidedSampling(),
    GuidedSampling(8000),
]


def main() -> None:
    torch.set_num_threads(1)
    models = [_held_out(seed, steps) for seed, steps in MODELS]
    whole, early = ([m for m, (_, n) in zip(models, MODELS, strict=True) if n == steps] for steps in (3000, 1200))
    lines = [
        "# Estimates",
        "",
        "Root mean square errors against the true accuracy, on held-out Max-of-4 models (64 tokens, width 32), and of sampling",
        "as many inputs as the same operations pay for, through the path matrices or through the model, whichever is better.",
        f"An estimate that draws is made with {DRAWS} seeds for each model; behind the mean error stands the largest of all.",
        "Nothing here is proven. Made by `make bench`.",
        "",
        f"* {len(whole)} models of the published recipe: true errors {', '.join(f'{1 - t:.1e}' for *_, t in whole)}",
        f"* {len(early)} stopped at 1200 of 3000 steps: true errors {', '.join(f'{1 - t:.1e}' for *_, t in early)}",
        "",
        "| estimate | M operations | error, trained (largest) | sampling | error, stopped early (largest) | sampling |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    points = []
    per_sample = [_sampling_cost(*whole[0][:2], kind) for kind in (Sampling, PathSampling)]
    for estimator in ESTIMATORS:
        cells, texts, cost = [], [], 0
        for group in (whole, early):
            found = [(estimate(model, task, e), truth) for model, task, truth in group for e in _seeded(estimator)]
            cost = found[0][0].cost.total
            errors = [abs(e.value - t) for e, t in found]
            error = math.sqrt(sum(e * e for e in errors) / len(errors))
            by_sampling = math.sqrt(sum(_sampling_error(t, cost, per_sample) ** 2 for *_, t in group) / len(group))
            cells += [error, by_sampling]
            texts += [f"{error:.1e} ({max(errors):.1e})", "-" if math.isinf(by_sampling) else f"{by_sampling:.1e}"]
        points.append((estimator, cost, cells))
        row = f"| {_title(estimator)} | {cost / 1e6:.2f} | {' | '.join(texts)} |"
        print(row, flush=True)
        lines.append(row)
    write_results("estimates", "\n".join([*lines, "", "![error against operations](estimates.svg)"]))
    _draw(points, whole, early, per_sample)


def _seeded(estimator: Estimator) -> list[Estimator]:
    """The same with every seed, if it draws."""
    if not isinstance(estimator, GuidedSampling):
        return [estimator]
    return [dataclasses.replace(estimator, seed=seed) for seed in range(DRAWS)]


def _title(estimator: Estimator) -> str:
    """Name and options, without the seed."""
    given = ", ".join(f"{k}={v}" for k, v in dataclasses.asdict(estimator).items() if k != "seed")
    return f"{estimator.name} {given}"


def _held_out(seed: int, steps: int) -> tuple[nn.Module, Task, float]:
    """A model, its task and its true accuracy (float reading of brute force)."""
    BUILD.mkdir(parents=True, exist_ok=True)
    file = BUILD / f"seed-{seed}-steps-{steps}.safetensors"
    if not file.exists():
        train(TrainingConfig(n_ctx=4, seed=seed, steps=steps, evaluation_samples=2**14)).save(file)
    loaded, known = load_model(file), file.with_suffix(".accuracy")
    if not known.exists():
        accuracy = trial(loaded.model, loaded.task, BruteForce()).bound
        known.write_text(f"{accuracy.numerator} {accuracy.denominator}")
    return loaded.model, loaded.task, float(Fraction(*map(int, known.read_text().split())))


def _sampling_cost(model: nn.Module, task: Task, kind: type[Sampling]) -> tuple[float, float]:
    """Operations before the first sample, and for each."""
    few, many = (estimate(model, task, kind(n)).cost.total for n in (10, 110))
    return few - (many - few) / 10, (many - few) / 100


def _sampling_error(accuracy: float, cost: float, per_sample: list[tuple[float, float]]) -> float:
    """Standard error of the better way of sampling; infinite if nothing can be paid for."""
    n = max((cost - first) / each for first, each in per_sample)
    return math.sqrt(accuracy * (1 - accuracy) / n) if n >= 1 else math.inf


def _draw(points: list, whole: list, early: list, per_sample: list) -> None:
    figure = Figure(figsize=(9, 4), layout="constrained")
    costs = [10 ** (4.5 + i / 20) for i in range(65)]
    for i, (axes, group, title) in enumerate(
        zip(figure.subplots(1, 2, sharey=True), (whole, early), ("published recipe", "stopped early"), strict=True)
    ):
        sampling = [math.sqrt(sum(_sampling_error(t, c, per_sample) ** 2 for *_, t in group) / len(group)) for c in costs]
        axes.loglog(costs, sampling, color="0.5", linestyle="--", label="sampling")
        axes.axhline(points[0][2][2 * i], color="0.5", linestyle=":", label="the constant 1")
        for kind, marker in ((MeanQuery, "o"), (FewQueries, "s"), (GuidedSampling, "^")):
            own = [(cost, cells[2 * i]) for e, cost, cells in points if type(e) is kind]
            axes.loglog(*zip(*own, strict=True), marker, fillstyle="none", label=kind.name)
        axes.set(title=title, xlabel="operations", ylim=(1e-6, 1e-1))
    figure.axes[0].set_ylabel("root mean square error")
    figure.axes[0].legend()
    figure.savefig(RESULTS / "estimates.svg", metadata={"Date": None})


if __name__ == "__main__":
    main()
