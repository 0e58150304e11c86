"""Where a result may be written, asked before the work starts."""

from __future__ import annotations

import os
from pathlib import Path

from compact_proofs.errors import BadInput


def writable_file(path: Path, *, force: bool = True, sources: tuple[Path | str, ...] = ()) -> Path:
    """Check that a file can be written, and make its folder.

    Parameters
    ----------
    path
        Where the result goes.
    force
        False if a file that is there already may not be replaced.
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
        if not force:
            raise BadInput(f"{path} exists already; choose another name, or --force to replace it")
    writable_folder(path.parent)
    return path


def writable_folder(folder: Path) -> Path:
    """Make a folder if it is missing.

    Raises
    ------
    BadInput
        If that is not possible, or nothing can be written in it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as e:
        raise BadInput(f"{folder}: no such folder can be made ({e.strerror}); choose another place") from None
    if not os.access(folder, os.W_OK | os.X_OK):
        raise BadInput(f"{folder}: nothing can be written in this folder; choose another, or change its permissions")
    return folder
