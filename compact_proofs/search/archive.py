"""`Archive`: every proposal with its result, a line of JSON each, appended as it comes; a search can go on where it stopped."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from compact_proofs.errors import BadInput
from compact_proofs.files.atomic import write_atomically
from compact_proofs.files.untrusted import parse_json
from compact_proofs.search.proposal import Proposal, Result
from compact_proofs.search.state import Tried

FORMAT = "compact-proofs search 1"


class Archive:
    """A file whose first line says what is searched, and each other line what was tried.

    Parameters
    ----------
    path
        Made if it is missing.
    about
        What its results depend on (the models' hashes, the limits, the package's version).

    Raises
    ------
    BadInput
        If it is about something else, or was damaged other than by an interruption while its last line was written.
    """

    def __init__(self, path: str | Path, about: dict[str, Any]) -> None:
        self.path = Path(path)
        head = {"format": FORMAT, **about}
        self.tried: list[Tried] = []
        try:
            lines = self.path.read_text().split("\n") if self.path.exists() else []
            if not any(lines):
                write_atomically(self.path, (json.dumps(head) + "\n").encode())
                return
            self._read(head, lines[:-1])
            if lines[-1]:  # cut off while it was written
                write_atomically(self.path, ("\n".join(lines[:-1]) + "\n").encode())
        except (OSError, UnicodeDecodeError) as e:
            raise BadInput(f"{self.path}: it cannot be read or written ({type(e).__name__}); choose another file") from None

    def _read(self, head: dict[str, Any], lines: list[str]) -> None:
        try:
            first, *rest = [parse_json(line) for line in lines]
        except ValueError:
            raise BadInput(f"{self.path}: not an archive of a search, or damaged; choose another file") from None
        if first != head:
            differs = [k for k in head if not isinstance(first, dict) or first.get(k) != head[k]]
            raise BadInput(f"{self.path}: an archive of another search (its {', '.join(differs)} differ); choose another file")
        for number, line in enumerate(rest, start=2):
            try:
                self.tried.append((Proposal.model_validate(line["proposal"]), Result.model_validate(line["result"])))
            except (ValidationError, KeyError, TypeError):
                raise BadInput(f"{self.path}: line {number} is no proposal with a result; remove it") from None

    def append(self, tried: Tried) -> None:
        """Add a line, at once on disk."""
        self.tried.append(tried)
        line = {"proposal": tried[0].model_dump(), "result": tried[1].model_dump()}
        with self.path.open("a") as f:
            f.write(json.dumps(line) + "\n")
