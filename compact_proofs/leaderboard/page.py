"""The leaderboard as one HTML page that needs no other file, a CSV and a JSON file."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from compact_proofs.files.atomic import made, write_atomically
from compact_proofs.leaderboard.entries import Entry
from compact_proofs.leaderboard.ranking import BOUNDS, LENGTHS, Place
from compact_proofs.report.section import render
from compact_proofs.report.text import short_count


def write_leaderboard(places: Sequence[Place], entries: Sequence[Entry], folder: Path) -> Path:
    """Write ``index.html``, ``leaderboard.csv`` and ``leaderboard.json`` into a folder; return the page."""
    made(folder)
    rows = [place.to_json() for place in places]
    table = io.StringIO()
    writer = csv.DictWriter(table, list(rows[0]) if rows else ["model"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_atomically(folder / "leaderboard.csv", table.getvalue().encode())
    refused = [{"file": str(e.file), "entrant": e.entrant, "model": e.model, "reason": e.reason} for e in entries if e.reason]
    document = {"places": rows, "not_accepted": refused}
    write_atomically(folder / "leaderboard.json", (json.dumps(document, indent=1) + "\n").encode())
    models = [(name, list(group)) for name, group in groupby(places, lambda place: place.model)]
    page = render(
        "leaderboard.html", models=models, refused=refused, lengths=LENGTHS, bounds=BOUNDS, count=short_count, accepted=len(rows)
    )
    write_atomically(folder / "index.html", page.encode())
    return folder / "index.html"
