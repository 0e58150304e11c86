"""Progress bars where there is no terminal: in a notebook."""

from __future__ import annotations

import builtins
import re
from typing import Any

import pytest

from compact_proofs import progress_bars
from compact_proofs.progress import counted, track


class ZMQInteractiveShell:
    """What a notebook's kernel calls its shell, by which it is known."""


class Cell:
    """The place in a cell's output; what is drawn there, as text."""

    def __init__(self) -> None:
        self.drawn: list[str] = []

    def update(self, html: Any) -> None:
        self.drawn.append(re.sub(r"<[^>]*>", "", html.data))


@pytest.fixture
def cell(monkeypatch: pytest.MonkeyPatch) -> Cell:
    pytest.importorskip("IPython")
    from compact_proofs import notebook_progress

    found = Cell()
    monkeypatch.setattr(builtins, "get_ipython", ZMQInteractiveShell, raising=False)
    monkeypatch.setattr(notebook_progress, "display", lambda html, display_id: found)
    monkeypatch.setattr(notebook_progress, "PAUSE", 0)
    return found


def test_bars_in_a_notebook(cell: Cell, capsys: pytest.CaptureFixture[str]) -> None:
    with progress_bars("all of it"):
        assert list(track([1, 2, 3], "parts")) == [1, 2, 3]
        with counted(5, "steps") as advance:
            advance(2, "so far")
    assert any("all of it" in text and "parts" in text and "2/3" in text for text in cell.drawn)
    assert any("steps" in text and "2/5" in text and "so far" in text for text in cell.drawn)
    assert cell.drawn[-1] == ""
    assert capsys.readouterr() == ("", "")
    assert "<" not in cell.drawn[0]


def test_few_drawings(cell: Cell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("compact_proofs.notebook_progress.PAUSE", 60)
    with progress_bars():
        assert len(list(track(range(1000), "parts"))) == 1000
    assert len(cell.drawn) < 10
