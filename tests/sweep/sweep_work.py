"""Work for workers in other processes: logged, deadly, or done here; and a program that sweeps until it is killed."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from compact_proofs.sweep import Plan
from compact_proofs.sweep.runner import execute
from compact_proofs.sweep.store import Store
from compact_proofs.sweep.work import Job, Outcome, ProofJob, work
from compact_proofs.tasks.max_of_k import Additive, Cubic
from compact_proofs.workers import Done, ProcessPool

TINY = {"n_ctx": 3, "d_vocab": 6, "d_model": 8, "steps": 30, "evaluation_samples": 64}

PATIENCE = 120
"""Seconds to wait for another process."""


def tiny_plan(seeds: range) -> Plan:
    """Three proofs of each of some tiny models."""
    return Plan.grid([Cubic(), Additive(1, 2), Additive(2, 2)], seeds=seeds, recipe=TINY)


class Here:
    """Does the jobs in this process."""

    capacity = 1
    ready = True

    def __init__(self, function: Callable[[Job], Outcome] = work) -> None:
        self.function = function
        self.jobs: list[Job] = []

    def share(self, data: bytes) -> bytes:
        return data

    def submit(self, job: Job, shared: bytes | None = None) -> None:
        self.jobs.append(job)

    def wait(self) -> list[Done]:
        job = self.jobs.pop()
        return [Done(job, self.function(job))]

    def close(self) -> None:
        pass


def logged(job: Job) -> Outcome:
    """Work that writes its key into a log."""
    _log(job)
    return work(job)


def stalling(job: Job) -> Outcome:
    """Logged work of which the first six units end."""
    if _log(job) > 6:
        time.sleep(600)
    return work(job)


def _log(job: Job) -> int:
    """Write a line; return how many there are."""
    path = Path(os.environ["SWEEP_LOG"])
    with path.open("a") as log:
        log.write(f"{job.key} {os.getpid()}\n")
    return len(path.read_text().splitlines())


def deadly_once(job: Job) -> Outcome:
    """Work whose process is killed at the first proof that any process comes to."""
    if isinstance(job, ProofJob):
        try:
            Path(os.environ["SWEEP_LOG"]).touch(exist_ok=False)
        except FileExistsError:
            pass
        else:
            os.kill(os.getpid(), signal.SIGKILL)
    return work(job)


def wait_until(true: Callable[[], Any]) -> None:
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)


if __name__ == "__main__":
    with Store(sys.argv[1], write=True) as store:
        execute(store, tiny_plan(range(4)), ProcessPool(2, stalling, "sweep.run"))
