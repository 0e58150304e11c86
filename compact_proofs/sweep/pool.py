"""Worker processes on this machine. If one dies, its unit of work fails, and the worker is replaced."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import connection, resource_tracker
from typing import Any, Protocol

from compact_proofs.errors import CompactProofsError
from compact_proofs.sweep.work import Job, Outcome, Work, work

_READY = "ready"


class WorkersLost(CompactProofsError):
    """Nobody is there to do the work; what was done is in the store, and the same command continues."""


class Workers(Protocol):
    """Whoever does units of work: processes here, or a Dask cluster."""

    @property
    def capacity(self) -> int:
        """How many jobs to hand out at once."""

    def submit(self, job: Job) -> None:
        """Hand out a job."""

    def wait(self) -> list[Outcome]:
        """Wait until at least one job is done."""

    def close(self) -> None:
        """Stop whatever is still going on."""


class ProcessPool:
    """Worker processes, started when there is work for them.

    The standard library's pool gives up all its jobs when one process dies and does not say at which job; this one knows what
    each process is at.

    Parameters
    ----------
    size
        Number of processes.
    function
        What they do with a job; a function of a module, so that a new process finds it.
    """

    def __init__(self, size: int, function: Work = work) -> None:
        self._size = size
        self._function = function
        self._workers: list[_Worker] = []

    @property
    def capacity(self) -> int:
        """The number of processes."""
        return self._size

    def submit(self, job: Job) -> None:
        """Give the job to an idle process, or to a new one."""
        for worker in self._workers:
            if worker.job is None:
                worker.job = job
                if worker.give():
                    return
                self._drop(worker)
                break
        started = _Worker(self._function)
        started.job = job
        self._workers.append(started)

    def wait(self) -> list[Outcome]:
        """Wait until at least one job is done, or its process has died."""
        outcomes: list[Outcome] = []
        while not outcomes:
            busy = [w for w in self._workers if w.job is not None]
            ready = connection.wait([w.pipe for w in busy] + [w.process.sentinel for w in busy])
            for worker in busy:
                if worker.pipe in ready or worker.process.sentinel in ready:
                    outcomes += self._news(worker)
        return outcomes

    def close(self) -> None:
        """End all processes, whatever they are at."""
        for worker in list(self._workers):
            self._drop(worker)

    def _news(self, worker: _Worker) -> list[Outcome]:
        assert worker.job is not None
        try:
            message = worker.pipe.recv() if worker.pipe.poll() else None
        except (EOFError, OSError):
            message = None
        if message == _READY:
            worker.started = True
            worker.give()  # if that fails, its end is the next news
            return []
        if message is not None:
            worker.job = None
            return [message]
        worker.process.join(10)  # so that the exit code is its own
        self._drop(worker)
        if not worker.started:
            raise WorkersLost(
                f"the worker processes do not start (exit code {worker.process.exitcode}); in a script, call sweep.run "
                'under: if __name__ == "__main__"'
            )
        return [Outcome(worker.job.key, error=f"the worker process {_ending(worker.process.exitcode)} at this unit")]

    def _drop(self, worker: _Worker) -> None:
        self._workers.remove(worker)
        worker.end()


class _Worker:
    """A process, the pipe to it, and what it is at."""

    def __init__(self, function: Work) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs, function), daemon=True)
        with _interrupts_blocked():  # inherited: Ctrl-C is for the program, which ends its workers
            self.process.start()
        theirs.close()
        self.started = False
        self.job: Job | None = None

    def give(self) -> bool:
        """Send the job; False if the process is gone."""
        try:
            self.pipe.send(self.job)
        except OSError:
            return False
        return True

    def end(self) -> None:
        self.process.kill()
        self.process.join()
        self.pipe.close()


def _serve(pipe: Any, function: Work) -> None:
    """Do jobs until the program closes the pipe or ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    pipe.send(_READY)
    while True:
        try:
            job = pipe.recv()
        except EOFError:
            return
        pipe.send(function(job))


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)


@contextmanager
def _interrupts_blocked() -> Iterator[None]:
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    resource_tracker.ensure_running()  # whose start would unblock them
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _ending(exit_code: int | None) -> str:
    if exit_code is not None and exit_code < 0:
        names = {s.value: s.name for s in signal.Signals}
        name = names.get(-exit_code, f"signal {-exit_code}")
        return f"was killed by {name}{' (out of memory?)' if name == 'SIGKILL' else ''}"
    return f"ended with exit code {exit_code}"
