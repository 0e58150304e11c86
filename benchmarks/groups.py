"""Bounds, lengths and times on group composition, model by model: ``python -m benchmarks.groups``.

Prints a report, writes it to ``benchmarks/results/groups.md``, and draws ``docs/groups.png``. About three minutes on one core.
"""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path

import torch
from matplotlib.ticker import FuncFormatter

import compact_proofs as cp
from benchmarks.timing import interleaved, markdown
from benchmarks.writing import write_results
from compact_proofs import zoo
from compact_proofs.core.certificate import Certificate
from compact_proofs.core.prove import run
from compact_proofs.core.strategy import Strategy
from compact_proofs.report.drawing import BLUE, GREEN, INK, MUTED, ORANGE, SKY, VERMILLION, new_axes, new_figure, settings, to_png
from compact_proofs.tasks.groups import BruteForce, Cosets, Directions, Groups, GSets, GSetsLinear
from compact_proofs.tasks.groups.tables import circuits_text

RESULTS = Path(__file__).parent / "results" / "groups.md"
PICTURE = Path(__file__).parents[1] / "docs" / "groups.png"
MODELS = zoo.names("groups")
STRATEGIES: dict[str, Strategy] = {
    "linear, norms": GSetsLinear(exact=False),
    "linear, exact": GSetsLinear(),
    "every output": GSets(rest=False),
    "and the rest": GSets(),
    "cosets, single": Cosets(joint=False),
    "cosets, joint": Cosets(),
    "directions": Directions(),
    "brute force": BruteForce(),
}
TIMED = ("linear, norms", "linear, exact", "and the rest", "cosets, joint", "brute force")
DRAWN = {
    "linear, norms": (SKY, "o", "irreps as G-sets: linear, norms"),
    "linear, exact": (BLUE, "o", "irreps as G-sets: linear, exact"),
    "every output": (GREEN, "o", "irreps as G-sets: for every output"),
    "cosets, joint": (VERMILLION, "s", "cosets"),
    "directions": (ORANGE, "^", "few directions, and brute force on the rest"),
}


def draw(found: dict[str, dict[str, Certificate]]) -> bytes:
    """For every model the length of each explanation's proof over that of brute force; full marks prove everything."""
    with settings():
        figure = new_figure(8.2, 0.36 * len(found) + 1.7)
        (axes,) = new_axes(figure)
        for row, proofs in enumerate(found.values()):
            brute = proofs["brute force"]
            for label, (colour, marker, _) in reversed(DRAWN.items()):  # what is shorter on top
                c = proofs[label]
                x, part = c.length.total / brute.length.total, float(c.bound / brute.bound)
                axes.plot(x, row, marker, markersize=7, color=colour, markerfacecolor=colour if part == 1 else "none")
                if 0 < part < 1:
                    text = f"{int(part * 1000) / 1000:.3f}"
                    axes.annotate(text, (x, row), (0, 7), textcoords="offset points", ha="center", fontsize=7, color=MUTED)
        for colour, marker, words in DRAWN.values():
            axes.plot([], [], marker, color=colour, label=words)
        axes.plot([], [], "o", color=INK, markerfacecolor="none", label="open: proves less, or nothing")
        axes.axvline(1, color=INK, linewidth=1)
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: "1" if x == 1 else f"1/{1 / x:g}" if x < 1 else f"{x:g}"))
        axes.set_yticks(range(len(found)), list(found))
        axes.set_ylim(len(found) - 0.4, -0.7)
        axes.set_xlabel("proof length / length of brute force")
        figure.legend(loc="outside lower center", ncols=3, fontsize=8)
        return to_png(figure)


def main() -> None:
    """Measure, draw, print and write the report."""
    torch.set_num_threads(1)
    bounds, lengths, searches, circuits, times = [], [], [], [], []
    proofs: dict[str, dict[str, Certificate]] = {}
    for name in MODELS:
        model = zoo.load(name)
        task = Groups.of(model)
        found, seconds = {}, {}
        for label, strategy in STRATEGIES.items():
            started = time.process_time()
            explanation = strategy.explain(model, task)
            seconds[label] = time.process_time() - started
            found[label] = cp.prove(model, task, strategy, explanation=explanation)
        proofs[name] = found
        bounds.append([name, *(cp.decimal(c.bound, 4).rstrip(".") for c in found.values())])
        lengths.append([name, *(f"{c.length.total / 1e6:.3f}" for c in found.values())])
        circuits.append([name, circuits_text(model)])
        searches.append([name, *(f"{seconds[label]:.2f}" for label in STRATEGIES if label != "brute force")])
        runs = {
            f"{label}, {reading}": partial(run, model, task, STRATEGIES[label], found[label].explanation, reading)
            for label in TIMED
            for reading in ("sound", "float")
        }
        median = interleaved(runs | {"any module": partial(cp.brute_force, model, task)}, clock=time.process_time)
        brute = median["brute force, sound"]
        times.append(
            [
                name,
                *(f"{median[f'{label}, sound'] * 1e3:.0f}" for label in TIMED),
                f"{median['any module'] * 1e3:.0f}",
                *(f"{brute / median[f'{label}, sound']:.1f}" for label in TIMED[:3]),
                *(f"{median['brute force, float'] / median[f'{label}, float']:.1f}" for label in TIMED[:3]),
                f"{found['brute force'].length.total / found['and the rest'].length.total:.1f}",
            ]
        )
        print(bounds[-1], lengths[-1], times[-1], flush=True)
    ratios = [f"{label}, faster" for label in TIMED[:3]]
    report = f"""# Group composition: the models of the zoo

Made by `make bench` (torch {torch.__version__}, one thread). Every model is right on every pair, as brute force proves.

## Bounds

{markdown(["model", *STRATEGIES], bounds)}

## Proof lengths, in millions of operations

{markdown(["model", *STRATEGIES], lengths)}

## Times

Of `verify` in the sound reading, explanation given, in milliseconds of processor time: medians of runs that take turns in one
process, which other processes disturb little. Then how many times faster than batched brute force, in the sound and in the float
reading. "Any module" is `cp.brute_force`, which also runs in batches. The last column is the ratio of the lengths of brute force
and of "and the rest".

{
        markdown(
            [
                "model",
                *(f"{label}, ms" for label in TIMED),
                "any module, ms",
                *ratios,
                *(f"{r} (float)" for r in ratios),
                "shorter",
            ],
            times,
        )
    }

## Seconds of search on one core

{markdown(["model", *(label for label in STRATEGIES if label != "brute force")], searches)}

## What the search found

Left points x right points of each circuit, with its neurons and the pairs that no neuron is read as.

{markdown(["model", "circuits"], circuits)}
"""
    print(report)
    RESULTS.parent.mkdir(exist_ok=True)
    write_results("groups", report)
    PICTURE.write_bytes(draw(proofs))


if __name__ == "__main__":
    main()
