"""Pages of the documentation as lists of code blocks, and running them as a reader would: from top to bottom, in an empty folder.

A comment before a block says how it is meant:

* ``<!-- not run: why -->``: it is shown only.
* ``<!-- needs: transformer_lens < 4 -->``: it runs where that package is installed, in such a version.
* ``<!-- file: task.py -->``: it is the content of that file.
* ``<!-- above: mine.py -->``, before commands: the Python of the page so far is the content of that file.

Python blocks of a page share their names. A ``text`` block says what the block before it prints, where ``...`` stands for anything.
Of ``bash`` blocks the commands ``compact-proofs`` are run; others (pip, make) are not.
"""

from __future__ import annotations

import contextlib
import doctest
import importlib.metadata
import io
import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from typer.testing import CliRunner

from compact_proofs.cli.app import app

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]

_BLOCK = re.compile(r"(?:<!-- ([^\n]*?) -->\n)?^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """One fenced block: the comment before it, its language and its text."""

    mark: str
    language: str
    text: str

    @property
    def wanted(self) -> bool:
        """Whether it is to be run here."""
        kind, _, rest = self.mark.partition(": ")
        return kind != "not run" and (kind != "needs" or _is_there(rest))


def blocks(page: Path) -> list[Block]:
    """The fenced blocks of a page, in their order."""
    return [Block(mark or "", language, text) for mark, language, text in _BLOCK.findall(page.read_text())]


def _is_there(needed: str) -> bool:
    name, _, below = needed.partition(" < ")
    try:
        version = importlib.metadata.version(name.replace("_", "-"))
    except importlib.metadata.PackageNotFoundError:
        return False
    return not below or int(version.split(".")[0]) < int(below)


def run_page(page: Path) -> str:
    """Run the blocks of a page in the current folder; return what its Python printed."""
    names: dict[str, object] = {"__name__": page.stem}
    above: list[str] = []
    printed: list[str] = []
    last = None
    for block in blocks(page):
        if not block.wanted:
            last = None
            continue
        kind, _, file = block.mark.partition(": ")
        if kind == "file":
            Path(file).write_text(block.text)
            continue
        if kind == "above":
            Path(file).write_text("\n".join(above))
        if block.language == "python":
            above.append(block.text)
            last = run_python(block.text, names, page.name)
            printed.append(last)
        elif block.language == "bash":
            for line in commands(block):
                run_command(line)
            last = None
        elif block.language == "text" and last is not None:
            options = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
            assert doctest.OutputChecker().check_output(block.text, last, options), (
                f"{page.name} shows {block.text!r}, not {last!r}"
            )
    return "".join(printed)


def run_python(code: str, names: dict[str, object], page: str) -> str:
    """Run code among the names of its page; return what it printed."""
    with contextlib.redirect_stdout(io.StringIO()) as shown:
        exec(compile(code, page, "exec"), names)
    return shown.getvalue()


def commands(block: Block) -> list[list[str]]:
    """The arguments of the commands ``compact-proofs`` of a block."""
    lines = (shlex.split(line, comments=True) for line in block.text.replace("\\\n", " ").splitlines())
    return [line[1:] for line in lines if line and line[0] == "compact-proofs"]


def run_command(arguments: list[str]) -> None:
    """Run a command within this process, and check that it succeeds."""
    result = CliRunner().invoke(app, arguments, env={"COLUMNS": "240", "TERMINAL_WIDTH": "240"})
    assert result.exit_code == 0, (arguments, result.stdout, result.stderr, result.exception)
