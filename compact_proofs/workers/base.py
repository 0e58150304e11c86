"""What all workers have in common."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

one_at_a_time = threading.Lock()
"""To be held by whoever does a job: readings switch kernels of the whole process, so the threads of one Dask worker take turns."""


class Job(Protocol):
    """A unit of work, which can be sent to another process."""

    @property
    def key(self) -> str:
        """Names the job; no two that are at work share it."""


Function: TypeAlias = Callable[..., Any]
"""What is done with a job: a function of a module, of the job and, where data are shared, of their bytes."""


@dataclass(frozen=True)
class Done:
    """What became of a job.

    Attributes
    ----------
    job
        The job.
    result
        What the function returned.
    lost
        Why there is no result: the job's worker died. None if there is one.
    """

    job: Any
    result: Any = None
    lost: str | None = None


class Workers(Protocol):
    """Whoever does jobs: processes here, or a Dask cluster."""

    @property
    def capacity(self) -> int:
        """How many jobs to hand out at once."""

    @property
    def ready(self) -> bool:
        """Would a job be begun at once? While nobody has started yet, whoever hands out may do it itself."""

    def share(self, data: bytes) -> Any:
        """Make bytes that many jobs read known to the workers; what is returned is given to `submit` with each such job."""

    def submit(self, job: Any, shared: Any = None) -> None:
        """Hand out a job."""

    def wait(self) -> list[Done]:
        """Wait until at least one job is done.

        Raises
        ------
        WorkersLost
            If there is no worker any more.
        """

    def close(self) -> None:
        """Stop whatever is still going on."""
