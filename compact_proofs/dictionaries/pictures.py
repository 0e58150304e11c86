"""For the report: kinds of dictionaries side by side, and their bounds against their errors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from torch import nn

from compact_proofs.dictionaries.hints import plain_component
from compact_proofs.dictionaries.options import named_dictionary
from compact_proofs.dictionaries.score import Score, bound_terms, relative_mse, score
from compact_proofs.inputs.task import Task
from compact_proofs.models.component import Component
from compact_proofs.progress import track
from compact_proofs.report.data import ReportData
from compact_proofs.report.drawing import BLUE, GREEN, VERMILLION, inline_svg, new_axes, new_figure, settings, settle, to_png
from compact_proofs.report.section import Block, render
from compact_proofs.report.tables import TableSection
from compact_proofs.tables import Table

COLOURS = {"fourier": GREEN, "pca": VERMILLION, "metric-pca": BLUE}
SIZES = (8, 12, 16, 20, 24, 32)
"""Features of the dictionaries in the picture."""
SHOWN = (16, 32)
"""Those in the table."""
OPTIONS = {"codes": "tokens", "rank": 20}
"""Many output directions, so that little is lost to anything but the dictionary."""
AFFORDABLE = 3_000_000
"""Largest component, in inputs times neurons, whose dictionaries a report compares by default."""


@dataclass(frozen=True)
class DictionarySection:
    """A section that compares dictionaries over the activations of one model: a table of proofs, a picture of estimates.

    Attributes
    ----------
    model, task
        Tokens must add to the model's activations.
    kinds
        Of dictionaries, beside the tokens themselves.
    """

    model: nn.Module
    task: Task
    kinds: tuple[str, ...] = tuple(COLOURS)

    def __call__(self, data: ReportData) -> Block | None:
        """Prove and draw; nothing for large components."""
        component = plain_component(self.model, self.task)
        if component.size * component.neurons > AFFORDABLE:
            return None
        chosen = [("tokens", None), *((kind, L) for L in SHOWN if component.width >= L for kind in self.kinds)]
        proofs = [self._score(component, kind, L) for kind, L in track(chosen, "dictionaries")]
        caption = "Bound against the squared error, by number of features: estimates. The error counts what no neuron reads, too."
        with settings():
            figure = new_figure(4.6, 3.4)
            self._draw(new_axes(figure)[0], component)
            settle(figure)
            picture = {"caption": caption, "picture": inline_svg(figure, "dictionary-bounds", caption)}
            files = {"dictionary-bounds.png": to_png(figure)}
        table = TableSection(_table(proofs))(data)
        assert table is not None
        body = table.body + render("heatmaps.html", cards=[picture], files=files)
        return Block(table.anchor, table.title, body, files)

    def _score(self, component: Component, kind: str, features: int | None) -> Score:
        strategy = named_dictionary(kind, component, features, None, OPTIONS)
        found = strategy.find(component, self.task).codebook
        return score(kind, self.model, self.task, strategy, strategy.explanation(component, found))

    def _draw(self, axes: Axes, component: Component) -> None:
        for kind in track(self.kinds, "estimates"):
            sizes, errors, bounds = [L for L in SIZES if component.width >= L], [], []
            for L in sizes:
                strategy = named_dictionary(kind, component, L, None, OPTIONS)
                found = strategy.find(component, self.task).codebook
                terms = bound_terms(self.model, self.task, strategy, strategy.explanation(component, found))
                bounds.append(float((terms.margin > 0).double().mean()))
                errors.append(max(relative_mse(component, found, tokens=True), 1e-12))
            axes.plot(errors, bounds, "o-", color=COLOURS[kind], linewidth=0.9, markersize=4, label=kind)
            for L, x, y in zip(sizes, errors, bounds, strict=True):
                axes.annotate(str(L), (x, y), textcoords="offset points", xytext=(3, 3), fontsize=7, color=COLOURS[kind])
        axes.set_xscale("log")
        axes.invert_xaxis()
        axes.set_ylim(-0.05, 1.12)
        axes.set_xlabel("relative squared error")
        axes.set_ylabel("bound (estimate)")
        axes.legend(loc="lower right")


def _table(proofs: Sequence[Score]) -> Table:
    rows = []
    for s in proofs:
        margins = (s.terms["explained"], s.terms["residual"], s.terms["projection"])
        numbers = (float(s.certificate.bound), float(s.certificate.length.total), s.relative_mse, float(s.size))
        rows.append((f"{s.name}, {s.features} features", (*numbers, *margins)))
    return Table(
        "dictionaries",
        "Dictionaries as explanations",
        "What dictionaries over the activations that enter the MLP prove, with codes of tokens. Bounds are proven; the squared "
        "error, relative to the variance, and the medians of the margin and of what it loses are informative.",
        ("dictionary", "bound", "length", "relative error", "explanation", "margin", "residual", "projection"),
        tuple(rows),
    )
