"""Sections of the report with the tables that a task offers about a model."""

from __future__ import annotations

from dataclasses import dataclass

from compact_proofs.report.data import ReportData
from compact_proofs.report.section import Block, render
from compact_proofs.report.text import printable
from compact_proofs.study import Study, number_text


@dataclass(frozen=True)
class StudySection:
    """A section that shows one study."""

    study: Study

    def __call__(self, data: ReportData) -> Block | None:
        """Make the block of the study's table."""
        study = self.study
        rows = [(printable(label), [number_text(n) for n in numbers]) for label, numbers in study.rows]
        body = render("study.html", caption=study.caption, headings=study.headings, rows=rows)
        return Block(study.name, study.title, body)
