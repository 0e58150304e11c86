"""Sweeps on a real Dask scheduler with two worker processes on the loopback interface."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sweep_work
from sweep_work import tiny_plan, wait_until

from compact_proofs.errors import BadInput, WorkersLost
from compact_proofs.sweep import run, status
from compact_proofs.sweep.runner import AGAIN, execute
from compact_proofs.sweep.store import Store
from compact_proofs.sweep.work import work
from compact_proofs.workers import DaskWorkers
from compact_proofs.workers import cluster as module

distributed = pytest.importorskip("distributed")


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dask_cluster: Callable[[], Any]) -> Iterator[Any]:
    monkeypatch.setenv("SWEEP_LOG", str(tmp_path / "killed"))
    with dask_cluster() as made:
        yield made


def test_a_worker_killed_in_the_middle(tmp_path: Path, cluster: Any, finished: Path, untimed: Any) -> None:
    """Its unit is done by the other one; then a second sweep on the cluster finds the store finished."""
    path, address = tmp_path / "s.sqlite", cluster.scheduler_address
    workers = DaskWorkers(address, sweep_work.deadly_once, AGAIN)
    assert workers.capacity == 2
    try:
        with Store(path, write=True) as store:
            summary = execute(store, tiny_plan(range(4)), workers)
    finally:
        workers.close()
    assert (tmp_path / "killed").exists()
    assert (summary.done, summary.failed) == (16, 0)
    assert untimed(path) == untimed(finished)
    again = run(path, tiny_plan(range(4)), dask=address)
    assert (again.done, again.failed, again.skipped) == (0, 0, 16)


def test_a_scheduler_that_goes_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The store keeps what was done; a cluster without workers, and none at all, are told apart."""
    monkeypatch.setattr(module, "CONNECTING", 2)
    monkeypatch.setattr(module, "ALONE", 0)
    path, plan = tmp_path / "s.sqlite", tiny_plan(range(2))
    program = (
        "import distributed, sys\n"
        "c = distributed.LocalCluster(n_workers=0, host='127.0.0.1', dashboard_address=None, silence_logs=50)\n"
        "print(c.scheduler_address, flush=True)\n"
        "sys.stdin.read(1)\n"
        "c.scale(1)\n"
        "sys.stdin.read(1)\n"
        "c.scale(0)\n"
        "sys.stdin.read()\n"
    )
    scheduler = subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert scheduler.stdout is not None
    assert scheduler.stdin is not None
    address = scheduler.stdout.readline().strip()
    try:
        with pytest.raises(BadInput, match="has no workers: dask worker"):
            run(path, plan, dask=address)
        scheduler.stdin.write("\n")
        scheduler.stdin.flush()
        workers = DaskWorkers(address, work, AGAIN)
        try:
            with Store(path, write=True) as store:
                store.add(plan)
                job = store.claim()
                assert job is not None
                scheduler.stdin.write("\n")
                scheduler.stdin.flush()
                wait_until(lambda: not workers._client.ncores())
                workers.submit(job)
                with pytest.raises(WorkersLost, match="has no workers left; run the same command again"):
                    workers.wait()
                scheduler.kill()
                with pytest.raises(WorkersLost, match="connection to the Dask scheduler was lost; run the same command again"):
                    workers.wait()
        finally:
            workers.close()
    finally:
        scheduler.kill()
        scheduler.wait()
    assert status(path).models == {"waiting": 2, "running": 0, "done": 0, "failed": 0}
    with pytest.raises(BadInput, match="no Dask scheduler answers"):
        run(path, plan, dask=address)
    with pytest.raises(BadInput, match="no Dask scheduler answers"):
        run(path, plan, dask="nonsense://x")


class Dying:
    """A client of a cluster where workers die while they are looked at, so many times."""

    def __init__(self, times: int) -> None:
        self.times = times

    def wait_for_workers(self, n: int, timeout: float) -> None:
        assert n == 1

    def run(self, function: Any) -> dict[str, str]:
        self.times -= 1
        if self.times >= 0:
            raise distributed.comm.CommClosedError("Address removed.")
        return {"tcp://127.0.0.1:1": function()}


def test_a_worker_that_dies_while_it_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAUSE", 0)
    workers = object.__new__(DaskWorkers)
    workers._client = Dying(module.LOOKS - 1)
    workers._check("tcp://here")
    assert workers._client.times == -1
    workers._client = Dying(module.LOOKS)
    with pytest.raises(BadInput, match="the workers of tcp://here come and go"):
        workers._check("tcp://here")
