"""Reports: one self-contained HTML page, and the same pictures as PNG and SVG files.

A report is a list of *sections*. A section is any function from :class:`ReportData` to a :class:`Block`, or to None
when it has nothing to show. To add one, write a file with such a function, give it a template if it needs one, and pass
it in the `sections` of :func:`write_report`.
"""

from compact_proofs.report.data import LinearBaseline, MeasuredBaseline, Proof, ReportData
from compact_proofs.report.of_frontier import data_of
from compact_proofs.report.page import DEFAULT_SECTIONS, write_report
from compact_proofs.report.read import read_proofs
from compact_proofs.report.section import Block, Section, render
from compact_proofs.report.tables import TableSection
from compact_proofs.tables import Heatmap

__all__ = [
    "DEFAULT_SECTIONS",
    "Block",
    "Heatmap",
    "LinearBaseline",
    "MeasuredBaseline",
    "Proof",
    "ReportData",
    "Section",
    "TableSection",
    "data_of",
    "read_proofs",
    "render",
    "write_report",
]
