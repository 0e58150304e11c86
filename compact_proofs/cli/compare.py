"""``compact-proofs compare``: several reports on one page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from compact_proofs.cli.files import Force, free_folder
from compact_proofs.cli.output import Json, say, show_table, table, write_json
from compact_proofs.files.atomic import made


def compare(
    reports: Annotated[
        list[Path],
        typer.Argument(metavar="REPORT...", help="Folders that **frontier** wrote, of any models.", show_default=False),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the page, the picture and the table.")] = Path(
        "comparison"
    ),
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Put several reports on one page: their frontiers in one picture, and how long the proofs are that each has.

    For models of one task, for runs with other options, or before and after a change. Nothing is proved again.

    **Example:** compact-proofs compare frontier-max-of-4-seed-123 frontier-max-of-4-seed-104, then open comparison/index.html
    """
    from compact_proofs.report.compare import SHARES, best, read_reports, shortest, write_comparison
    from compact_proofs.report.text import bound_text

    found = read_reports(reports)
    free_folder(output, force=force)
    page = write_comparison(found, made(output))
    lines = [
        (name, max((p.bound for p in best(saved)), default=None), [shortest(saved, s) for s in SHARES]) for name, saved in found
    ]
    if as_json:
        write_json(
            {
                "reports": [
                    {
                        "report": name,
                        "best_bound": None if top is None else float(top),
                        "lengths": {f"{s:g}": None if p is None else p.length for s, p in zip(SHARES, proofs, strict=True)},
                    }
                    for name, top, proofs in lines
                ],
                "page": str(page),
            }
        )
        return
    numbers = ("best bound", *(f"{100 * share:g} %" for share in SHARES))
    shown = table("report", *numbers, right=numbers, wrap="report")
    for name, top, proofs in lines:
        shown.add_row(name, "-" if top is None else bound_text(top), *("-" if p is None else f"{p.length:,}" for p in proofs))
    show_table(shown)
    say("\nLengths of the shortest proofs of so much of the true accuracy (of 1, where it is unknown).")
    say(f"Page: {page}")
