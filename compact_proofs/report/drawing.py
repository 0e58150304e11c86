"""How every picture is drawn and saved: one palette, fixed settings, the same bytes for the same data."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import matplotlib
from markupsafe import Markup, escape
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

# Okabe and Ito's colour-blind safe palette. In the page those in ADAPTIVE are CSS variables, which dark mode redefines.
BLUE, VERMILLION, GREEN, ORANGE = "#0072b2", "#b04a00", "#007a58", "#e69f00"
SKY, PURPLE, YELLOW = "#56b4e9", "#a34c7d", "#f0e442"
INK, MUTED, FAINT, PAPER = "#1b1f24", "#5f6873", "#d9dde2", "#ffffff"
ADAPTIVE = {
    INK: "ink",
    MUTED: "muted",
    FAINT: "faint",
    PAPER: "card",
    BLUE: "blue",
    VERMILLION: "vermillion",
    GREEN: "green",
    PURPLE: "purple",
}

PNG_DPI = 200

_SETTINGS: Any = {
    "axes.axisbelow": True,
    "axes.edgecolor": MUTED,
    "axes.grid": True,
    "axes.labelcolor": INK,
    "axes.labelsize": 9.5,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "figure.facecolor": PAPER,
    "figure.dpi": 100,
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "grid.color": FAINT,
    "grid.linewidth": 0.6,
    "legend.edgecolor": "none",
    "legend.facecolor": "none",
    "legend.fontsize": 8.5,
    "legend.frameon": False,
    "savefig.facecolor": PAPER,
    "svg.fonttype": "path",
    "svg.hashsalt": "compact-proofs",
    "text.color": INK,
    "xtick.color": MUTED,
    "xtick.labelcolor": INK,
    "xtick.labelsize": 8.5,
    "ytick.color": MUTED,
    "ytick.labelcolor": INK,
    "ytick.labelsize": 8.5,
}


@contextmanager
def settings() -> Iterator[None]:
    """Draw under the report's own settings, whatever the user's matplotlibrc says."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_SETTINGS)
        yield


def new_figure(width: float, height: float) -> Figure:
    """Make an empty figure of this size in inches, on the Agg canvas."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def new_axes(figure: Figure, rows: int = 1, columns: int = 1) -> list[Axes]:
    """Add a grid of axes to a figure, row by row."""
    return list(figure.subplots(rows, columns, squeeze=False).flat)


def settle(figure: Figure) -> Figure:
    """Lay a finished figure out once and for all; what is drawn on it later moves nothing."""
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    return figure


def to_png(figure: Figure, dpi: int = PNG_DPI) -> bytes:
    """Save a figure as PNG, without dates or versions in it."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi, metadata={"Software": None})
    return buffer.getvalue()


def to_svg(figure: Figure) -> bytes:
    """Save a figure as SVG, without dates or versions in it."""
    buffer = io.BytesIO()
    nothing = {"Creator": None, "Date": None, "Format": None, "Type": None}
    figure.savefig(buffer, format="svg", dpi=PNG_DPI, metadata=nothing)
    return buffer.getvalue()


def inline_svg(figure: Figure, name: str, description: str, hover: Mapping[str, str] | None = None) -> Markup:
    """Turn a figure into an ``<svg>`` element for the page.

    Parameters
    ----------
    name
        Prefix of every id, so that several pictures can share a page.
    description
        The alternative text.
    hover
        Hover texts for the artists with these gids.
    """
    svg = to_svg(figure).decode()
    svg = re.sub(r"<!--.*?-->", "", svg[svg.index("<svg") :], flags=re.DOTALL)
    svg = re.sub(r'\bid="([^"]+)"', rf'id="{name}-\1"', svg)
    svg = re.sub(r'href="#([^"]+)"', rf'href="#{name}-\1"', svg)
    svg = re.sub(r"url\(#([^)]+)\)", rf"url(#{name}-\1)", svg)
    for colour, variable in ADAPTIVE.items():
        svg = svg.replace(colour, f"var(--{variable}, {colour})")
    for gid, text in (hover or {}).items():
        opening = f'<g id="{name}-{gid}">'
        svg = svg.replace(opening, f"{opening}<title>{escape(text)}</title>")
    head, rest = svg.split(">", 1)
    head = re.sub(r' (width|height)="[^"]*"', "", head)
    return Markup(f'{head} role="img" aria-label="{escape(description)}">{rest}')
