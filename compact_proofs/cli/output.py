"""What commands print: results on standard output, everything else on standard error."""

from __future__ import annotations

import json
import shlex
from fractions import Fraction
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.console import Console
from rich.table import Table

from compact_proofs.decimals import decimal
from compact_proofs.files.untrusted import visible

if TYPE_CHECKING:
    from compact_proofs.core.certificate import Run

results = Console()
"""Standard output, for a person."""

messages = Console(stderr=True)
"""Standard error."""

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on standard output, and nothing else there.")]


def write_json(document: Any) -> None:
    """Print a JSON document, the only thing on standard output."""
    print(json.dumps(document, indent=2, allow_nan=False))


def command(*words: object) -> str:
    """Write a command of this program so that a shell reads it back."""
    return shlex.join(["compact-proofs", *map(str, words)])


def say(text: str = "", style: str | None = None) -> None:
    """Print a line of a result as it is: no markup, no cuts, and nothing in it unseen."""
    results.print(visible(text), style=style, markup=False, highlight=False, soft_wrap=True)


def note(text: str) -> None:
    """Print a remark that is no part of the result."""
    messages.print(visible(text), style="dim", markup=False, highlight=False, soft_wrap=True)


def warn(text: str) -> None:
    """Print what went wrong."""
    messages.print(visible(text), style="bold red", markup=False, highlight=False, soft_wrap=True)


class _Plain(Table):
    """A table whose cells are shown as they are, and nothing in them unseen."""

    def add_row(self, *cells: Any, **options: Any) -> None:
        super().add_row(*(visible(cell) if isinstance(cell, str) else cell for cell in cells), **options)


def table(*columns: str, right: tuple[str, ...] = (), wrap: str = "", title: str | None = None) -> Table:
    """Make a plain table; columns named in `right` hold numbers, the one named in `wrap` may be broken into lines."""
    made = _Plain(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for column in columns:
        justify: Literal["left", "right"] = "right" if column in right else "left"
        made.add_column(column, justify=justify, overflow="fold", no_wrap=column != wrap)
    return made


def show_table(made: Table) -> None:
    """Print a table; where nobody watches, as wide as it needs to be, so that no cell is broken into lines."""
    console = results if results.is_terminal else Console(width=10_000)
    console.print(made, markup=False, highlight=False)


def options_text(options: dict[str, Any]) -> str:
    """Write options as on the command line."""
    return " ".join(f"{key}={value}" for key, value in options.items())


def length_text(certificate: Run) -> str:
    """Write a proof's length with its two parts."""
    length = certificate.length
    return f"{length.total:,} operations: {length.flops:,} FLOPs and {length.int_ops:,} integer operations"


def share_text(bound: Fraction, accuracy: Fraction) -> str:
    """Write bound / accuracy, cut off downwards."""
    return f"{decimal(bound / accuracy, 6)}" if accuracy else "-"
