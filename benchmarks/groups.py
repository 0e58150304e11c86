"""Bounds, lengths and times on group composition, model by model: ``python -m benchmarks.groups``.

Prints a report and writes it to ``benchmarks/results/groups.md``. About five minutes on one core.
"""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path

import torch

import compact_proofs as cp
from benchmarks.timing import interleaved, markdown
from compact_proofs import zoo
from compact_proofs.prove import run
from compact_proofs.strategy import Strategy
from compact_proofs.tasks.groups import BruteForce, Cosets, Groups, GSets, GSetsLinear
from compact_proofs.tasks.groups.studies import circuits_text

RESULTS = Path(__file__).parent / "results" / "groups.md"
MODELS = zoo.names("groups")
STRATEGIES: dict[str, Strategy] = {
    "linear, norms": GSetsLinear(exact=False),
    "linear, exact": GSetsLinear(),
    "pairs": GSets(first=False, second=False),
    "pairs, second look": GSets(first=False),
    "all looks": GSets(),
    "published norms": GSets("norms", first=False),
    "cosets, single": Cosets(joint=False),
    "cosets, joint": Cosets(),
    "brute force": BruteForce(),
}
TIMED = ("linear, norms", "linear, exact", "pairs", "all looks", "brute force")


def main() -> None:
    """Measure, print and write the report."""
    torch.set_num_threads(1)
    bounds, lengths, searches, circuits, times = [], [], [], [], []
    for name in MODELS:
        model = zoo.load(name)
        task = Groups.of(model)
        found, seconds = {}, {}
        for label, strategy in STRATEGIES.items():
            started = time.process_time()
            explanation = strategy.explain(model, task)
            seconds[label] = time.process_time() - started
            found[label] = cp.prove(model, task, strategy, explanation=explanation)
        bounds.append([name, *(cp.decimal(c.bound, 4).rstrip(".") for c in found.values())])
        lengths.append([name, *(f"{c.length.total / 1e6:.3f}" for c in found.values())])
        circuits.append([name, circuits_text(model)])
        searches.append([name, *(f"{seconds[label]:.2f}" for label in STRATEGIES if label != "brute force")])
        runs = {
            f"{label}, {reading}": partial(run, model, task, STRATEGIES[label], found[label].explanation, reading)
            for label in TIMED
            for reading in ("sound", "float")
        }
        generic = partial(cp.brute_force, model, task)
        median = interleaved(runs | {"any module": generic})
        brute = median["brute force, sound"]
        times.append(
            [
                name,
                f"{brute * 1e3:.0f}",
                f"{median['any module'] / brute:.1f}",
                *(f"{brute / median[f'{label}, sound']:.1f}" for label in TIMED[:-1]),
                *(f"{median['brute force, float'] / median[f'{label}, float']:.1f}" for label in TIMED[1:-1]),
                f"{found['brute force'].length.total / found['linear, exact'].length.total:.0f}",
            ]
        )
        print(bounds[-1], times[-1], flush=True)
    report = f"""# Group composition: the models of the zoo

Made by `make bench` (torch {torch.__version__}, one thread). Every model is right on every pair, as brute force proves.

## Bounds

{markdown(["model", *STRATEGIES], bounds)}

## Proof lengths, in millions of operations

{markdown(["model", *STRATEGIES], lengths)}

## Times

How many times faster than batched brute force `verify` is, explanation given, medians of runs that take turns in one process.
"any module" is `cp.brute_force`, which also runs in batches, and how many times slower it is. The last column is the ratio of
lengths.

{
        markdown(
            [
                "model",
                "brute force, ms",
                "any module, slower",
                *(f"{label}" for label in TIMED[:-1]),
                *(f"{label}, float" for label in TIMED[1:-1]),
                "linear, exact: length",
            ],
            times,
        )
    }

## Seconds of search on one core

{markdown(["model", *(label for label in STRATEGIES if label != "brute force")], searches)}

## What the search found

Left points x right points of each circuit, with its neurons and the pairs that no neuron is read as; what is left of the strength.

{markdown(["model", "circuits"], circuits)}
"""
    print(report)
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(report)


if __name__ == "__main__":
    main()
