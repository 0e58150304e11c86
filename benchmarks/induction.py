"""Bounds, lengths and times on the induction models of the zoo, and how lengths grow: ``python -m benchmarks.induction``.

Writes results/induction.md and docs/induction_scaling.png. About ten minutes on one core.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from benchmarks.timing import markdown
from benchmarks.writing import write_results
from compact_proofs import Strategy, decimal, measure, prove, zoo
from compact_proofs.models.attention_stack import AttentionStack, AttentionStackConfig
from compact_proofs.tasks.induction import Circuit, CircuitPairs, Induction, LinearBaseline, Listed, Pairs
from compact_proofs.tasks.induction.brute_force import ROWS
from compact_proofs.tasks.lagged_induction import DeepCircuit, LaggedInduction

ROOT = Path(__file__).parents[1]
TUNED = [name for name in zoo.names("induction") if name.endswith("-tuned")]
UNTUNED = [name for name in zoo.names("induction") if not name.endswith("-tuned")]
SMALL = [name for name in UNTUNED if name.startswith("induction-6-")]
PROOFS: list[tuple[str, Strategy]] = [
    *((name, Circuit()) for name in TUNED),
    ("induction-6-seed-0-tuned", CircuitPairs()),
    *((name, strategy) for name in SMALL for strategy in (Pairs(), Listed(longest=2**10), Listed())),
    ("induction-8-seed-0", Pairs()),
]
PLACES, TOKENS = (4, 5, 6, 8, 10, 12), (8, 12, 16, 24, 32)
LAYERS = range(2, 9)


def figures() -> str:
    """Prove the zoo's models; a table."""
    rows = []
    for name, strategy in PROOFS:
        model = zoo.load(name)
        task = Induction.of(model)
        explanation = strategy.explain(model, task)
        c = min((prove(model, task, strategy, explanation=explanation) for _ in range(2)), key=lambda c: c.seconds)
        bound = decimal(c.claim.bound).rstrip(".")
        rows.append([f"{name}, {strategy}", f"{task.size:.4g}", bound, f"{c.length.total / 1e6:.3f}", f"{c.seconds:.2f}"])
        print(*rows[-1], flush=True)
    return markdown(("model and proof", "inputs", "bound", "M operations", "seconds"), rows)


def shapes(D: int, n: int, d: int = 64, h: int = 32, layers: int = 2) -> AttentionStack:
    """A model without numbers."""
    return AttentionStack(AttentionStackConfig(D, n, d, h, layers), device="meta")


def by_brute_force(D: int, n: int) -> float:
    """Length of brute force: one block of prefixes measured, times the number of blocks (without the tables, made once)."""
    model = shapes(D, n)
    task, blocks = Induction.of(model), math.perm(D, n - 1)
    one = measure(model, task, LinearBaseline(1 / blocks)).by_stage
    fixed = next(k for k in range(n) if math.perm(D - k, n - 1 - k) <= ROWS)
    return math.perm(D, fixed) * sum(sum(ops.values()) for name, ops in one.items() if name != "layer 1")


def scaling() -> tuple[str, dict[str, dict[str, list[tuple[int, float]]]]]:
    """Measure lengths from shapes, with the exponents between the two largest sizes; a table and the curves."""
    families: dict[str, Callable[[int, int], float]] = {
        "brute force": by_brute_force,
        "pairs (P)": lambda D, n: measure(shapes(D, n), Induction(D, n), Pairs()).total,
        "circuit (C)": lambda D, n: measure(shapes(D, n), Induction(D, n), Circuit()).total,
    }
    curves: dict[str, dict[str, list[tuple[int, float]]]] = {"n, at D = 16": {}, "D, at n = 6": {}}
    for family, length in families.items():
        curves["n, at D = 16"][family] = [(n, length(16, n)) for n in PLACES]
        curves["D, at n = 6"][family] = [(D, length(D, 6)) for D in TOKENS]
        print(family, curves["n, at D = 16"][family], curves["D, at n = 6"][family], flush=True)
    rows = []
    for axis, of_family in curves.items():
        for family, points in of_family.items():
            (x, y), (x2, y2) = points[-2:]
            exponent = math.log(y2 / y) / math.log(x2 / x)
            rows.append(
                [f"{family}, by {axis}", *(f"{length / 1e6:.4g}" for _, length in (points[0], points[-1])), f"{exponent:.1f}"]
            )
    return markdown(("proof", "M operations, smallest", "largest", "exponent at the largest"), rows), curves


def depth() -> str:
    """Lengths of the certificate for copying chains, by the number of layers."""
    rows, before = [], 0
    for layers in LAYERS:
        model = shapes(32, 16, 256, 32, layers)
        length = measure(model, LaggedInduction.of(model), DeepCircuit()).total
        rows.append(
            [str(layers), str(2 ** (layers - 1)), f"{length / 1e6:.2f}", f"{(length - before) / 1e6:.2f}" if before else "-"]
        )
        before = length
    return markdown(("layers", "paths to a key", "M operations", "more than with one layer less"), rows)


def draw(curves: dict[str, dict[str, list[tuple[int, float]]]], path: Path) -> None:
    """Draw lengths against n and against D, on logarithmic axes."""
    figure = Figure(figsize=(8, 3.4), layout="constrained")
    FigureCanvasAgg(figure)
    for ax, (axis, of_family) in zip(figure.subplots(1, 2, sharey=True), curves.items(), strict=True):
        for (family, points), colour in zip(of_family.items(), ("#777777", "#d55e00", "#0072b2"), strict=True):
            ax.loglog(*zip(*points, strict=True), "o-", color=colour, markersize=3.5, label=family)
            ax.annotate(family, points[-1], textcoords="offset points", xytext=(-4, 7), ha="right", fontsize=8, color=colour)
        _ticks(ax, [x for x, _ in points])
        ax.set_xlabel(axis)
        ax.spines[["top", "right"]].set_visible(False)
        ax.margins(y=0.12)
    figure.axes[0].set_ylabel("operations")
    figure.savefig(path, dpi=150)


def _ticks(ax: object, values: Sequence[int]) -> None:
    ax.set_xticks(values, [str(v) for v in values])  # type: ignore[attr-defined]
    ax.minorticks_off()  # type: ignore[attr-defined]


def main() -> None:
    torch.set_num_threads(1)
    growth, curves = scaling()
    draw(curves, ROOT / "docs" / "induction_scaling.png")
    parts = [
        "# Induction",
        "Made by `python -m benchmarks.induction`.",
        "## Bounds on the zoo's models",
        figures(),
        "## How lengths grow",
        "From shapes alone (d_model = 64, d_head = 32), without counting in groups that are not proven whole; brute force is one "
        "measured block times the number of blocks.",
        growth,
        "## Layers",
        "Copying chains of L - 1 layers and a matching layer (D = 32, n = 16, d_model = 256, d_head = 32).",
        depth(),
    ]
    write_results("induction", "\n\n".join(parts))


if __name__ == "__main__":
    main()
