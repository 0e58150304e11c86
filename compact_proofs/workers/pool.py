"""Worker processes on this machine. If one dies, its job is lost, and the worker is replaced."""

from __future__ import annotations

import functools
import multiprocessing
import os
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import connection, resource_tracker
from pathlib import Path
from typing import Any

from compact_proofs.errors import WorkersLost
from compact_proofs.workers.base import Done, Function

_READY = "ready"

FAILED_STARTS = 3
"""So many processes in a row may end before they have started, once others have: killed by chance, or for want of memory."""

PATIENCE = 5.0
"""Seconds that an idle process has to end."""


class ProcessPool:
    """Worker processes, started when there is work for them or `start` is called.

    The standard library's pool gives up all its jobs when one process dies and does not say at which job; this one knows what
    each process is at.

    Parameters
    ----------
    size
        Number of processes.
    function
        What they do with a job; a function of a module, so that a new process finds it.
    caller
        What a script calls to start them, for the error that says that they do not start.
    prepare
        What a process does first, before it says that it has started.
    """

    def __init__(self, size: int, function: Function, caller: str, prepare: Callable[[], None] | None = None) -> None:
        self._size, self._prepare = size, prepare
        self._function = function
        self._caller = caller
        self._workers: list[_Worker] = []
        self._heard: list[Done] = []  # and not told yet
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._failed_starts: int | None = None  # since one succeeded; None: none ever did

    @property
    def capacity(self) -> int:
        """The number of processes."""
        return self._size

    @property
    def ready(self) -> bool:
        """Has a process started that is idle?"""
        self._heard += self._hear(timeout=0)
        return any(worker.started and worker.job is None for worker in self._workers)

    def start(self) -> None:
        """Start all processes now, so that they are ready when there is work."""
        while len(self._workers) < self._size:
            self._workers.append(_Worker(self._function, self._prepare))

    def share(self, data: bytes) -> Path:
        """Write bytes into a file that is removed with the pool; a process reads it once."""
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="compact-proofs-")
        path = Path(self._folder.name) / f"{len(os.listdir(self._folder.name))}"
        path.write_bytes(data)
        return path

    def submit(self, job: Any, shared: Path | None = None) -> None:
        """Give the job to an idle process, or to a new one."""
        for worker in sorted(self._workers, key=lambda worker: not worker.started):
            if worker.job is None:
                worker.job, worker.shared = job, shared
                if not worker.started or worker.give():
                    return
                self._drop(worker)
                break
        started = _Worker(self._function, self._prepare)
        started.job, started.shared = job, shared
        self._workers.append(started)

    def wait(self) -> list[Done]:
        """Wait until at least one job is done, or its process has died."""
        while not self._heard:
            self._heard = self._hear()
        done, self._heard = self._heard, []
        return done

    def close(self) -> None:
        """End all processes, whatever they are at."""
        for worker in list(self._workers):
            self._drop(worker)
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    def _hear(self, timeout: float | None = None) -> list[Done]:
        """What processes that are starting or at work have to say; without a timeout, wait until one says something."""
        workers = [worker for worker in self._workers if worker.job is not None or not worker.started]
        ready = connection.wait([w.pipe for w in workers] + [w.process.sentinel for w in workers], timeout)
        done: list[Done] = []
        for worker in workers:
            if worker.pipe in ready or worker.process.sentinel in ready:
                done += self._news(worker)
        return done

    def _news(self, worker: _Worker) -> list[Done]:
        try:
            message = worker.pipe.recv() if worker.pipe.poll() else None
        except (EOFError, OSError):
            message = None
        job = worker.job
        if message == _READY:
            worker.started, self._failed_starts = True, 0
            if job is not None:
                worker.give()  # if that fails, its end is the next news
            return []
        if message is not None:
            worker.job = None
            return [Done(job, message[0])]
        worker.process.join(10)  # so that the exit code is its own
        self._drop(worker)
        if not worker.started:
            self._failed(worker)
            if job is not None:
                self.submit(job, worker.shared)  # which it never saw
            return []
        return [] if job is None else [Done(job, lost=f"the worker process {_ending(worker.process.exitcode)}")]

    def _failed(self, worker: _Worker) -> None:
        """A process ended before it could do anything: an error, unless others did start and this is the exception."""
        if self._failed_starts is None or self._failed_starts >= FAILED_STARTS:
            raise WorkersLost(
                f"the worker processes do not start (exit code {worker.process.exitcode}); in a script, call {self._caller} "
                'under: if __name__ == "__main__"'
            )
        self._failed_starts += 1

    def _drop(self, worker: _Worker) -> None:
        self._workers.remove(worker)
        worker.end()


class _Worker:
    """A process, the pipe to it, and what it is at."""

    def __init__(self, function: Function, prepare: Callable[[], None] | None) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs, function, prepare), daemon=True)
        with _interrupts_blocked():  # inherited: Ctrl-C is for the program, which ends its workers
            self.process.start()
        theirs.close()
        self.started = False
        self.job: Any = None
        self.shared: Path | None = None

    def give(self) -> bool:
        """Send the job; False if the process is gone."""
        try:
            self.pipe.send((self.job, self.shared))
        except OSError:
            return False
        return True

    def end(self) -> None:
        """Let the process end by itself, which cleans up after itself, if it is idle; else, or if it takes long, kill it."""
        self.pipe.close()
        if self.started and self.job is None:
            self.process.join(PATIENCE)
        self.process.kill()
        self.process.join()


def _serve(pipe: Any, function: Function, prepare: Callable[[], None] | None) -> None:
    """Do jobs until the program closes the pipe or ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if prepare is not None:
        prepare()
    pipe.send(_READY)
    while True:
        try:
            job, shared = pipe.recv()
        except EOFError:
            return
        pipe.send((function(job) if shared is None else function(job, _read(shared)),))


@functools.lru_cache(maxsize=1)
def _read(path: Path) -> bytes:
    return path.read_bytes()


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
