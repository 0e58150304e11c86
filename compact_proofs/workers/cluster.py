"""Workers of an existing Dask cluster. They compute; this program alone keeps what they find."""

from __future__ import annotations

import queue
import time
import uuid
from importlib.metadata import version
from typing import Any

from compact_proofs.errors import BadInput, WorkersLost
from compact_proofs.workers.base import Done, Function

CONNECTING = 20
"""Seconds to wait for the scheduler, and for its first worker."""

LOOKS, PAUSE = 5, 1.0
"""How often the workers are looked at before it is an error that one dies meanwhile, and the seconds between."""

ALONE = 60
"""Seconds to wait for a worker when all have gone."""


class DaskWorkers:
    """The workers of a Dask cluster.

    A job whose worker dies is done again by another worker; one that has killed several workers (the scheduler's
    ``allowed-failures``) is lost. Within one worker, jobs take turns: start workers with one thread each.

    Parameters
    ----------
    address
        Of the scheduler, such as ``tcp://127.0.0.1:8786``.
    function
        What they do with a job.
    advice
        What to do if the cluster goes away, for that error.

    Raises
    ------
    BadInput
        If Dask is not installed, no cluster answers, it has no workers, or they have another version of this package.
    """

    def __init__(self, address: str, function: Function, advice: str) -> None:
        try:
            import distributed
        except ImportError:
            raise BadInput("work on a cluster needs Dask: pip install 'compact-proofs[dask]'") from None
        self._function, self._advice = function, advice
        self._done: queue.Queue[Any] = queue.Queue()
        self._jobs: dict[str, tuple[Any, Any]] = {}
        try:
            self._client = distributed.Client(address, timeout=CONNECTING, set_as_default=False)
        except (OSError, ValueError) as e:
            raise BadInput(f"no Dask scheduler answers at {address} ({e or type(e).__name__})") from None
        try:
            self._check(address)
        except BaseException:
            self.close()
            raise

    @property
    def capacity(self) -> int:
        """One job for each worker there is now: Dask suspects every job that is at a worker when it dies."""
        return max(1, len(self._client.ncores()))

    @property
    def ready(self) -> bool:
        """Workers were seen when this was made."""
        return True

    def share(self, data: bytes) -> Any:
        """Give bytes to the scheduler as the result of a task, which is made again if the worker that has it dies."""
        return self._client.submit(_same, data, key=f"compact-proofs-{uuid.uuid4().hex}", pure=False)

    def submit(self, job: Any, shared: Any = None) -> None:
        """Send the job to the scheduler."""
        given = (job,) if shared is None else (job, shared)
        future = self._client.submit(self._function, *given, key=f"compact-proofs-{uuid.uuid4().hex}", pure=False)
        self._jobs[str(future.key)] = job, future
        future.add_done_callback(self._done.put)

    def wait(self) -> list[Done]:
        """Wait until a job is done."""
        last_seen = time.monotonic()
        while True:
            try:
                future = self._done.get(timeout=1)
            except queue.Empty:
                if self._client.status not in ("running", "connecting"):
                    raise self._lost() from None
                if self._client.ncores():
                    last_seen = time.monotonic()
                elif time.monotonic() - last_seen > ALONE:
                    raise WorkersLost("the Dask cluster has no workers left; " + self._advice) from None
                continue
            if future.status in ("lost", "pending"):  # its worker died with the result, so another does it again
                future.add_done_callback(self._done.put)
            else:
                return [self._of(future)]

    def close(self) -> None:
        """Take back what was sent, and leave the cluster as it was."""
        futures = [future for _, future in self._jobs.values()]
        if futures and self._client.status == "running":
            self._client.cancel(futures, force=True)
        self._client.close(timeout=5)

    def _check(self, address: str) -> None:
        versions = self._versions(address)
        if versions != {_version()}:
            raise BadInput(
                f"the workers of {address} have compact-proofs {', '.join(sorted(versions))}, not {_version()}; "
                "install the same version there"
            )

    def _versions(self, address: str) -> set[str]:
        """The versions of this package on the workers; a worker that dies while it is asked is asked no more."""
        for _ in range(LOOKS):
            try:
                self._client.wait_for_workers(1, timeout=CONNECTING)
            except OSError:
                raise BadInput(f"the Dask cluster at {address} has no workers: dask worker {address} --nthreads 1") from None
            try:
                if found := set(self._client.run(_version).values()):
                    return found
            except OSError:  # the connection to a worker was lost: "Address removed"
                time.sleep(PAUSE)
            except Exception as e:
                raise BadInput(f"compact_proofs cannot be used on the workers of {address}: {e}") from None
        raise BadInput(f"the workers of {address} come and go; start some that stay")

    def _of(self, future: Any) -> Done:
        job, _ = self._jobs.pop(future.key)
        if future.status == "cancelled":
            raise self._lost()
        if future.status == "error":
            return Done(job, lost=f"on the cluster: {future.exception()}")
        try:
            return Done(job, future.result())
        except Exception as e:
            if future.status == "cancelled":
                raise self._lost() from None
            return Done(job, lost=f"on the cluster: {type(e).__name__}: {e}")

    def _lost(self) -> WorkersLost:
        return WorkersLost("the connection to the Dask scheduler was lost; " + self._advice)


def _same(data: bytes) -> bytes:
    return data


def _version() -> str:
    return version("compact-proofs")
