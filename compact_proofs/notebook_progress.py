"""Progress bars in the output of a notebook's cell."""

from __future__ import annotations

import io
import time
from typing import Any

from IPython.display import HTML, display
from rich.console import Console
from rich.progress import Progress, ProgressColumn

PAUSE = 0.2
"""Seconds between two drawings, at least."""
WIDTH = 110
"""Characters of a line."""
FORMAT = '<pre style="white-space:pre;overflow-x:auto;line-height:normal;font-family:monospace">{code}</pre>'


class NotebookProgress(Progress):
    """Bars as in a terminal, drawn anew in one place of the cell's output, and gone when the work is done.

    Rich's own need widgets, which many notebooks do not have.
    """

    def __init__(self, *columns: ProgressColumn) -> None:
        self._cell: Any = None
        self._drawn = 0.0
        self._page = Console(file=io.StringIO(), record=True, width=WIDTH, force_terminal=True, force_jupyter=False)
        super().__init__(*columns, console=self._page, auto_refresh=False)

    def start(self) -> None:
        """Take a place in the output."""
        self._cell = display(HTML(""), display_id=True)

    def stop(self) -> None:
        """Leave nothing there."""
        self._cell.update(HTML(""))
        self._cell = None

    def update(self, *args: Any, **changes: Any) -> None:
        """Change a bar, and draw it if that was not done just now."""
        super().update(*args, **changes)
        if time.monotonic() - self._drawn >= PAUSE:
            self.refresh()

    def refresh(self) -> None:
        """Draw all bars."""
        if self._cell is not None:
            self._drawn = time.monotonic()
            self._page.print(self.get_renderable())
            self._cell.update(HTML(self._page.export_html(inline_styles=True, code_format=FORMAT)))
