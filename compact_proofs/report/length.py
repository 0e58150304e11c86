"""Where each proof's length goes: one bar a proof, split by stage and by kind of operation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from compact_proofs.report.data import Proof, ReportData, labels
from compact_proofs.report.drawing import (
    ORANGE,
    PURPLE,
    SKY,
    YELLOW,
    inline_svg,
    new_figure,
    settings,
    settle,
    to_png,
    to_svg,
)
from compact_proofs.report.section import Block, render
from compact_proofs.report.text import clipped, count, plural, short_count

_MOST_BARS = 30
_OTHER = "everything else"
# The palette; its adaptive colours are a shade apart here, because the text on a bar does not adapt to dark mode.
_COLOURS = ("#1173b0", ORANGE, "#0e9d75", PURPLE, SKY, "#d3600a", YELLOW, "#8c8ec2")
_GREY = "#a4abb3"
_DARK, _LIGHT = "#14181d", "#fdfdfd"


@dataclass(frozen=True)
class _Bar:
    """A proof with its number and its label."""

    number: int
    proof: Proof
    label: str

    @property
    def short(self) -> str:
        """The label if there is room for it, else the strategy's name: the number tells which."""
        return self.label if len(self.label) <= 26 else self.proof.strategy


@dataclass(frozen=True)
class _Split:
    """One way to split a proof's length."""

    name: str
    title: str

    def parts(self, proof: Proof) -> Mapping[str, int]:
        return proof.by_stage if self.name == "stage" else proof.by_category


_SPLITS = (_Split("stage", "By stage of the proof"), _Split("category", "By kind of operation"))


def length_section(data: ReportData) -> Block | None:
    """Draw the two splits; None when no proof has any length."""
    shown = _shown(data)
    if not any(bar.proof.length for bar in shown):
        return None
    with settings():
        both = _draw(shown, _SPLITS, width=12.6)
        files = {"length.png": to_png(both), "length.svg": to_svg(both)}
        pictures = [
            inline_svg(
                _draw(shown, (split,), width=6.6),
                f"length-{split.name}",
                _description(shown, split),
                _hover(shown, split),
            )
            for split in _SPLITS
        ]
    left_out = len(data.proofs) - len(shown)
    return Block(
        "length",
        "Where the length goes",
        render("length.html", pictures=pictures, left_out=left_out, files=files),
        files,
    )


def _shown(data: ReportData) -> list[_Bar]:
    """Choose the proofs that get a bar: all, or those on the frontier first and then the best bounds."""
    ordered = data.by_length
    bars = [_Bar(number, proof, label) for number, (proof, label) in enumerate(zip(ordered, labels(ordered), strict=True), 1)]
    best = sorted(bars, key=lambda bar: (not bar.proof.on_frontier, -bar.proof.bound))[:_MOST_BARS]
    return sorted(best, key=lambda bar: bar.number)


def _draw(shown: list[_Bar], splits: Sequence[_Split], width: float) -> Figure:
    figure = new_figure(width, 1.5 + 0.27 * len(shown))
    for part, split in zip(figure.subfigures(1, len(splits), squeeze=False).flat, splits, strict=True):
        colours = _colours(shown, split)
        _draw_bars(part.subplots(), shown, split, colours)
        handles = [Patch(color=colour) for colour in colours.values()]
        legend = part.legend(handles, [clipped(name, 24) for name in colours], loc="outside lower center", ncols=4)
        for text in legend.get_texts():
            text.set_parse_math(False)
    return settle(figure)


def _remark(proof: Proof) -> str:
    return {"sound": "", "confidence": " (conf.)", "float": " (est.)"}[proof.reading]


def _draw_bars(axes: Axes, shown: list[_Bar], split: _Split, colours: Mapping[str, str]) -> None:
    for row, bar in enumerate(shown):
        start = 0.0
        for name, _, share in _parts(bar, split, colours):
            (patch,) = axes.barh(row, share, left=start, height=0.72, color=colours[name], edgecolor="none").patches
            patch.set_gid(_gid(bar, name, colours))
            if share > 0.08:
                axes.text(
                    start + share / 2,
                    row,
                    f"{share:.0%}",
                    ha="center",
                    va="center",
                    fontsize=7.5,
                    color=_ink(colours[name]),
                )
            start += share
        axes.text(1.015, row, short_count(bar.proof.length), va="center", fontsize=8.5)
    names = [f"{clipped(bar.short, 26)}{_remark(bar.proof)}  {bar.number}" for bar in shown]
    axes.set_yticks(range(len(shown)), names, parse_math=False)
    axes.set_ylim(len(shown) - 0.45, -0.55)
    axes.set_xlim(0, 1)
    axes.xaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
    axes.set_title(split.title)
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False, axis="y")
    for spine in axes.spines.values():
        spine.set_visible(False)


def _colours(shown: list[_Bar], split: _Split) -> dict[str, str]:
    """Give colours to the parts with the largest shares over all proofs, and one grey to all others."""
    weight: dict[str, float] = {}
    for bar in shown:
        parts = split.parts(bar.proof)
        for name, ops in parts.items():
            weight[name] = weight.get(name, 0.0) + ops / max(1, sum(parts.values()))
    ranked = sorted((name for name in weight if weight[name] > 0), key=lambda name: (-weight[name], name))
    colours = dict(zip(ranked, _COLOURS, strict=False))
    return colours if len(ranked) <= len(_COLOURS) else {**colours, _OTHER: _GREY}


def _parts(bar: _Bar, split: _Split, colours: Mapping[str, str]) -> list[tuple[str, int, float]]:
    """Name, operations and share of each part with a colour, in the legend's order."""
    sums = dict.fromkeys(colours, 0)
    for name, ops in split.parts(bar.proof).items():
        if ops:
            sums[name if name in colours else _OTHER] += ops
    whole = sum(sums.values())
    return [(name, ops, ops / whole) for name, ops in sums.items() if ops]


def _gid(bar: _Bar, name: str, colours: Mapping[str, str]) -> str:
    return f"bar-{bar.number}-{list(colours).index(name)}"


def _hover(shown: list[_Bar], split: _Split) -> dict[str, str]:
    colours = _colours(shown, split)
    return {
        _gid(bar, name, colours): f"{bar.number} {bar.label}\n{name}: {count(ops)} operations ({share:.1%})"
        for bar in shown
        for name, ops, share in _parts(bar, split, colours)
    }


def _description(shown: list[_Bar], split: _Split) -> str:
    bars = []
    for bar in shown:
        parts = sorted(_parts(bar, split, _colours(shown, split)), key=lambda part: -part[1])[:3]
        bars.append(f"{bar.number} {bar.label}: " + ", ".join(f"{name} {share:.0%}" for name, _, share in parts))
    return f"{split.title}, the largest parts of {plural(len(shown), 'proof')}. " + "; ".join(bars) + "."


def _ink(colour: str) -> str:
    red, green, blue = to_rgb(colour)
    return _DARK if 0.3 * red + 0.59 * green + 0.11 * blue > 0.45 else _LIGHT
