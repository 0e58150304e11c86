"""Progress bars on long work, shown when a program asks for them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

from rich.console import Console
from rich.progress import track as rich_track

T = TypeVar("T")
_shown: ContextVar[bool] = ContextVar("progress_shown", default=False)


@contextmanager
def progress_bars(shown: bool = True) -> Iterator[None]:
    """Show bars (on standard error, if it is a terminal) for the work inside."""
    token = _shown.set(shown)
    try:
        yield
    finally:
        _shown.reset(token)


def track(items: Sequence[T], description: str) -> Iterable[T]:
    """Iterate over items, with a bar if bars are shown."""
    if not _shown.get():
        return items
    console = Console(stderr=True)
    return rich_track(items, description=description, console=console, transient=True, disable=not console.is_terminal)
