"""Errors on the command line name a page of the documentation."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from compact_proofs import errors
from compact_proofs.cli.pages import OF_CLASS, OF_CODE, PACKAGE, address, page_about
from compact_proofs.files.objects import load_object

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("page", sorted({*OF_CLASS.values(), *OF_CODE.values()}))
def test_every_page_exists(page: str) -> None:
    assert (DOCS / page).is_file()
    assert address(page).startswith("https://")
    assert address(page).endswith(f"/docs/{page}")


@pytest.mark.parametrize("code", OF_CODE)
def test_all_code_is_there(code: str) -> None:
    assert find_spec(f"{PACKAGE}.{code}")


def test_by_class() -> None:
    assert page_about(errors.NotProven("less")) == "howto/budget.md"


def test_by_the_code_that_raised_it() -> None:
    with pytest.raises(errors.BadInput) as caught:
        load_object("absent.py:network", int, "a number")
    assert page_about(caught.value) == "files.md"
    assert page_about(errors.BadInput("raised by nobody")) is None


def test_the_command_line_says_it(run: Any) -> None:
    assert "docs/files.md" in run("prove", "absent.safetensors", code=2).stderr
    assert "docs/" not in run("search", "max-of-4-seed-123", "--proposer", "command", code=2).stderr  # --help says more
