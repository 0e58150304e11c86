"""``compact-proofs leaderboard``: the certificates of a folder, checked and ranked."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from compact_proofs.cli.files import Force, free_folder
from compact_proofs.cli.options import MaxMemory
from compact_proofs.cli.output import Json, say, show_table, table, write_json
from compact_proofs.errors import BadInput, CertificateRejected
from compact_proofs.files.atomic import made


def leaderboard(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="With a folder of certificates for each entrant.", show_default=False)
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the page, the CSV and the JSON file.")] = Path(
        "leaderboard-page"
    ),
    trust: Annotated[
        list[str] | None,
        typer.Option(
            "--trust",
            metavar="ENTRANT",
            help="Run this entrant's **strategies.py**, which you have read; repeat for more.",
            show_default=False,
        ),
    ] = None,
    force: Force = False,
    max_memory: MaxMemory = None,
    as_json: Json = False,
) -> None:
    """Check every certificate in a folder against the zoo's weights, and rank the entrants on each model.

    An entrant is a folder with certificates, **FOLDER/ENTRANT/\\*.cert**. Certificates by strategies that ship need nothing
    else. A strategy of one's own travels beside them as **strategies.py**, and is run only for entrants that **--trust** names.

    Exit code 1 means that some certificate was not accepted; the page says which, and ranks the others.

    **Example:** compact-proofs leaderboard leaderboard -o page, then open page/index.html
    """
    from compact_proofs.leaderboard import rank, read_entries, write_leaderboard
    from compact_proofs.progress import progress_bars

    if not folder.is_dir():
        raise BadInput(f"{folder}: there is no such folder")
    free_folder(output, force=force)
    with progress_bars():
        entries = read_entries(folder, trust or ())
        places = rank(entries)
    page = write_leaderboard(places, entries, made(output))
    refused = [e for e in entries if e.reason]
    if as_json:
        write_json({"places": [p.to_json() for p in places], "not_accepted": [str(e.file) for e in refused], "page": str(page)})
    else:
        numbers = ("Q", "best bound", "length")
        shown = table("model", "entrant", *numbers, right=numbers)
        for p in places:
            best = p.frontier.highest
            bound, length = (f"{float(best.bound):.6f}", f"{best.length.total:,}") if best else ("0", "-")
            shown.add_row(p.model, p.entrant, "-" if p.q is None else f"{p.q:.4f}", bound, length)
        show_table(shown)
        say(f"\nPage: {page}")
    if refused:
        raise CertificateRejected("; ".join(f"{e.file}: {e.reason}" for e in refused))
