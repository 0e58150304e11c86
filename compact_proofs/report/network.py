"""The section with the network itself: its program, which the claim names by a hash."""

from __future__ import annotations

from compact_proofs.report.data import ReportData
from compact_proofs.report.section import Block, render


def program_section(data: ReportData) -> Block | None:
    """Write M down in index notation."""
    return Block("program", "The function M", render("program.html", data=data)) if data.program else None
