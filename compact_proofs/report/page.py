"""Writing a report to a folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from compact_proofs.files.atomic import made, write_atomically
from compact_proofs.report.data import ReportData
from compact_proofs.report.frontier import frontier_section
from compact_proofs.report.header import header_section
from compact_proofs.report.heatmaps import heatmaps_section
from compact_proofs.report.length import length_section
from compact_proofs.report.network import program_section
from compact_proofs.report.proofs import proofs_section
from compact_proofs.report.section import Section, render

DEFAULT_SECTIONS: tuple[Section, ...] = (
    header_section,
    frontier_section,
    proofs_section,
    length_section,
    heatmaps_section,
    program_section,
)


def write_report(data: ReportData, directory: str | Path, sections: Sequence[Section] = DEFAULT_SECTIONS) -> Path:
    """Write ``index.html``, which needs no other file and no network, and the pictures beside it.

    Each file appears complete or not at all, and the page last.

    Parameters
    ----------
    directory
        Made if it is missing; files of the same names in it are replaced, others are left alone.
    sections
        In the page's order; ``(*DEFAULT_SECTIONS, mine)`` adds one.

    Returns
    -------
    Path
        The page.

    Raises
    ------
    BadInput
        The folder cannot be written.
    """
    blocks = [block for section in sections if (block := section(data)) is not None]
    files = {name: content for block in blocks for name, content in block.files.items()}
    page = render("page.html", title=data.model_name, blocks=blocks)
    return write_page(page, files, directory)


def write_page(page: str, files: Mapping[str, bytes], directory: str | Path) -> Path:
    """Write ``index.html`` and the files beside it into a folder, which is made if it is missing; `BadInput` if it cannot be."""
    folder = made(directory)
    for name, content in files.items():
        write_atomically(folder / name, content)
    write_atomically(folder / "index.html", page.encode())
    return folder / "index.html"
