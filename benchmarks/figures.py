"""The documentation's figures over many seeds: ``python -m benchmarks.figures`` reads docs/data, writes docs/figures.

Also prints the table of means and standard deviations that docs/figures/README.md shows.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

DOCS = Path(__file__).parents[1] / "docs"
OPTIONS = ("least", "window", "groups", "rivals", "direct", "attention", "residual", "counting", "steps", "reach")
COLOURS = {"additive": "#0072b2", "cubic": "#d55e00", "linear": "#777777", "subcubic": "#009e73", "large-maxima": "#56b4e9"}


@dataclass(frozen=True)
class Point:
    """One strategy over the seeds of one size: bounds, bounds over sampled accuracy, sigma_1 / sigma_2 of EQKE, M operations and
    unexplained dimension."""

    size: str
    strategy: str
    options: str
    bounds: list[float]
    normalised: list[float]
    faithfulness: list[float]
    length: float
    dimension: float


def read() -> list[Point]:
    """Group the sweep's rows by size, strategy and options."""
    groups = defaultdict(list)
    with (DOCS / "data" / "max_of_k_sweep.csv").open() as f:
        for row in csv.DictReader(f):
            size = f"K = {row['parameters.n_ctx']}, v = {row['parameters.d_vocab']}"
            options = " ".join(row[f"options.{name}"] for name in OPTIONS if row[f"options.{name}"])
            groups[size, row["strategy"], options].append(row)
    return [
        Point(
            *key,
            bounds=[float(r["bound"]) for r in rows],
            normalised=[float(r["bound"]) / float(r["sampled_accuracy"]) for r in rows],
            faithfulness=[float(r["measures.faithfulness"]) for r in rows],
            length=fmean(float(r["length"]) for r in rows) / 1e6,
            dimension=fmean(float(r["unexplained_dimension"]) for r in rows),
        )
        for key, rows in groups.items()
    ]


def deviation(numbers: list[float]) -> float:
    """Sample standard deviation; 0 of a single number."""
    return stdev(numbers) if len(numbers) > 1 else 0.0


def scatter(points: list[Point], name: str, x: str, y: str, titles: tuple[str, str]) -> None:
    """Draw one panel for each size: mean and standard deviation over seeds of every strategy."""
    sizes = list(dict.fromkeys(p.size for p in points))
    figure = Figure(figsize=(4 * len(sizes), 3.6), layout="constrained")
    for i, size in enumerate(sizes, start=1):
        axes = figure.add_subplot(1, len(sizes), i)
        here = [p for p in points if p.size == size]
        for strategy in dict.fromkeys(p.strategy for p in here):
            alike = [p for p in here if p.strategy == strategy]
            numbers = [getattr(p, y) for p in alike]
            axes.errorbar(
                [getattr(p, x) for p in alike],
                [fmean(n) for n in numbers],
                yerr=[deviation(n) for n in numbers],
                fmt="o",
                markersize=5,
                capsize=2,
                color=COLOURS.get(strategy, "#cc79a7"),
                label=strategy,
            )
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda n, _: f"{n:g}"))
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.set_ylim(-0.03, 1.05)
        axes.set_title(f"{size}, {max(len(p.bounds) for p in here)} seeds", fontsize=10)
        axes.set_xlabel(titles[0])
        axes.set_ylabel(titles[1] if i == 1 else "")
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8, loc="lower right")
    FigureCanvasAgg(figure)
    figure.savefig(DOCS / "figures" / f"{name}.png", dpi=110, metadata={"Software": None})


def by_seed(points: list[Point], name: str, size: str) -> None:
    """Draw every seed of one size: its bound against the faithfulness of its attention, a colour for each strategy."""
    figure = Figure(figsize=(9, 5), layout="constrained")
    axes = figure.add_subplot()
    for p in points:
        if p.size == size and p.strategy in ("additive", "large-maxima", "subcubic") and min(p.bounds) > 0:
            axes.plot(
                p.faithfulness,
                p.bounds,
                "o",
                markersize=3.5,
                alpha=0.8,
                label=f"{p.strategy} {p.options}: {p.length:.2f} M operations",
            )
    axes.set_title(f"{size}: each point a model", fontsize=10)
    axes.set_xlabel("faithfulness: sigma_1 / sigma_2 of EQKE")
    axes.set_ylabel("bound")
    axes.grid(alpha=0.3)
    figure.legend(fontsize=7, loc="outside lower center", ncols=1)
    FigureCanvasAgg(figure)
    figure.savefig(DOCS / "figures" / f"{name}.png", dpi=110, metadata={"Software": None})


def table(points: list[Point]) -> str:
    """Means and standard deviations as markdown."""
    lines = ["| size | strategy | options | bound | worst | bound / accuracy | M operations |", "|---|---|---|---:|---:|---:|---:|"]
    for p in sorted(points, key=lambda p: (len(p.size), p.size, p.length)):
        lines.append(
            f"| {p.size} | {p.strategy} | {p.options} | {fmean(p.bounds):.4f} ± {deviation(p.bounds):.4f} | {min(p.bounds):.4f} "
            f"| {fmean(p.normalised):.4f} | {p.length:.3f} |"
        )
    return "\n".join(lines)


def main() -> None:
    points = read()
    (DOCS / "figures").mkdir(exist_ok=True)
    scatter(points, "bound_against_length", "length", "bounds", ("proof length (M operations)", "bound, mean ± sd"))
    scatter(points, "normalised_bound", "length", "normalised", ("proof length (M operations)", "bound / sampled accuracy"))
    scatter(points, "unexplained_dimension", "dimension", "bounds", ("unexplained dimension", "bound, mean ± sd"))
    by_seed(points, "faithfulness", "K = 4, v = 64")
    text = table(points)
    print(text)
    (DOCS / "figures" / "README.md").write_text(
        "# Max-of-K over seeds\n\nMade by `make figures` from [the sweep's data](../data/README.md). Bounds are sound; each point\n"
        "is a mean over seeds with its standard deviation. The accuracy that bounds are divided by was sampled (2^18 inputs).\n"
        "Seeds differ: a model whose margins are small needs a wider window than most.\n\n"
        "![Bound against proof length](bound_against_length.png)\n\n"
        "![Bound over accuracy against proof length](normalised_bound.png)\n\n"
        f"![Bound against unexplained dimension](unexplained_dimension.png)\n\n"
        f"![Bound against faithfulness](faithfulness.png)\n\nOptions: {', '.join(OPTIONS)}.\n\n{text}\n"
    )


if __name__ == "__main__":
    main()
