"""Writing a file whole or not at all: the one way in which this package writes what somebody may read or keep."""

from __future__ import annotations

import fcntl
import os
import stat
import uuid
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from compact_proofs.errors import BadInput

_SUFFIX = ".compact-proofs.tmp"
_NOT_WRITTEN = {
    stat.S_IFDIR: "is a folder; give the name of a file in it",
    stat.S_IFBLK: "is a disk; give the name of a file",
    stat.S_IFSOCK: "is a socket; give the name of a file",
}


def write_atomically(path: str | Path, data: bytes) -> None:
    """Write a file so that a reader finds the whole of it, or what was there before.

    The bytes go into a temporary file of the same folder, which then takes the name. A link stays a link: the file that it
    leads to is replaced. What is no regular file cannot be replaced, so a device such as /dev/null or a pipe is written to.
    Temporary files of writers that were killed are removed (`remove_leftovers`).

    Raises
    ------
    BadInput
        If the file cannot be written.
    """
    path = Path(path)
    try:
        kind = _kind(path)
        if kind in _NOT_WRITTEN:
            raise BadInput(f"{path} {_NOT_WRITTEN[kind]}")
        if kind in (stat.S_IFCHR, stat.S_IFIFO):
            with path.open("wb", buffering=0) as stream:
                stream.write(data)
            return
        target = path.resolve()
        remove_leftovers(target.parent)
        _replace(target, data)
    except OSError as error:
        raise BadInput(f"{path}: cannot be written ({error.strerror}); check that the folder exists") from error


def made(folder: str | Path) -> Path:
    """Make a folder, and those that it is in, unless it is there.

    Raises
    ------
    BadInput
        If that is not possible.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(f"{folder}: no such folder can be made ({error.strerror}); choose another place") from None
    return folder


def is_replaced(path: Path) -> bool:
    """Would `write_atomically` replace what is there? (A device or a pipe is only written to.)"""
    return _kind(path) == stat.S_IFREG


def remove_leftovers(folder: Path) -> list[Path]:
    """Remove the temporary files that writers left in a folder when they were killed; return them.

    A writer holds a lock on its temporary file, which the operating system releases when it ends, however it ends: those that
    are locked belong to somebody at work, and stay.
    """
    removed = []
    for file in folder.glob(f".*{_SUFFIX}"):
        try:
            with file.open("rb") as opened:
                fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
                file.unlink()
        except OSError:  # somebody is at work on it, or it is gone, or another user's
            continue
        removed.append(file)
    return removed


def _kind(path: Path) -> int | None:
    """The type of what a path leads to; None if there is nothing."""
    try:
        return stat.S_IFMT(path.stat().st_mode)
    except FileNotFoundError:
        return None


def _replace(path: Path, data: bytes) -> None:
    file = _temporary(path.parent)
    temporary = Path(file.name)
    try:
        with file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
            os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _temporary(folder: Path) -> BinaryIO:
    """A new file in the folder, open and locked."""
    while True:
        file = (folder / f".{uuid.uuid4().hex}{_SUFFIX}").open("xb")
        with suppress(OSError):  # a file system without locks, on which nobody removes leftovers either
            fcntl.flock(file, fcntl.LOCK_EX)
        if os.path.exists(file.name):
            return file
        file.close()  # `remove_leftovers` took it for one, just before it was locked
