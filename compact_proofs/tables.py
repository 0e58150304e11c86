"""Tables and pictures that help to understand a model and its proofs. Informative, not a claim."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import fmean, stdev

import numpy as np

from compact_proofs.core.views import show
from compact_proofs.errors import BadInput


@dataclass(frozen=True)
class Table:
    """A table with a label and numbers in each row.

    Attributes
    ----------
    name
        Short, for anchors and JSON.
    title, caption
        A heading, and what to look for.
    headings
        Of the label's column and of the numbers' columns.
    rows
        Label and numbers of each row; None for a number that there is not.
    """

    name: str
    title: str
    caption: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, tuple[float | None, ...]], ...]


@dataclass(frozen=True)
class Heatmap:
    """A matrix to show.

    Attributes
    ----------
    name
        Such as ``EQKE``.
    values
        [rows, columns], finite.
    axes
        What a row and what a column is, such as ``("query", "key")``.
    caption
        One line that says what to look for.
    signed
        True (the default) for a diverging map centred on 0; False where only size matters.
    """

    name: str
    values: np.ndarray = field(repr=False)
    axes: tuple[str, str]
    caption: str = ""
    signed: bool = True

    def __post_init__(self) -> None:
        values = np.asarray(self.values)
        if values.ndim != 2 or values.size == 0:
            raise BadInput(f"heatmap {self.name}: a non-empty 2-D array is needed, not one of shape {values.shape}")
        if not np.isfinite(values).all():
            raise BadInput(f"heatmap {self.name}: it holds NaN or infinite values")


@dataclass(frozen=True)
class Picture:
    """A picture that is drawn already.

    Attributes
    ----------
    name
        Short, for the name of its file.
    caption
        What is seen, in one line; also for those who do not see it.
    png
        The file's bytes.
    """

    name: str
    caption: str
    png: bytes = field(repr=False)


@dataclass(frozen=True, repr=False)
class Explained:
    """What `compact_proofs.explain` found; a notebook shows it, a terminal its tables. It informs, and proves nothing.

    Attributes
    ----------
    tables
        Where bounds are lost, how much structure the network has, or what a proof does with the inputs.
    heatmaps
        The network's matrices, for the tasks that have some.
    pictures
        Of the boxes of an automatic proof.
    """

    tables: tuple[Table, ...]
    heatmaps: tuple[Heatmap, ...] = ()
    pictures: tuple[Picture, ...] = ()

    def __repr__(self) -> str:
        return "\n\n".join(_text(table) for table in self.tables)

    def _repr_html_(self) -> str:
        """Tables and pictures, for notebooks."""
        return str(show(self, "html"))


def spread(tables: Sequence[Table]) -> Table:
    """Mean and sample standard deviation, cell by cell, of one table of several models: two columns for each.

    Raises
    ------
    BadInput
        If the tables do not have the same rows.
    """
    first = tables[0]
    if any([label for label, _ in s.rows] != [label for label, _ in first.rows] for s in tables):
        raise BadInput(f"the models' tables {first.name!r} have different rows, so they have no mean; ask for one model at a time")
    rows = []
    for i, (label, numbers) in enumerate(first.rows):
        cells: list[float | None] = []
        for j in range(len(numbers)):
            column = [n for s in tables if (n := s.rows[i][1][j]) is not None]
            cells += [fmean(column), stdev(column) if len(column) > 1 else None] if column else [None, None]
        rows.append((label, tuple(cells)))
    headings = (first.headings[0], *(h for heading in first.headings[1:] for h in (f"{heading}, mean", "sd")))
    return Table(first.name, first.title, f"{first.caption} Over {len(tables)} models.", headings, tuple(rows))


def number_text(n: float | None) -> str:
    """Format a number of a table for people."""
    if n is None:
        return "-"
    if n == int(n) and abs(n) < 1e15:
        return f"{int(n):,}"
    return f"{n:.6f}" if 0.5 <= abs(n) <= 1 else f"{n:.4g}"


def _text(table: Table) -> str:
    cells = [table.headings, *((label, *map(number_text, numbers)) for label, numbers in table.rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(table.headings))]
    lines = (
        "  ".join(
            cell.ljust(width) if i == 0 else cell.rjust(width) for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in cells
    )
    return "\n".join((table.title, table.caption, *(line.rstrip() for line in lines)))
