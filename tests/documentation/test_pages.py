"""Every code block of the documentation runs, every command that it names exists, and every public name has its place."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import typer
from pages import PAGES, ROOT, blocks, commands, run_page

import compact_proofs as cp
from compact_proofs.cli.app import app

COMMANDS_RUN = ("docs/index.md", "docs/tutorials/", "docs/howto/")
"""Elsewhere commands are many and long, and are parsed only."""


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


WITH_CODE = [p for p in PAGES if any(b.language == "python" for b in blocks(p)) or name_of(p).startswith(COMMANDS_RUN)]


@pytest.mark.parametrize("page", WITH_CODE, ids=name_of)
def test_the_code_of_a_page_runs_and_prints_what_it_shows(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    if not name_of(page).startswith(COMMANDS_RUN):
        monkeypatch.setattr("pages.run_command", lambda arguments: None)
    run_page(page)


def parsed(arguments: list[str]) -> None:
    """Parse a command without running it; usage errors raise."""
    command: Any = typer.main.get_command(app)
    context = None
    while hasattr(command, "get_command"):
        name, *arguments = arguments
        command = command.get_command(context, name)
        assert command is not None, f"there is no command {name}"
    if arguments and "--help" not in arguments:
        command.make_context(command.name or "command", list(arguments))


@pytest.mark.parametrize("page", [p for p in PAGES if "compact-proofs " in p.read_text()], ids=name_of)
def test_commands_that_a_page_names_exist(page: Path) -> None:
    for block in blocks(page):
        for arguments in commands(block) if block.language == "bash" else ():
            parsed(arguments)
    for quoted in re.findall(r"`compact-proofs ([a-z]+)[^`]*`", page.read_text()):
        assert typer.main.get_command(app).get_command(None, quoted) is not None, quoted  # type: ignore[attr-defined,arg-type]


def test_every_public_name_stands_in_the_reference_once() -> None:
    text = "\n".join(page.read_text() for page in (ROOT / "docs" / "reference").glob("*.md"))
    shown = re.findall(r"^::: compact_proofs\.(\w+)$", text, re.MULTILINE)
    assert sorted(shown) == sorted({*cp.__all__, "zoo", "estimates"})


def test_pages_of_the_site_are_those_of_the_folder() -> None:
    nav = (ROOT / "mkdocs.yml").read_text().partition("\nnav:")[2]
    named = set(re.findall(r"[\w/.-]+\.md", nav))
    made = {"changelog.md", "reference/cli.md"}
    assert named == {str(p.relative_to(ROOT / "docs")) for p in PAGES if p.name != "README.md" or "docs" in p.parts} | made


def test_pages_that_errors_name_exist() -> None:
    sources = "".join(f.read_text() for f in (ROOT / "compact_proofs").rglob("*.py"))
    named = set(re.findall(r"\bdocs/[\w/.-]+\.md", sources))
    assert len(named) > 3
    assert [page for page in sorted(named) if not (ROOT / page).exists()] == []
