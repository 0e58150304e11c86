"""What a report's page shows, as data: ``proofs.json``, which `compare` reads again, and ``proofs.csv``."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from compact_proofs.errors import BadInput
from compact_proofs.files.untrusted import parse_json
from compact_proofs.report.data import LinearBaseline, Proof, ReportData
from compact_proofs.report.read import read_proofs
from compact_proofs.report.text import options_text, printable

FORMAT = "compact-proofs report 1"
NAME = "proofs.json"
LARGEST = 2**26
"""Bytes of a file that is read."""


@dataclass(frozen=True)
class Saved:
    """The proofs of a report that was written.

    Attributes
    ----------
    title, claim
        Plain text.
    proofs
        At least one, from short to long.
    """

    title: str
    claim: str
    proofs: tuple[Proof, ...]


def as_json(data: ReportData) -> bytes:
    """The title, the claim, the linear baseline, and each proof in the ``--json`` format."""
    line = data.baseline
    end = {"length": line.full_length, "bound": line.full_bound} if isinstance(line, LinearBaseline) else None
    document = {
        "format": FORMAT,
        "title": data.model_name,
        "claim": f"{data.claim_words} {data.claim_formula}",
        "linear_baseline": end,
        "proofs": [_to_json(proof) for proof in data.by_length],
    }
    return (json.dumps(document, indent=1, allow_nan=False) + "\n").encode()


def as_csv(data: ReportData) -> bytes:
    """A line for each proof, from short to long, without what is a table of its own (operations by stage)."""
    rows = []
    for proof in data.by_length:
        row = _to_json(proof)
        length = row.pop("length")
        numbers = {"length": length["total"], "flops": length["flops"], "int_ops": length["int_ops"]}
        rows.append(row | {"options": options_text(proof.options)} | numbers)
    table = io.StringIO()
    writer = csv.DictWriter(table, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return table.getvalue().encode()


def _to_json(proof: Proof) -> dict[str, Any]:
    length = {
        "flops": proof.flops,
        "int_ops": proof.int_ops,
        "total": proof.length,
        "by_category": dict(proof.by_category),
        "by_stage": dict(proof.by_stage),
    }
    return {
        "strategy": proof.strategy,
        "options": {key: value for key, value in proof.options.items() if proof.delta is None or key != "samples"},
        "numerator": str(proof.numerator),
        "denominator": str(proof.denominator),
        "bound": float(proof.bound),
        "true_accuracy": proof.true_accuracy,
        "length": length,
        "unexplained_dimension": proof.unexplained_dimension,
        "explanation_size": proof.explanation_size,
        "reading": proof.reading,
        "seconds": proof.seconds,
        "model_sha256": proof.model_sha256,
        "on_frontier": proof.on_frontier,
        "delta": proof.delta,
        "samples": None if proof.delta is None else proof.options.get("samples"),
        "certificate": proof.certificate,
    }


def read_saved(report: str | Path) -> Saved:
    """Read the proofs of a report.

    Parameters
    ----------
    report
        Its folder, its page, or its ``proofs.json``.

    Raises
    ------
    BadInput
        If there is none, or it is damaged.
    """
    given = Path(report)
    path = given / NAME if given.is_dir() else given.parent / NAME if given.suffix == ".html" else given
    if not path.is_file():
        raise BadInput(
            f"{report}: there is no {path}; give a folder that `compact-proofs frontier` wrote (make older reports again)"
        )
    if path.stat().st_size > LARGEST:
        raise BadInput(f"{path}: it is larger than {LARGEST:,} bytes, which no report is")
    try:
        document = parse_json(path.read_text())
    except (OSError, ValueError, RecursionError) as e:
        raise BadInput(f"{path}: it cannot be read as JSON ({e})") from None
    if not isinstance(document, dict) or document.get("format") != FORMAT or not isinstance(document.get("proofs"), list):
        raise BadInput(f"{path}: it is no {FORMAT!r}; give a folder that `compact-proofs frontier` wrote")
    try:
        proofs = read_proofs(document["proofs"])
    except BadInput as e:
        raise BadInput(f"{path}: {e}") from None
    if not proofs:
        raise BadInput(f"{path}: it has no proofs")
    ordered = tuple(sorted(proofs, key=lambda proof: (proof.length, -proof.bound)))
    return Saved(printable(document.get("title", path.parent.name)), printable(document.get("claim", "")), ordered)
