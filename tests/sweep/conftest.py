"""Rows of sweeps without their times, and a finished tiny sweep."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sweep_work import Here, tiny_plan

from compact_proofs.sweep import read
from compact_proofs.sweep.runner import execute
from compact_proofs.sweep.store import Store

TIMES = ("training_seconds", "seconds", "started_at", "finished_at")

Rows = Callable[[Path], list[dict[str, Any]]]


def _untimed(store: Path) -> list[dict[str, Any]]:
    return [{k: v for k, v in row.items() if k not in TIMES} for row in read(store)]


@pytest.fixture(scope="session")
def untimed() -> Rows:
    """Read what must not depend on how and when a sweep was run."""
    return _untimed


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny sweep over four seeds, done unit by unit in this process."""
    path = tmp_path_factory.mktemp("sweep") / "finished.sqlite"
    with Store(path, write=True) as store:
        summary = execute(store, tiny_plan(range(4)), Here())
    assert (summary.done, summary.failed, summary.skipped) == (16, 0, 0)
    return path
