"""Options for many cores and machines, and for work that goes on where it was stopped."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from compact_proofs.cli.files import free_folder
from compact_proofs.cli.output import note
from compact_proofs.errors import BadInput, TooLarge, WorkersLost
from compact_proofs.files.atomic import made

Jobs = Annotated[
    int,
    typer.Option(
        "--jobs",
        "-j",
        min=1,
        help="Processes on this machine that carry out proofs, of one core each. Result and length are those of one process.",
    ),
]

Dask = Annotated[
    str | None,
    typer.Option(
        "--dask",
        metavar="ADDRESS",
        help="Use the workers of the Dask scheduler at this address instead, such as **tcp://127.0.0.1:8786**.",
        show_default=False,
    ),
]

ResumeFile = Annotated[
    Path | None,
    typer.Option(
        "--resume",
        metavar="FILE",
        help="Keep what is finished in this file, and go on with what is there: after Ctrl-C, a crash, or kill -9. Made if it is "
        "missing.",
        show_default=False,
    ),
]


@contextmanager
def going_on(how: str | None) -> Iterator[None]:
    """If the work inside is interrupted, say how it goes on; None where nothing is kept."""
    try:
        yield
    except KeyboardInterrupt:
        if how is not None:
            note(f"Interrupted. What is finished is kept; go on with it by: {how}")
        raise


UNFINISHED = "unfinished.sqlite"
"""The file, in a folder of results, in which work that takes long keeps what is finished."""


def free_to_go_on(folder: Path, *, resume: bool, force: bool) -> Path:
    """Check that results can be written into a folder: as `free_folder`, or that unfinished work is to go on there.

    Raises
    ------
    BadInput
        Saying what is in the way and what to do.
    """
    unfinished = (folder / UNFINISHED).exists()
    if unfinished and not (resume or force):
        raise BadInput(f"{folder} holds work that was stopped; --resume to go on with it, or --force to begin anew")
    return free_folder(folder, force=force or (resume and unfinished))


@contextmanager
def kept_in(folder: Path, *, resume: bool) -> Iterator[Path]:
    """Give the file in which the work inside keeps what is finished: that of an earlier run, or a new one.

    It is removed when the work is done, or cannot be done, and so are folders that were made for it. It stays where the work can go
    on: after an interruption, for which it is said how, and where workers or memory were missing.
    """
    missing = [place for place in (folder, *folder.parents) if not place.exists()]
    unfinished = made(folder) / UNFINISHED
    if not resume:
        _remove(unfinished)
    try:
        with going_on("the same command with --resume"):
            yield unfinished
    except (KeyboardInterrupt, WorkersLost, TooLarge):
        raise
    except BaseException:
        _remove(unfinished)
        for place in missing:
            if not any(place.iterdir()):
                place.rmdir()
        raise
    _remove(unfinished)


def _remove(unfinished: Path) -> None:
    for ending in ("", "-wal", "-shm"):
        unfinished.with_name(unfinished.name + ending).unlink(missing_ok=True)
