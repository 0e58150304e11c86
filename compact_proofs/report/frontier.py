"""The frontier: bound against proof length with the linear baseline, and a second panel for bounds near 1."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from compact_proofs.report.data import LinearBaseline, Proof, ReportData, labels
from compact_proofs.report.drawing import (
    BLUE,
    GREEN,
    INK,
    MUTED,
    PAPER,
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
from compact_proofs.report.placement import Label, place_labels
from compact_proofs.report.section import Block, render
from compact_proofs.report.text import accuracy_text, bound_text, clipped, plural, short_count

_LONGEST = 24  # a longer name gives way to the strategy's with the proof's number in the table
_FEW = 8  # dominated proofs and estimates are labelled when their strategy has at most this many proofs


@dataclass(frozen=True)
class _Panel:
    """One way to put a bound on the y axis: as it is, or as what is missing to 1 on an inverted log axis."""

    uncovered: bool
    floor: float = 0.0

    def y(self, bound: float, missing: float) -> float:
        """Height of a bound; `missing` is 1 - bound, apart because it may be below the spacing of floats near 1."""
        return max(missing, self.floor) if self.uncovered else bound

    def gid(self, number: int) -> str:
        """Id of a proof's point in the picture."""
        return f"{'missing' if self.uncovered else 'bound'}-{number}"

    def of(self, proof: Proof) -> float:
        return self.y(float(proof.bound), float(1 - proof.bound))


_BOUND = _Panel(uncovered=False)


def frontier_section(data: ReportData) -> Block:
    """Draw the frontier, in two panels."""
    panels = (_BOUND, _uncovered_panel(data))
    with settings():
        both = frontier_figure(data)
        files = {"frontier.png": to_png(both), "frontier.svg": to_svg(both)}
        pictures = [
            inline_svg(_draw(data, (panel,), width=6.6), name, _description(data, panel), _hover(data, panel))
            for name, panel in zip(("frontier", "uncovered"), panels, strict=True)
        ]
    return Block(
        anchor="frontier",
        title="Frontier",
        body=render("frontier.html", pictures=pictures, notes=_notes(data), files=files),
        files=files,
    )


def frontier_figure(data: ReportData) -> Figure:
    """Draw both panels side by side, to be called under `compact_proofs.report.drawing.settings`."""
    return _draw(data, (_BOUND, _uncovered_panel(data)), width=12.6)


def _draw(data: ReportData, panels: Sequence[_Panel], width: float) -> Figure:
    figure = new_figure(width, 5.0)
    all_axes = new_axes(figure, 1, len(panels))
    for axes, panel in zip(all_axes, panels, strict=True):
        _set_up(axes, data, panel)
    handles: dict[str, Line2D] = {}
    curves = []
    for axes, panel in zip(all_axes, panels, strict=True):
        curves.append(_draw_lines(axes, data, panel, handles))
        _draw_points(axes, data, panel, handles)
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=2 if len(panels) == 1 else 4)
    settle(figure)
    for axes, panel, lines in zip(all_axes, panels, curves, strict=True):
        _draw_labels(axes, data, panel, lines)
    return figure


def _set_up(axes: Axes, data: ReportData, panel: _Panel) -> None:
    axes.set_xscale("log")
    axes.set_xlim(*_range(data))
    axes.set_xlabel("proof length (FLOPs + integer operations)")
    if panel.uncovered:
        axes.set_yscale("log")
        axes.set_ylim(1.7, panel.floor * 0.5)
        axes.set_ylabel("1 − bound")
        axes.set_title("What the proof does not cover (up is better)")
    else:
        axes.set_ylim(-0.05, 1.1)
        axes.set_ylabel("bound on the accuracy")
        axes.set_title("What the proof covers")


def _draw_lines(axes: Axes, data: ReportData, panel: _Panel, handles: dict[str, Line2D]) -> list[np.ndarray]:
    """Draw the step lines, the baseline and the true accuracy; return them as [n, 2] arrays for the labels to avoid."""
    left, right = _range(data)
    curves = []

    def line(xs: Sequence[float] | np.ndarray, ys: Sequence[float] | np.ndarray, label: str, **style: object) -> None:
        (handles[label],) = axes.plot(xs, ys, **style)  # type: ignore[arg-type]
        curves.append(np.column_stack([xs, ys]).astype(float))

    if data.baseline is not None:
        xs = np.geomspace(left, right, 400)
        bounds = data.baseline.bound_at(xs)
        ys = [panel.y(bound, 1 - bound) for bound in bounds]
        line(xs, ys, "linear baseline", color=MUTED, linestyle=(0, (5, 3)), linewidth=1.4)
    accuracy = data.true_accuracy
    if accuracy is not None and not (panel.uncovered and accuracy == 1):
        height = panel.y(accuracy, 1 - accuracy)
        label = f"true accuracy {accuracy_text(accuracy)}"
        line([left, right], [height, height], label, color=GREEN, linestyle="-.", linewidth=1.3)
    for sound, colour, style, label in (
        (True, BLUE, "-", "Pareto frontier of the proofs"),
        (False, VERMILLION, ":", "frontier of the estimates"),
    ):
        best = [proof for proof in data.by_length if proof.on_frontier and proof.reading == ("sound" if sound else "float")]
        if best and (sound or not data.any_sound):
            corners = np.append(np.repeat([_x(proof) for proof in best], 2)[1:], right)
            heights = np.repeat([panel.of(proof) for proof in best], 2)
            line(corners, heights, label, color=colour, linestyle=style, linewidth=1.8)
    return curves


def _draw_points(axes: Axes, data: ReportData, panel: _Panel, handles: dict[str, Line2D]) -> None:
    for number, proof in enumerate(data.by_length, start=1):
        if not proof.sound:
            label, marker, edge, face = _unproven(proof)
        elif proof.on_frontier:
            label, marker, edge, face = "proof on the frontier", "o", BLUE, BLUE
        else:
            label, marker, edge, face = "dominated proof", "o", BLUE, PAPER
        if panel.uncovered and proof.bound == 1:
            label, marker = f"{label}, bound exactly 1", "^"
        (handles[label],) = axes.plot(
            [_x(proof)],
            [panel.of(proof)],
            linestyle="none",
            marker=marker,
            markersize=7 if proof.sound else 6,
            markeredgecolor=edge,
            markeredgewidth=1.4,
            markerfacecolor=face,
            clip_on=False,
            gid=panel.gid(number),
            zorder=5 if proof.on_frontier else 4,
        )


def _unproven(proof: Proof) -> tuple[str, str, str, str]:
    """Label, marker, edge and face of a point that is no proof."""
    if proof.delta is not None:
        return f"proof and sample, false with probability {proof.delta:.1g}", "s", PURPLE, PAPER
    return "estimate (float reading, proves nothing)", "D", VERMILLION, PAPER


def _draw_labels(axes: Axes, data: ReportData, panel: _Panel, curves: list[np.ndarray]) -> None:
    proofs = data.by_length
    crowd = Counter(proof.strategy for proof in proofs)
    wanted = []
    for number, (proof, name) in enumerate(zip(proofs, labels(proofs), strict=True), start=1):
        fallback = str(number)
        text = name if len(name) <= _LONGEST else f"{clipped(proof.strategy, _LONGEST)} {fallback}"
        if not proof.sound:
            text, fallback = f"{text} ({proof.kind})", f"{fallback} ({proof.kind})"
        if proof.on_frontier or crowd[proof.strategy] <= _FEW:
            colour = INK if proof.sound and proof.on_frontier else MUTED if proof.sound else _unproven(proof)[2]
            label = Label(_x(proof), panel.of(proof), text, fallback, colour)
            wanted.append((not proof.on_frontier, not proof.sound, label))
    wanted.sort(key=lambda item: item[:2])
    points = np.array([(_x(proof), panel.of(proof)) for proof in proofs])
    place_labels(axes, [label for _, _, label in wanted], points, curves)


def _uncovered_panel(data: ReportData) -> _Panel:
    """Put the floor below the smallest 1 - bound; a bound of exactly 1, infinitely far up, is drawn on it."""
    missing = [float(1 - proof.bound) for proof in data.proofs if proof.bound < 1]
    if data.true_accuracy is not None and data.true_accuracy < 1:
        missing.append(1 - data.true_accuracy)
    return _Panel(uncovered=True, floor=max(min([*missing, 0.1]), 1e-300) / 3)


def _range(data: ReportData) -> tuple[float, float]:
    """Span the proofs, with room for labels on the left, and the end of the linear baseline unless it is far away."""
    lengths = [_x(proof) for proof in data.proofs]
    left, right = min(lengths), max(lengths)
    if isinstance(data.baseline, LinearBaseline) and right < data.baseline.full_length < 30 * right:
        right = data.baseline.full_length
    decades = math.log10(right / left)
    margin = 10 ** max(0.15, 0.06 * decades, (1.2 - decades) / 2)
    return left / margin**2, right * margin


def _x(proof: Proof) -> float:
    return float(max(proof.length, 1))


def _hover(data: ReportData, panel: _Panel) -> dict[str, str]:
    texts = {}
    for number, (proof, name) in enumerate(zip(data.by_length, labels(data.by_length), strict=True), start=1):
        kind = proof.kind if proof.delta is None else f"false with probability {proof.delta:.1g}:"
        texts[panel.gid(number)] = (
            f"{kind} {number}: {name}\nbound {bound_text(proof.bound)}, {short_count(proof.length)} operations"
        )
    return texts


def _description(data: ReportData, panel: _Panel) -> str:
    best = max(data.proofs, key=lambda proof: (proof.sound, proof.reading == "confidence", proof.bound))
    shown = "1 minus the bound, on an inverted log axis," if panel.uncovered else "The bound"
    on_frontier = sum(proof.on_frontier for proof in data.proofs)
    return (
        f"{shown} against proof length on a log axis, for {plural(len(data.proofs), 'proof')}, "
        f"{on_frontier} on the frontier; "
        f"the best {best.kind} has bound {bound_text(best.bound)} "
        f"in {short_count(best.length)} operations. The table below has every number."
    )


def _notes(data: ReportData) -> list[str]:
    """Say in words what the picture leaves out."""
    notes = []
    _, right = _range(data)
    if isinstance(data.baseline, LinearBaseline) and data.baseline.full_length > right:
        notes.append(
            "The linear baseline reaches its full bound beyond the right edge, at "
            f"{short_count(round(data.baseline.full_length))} operations."
        )
    if data.true_accuracy == 1:
        notes.append("The true accuracy is exactly 1, which has no place on the second panel's log axis.")
    return notes
