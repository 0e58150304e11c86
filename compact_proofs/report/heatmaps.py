"""The model's matrices as heatmaps."""

from __future__ import annotations

import re

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from compact_proofs.report.data import ReportData
from compact_proofs.report.drawing import INK, inline_svg, new_axes, new_figure, settings, settle, to_png
from compact_proofs.report.section import Block, render
from compact_proofs.report.text import printable
from compact_proofs.tables import Heatmap

_SIGNED_MAP, _UNSIGNED_MAP = "RdBu_r", "cividis"
_EVERY_CELL = 512  # larger matrices are smoothed to the picture's resolution


def heatmaps_section(data: ReportData) -> Block | None:
    """Draw each heatmap with its colour bar; None when there are none."""
    if not data.heatmaps:
        return None
    cards = []
    files: dict[str, bytes] = {}
    with settings():
        for number, heatmap in enumerate(data.heatmaps, start=1):
            figure = heatmap_figure(heatmap)
            files[_file_name(heatmap, number, files)] = to_png(figure)
            picture = inline_svg(figure, f"heatmap-{number}", heatmap_description(heatmap))
            cards.append({"caption": heatmap.caption, "picture": picture})
    return Block("heatmaps", "The model's matrices", render("heatmaps.html", cards=cards, files=files), files)


def heatmap_figure(heatmap: Heatmap) -> Figure:
    """Draw a matrix with its colour bar."""
    values = np.asarray(heatmap.values, dtype=float)
    rows, columns = values.shape
    shape = min(1.0, max(0.3, rows / columns))
    figure = new_figure(4.6, 1.0 + 3.4 * shape)
    (axes,) = new_axes(figure)
    limit = float(np.abs(values).max()) or 1.0
    low, high = (-limit, limit) if heatmap.signed else (float(values.min()), float(values.max()))
    image = axes.imshow(
        values,
        cmap=_SIGNED_MAP if heatmap.signed else _UNSIGNED_MAP,
        vmin=low,
        vmax=high,
        aspect="auto",
        interpolation="none" if max(rows, columns) <= _EVERY_CELL else "auto",
    )
    axes.grid(visible=False)
    axes.set_title(printable(heatmap.name), parse_math=False)
    axes.set_ylabel(printable(heatmap.axes[0]), parse_math=False)
    axes.set_xlabel(printable(heatmap.axes[1]), parse_math=False)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(nbins=8, integer=True))
    bar = figure.colorbar(image, ax=axes, pad=0.02, fraction=0.05, aspect=max(6, 22 * shape))
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelcolor=INK, labelsize=8)
    return settle(figure)


def heatmap_description(heatmap: Heatmap) -> str:
    """Say what a matrix is, for those who do not see it."""
    values = np.asarray(heatmap.values)
    rows, columns = values.shape
    return (
        f"Heatmap of {heatmap.name}: {rows} by {columns}, rows {heatmap.axes[0]}, columns {heatmap.axes[1]}, "
        f"values from {values.min():.3g} to {values.max():.3g}. {heatmap.caption}"
    )


def _file_name(heatmap: Heatmap, number: int, taken: dict[str, bytes]) -> str:
    """Name a file after the heatmap, whatever characters its name has; two of one name get their numbers."""
    slug = re.sub(r"[^a-z0-9]+", "-", heatmap.name.lower())[:40].strip("-") or str(number)
    name = f"heatmap-{slug}.png"
    return name if name not in taken else f"heatmap-{slug}-{number}.png"
