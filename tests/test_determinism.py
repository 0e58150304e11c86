"""The same call finds the same proofs: on a busy machine as on a quiet one, with any number of threads."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from typer.testing import CliRunner

import compact_proofs
from compact_proofs.cli.app import app
from compact_proofs.core.certificate import Certificate
from compact_proofs.core.prove import find_explanation
from compact_proofs.files.container import explanation_sha256
from compact_proofs.search.autopilot import fill_frontier
from compact_proofs.tasks import LoadedModel, load_model
from compact_proofs.tasks.max_of_k import Cubic

PACKAGE = Path(compact_proofs.__file__).parent


@contextmanager
def busy_machine() -> Iterator[None]:
    """Two programs beside this one that do nothing but take processor time."""
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(2)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


def findings(certificates: Any) -> list[tuple[Any, ...]]:
    return [
        (c.strategy, c.options, c.claim.numerator, c.length.by_stage, explanation_sha256(dict(c.explanation))) for c in certificates
    ]


EFFORT = 0.02
"""So little that the search ends amid the strategies that it could try."""


def test_a_frontier_is_the_same_on_a_busy_machine(tiny: LoadedModel) -> None:
    def found() -> list[tuple[Any, ...]]:
        candidates = tiny.kit.candidates(tiny.model)
        return findings(fill_frontier(tiny.model, tiny.task, candidates, [Cubic()], EFFORT, moves=5).certificates)

    quiet = found()
    with busy_machine():
        assert found() == quiet
    assert len(quiet) > 2


def test_the_program_finds_the_same_frontier_on_a_busy_machine(
    tiny_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("compact_proofs.report.write_report", lambda data, folder, sections: folder / "index.html")

    def found(folder: str) -> tuple[list[Any], list[Any]]:
        command = ["frontier", tiny_file, "-o", tmp_path / folder, "--effort", EFFORT, "--polish", 5, "--json"]
        result = CliRunner().invoke(app, list(map(str, command)))
        assert result.exit_code == 0, result.stderr
        proofs = json.loads(result.stdout)["proofs"]
        certificates = [Certificate.load(file) for file in sorted((tmp_path / folder).glob("*.cert"))]
        return [{k: v for k, v in p.items() if k != "seconds"} for p in proofs], findings(certificates)

    quiet = found("quiet")
    with busy_machine():
        assert found("busy") == quiet
    assert len(quiet[1]) > 2


@pytest.mark.parametrize(("name", "strategy"), [("c31-seed-0", "dictionary"), ("mod-59-attn-seed-0", "clusters")])
def test_explanations_do_not_depend_on_the_number_of_threads(name: str, strategy: str) -> None:
    """Without `one_thread` each of these is another one with two threads: sums are rounded in another order."""
    loaded = load_model(name)
    kind = next(kind for kind in loaded.kit.strategies if kind.name == strategy)()
    before = torch.get_num_threads()
    try:
        found = []
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            found.append(explanation_sha256(find_explanation(loaded.model, loaded.task, kind)))
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    assert len(set(found)) == 1


CLOCKS = {"time", "monotonic", "perf_counter", "process_time", "thread_time", "monotonic_ns", "perf_counter_ns", "time_ns"}
ALLOWED = {
    "notebook_progress.py": "how often bars are drawn",
    "search/judge.py": "a safety net, if asked for; what it stopped is said to be too slow",
    "shards/call.py": "which process carries out a part, and when it is kept: not what it finds",
    "workers/cluster.py": "a run ends if all its workers stay away",
}
"""Where a clock may stop something."""


def clocks(tree: ast.AST) -> list[ast.Attribute]:
    return [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "time" and node.attr in CLOCKS
    ]


def decides(tree: ast.AST) -> bool:
    """Is a clock compared with anything or a deadline made of it, is a timer set, or a clock called by another name?"""
    for node in ast.walk(tree):
        compared = isinstance(node, ast.Compare) and clocks(node)
        deadline = isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add) and clocks(node)
        timer = isinstance(node, ast.Attribute) and node.attr in ("setitimer", "alarm")
        renamed = isinstance(node, ast.ImportFrom) and node.module == "time"
        if compared or deadline or timer or renamed:
            return True
    return False


def test_no_search_is_stopped_by_a_clock() -> None:
    """Clocks say how long something took, and decide nothing, but for the places that are known."""
    files = {str(file.relative_to(PACKAGE)): ast.parse(file.read_text()) for file in PACKAGE.rglob("*.py")}
    assert {name for name, tree in files.items() if decides(tree)} == set(ALLOWED)
    assert len([name for name, tree in files.items() if clocks(tree)]) > len(ALLOWED), "clocks are found"
