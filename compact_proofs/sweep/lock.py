"""One sweep at a time on a store: a lock that the operating system releases when its holder ends, however it ends."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from compact_proofs.errors import BadInput

PATIENCE = 2.0
"""Seconds to wait for a lock: one that is only being looked at is free again at once."""


class Locked(BadInput):
    """Another sweep is running on the store."""


class Lock:
    """An exclusive SQLite lock on an empty file beside the store, so that others may still read the store.

    The lock belongs to the process, and not to a row that a dead process would leave behind; a number of a process that is
    used again by another means nothing to it.

    Raises
    ------
    Locked
        If another process holds it.
    """

    def __init__(self, store: Path, patience: float = PATIENCE) -> None:
        self._connection = sqlite3.connect(lock_file(store), timeout=patience, isolation_level=None)
        try:
            self._connection.execute("BEGIN EXCLUSIVE")
        except sqlite3.Error as e:
            self._connection.close()
            if "locked" in str(e):
                raise Locked(f"{store}: another sweep is running on this store") from None
            raise BadInput(f"{lock_file(store)}: this is not the lock of a sweep ({e}); remove it") from None

    def release(self) -> None:
        """Let others have it. The file stays: removing it could take it from under another sweep."""
        self._connection.close()


def lock_file(store: Path) -> Path:
    """The file that is locked."""
    return store.with_name(store.name + ".lock")


def is_running(store: Path) -> bool:
    """Is a sweep running on the store?"""
    if not lock_file(store).exists():
        return False
    try:
        Lock(store, patience=0).release()
    except Locked:
        return True
    return False
