"""Labels for points that overlap neither each other nor the points, each nearest to its own point."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from matplotlib.axes import Axes
from matplotlib.transforms import BboxBase

from compact_proofs.report.drawing import INK, PAPER

_SIZE = 8.0
_MARKER = 5.5  # half the side of the square that a marker keeps free, in points
_DIRECTIONS = [(np.cos(angle), np.sin(angle)) for angle in np.arange(16) * np.pi / 8]
_DISTANCES = (7.0, 10.0, 14.0)  # in points: further away, nobody could tell whose label it is
_CROSSING = 4.0  # cost of a piece of line under a label, in points of distance
_MOST_CROSSINGS = 4  # a label that hides more of the lines than this has no room


@dataclass(frozen=True)
class Label:
    """A point (in data coordinates) with the text to put beside it; `fallback` is tried where `text` finds no room."""

    x: float
    y: float
    text: str
    fallback: str
    colour: str = INK


def place_labels(axes: Axes, labels: Sequence[Label], points: np.ndarray, curves: Sequence[np.ndarray]) -> None:
    """Write each label at the cheapest free place near its point; a label without any free place is left out.

    Parameters
    ----------
    axes
        With its final limits and its final place in the figure.
    labels
        The most important first: earlier labels choose first.
    points
        [n, 2] data coordinates of all markers, which no label may cover.
    curves
        [n, 2] data coordinates along lines, of which no label hides more than a little.
    """
    scale = axes.figure.dpi / 72
    to_pixels = axes.transData.transform
    centres = to_pixels(points)
    markers = _squares(centres, _MARKER * scale)
    strokes = np.concatenate([_dense(to_pixels(curve)) for curve in curves if len(curve)] or [np.empty((0, 2))])
    frame = axes.get_window_extent()
    taken: list[np.ndarray] = []
    for label in labels:
        at = to_pixels((label.x, label.y))
        for text in (label.text, label.fallback):
            size = _text_size(axes, text)
            places = [
                (distance + _CROSSING * hidden, box)
                for box, distance in _candidates(at, size, scale)
                if _free(box, frame, markers, taken)
                and _nearest(box, at, centres)
                and (hidden := _hidden(box, strokes)) <= _MOST_CROSSINGS
            ]
            if places:
                _, box = min(places, key=lambda place: place[0])
                taken.append(box)
                _write(axes, label, text, ((box[:2] + box[2:]) / 2 - at) / scale)
                break


def _candidates(at: np.ndarray, size: np.ndarray, scale: float) -> list[tuple[np.ndarray, float]]:
    """List boxes [x0, y0, x1, y1] in pixels around a point, with their distances in points."""
    boxes = []
    for distance in _DISTANCES:
        for direction in _DIRECTIONS:
            centre = at + np.array(direction) * (distance * scale + size / 2)
            boxes.append((np.concatenate([centre - size / 2, centre + size / 2]), distance))
    return boxes


def _free(box: np.ndarray, frame: BboxBase, markers: np.ndarray, taken: list[np.ndarray]) -> bool:
    x0, y0, x1, y1 = frame.extents
    inside = box[0] >= x0 and box[1] >= y0 and box[2] <= x1 and box[3] <= y1
    others = np.concatenate([markers, np.array(taken).reshape(-1, 4)])
    clash = (box[0] < others[:, 2]) & (box[2] > others[:, 0]) & (box[1] < others[:, 3]) & (box[3] > others[:, 1])
    return bool(inside and not clash.any())


def _nearest(box: np.ndarray, at: np.ndarray, centres: np.ndarray) -> bool:
    """Whether no other point is nearer to the box than its own, so that nobody takes it for another's label."""
    outside = [np.maximum(np.maximum(box[:2] - point, point - box[2:]), 0) for point in (at[None], centres)]
    own, others = (np.hypot(gap[:, 0], gap[:, 1]).min() for gap in outside)
    return bool(own <= others + 1)


def _hidden(box: np.ndarray, strokes: np.ndarray) -> int:
    """Count the pieces of line under a box."""
    hit = (strokes[:, 0] > box[0]) & (strokes[:, 0] < box[2]) & (strokes[:, 1] > box[1]) & (strokes[:, 1] < box[3])
    return int(hit.sum())


def _write(axes: Axes, label: Label, text: str, offset: np.ndarray) -> None:
    written = axes.annotate(
        text,
        (label.x, label.y),
        xytext=(float(offset[0]), float(offset[1])),
        textcoords="offset points",
        ha="center",
        va="center",
        fontsize=_SIZE,
        color=label.colour,
        parse_math=False,
        bbox={"facecolor": PAPER, "edgecolor": "none", "alpha": 0.75, "pad": 0.6},
        zorder=3.5,
    )
    written.set_in_layout(False)


def _text_size(axes: Axes, text: str) -> np.ndarray:
    probe = axes.text(0, 0, text, fontsize=_SIZE, parse_math=False)
    extent = probe.get_window_extent()
    probe.remove()
    return np.array([extent.width, extent.height]) + 4


def _squares(centres: np.ndarray, half: float) -> np.ndarray:
    return np.concatenate([centres - half, centres + half], axis=1)


def _dense(line: np.ndarray, step: float = 6.0) -> np.ndarray:
    """Points every `step` pixels along a polyline, so that long straight pieces count too."""
    line = line[np.isfinite(line).all(axis=1)]
    pieces = [line[:1]]
    for start, end in pairwise(line):
        parts = max(1, int(np.hypot(*(end - start)) / step))
        pieces.append(start + (end - start) * (np.arange(1, parts + 1) / parts)[:, None])
    return np.concatenate(pieces)
