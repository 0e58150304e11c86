"""Progress bars on long work, shown when a program asks for them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from rich.progress import Progress

T = TypeVar("T")
_bars: ContextVar[Progress | None] = ContextVar("progress_bars", default=None)


@contextmanager
def progress_bars(description: str | None = None) -> Iterator[None]:
    """Show bars (on standard error, if it is a terminal) for the work inside; work within work gets a bar below.

    A description adds a bar for the whole, of unknown length.
    """
    from rich.console import Console  # which takes a while, and only programs that show bars need it
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bars:
        if description is not None:
            bars.add_task(description, total=None)
        token = _bars.set(bars)
        try:
            yield
        finally:
            _bars.reset(token)


def track(items: Sequence[T], description: str) -> Iterable[T]:
    """Iterate over items, with a bar if bars are shown."""
    bars = _bars.get()
    return items if bars is None or bars.disable else _tracked(bars, items, description)


def _tracked(bars: Progress, items: Sequence[T], description: str) -> Iterator[T]:
    bar = bars.add_task(description, total=len(items))
    try:
        for item in items:
            yield item
            bars.advance(bar)
    finally:
        bars.remove_task(bar)
