"""How certificates, frontiers and explanations look in a notebook: HTML that needs no style sheet, with pictures in it; reports."""

from __future__ import annotations

import base64
from pathlib import Path

from compact_proofs.core.certificate import Run
from compact_proofs.core.frontier import Frontier, distinguishing_options
from compact_proofs.core.views import register_view
from compact_proofs.decimals import decimal
from compact_proofs.report.drawing import settings, to_png
from compact_proofs.report.frontier import frontier_figure
from compact_proofs.report.heatmaps import heatmap_description, heatmap_figure
from compact_proofs.report.of_frontier import data_of
from compact_proofs.report.page import write_report
from compact_proofs.report.section import render
from compact_proofs.report.text import options_text
from compact_proofs.tables import Explained, number_text

DPI = 90


def run_html(c: Run) -> str:
    """What is said, in words, and where the operations went."""
    stages = [(stage, sum(operations.values())) for stage, operations in c.length.by_stage.items()]
    stages.sort(key=lambda part: -part[1])
    return str(render("certificate.html", c=c, options=options_text(c.options), stages=stages))


def frontier_html(frontier: Frontier) -> str:
    """The picture of the frontier, and a table of the proofs."""
    if not frontier.certificates:
        return "<p>No proofs.</p>"
    with settings():
        picture = base64.b64encode(to_png(frontier_figure(data_of(frontier, "frontier")), DPI)).decode()
    rows = [
        (c, options_text(distinguishing_options(c, frontier.certificates)), decimal(c.bound), c in frontier.best)
        for c in frontier.certificates
    ]
    return str(render("notebook_frontier.html", picture=picture, rows=rows))


def explained_html(explained: Explained) -> str:
    """The pictures side by side, and the tables."""
    with settings():
        drawn = [(heatmap_description(h), to_png(heatmap_figure(h), DPI)) for h in explained.heatmaps]
    drawn += [(picture.caption, picture.png) for picture in explained.pictures]
    pictures = [(caption, base64.b64encode(png).decode()) for caption, png in drawn]
    tables = [(table, [(label, [*map(number_text, numbers)]) for label, numbers in table.rows]) for table in explained.tables]
    return str(render("notebook_explained.html", pictures=pictures, tables=tables))


def frontier_report(
    frontier: Frontier, folder: str | Path, *, accuracy: float | None = None, baseline: tuple[float, float] | None = None
) -> Path:
    """Write the report of a frontier into a folder, whose name is its title; return the page."""
    return write_report(data_of(frontier, Path(folder).resolve().name, accuracy, baseline), folder)


register_view(Run, "html", run_html)
register_view(Frontier, "html", frontier_html)
register_view(Frontier, "report", frontier_report)
register_view(Explained, "html", explained_html)
