"""Estimates on networks of the automatic kind against sampling and the constant: ``python -m benchmarks.estimates_automatic``.

On networks that nobody looked at when anything was chosen: the general recipe (`FiniteRecipe`) at new seeds, stopped while they
still make mistakes, small ones and some of the zoo's sizes. They are trained once, into build/estimates.
"""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import torch
from torch import nn

from benchmarks.writing import write_results
from compact_proofs import trial
from compact_proofs.automatic.estimates import BoxSampling, SharedSampling, share_right, ways
from compact_proofs.automatic.shared import Shared
from compact_proofs.estimates import Sampling, estimate
from compact_proofs.inputs.task import Task
from compact_proofs.models.weights import in_double
from compact_proofs.program import program_of
from compact_proofs.tasks import load_model
from compact_proofs.tasks.finite.training import FiniteRecipe, train
from compact_proofs.tasks.finite.zoo import RECIPES

BUDGETS = (10**6, 10**7)
DRAWS = 20
"""Seeds of an estimate for each network and budget."""
SEEDS = (201, 202)
_SMALL: dict[str, Any] = {"n_ctx": 5, "d_vocab": 8, "d_model": 16, "n_heads": 2, "biases": True, "steps": 200, "batch_size": 256}
SMALL: dict[str, FiniteRecipe] = {
    "max, norm": FiniteRecipe(label="maximum", norm="layer", **_SMALL),
    "max, ReLU": FiniteRecipe(label="maximum", d_mlp=16, **_SMALL),
    "max, norm, ReLU": FiniteRecipe(label="maximum", d_mlp=16, norm="layer", **_SMALL),
    "second largest, GELU": FiniteRecipe(label="second-largest", d_mlp=16, act="gelu", **_SMALL),
    "occurred before, norm, ReLU": FiniteRecipe(label="occurred-before", d_mlp=16, norm="layer", **_SMALL),
    "max, two layers": FiniteRecipe(label="maximum", n_layers=2, **_SMALL),
}
LARGE: dict[str, FiniteRecipe] = {
    **{name: RECIPES[name] for name in ("finite-occurred-before", "finite-avoids", "finite-majority-rnn")},
    "max of 4 of 32, norm": FiniteRecipe(label="maximum", d_vocab=32, n_heads=2, norm="layer", biases=True, steps=3000),
}
"""Three of the zoo's recipes and another, of which an eighth of the steps is made."""
BOXES = "max of 4 of 32, norm, seed 201"
SAMPLES = 500
"""Of the rest that boxes leave."""
BUILD = Path("build/estimates")


def main() -> None:
    torch.set_num_threads(1)
    small = {f"{name}, seed {s}": replace(r, seed=s) for name, r in SMALL.items() for s in SEEDS}
    large = {f"{name}, seed 201": replace(r, seed=201, steps=r.steps // 8) for name, r in LARGE.items()}
    lines = [
        "# Estimates on networks of heads, norms and MLPs",
        "",
        f"Mean squared errors of the accuracy over {DRAWS} seeds of `shared-sampling`, against those of plain sampling: as many",
        "inputs through the module as the same operations pay for (p (1 - p) / n, exactly). p is the share of wrong inputs, known",
        "from every input; the error of the constant 1 is p. `gain` is sampling's mean squared error over the estimate's.",
        "Nothing here is proven.",
        "",
        "| network | p | inputs for 10^6, plain | gain at 10^6 | 10^7 |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for title, group in (("small", small), ("large", large)):
        sums = {b: [0.0, 0.0] for b in BUDGETS}
        for name, recipe in group.items():
            model, task, wrong = _held_out(name, recipe)
            each = _cost(model, task)
            cells = []
            for budget in BUDGETS:
                sampling = wrong * (1 - wrong) * each / budget
                own = _error(model, task, budget, wrong) ** 2
                sums[budget][0] += sampling
                sums[budget][1] += own
                cells.append(_gain(sampling, own))
            row = f"| {name} | {wrong:.2e} | {10**6 / each:.0f} | {' | '.join(cells)} |"
            print(row, flush=True)
            lines.append(row)
        row = f"| **all {title} ones** | | | {' | '.join(_gain(*sums[b]) for b in BUDGETS)} |"
        print(row, flush=True)
        lines.append(row)
    lines += [
        "",
        "Boxes first (`box-sampling`, 500 samples of the rest): the search for boxes is paid for. Beside its error stand the",
        "root mean square errors of as many operations of sampling through the module, and through shared tables:",
        "sqrt(p (1 - p) / n).",
        "",
        "| network | p | operations | of them search | error | plain | shared |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    model, task, wrong = _held_out(BOXES, large[BOXES])
    for cuts in (0, 1):
        boxes = estimate(model, task, BoxSampling(SAMPLES, cuts=cuts))
        cost, search = boxes.cost.total, sum(boxes.cost.by_stage["search"].values())
        way = max(ways(program_of(model, task), task), key=lambda w: w.samples(cost))
        plain, shared = (math.sqrt(wrong * (1 - wrong) / n) for n in (cost / _cost(model, task), way.samples(cost)))
        row = f"| {BOXES}, cuts = {cuts} | {wrong:.2e} | {cost:.2e} | {search / cost:.0%} "
        row += f"| {abs(boxes.value - 1 + wrong):.1e} | {plain:.1e} | {shared:.1e} |"
        print(row, flush=True)
        lines.append(row)
    write_results("estimates_automatic", "\n".join(lines))


def _error(model: nn.Module, task: Task, budget: int, wrong: float) -> float:
    """Root mean square error of `SharedSampling` over seeds, which all share one plan and its tables."""
    program = program_of(in_double(model), task)
    way, n = SharedSampling(budget).plan(program, task)
    right = way.make()
    with torch.no_grad():
        found = [float(share_right(right, task, SharedSampling(budget, seed=s).inputs(task, n))) for s in range(DRAWS)]
    return math.sqrt(sum((value - (1 - wrong)) ** 2 for value in found) / DRAWS)


def _gain(sampling: float, own: float) -> str:
    return "exact" if own < 1e-20 else f"{sampling / own:.1f}"


def _cost(model: nn.Module, task: Task) -> float:
    """Operations of one more input through the module."""
    few, many = (estimate(model, task, Sampling(n)).cost.total for n in (10, 110))
    return (many - few) / 100


def _held_out(name: str, recipe: FiniteRecipe) -> tuple[nn.Module, Task, float]:
    """A network, its task and its share of wrong inputs (float reading, every input)."""
    BUILD.mkdir(parents=True, exist_ok=True)
    file = BUILD / f"{name.replace(', ', '-').replace(' ', '-')}.safetensors"
    if not file.exists():
        train(replace(recipe, evaluation_samples=2**14)).save(file)
    loaded, known = load_model(file), file.with_suffix(".accuracy")
    if not known.exists():
        accuracy = trial(loaded.model, loaded.task, Shared()).bound
        known.write_text(f"{accuracy.numerator} {accuracy.denominator}")
    return loaded.model, loaded.task, float(1 - Fraction(*map(int, known.read_text().split())))


if __name__ == "__main__":
    main()
