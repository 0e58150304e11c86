"""Who carries out the parts of proofs: this process, workers beside it, and what was finished before."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from compact_proofs.errors import BadInput
from compact_proofs.files.kept import Kept
from compact_proofs.memory import granted, usual
from compact_proofs.shards.passing import read_result, written
from compact_proofs.shards.work import Shard, prepare, work
from compact_proofs.workers import DaskWorkers, ProcessPool, Workers

Value = TypeVar("Value")

AGAIN = "run the same command again (with --resume FILE, what is finished is kept)"


@dataclass
class Crew:
    """Workers, and a file of what is finished.

    Attributes
    ----------
    workers
        None: this process does everything.
    kept
        None: nothing is kept.
    memory
        Bytes that a worker may take at most; None: as many as the asking process.
    at_work
        The keys of all shards that workers are at, those of proofs that were given up among them.
    not_kept
        What keeps what this process has finished and not kept yet.
    seconds
        What a part took this process when it last did one, by what the parts are: so that the next of their kind are sent at once.
    """

    workers: Workers | None = None
    kept: Kept | None = None
    memory: int | None = None
    at_work: set[str] = field(default_factory=set)
    not_kept: list[Callable[[], None]] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def submit(self, shard: Shard, shared: Any) -> None:
        """Hand out a shard."""
        assert self.workers is not None
        self.at_work.add(shard.key)
        self.workers.submit(shard, shared)

    @property
    def free(self) -> bool:
        """Is there a worker for one more shard?"""
        return self.workers is not None and len(self.at_work) < self.workers.capacity

    def key(self) -> str:
        """A key that no other shard has."""
        return str(next(self._numbers))


_crew: ContextVar[Crew | None] = ContextVar("crew", default=None)


@contextmanager
def sharing(jobs: int = 1, dask: str | None = None, resume: str | Path | None = None) -> Iterator[None]:
    """Let several processes carry out the proofs that are made inside: each its parts, and the results are the same.

        with sharing(jobs=4):
            certificate = cp.prove(model, task)

    What has no parts is done by this process; strategies say which parts their proofs and their searches have
    (`compact_proofs.shards.each`, `compact_proofs.shards.tried`). A worker that dies costs the part that it was at, which another
    does again.

    Within another `sharing` its workers and its file serve on, unless others are given.

    Parameters
    ----------
    jobs
        Processes on this machine, of one thread each, each with the memory that `compact_proofs.memory.limited_memory` says around
        this, or its part of what is available; 1: this process alone. In a script, call it under
        ``if __name__ == "__main__":``, since the processes import the script.
    dask
        Address of a Dask scheduler, whose workers are used instead.
    resume
        File in which what is finished is kept, and from which it is taken: explanations, proofs, and parts of proofs; made if it is
        missing. It is trusted like this program; `check` takes nothing from it.

    Raises
    ------
    BadInput
        If `jobs` is below 1, the file cannot be used, or no Dask cluster answers.
    """
    if jobs < 1:
        raise BadInput(f"jobs = {jobs}: at least one process is needed")
    if dask is not None and jobs != 1:
        raise BadInput("jobs are processes here, and dask uses those of a cluster: give one of them")
    around = _crew.get() or Crew()
    with ExitStack() as ended:
        kept = around.kept if resume is None else ended.enter_context(closing(Kept(resume)))
        if dask is not None:
            crew = Crew(ended.enter_context(closing(DaskWorkers(dask, work, AGAIN))), kept)
        elif jobs > 1:
            pool = ended.enter_context(closing(ProcessPool(jobs, work, "what has jobs=", prepare)))
            pool.start()
            crew = Crew(pool, kept, usual(jobs) if granted() is None else None)
        else:
            crew = replace(around, kept=kept, not_kept=[])
        token = _crew.set(crew)
        try:
            yield
        finally:
            _crew.reset(token)
            for keep in crew.not_kept:  # an interruption may have come between two parts
                keep()


def shared_by(jobs: int, dask: str | None) -> AbstractContextManager[None]:
    """`sharing`, or what is around where it is not asked for: one process, and no cluster."""
    return nullcontext() if jobs == 1 and dask is None else sharing(jobs, dask)


def current_crew() -> Crew | None:
    """Who shares the work here; None: this process does everything, and keeps nothing."""
    return _crew.get()


def remembered(identity: Callable[[], str], step: str, compute: Callable[[], Value]) -> Value:
    """Compute something, or take it from the file in which finished work is kept.

    Parameters
    ----------
    identity
        Names everything that it depends on; asked only where work is kept.
    step
        What it is.
    compute
        Gives it: plain data and tensors (`compact_proofs.shards.passing`).
    """
    crew = _crew.get()
    if crew is None or crew.kept is None:
        return compute()
    work = identity()
    data = crew.kept.find(work, step)
    if data is not None:
        found: Value = read_result(data)
        return found
    computed = compute()
    crew.kept.keep(work, step, written(computed))
    return computed


@contextmanager
def nothing_shared() -> Iterator[None]:
    """This process alone does what is inside, and keeps nothing of it."""
    token = _crew.set(None)
    try:
        yield
    finally:
        _crew.reset(token)


@contextmanager
def nothing_kept() -> Iterator[None]:
    """Take nothing from a file inside: for checks, which trust no file. Workers go on."""
    crew = _crew.get()
    token = _crew.set(None if crew is None else replace(crew, kept=None))
    try:
        yield
    finally:
        _crew.reset(token)
