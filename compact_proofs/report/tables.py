"""Sections of the report with the tables that a task offers about a model."""

from __future__ import annotations

from dataclasses import dataclass

from compact_proofs.report.data import ReportData
from compact_proofs.report.section import Block, render
from compact_proofs.report.text import printable
from compact_proofs.tables import Table, number_text


@dataclass(frozen=True)
class TableSection:
    """A section that shows one `Table`."""

    table: Table

    def __call__(self, data: ReportData) -> Block | None:
        """Make the block of the table."""
        table = self.table
        rows = [(printable(label), [number_text(n) for n in numbers]) for label, numbers in table.rows]
        body = render("table.html", caption=table.caption, headings=table.headings, rows=rows)
        return Block(table.name, table.title, body)
