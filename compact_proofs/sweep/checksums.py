"""Checksums of a store's rows: SQLite keeps none of its pages, so that a flipped bit could become a result."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from compact_proofs.sweep.plan import canonical, model_key, proof_key

SETTLED = ("done", "failed")


def checksum(row: Mapping[str, Any]) -> str:
    """SHA-256 of a settled row's names and values, but for its own column and for the path of a failed model.

    A model that failed may be given another path when it is tried again.
    """
    left_out = {"checksum"} | ({"path"} if row["status"] == "failed" else set())
    named = sorted((name, _plain(row[name])) for name in row.keys() if name not in left_out)  # noqa: SIM118 (a row of SQLite)
    return hashlib.sha256(canonical(named).encode()).hexdigest()


def problem(table: str, row: Mapping[str, Any]) -> str | None:
    """Say what is wrong with a row, or None.

    Every row must have the key that follows from what is to be done, and a settled one the checksum that was written with it.
    """
    if row["key"] != _key(table, row):
        return "its key is not that of its content"
    if row["status"] in SETTLED:
        return None if row["checksum"] == checksum(row) else "its checksum is not that of its values"
    return None if row["status"] in ("waiting", "running") else "its status is unknown"


def _key(table: str, row: Mapping[str, Any]) -> str | None:
    try:
        if table == "models":
            return model_key(row["task"], row["recipe"], row["path"], row["content"])
        return proof_key(row["model"], row["strategy"], row["version"], row["options"])
    except (TypeError, ValueError):  # a text that has become bytes
        return None


def _plain(value: Any) -> Any:
    """A value as JSON holds it."""
    return {"bytes": hashlib.sha256(value).hexdigest()} if isinstance(value, bytes) else value
