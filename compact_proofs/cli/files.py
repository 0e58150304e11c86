"""Where a result may be written: asked before the work starts, made when there is something to write.

One rule for all commands: what exists already is replaced only by ``--force``.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from compact_proofs.cli.output import note
from compact_proofs.errors import BadInput
from compact_proofs.files.atomic import is_replaced, remove_leftovers

Force = Annotated[bool, typer.Option("--force", help="Replace results that are there already.")]


def free_file(path: Path, *, force: bool, sources: tuple[Path | str, ...] = ()) -> Path:
    """Check that a file can be written; nothing is made yet (see `made`).

    Parameters
    ----------
    path
        Where the result goes. A device or a pipe is written to, and needs no force.
    force
        Whether a file that is there already may be replaced.
    sources
        Files that the work reads and that it must not replace.

    Raises
    ------
    BadInput
        Saying what is in the way and what to do.
    """
    if path.is_dir():
        raise BadInput(f"{path} is a folder; give the name of a file in it")
    if path.exists():
        if any(os.path.exists(source) and path.samefile(source) for source in sources):
            raise BadInput(f"{path} is the file that is read; write the result elsewhere")
        if is_replaced(path) and not force:
            raise BadInput(f"{path} exists already; choose another name, or --force to replace it")
    _check_folder(path.parent)
    return path


def free_folder(folder: Path, *, force: bool) -> Path:
    """Check that results can be written into a folder, which is new or empty; nothing is made yet (see `made`).

    Parameters
    ----------
    folder
        Where the results go.
    force
        Whether it may hold something already; files of the same names are then replaced.

    Raises
    ------
    BadInput
        Saying what is in the way and what to do.
    """
    _check_folder(folder)
    if folder.is_dir() and any(folder.iterdir()) and not force:
        raise BadInput(f"{folder} is not empty; choose another folder, or --force to replace files of the same names in it")
    return folder


def _check_folder(folder: Path) -> None:
    """Check that a folder, or the one in which it would be made, can be written in; clean up after writers that were killed."""
    there = next(place for place in (folder, *folder.parents) if os.path.lexists(place))
    if not there.is_dir():
        why = "is not a folder" if there == folder else f"cannot be made, since {there} is not a folder"
        raise BadInput(f"{folder}: it {why}; choose another place")
    if not os.access(there, os.W_OK | os.X_OK):
        raise BadInput(f"{there}: nothing can be written in this folder; choose another, or change its permissions")
    if removed := remove_leftovers(folder):
        note(f"Removed from {folder} what was left behind by a program that was killed: {len(removed)} unfinished file(s).")
