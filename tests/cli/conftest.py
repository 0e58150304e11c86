"""Running the command line within this process."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from compact_proofs.cli.app import app

Run = Callable[..., Any]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command in an empty folder, on a wide terminal without colours; check its exit code."""
    monkeypatch.chdir(tmp_path)

    def command(*arguments: object, code: int = 0) -> Any:
        environment = {"COLUMNS": "240", "TERMINAL_WIDTH": "240", "COMPACT_PROOFS_DEBUG": ""}
        result = CliRunner().invoke(app, [str(a) for a in arguments], env=environment)
        assert result.exit_code == code, (result.stdout, result.stderr, result.exception)
        return result

    return command


@pytest.fixture
def plain() -> Callable[[str], str]:
    """Take colours and frames out of a help text, and join its lines."""
    return lambda text: " ".join(re.sub(r"\x1b\[[0-9;]*m|[│╭╮╰╯─]", " ", text).split())
