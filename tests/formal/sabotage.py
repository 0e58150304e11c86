"""Changes to the files of a theorem that make it false, and what is expected of Coq then."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

from compact_proofs.formal.coq import Output

Compile = Callable[[Path], Output]
"""Runs coqc on a file of a theorem's folder."""
Replacement = Callable[[re.Match[str]], str]
"""What stands in place of what a pattern finds."""
Change = tuple[str, str, Replacement]
"""A file's name, a pattern that is found in it, and what takes its place: everywhere in Accuracy.v, once in other files."""


def first(text: str) -> Replacement:
    """The same text in place of whatever is found."""
    return lambda found: text


def zeros(found: re.Match[str]) -> str:
    """An array of as many zeros in place of one that is written down."""
    return found[0].split("[|")[0] + "[| " + "; ".join("0" for _ in found[0].split(";")) + " |"


def assert_rejected(change: Change, theorem: Path, again: Iterable[str], compiled: Compile, copy: Path) -> None:
    """Change a file in a copy of a theorem's folder: what is compiled `again` is accepted still, and the theorem is not."""
    folder = shutil.copytree(theorem, copy)
    name, old, new = change
    text = (folder / name).read_text()
    changed = re.sub(old, new, text, count=0 if name == "Accuracy.v" else 1)
    assert changed != text
    (folder / name).write_text(changed)
    for file in again:
        output = compiled(folder / file)
        assert output.accepted, output.text
    assert not compiled(folder / "Accuracy.v").accepted
