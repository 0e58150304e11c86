"""Sections of the report: the bounds of each explanation, and the margins of all pairs beside the error bounds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from matplotlib.axes import Axes
from torch import Tensor

from compact_proofs.core.claim import largest_other
from compact_proofs.models.pair_mlp import PairMLP
from compact_proofs.models.weights import in_double
from compact_proofs.report.data import Proof, ReportData
from compact_proofs.report.drawing import BLUE, INK, MUTED, VERMILLION, inline_svg, new_axes, new_figure, settings, settle, to_png
from compact_proofs.report.section import Block, Section, render
from compact_proofs.report.text import bound_text, count
from compact_proofs.tasks.groups.margins import MarginBounds
from compact_proofs.tasks.groups.tables import Found
from compact_proofs.tasks.groups.task import Groups

STORIES = {
    "irreps as G-sets": ("g-sets", "g-sets-linear"),
    "cosets": ("cosets",),
    "few directions of output": ("directions",),
    "black box": ("brute-force", "linear"),
}
"""The explanations that are compared, and their strategies."""


def sections(model: PairMLP) -> Sequence[Section]:
    """Both sections."""
    return [explanations_section, MarginsSection(model)]


def best(proofs: Sequence[Proof], story: str) -> Proof | None:
    """The proof that stands for an explanation: the highest bound, and of these the shortest. No brute force on a remainder."""
    mine = [p for p in proofs if p.sound and p.strategy in STORIES[story] and p.options.get("rest", "False") != "True"]
    return max(mine, key=lambda p: (p.bound, -p.length), default=None)


def explanations_section(data: ReportData) -> Block | None:
    """For each explanation what it proves at most, how long that is, and which is right for this model."""
    found = {story: p for story in STORIES if (p := best(data.proofs, story)) is not None}
    box = found.get("black box")
    if box is None:
        return None
    rows = []
    for story, p in found.items():
        rows.append((story, [bound_text(p.bound), count(p.length), f"{box.length / p.length:.3g}", p.strategy]))
    headings = ("explanation", "highest bound", "at length", "times shorter than the black box", "by")
    return Block(
        "explanations", "Which explanation is right", render("table.html", caption=verdict(found), headings=headings, rows=rows)
    )


def verdict(found: dict[str, Proof]) -> str:
    """Say in a sentence which explanation is right, by proof."""
    shorter = {story: p for story, p in found.items() if p.length < found["black box"].length and p.bound > 0}
    shorter.pop("black box", None)
    if not shorter:
        return "No explanation proves anything in fewer operations than brute force: none is right for this model."
    right = max(shorter, key=lambda story: (shorter[story].bound, -shorter[story].length))
    words = f"{right}, which prove {bound_text(shorter[right].bound)} in {count(shorter[right].length)} operations"
    others = [f"{story} prove {bound_text(p.bound)}" for story, p in found.items() if story not in (right, "black box")]
    return (
        f"Right for this model, by proof: {words}; {'; '.join([*others, 'brute force needs ' + count(found['black box'].length)])}."
    )


@dataclass(frozen=True)
class MarginsSection:
    """Pictures of the margins of all pairs: true, and proven."""

    model: PairMLP

    def __call__(self, data: ReportData) -> Block | None:
        """Draw them; nothing where no circuits were found."""
        compared = Found.of(self.model).compared
        if compared is None:
            return None
        with torch.no_grad():
            pairs = _margins(self.model, compared)
        drawings = (
            ("margins", "All pairs by true margin, with what the circuits prove of it; below 0 a pair is left over", _sorted),
            ("errors", "All pairs by error bound; a pair is proven in linear cost where its gap is above", _by_error),
        )
        cards, files = [], {}
        with settings():
            for name, caption, draw in drawings:
                figure = new_figure(4.6, 3.4)
                (axes,) = new_axes(figure)
                draw(axes, pairs)
                settle(figure)
                files[f"pairs-{name}.png"] = to_png(figure)
                cards.append({"caption": caption, "picture": inline_svg(figure, f"pairs-{name}", caption)})
        return Block("pairs", "Margins against errors", render("heatmaps.html", cards=cards, files=files), files)


@dataclass(frozen=True)
class _Margins:
    """Of every pair [n^2]: the true margin, lower bounds of it, the circuits' smallest gap, the bound of all errors."""

    true: Tensor
    outputs: Tensor
    linear: Tensor
    gap: Tensor
    error: Tensor


def _margins(model: PairMLP, compared: MarginBounds) -> _Margins:
    task = Groups.of(model)
    pairs = task.inputs(0, task.size)
    x, y = pairs.T
    z = task.labels(pairs)
    logits = in_double(model)(pairs)
    true = logits.gather(1, z[:, None]).squeeze(1) - largest_other(logits, z)
    outputs = torch.cat([compared.margins(*part) for part in zip(*(t.split(4096) for t in (x, y, z)), strict=True)])
    gap, linear = compared.gaps.smallest().table().flatten(), compared.slack().table().flatten()
    return _Margins(true, outputs, linear, gap, gap - linear)


def _sorted(axes: Axes, pairs: _Margins) -> None:
    order = pairs.true.argsort()
    order = order[:: max(1, len(order) // 2000)]
    place = torch.arange(len(order)) / max(1, len(order) - 1)
    for values, colour, label in (
        (pairs.outputs, BLUE, "proven, for every output"),
        (pairs.linear, VERMILLION, "proven in linear cost"),
    ):
        axes.plot(place, values[order], ".", markersize=1.5, alpha=0.5, color=colour, label=label)
    axes.plot(place, pairs.true[order], color=INK, linewidth=1.2, label="true")
    axes.axhline(0, color=MUTED, linewidth=0.8)
    axes.set_xlabel("share of pairs")
    axes.set_ylabel("margin")
    axes.legend(markerscale=4)


def _by_error(axes: Axes, pairs: _Margins) -> None:
    order = pairs.error.argsort()
    order = order[:: max(1, len(order) // 2000)]
    place = torch.arange(len(order)) / max(1, len(order) - 1)
    axes.plot(place, pairs.gap[order], ".", markersize=1.5, alpha=0.5, color=BLUE, label="smallest gap of the circuits")
    axes.plot(place, pairs.error[order], color=VERMILLION, linewidth=1.4, label="bound of all errors")
    axes.plot(place, (pairs.gap - pairs.true)[order], ".", markersize=1.5, alpha=0.4, color=MUTED, label="gap less true margin")
    axes.set_xlabel("share of pairs")
    axes.legend(markerscale=4, loc="center right")
