"""Sweeps by real processes that are killed, die or are interrupted."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import sweep_work
from sweep_work import PATIENCE, Here, tiny_plan, wait_until

from compact_proofs.errors import BadInput, WorkersLost
from compact_proofs.sweep import read, status
from compact_proofs.sweep.lock import Locked
from compact_proofs.sweep.runner import execute
from compact_proofs.sweep.store import Store
from compact_proofs.workers import ProcessPool


def is_alive(pid: int) -> bool:
    """Is a process running (and not merely waiting for its parent to notice its end)?"""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def units(store: Path, state: str) -> int:
    """Count the units in a state; 0 if the store is not there yet."""
    try:
        found = status(store)
    except BadInput:
        return 0
    return found.models[state] + found.proofs[state]


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks processes up in /proc")
def test_resuming_after_a_kill(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, finished: Path, untimed: Any) -> None:
    """kill -9 in the middle: workers end, what was done is kept and not done again, and the result is the same."""
    path, log = tmp_path / "s.sqlite", tmp_path / "log"
    monkeypatch.setenv("SWEEP_LOG", str(log))
    program = subprocess.Popen([sys.executable, sweep_work.__file__, str(path)])
    try:
        wait_until(lambda: units(path, "done") == 6 and units(path, "running") == 2)
        with pytest.raises(Locked, match=f"process {program.pid} on"):
            Store(path, write=True)
    finally:
        program.kill()
        program.wait()
    workers = {int(line.split()[1]) for line in log.read_text().splitlines()}
    assert len(workers) == 2
    wait_until(lambda: not any(is_alive(pid) for pid in workers))

    found = status(path)
    assert found.running is None
    assert [units(path, state) for state in ("done", "waiting", "running")] == [6, 10, 0], "what it was at waits again"
    with Store(path) as store:
        finished_keys = {
            row["key"] for t in ("models", "proofs") for row in store.rows(f"SELECT key FROM {t} WHERE status = 'done'")
        }
    with Store(path, write=True) as store:
        summary = execute(store, tiny_plan(range(4)), Here(sweep_work.logged))
        attempts = {row["key"]: row["attempts"] for t in ("models", "proofs") for row in store.rows(f"SELECT * FROM {t}")}
    assert (summary.done, summary.failed, summary.skipped) == (10, 0, 6)
    executions = Counter(line.split()[0] for line in log.read_text().splitlines())
    assert len(executions) == 16
    assert {executions[key] for key in finished_keys} == {1}
    assert Counter(executions.values()) == {1: 14, 2: 2}, "again is done only what the two workers were at"
    assert executions == attempts
    assert untimed(path) == untimed(finished)


def test_a_dying_worker_costs_its_own_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, finished: Path, untimed: Any) -> None:
    """Two processes, one of which is killed at a proof: the other rows are there, equal to those of a serial run."""
    path = tmp_path / "s.sqlite"
    monkeypatch.setenv("SWEEP_LOG", str(tmp_path / "killed"))
    pool = ProcessPool(2, sweep_work.deadly_once, "sweep.run")
    try:
        with Store(path, write=True) as store:
            summary = execute(store, tiny_plan(range(4)), pool)
    finally:
        pool.close()
    assert (summary.done, summary.failed) == (15, 1)
    (failure,) = summary.failures
    assert failure.error == "the worker process was killed by SIGKILL (out of memory?) at this unit"
    survivors = untimed(path)
    assert len(survivors) == 11
    assert [row for row in untimed(finished) if row in survivors] == survivors
    with Store(path, write=True) as store:
        summary = execute(store, tiny_plan(range(4)), Here(), retry_failed=True)
    assert (summary.done, summary.failed, summary.skipped) == (1, 0, 15)
    assert untimed(path) == untimed(finished)


def test_interrupt(tmp_path: Path) -> None:
    """Ctrl-C reaches the program and its workers; the store is clean, and the work in hand is waiting again."""
    path = tmp_path / "s.sqlite"
    program = "from compact_proofs.cli import main; main()"
    arguments = ["sweep", "run", str(path), "--seeds", "0-3", "--steps", "1000000", "-s", "cubic"]
    running = subprocess.Popen(
        [sys.executable, "-c", program, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    wait_until(lambda: units(path, "running"))
    os.killpg(running.pid, signal.SIGINT)
    out, err = running.communicate(timeout=PATIENCE)
    assert running.returncode == 130
    assert (out, err) == ("", "")
    found = status(path)
    assert found.running is None
    assert found.models == {"waiting": 4, "running": 0, "done": 0, "failed": 0}
    assert read(path) == []


def test_workers_that_do_not_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As those of a script without a guard, which each would start a sweep, or without the work at hand."""
    elsewhere = ModuleType("module_of_this_process")
    exec("def function(job): ...", elsewhere.__dict__)
    monkeypatch.setitem(sys.modules, elsewhere.__name__, elsewhere)
    pool = ProcessPool(1, elsewhere.__dict__["function"], "sweep.run")
    try:
        with (
            Store(tmp_path / "s.sqlite", write=True) as store,
            pytest.raises(WorkersLost, match=r"do not start \(exit code 1\); in a script, call sweep.run under: if __name__ =="),
        ):
            execute(store, tiny_plan(range(1)), pool)
    finally:
        pool.close()
    assert status(tmp_path / "s.sqlite").models["waiting"] == 1
