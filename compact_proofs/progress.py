"""Progress bars on long work, shown when a program asks for them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from rich.progress import Progress

T = TypeVar("T")
_bars: ContextVar[Progress | None] = ContextVar("progress_bars", default=None)


@contextmanager
def progress_bars(description: str | None = None) -> Iterator[None]:
    """Show bars for the work inside, with the time left; work within work gets a bar below.

    They are shown on standard error, if it is a terminal, and in the output of a notebook's cell.

    A description adds a bar for the whole, of unknown length.
    """
    from rich.console import Console  # which takes a while, and only programs that show bars need it
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[status]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    if console.is_jupyter:
        from compact_proofs.notebook_progress import NotebookProgress

        shown: Progress = NotebookProgress(*columns)
    else:
        shown = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
    with shown as bars:
        if description is not None:
            bars.add_task(description, total=None, status="")
        token = _bars.set(bars)
        try:
            yield
        finally:
            _bars.reset(token)


def track(items: Sequence[T], description: str) -> Iterable[T]:
    """Iterate over items, with a bar if bars are shown."""
    bars = _bars.get()
    return items if bars is None or bars.disable else _tracked(items, description)


def _tracked(items: Sequence[T], description: str) -> Iterator[T]:
    with counted(len(items), description) as advance:
        for done, item in enumerate(items, start=1):
            yield item
            advance(done, "")


@contextmanager
def counted(total: int, description: str) -> Iterator[Callable[[int, str], None]]:
    """A bar for work in steps, if bars are shown: call what is given with the number of steps done and a word about the state."""
    bars = _bars.get()
    if bars is None:
        yield lambda done, status: None
        return
    bar = bars.add_task(description, total=total, status="")
    try:
        yield lambda done, status: bars.update(bar, completed=done, status=status)
    finally:
        bars.remove_task(bar)
