"""Several reports on one page: their frontiers in one picture, and what each proves at which length."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from compact_proofs.errors import BadInput
from compact_proofs.report.data import Proof
from compact_proofs.report.drawing import (
    BLUE,
    GREEN,
    INK,
    PURPLE,
    VERMILLION,
    inline_svg,
    new_axes,
    new_figure,
    settings,
    settle,
    to_png,
    to_svg,
)
from compact_proofs.report.page import write_page
from compact_proofs.report.saved import Saved, read_saved
from compact_proofs.report.section import render
from compact_proofs.report.text import accuracy_text, bound_text, options_text, ratio_text, short_count

SHARES = (0.5, 0.9, 0.99, 0.999)
"""Of the true accuracy (of 1, where it is unknown): how long is the shortest proof of so much?"""
COLOURS, STYLES, MARKERS = (BLUE, VERMILLION, GREEN, PURPLE, INK), ("-", "--", "-.", ":"), "osD^v"
MOST = 20
"""Reports on one page."""


def read_reports(sources: Sequence[str | Path]) -> list[tuple[str, Saved]]:
    """Read reports, each with a name that no other has.

    Raises
    ------
    BadInput
        If one cannot be read, there are none or too many, or one is given twice.
    """
    if not 1 <= len(sources) <= MOST:
        raise BadInput(f"{len(sources)} reports: a page compares from 1 to {MOST}")
    found = [(str(source), read_saved(source)) for source in sources]
    titles = Counter(saved.title for _, saved in found)
    names = [saved.title if titles[saved.title] == 1 else f"{saved.title} ({source})" for source, saved in found]
    if len(set(names)) < len(names):
        raise BadInput("a report is given twice; leave it out once")
    return [(name, saved) for name, (_, saved) in zip(names, found, strict=True)]


def write_comparison(reports: Sequence[tuple[str, Saved]], directory: str | Path) -> Path:
    """Write ``index.html``, which needs no other file, the picture as PNG and SVG, and the table as CSV and JSON.

    Parameters
    ----------
    reports
        Names and proofs, from `read_reports`.
    directory
        Made if it is missing.

    Raises
    ------
    BadInput
        If the folder cannot be written.
    """
    with settings():
        figure = _draw(reports, (False, True), 12.6)
        files = {"comparison.png": to_png(figure), "comparison.svg": to_svg(figure)}
        pictures = [
            inline_svg(_draw(reports, (missing,), 6.6), "missing" if missing else "bounds", _description(reports, missing))
            for missing in (False, True)
        ]
    rows = [row for name, saved in reports for row in _rows(name, saved)]
    files |= {"comparison.csv": _csv(rows), "comparison.json": (json.dumps(rows, indent=1) + "\n").encode()}
    page = render(
        "compare.html",
        pictures=pictures,
        files=list(files),
        shares=SHARES,
        lines=[_line(name, saved) for name, saved in reports],
        proofs=sorted(rows, key=lambda row: row["length"]),
        claims=[(name, saved.claim) for name, saved in reports],
        count=short_count,
    )
    return write_page(page, files, directory)


def best(saved: Saved) -> list[Proof]:
    """The proofs of a report's frontier, shortest first."""
    return [proof for proof in saved.proofs if proof.sound and proof.on_frontier]


def true_accuracy(saved: Saved) -> float | None:
    """The true accuracy of a report's model; None where it is unknown."""
    return next((proof.true_accuracy for proof in saved.proofs if proof.true_accuracy is not None), None)


def shortest(saved: Saved, share: float) -> Proof | None:
    """The shortest proof of a share of the true accuracy (of 1, where it is unknown); None if there is none."""
    accuracy = true_accuracy(saved)
    wanted = share * (1.0 if accuracy is None else accuracy)
    return next((proof for proof in best(saved) if float(proof.bound) >= wanted), None)


def _draw(reports: Sequence[tuple[str, Saved]], panels: Sequence[bool], width: float) -> Figure:
    """Draw the frontiers, for each panel as bounds or (True) as what is missing to 1."""
    figure = new_figure(width, 5.4)
    everything = [proof for _, saved in reports for proof in best(saved)]
    lengths = [float(max(proof.length, 1)) for proof in everything] or [1.0]
    right = 2 * max(lengths)
    floor = max(min([float(1 - proof.bound) for proof in everything if proof.bound < 1] + [0.1]), 1e-300) / 3
    handles = {}
    for axes, missing in zip(new_axes(figure, 1, len(panels)), panels, strict=True):
        axes.set_xscale("log")
        axes.set_xlim(min(lengths) / 2, right)
        axes.set_xlabel("proof length (FLOPs + integer operations)")
        if missing:
            axes.set_yscale("log")
            axes.set_ylim(1.7, floor * 0.5)
        else:
            axes.set_ylim(-0.05, 1.1)
        axes.set_ylabel("1 − bound" if missing else "bound on the accuracy")
        axes.set_title("What they do not cover (up is better)" if missing else "What the proofs cover")
        for number, (name, saved) in enumerate(reports):
            proofs = best(saved)
            if not proofs:
                continue
            xs = [float(max(proof.length, 1)) for proof in proofs]
            ys = [max(float(1 - proof.bound), floor) if missing else float(proof.bound) for proof in proofs]
            colour, style = COLOURS[number % len(COLOURS)], STYLES[number // len(COLOURS) % len(STYLES)]
            corners = np.append(np.repeat(xs, 2)[1:], right)
            (handles[name],) = axes.plot(corners, np.repeat(ys, 2), color=colour, linestyle=style, linewidth=1.6)
            axes.plot(xs, ys, linestyle="none", marker=MARKERS[number % len(MARKERS)], markersize=5, color=colour, clip_on=False)
    names = [name.replace("$", r"\$") for name in handles]
    figure.legend(list(handles.values()), names, loc="outside lower center", ncols=len(panels))
    return settle(figure)


def _description(reports: Sequence[tuple[str, Saved]], missing: bool) -> str:
    shown = "1 minus the bound, on an inverted log axis," if missing else "The bound"
    return f"{shown} against proof length, for the frontiers of {len(reports)} reports. The tables below have every number."


def _line(name: str, saved: Saved) -> dict[str, object]:
    """A report in one line of the table."""
    proofs = best(saved)
    accuracy = true_accuracy(saved)
    top = max(proofs, key=lambda proof: proof.bound, default=None)
    found = [shortest(saved, share) for share in SHARES]
    return {
        "name": name,
        "accuracy": "unknown" if accuracy is None else accuracy_text(accuracy),
        "proofs": len(proofs),
        "bound": "–" if top is None else bound_text(top.bound),
        "length": None if top is None else top.length,
        "lengths": [None if proof is None else proof.length for proof in found],
        "sha256": saved.proofs[0].model_sha256,
    }


def _rows(name: str, saved: Saved) -> list[dict[str, object]]:
    """The proofs of a report's frontier, as data."""
    return [
        {
            "report": name,
            "strategy": proof.strategy,
            "options": options_text(proof.options),
            "numerator": str(proof.numerator),
            "denominator": str(proof.denominator),
            "bound": bound_text(proof.bound),
            "bound_over_true": ratio_text(proof.ratio),
            "length": proof.length,
            "model_sha256": proof.model_sha256,
        }
        for proof in best(saved)
    ]


def _csv(rows: Sequence[dict[str, object]]) -> bytes:
    table = io.StringIO()
    writer = csv.DictWriter(table, list(rows[0]) if rows else ["report"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return table.getvalue().encode()
