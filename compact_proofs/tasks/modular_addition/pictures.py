"""Pictures for the report: the integrand and its rectangles, the answer over all angles with its kinks, margins by a - b."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from matplotlib.axes import Axes

from compact_proofs.models.one_layer_mlp import OneLayerMLP
from compact_proofs.report.data import ReportData
from compact_proofs.report.drawing import (
    BLUE,
    GREEN,
    INK,
    MUTED,
    VERMILLION,
    inline_svg,
    new_axes,
    new_figure,
    settings,
    settle,
    to_png,
)
from compact_proofs.report.section import Block, render
from compact_proofs.tasks.modular_addition.response import quadrature_range
from compact_proofs.tasks.modular_addition.search import folded_in_float64
from compact_proofs.tasks.modular_addition.tables import Analysis, analyse
from compact_proofs.tasks.modular_addition.waves import pair_class

ANGLES = 2000


@dataclass(frozen=True)
class IntegralSection:
    """A section of the report with the pictures of one model."""

    model: OneLayerMLP

    def __call__(self, data: ReportData) -> Block | None:
        """Draw the most important frequency and the margins; for models whose attention is not learned."""
        found = analyse(self.model)
        j = int(found.layer.u.argmax())
        k = int(found.hints["frequencies"][j])
        drawings = (
            ("rectangles", f"Frequency {k}: each neuron is a rectangle under the integrand, as wide as its weight", _rectangles),
            ("answer", f"Frequency {k}: the answer over all angles, its kinks, its bounds, and what the network does", _answer),
            ("classes", "Smallest margin of each class |a - b|: proven from the kinks, and true", _classes),
        )
        cards, files = [], {}
        with settings():
            for name, caption, draw in drawings:
                figure = new_figure(4.6, 3.4)
                (axes,) = new_axes(figure)
                draw(axes, self.model, found, j)
                settle(figure)
                files[f"integral-{name}.png"] = to_png(figure)
                cards.append({"caption": caption, "picture": inline_svg(figure, f"integral-{name}", caption)})
        return Block("integral", "The integral and its kinks", render("heatmaps.html", cards=cards, files=files), files)


def _rectangles(axes: Axes, model: OneLayerMLP, found: Analysis, j: int) -> None:
    """relu(cos phi) cos 2 phi, with a rectangle for each neuron: at its phase its height, its weight its width."""
    c = found.clusters
    amplitude, gamma = c.amplitude[j], torch.complex(c.gamma[0, j], c.gamma[1, j])
    weight = 2 * amplitude.abs() * gamma.abs()
    phase = torch.where(amplitude < 0, math.pi / 2, -math.pi / 2) - c.kinks[j]
    phase = torch.remainder(phase + math.pi, 2 * math.pi) - math.pi
    order = phase.argsort()
    phase, weight, gamma = phase[order], weight[order], gamma[order]
    width = weight * (2 * math.pi / weight.sum())
    left = width.cumsum(0) - width
    left = left + (phase - (left + width / 2)).mean()
    height = phase.cos().relu() * torch.cos(torch.angle(gamma) * -1)
    axes.bar(left.numpy(), height.numpy(), width.numpy(), align="edge", color=BLUE, alpha=0.35, edgecolor=BLUE, linewidth=0.3)
    t = np.linspace(-math.pi, math.pi, ANGLES)
    axes.plot(t, np.maximum(np.cos(t), 0) * np.cos(2 * t), color=INK, linewidth=1.2)
    axes.set_xlabel("phase")
    axes.set_ylabel("relu(cos phase) cos(2 phase)")


def _answer(axes: Axes, model: OneLayerMLP, found: Analysis, j: int) -> None:
    """The answer of the ideal neurons, the network's own, the bounds u and v, the integral."""
    c = found.clusters
    t = torch.arange(ANGLES, dtype=torch.float64) * (math.pi / ANGLES)
    gamma = torch.complex(c.gamma[0, j], c.gamma[1, j])
    read = c.amplitude[j] * torch.sin(t[:, None] - c.kinks[j])
    W = torch.exp(-2j * t) * (read.abs() * gamma).sum(1)
    _scatter(axes, model, found, j)
    x = t.numpy() / math.pi
    axes.plot(x, W.real.numpy(), color=BLUE, label="real part")
    axes.plot(x, W.imag.numpy(), color=VERMILLION, label="imaginary part")
    u, v = float(found.layer.u[j]), float(found.layer.v[j])
    for y, colour in ((u, BLUE), (v, VERMILLION), (-v, VERMILLION)):
        axes.axhline(y, color=colour, linewidth=0.8, linestyle="--")
    integral = quadrature_range(c)
    axes.axhline(float(integral.u[j] + integral.v[j]), color=GREEN, linewidth=0.8, linestyle=":", label="the integral")
    kinks = torch.remainder(c.kinks[j], math.pi).numpy() / math.pi
    axes.plot(kinks, np.zeros_like(kinks), "|", color=MUTED, markersize=5, label="kinks")
    axes.set_xlabel("angle / pi")
    axes.legend(ncols=2, loc="center")


def _scatter(axes: Axes, model: OneLayerMLP, found: Analysis, j: int) -> None:
    """What the cluster's real neurons answer on all pairs whose |cos(pi k (a - b) / p)| is not small, turned back and divided by
    it."""
    f, p = folded_in_float64(model), model.p
    mine = found.hints["cluster"] == j
    k = int(found.hints["frequencies"][j])
    n = torch.arange(p * p)
    a, b = n // p, n % p
    strength = torch.cos(math.pi * k * (a - b) / p).abs()
    seen = strength > 0.5
    rows = found.hints["unembedding"][j]
    with torch.no_grad():
        gamma = model.W_out.double()[mine] @ rows.T
        hidden = torch.relu(f.L[:, mine][a[seen]] + f.R[:, mine][b[seen]])
    written = torch.complex(*(hidden @ gamma).unbind(1))
    angle = math.pi * k * ((a + b)[seen].double()) / p
    W = torch.exp(-2j * angle) * written / strength[seen]
    x = (torch.remainder(angle, math.pi) / math.pi).numpy()
    axes.plot(x, W.real.numpy(), ".", color=BLUE, markersize=1, alpha=0.25)
    axes.plot(x, W.imag.numpy(), ".", color=VERMILLION, markersize=1, alpha=0.25)


def _classes(axes: Axes, model: OneLayerMLP, found: Analysis, j: int) -> None:
    d, _ = pair_class(model.p)
    least = torch.full((model.p // 2 + 1,), torch.inf, dtype=torch.float64)
    least = least.scatter_reduce(0, d, found.margins.flatten(), "amin")
    axes.plot(least.numpy(), ".-", color=INK, linewidth=0.8, markersize=3, label="true")
    low = min(float(least.min()), 0.0) - float(least.abs().max())
    axes.plot(found.bounds.clamp(min=low).numpy(), ".-", color=BLUE, linewidth=0.8, markersize=3, label="proven")
    axes.axhline(0, color=MUTED, linewidth=0.8)
    axes.set_xlabel("|a - b|")
    axes.set_ylabel("smallest margin")
    axes.legend()
