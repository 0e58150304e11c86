"""`Kept`: what long work has finished so far, in one file, so that it can go on there after it was stopped or killed."""

from __future__ import annotations

import hashlib
import sqlite3
from pathlib import Path

from compact_proofs.errors import BadInput

_TABLE = "CREATE TABLE IF NOT EXISTS kept (work TEXT, step TEXT, data BLOB, sha256 TEXT, PRIMARY KEY (work, step))"
PATIENCE = 30
"""Seconds to wait while another process writes."""


class Kept:
    """An SQLite file of finished steps. A step that is in it was written whole, and is there for good.

    Whoever can write the file can change what comes of the work that goes on with it, as with the program itself: keep it where
    others do not write. (A certificate that was made with it is checked without it.)

    Parameters
    ----------
    path
        Made if it is missing.

    Raises
    ------
    BadInput
        If it is another kind of file, or cannot be read or written.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        try:
            self._connection = sqlite3.connect(self.path, timeout=PATIENCE, isolation_level=None)
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = NORMAL")
            self._connection.execute(_TABLE)
        except sqlite3.Error as e:
            raise BadInput(f"{path}: it is no file of unfinished work, or cannot be written ({e}); choose another") from None

    def find(self, work: str, step: str) -> bytes | None:
        """A finished step of some work; None if it is not there, or damaged."""
        return self._rows("work = ? AND step = ?", work, step).get(step)

    def steps(self, work: str) -> dict[str, bytes]:
        """The finished steps of some work, by name, without those that are damaged."""
        return self._rows("work = ?", work)

    def _rows(self, which: str, *values: str) -> dict[str, bytes]:
        try:
            rows = self._connection.execute(f"SELECT work, step, data, sha256 FROM kept WHERE {which}", values).fetchall()
        except sqlite3.Error as e:
            raise BadInput(f"{self.path}: it cannot be read ({e}); remove it to begin anew") from None
        return {step: data for work, step, data, sha256 in rows if isinstance(data, bytes) and _digest(work, step, data) == sha256}

    def keep(self, work: str, step: str, data: bytes) -> None:
        """Write a finished step."""
        row = (work, step, data, _digest(work, step, data))
        try:
            self._connection.execute("INSERT OR REPLACE INTO kept VALUES (?, ?, ?, ?)", row)
        except sqlite3.Error as e:
            raise BadInput(f"{self.path}: it cannot be written ({e})") from None

    def close(self) -> None:
        """Close the file."""
        self._connection.close()


def _digest(work: str, step: str, data: bytes) -> str:
    return hashlib.sha256(b"\0".join([work.encode(), step.encode(), data])).hexdigest()
