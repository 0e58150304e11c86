"""Workers of an existing Dask cluster. They compute; this program alone writes to the store."""

from __future__ import annotations

import queue
import time
import uuid
from importlib.metadata import version
from typing import Any

from compact_proofs.errors import BadInput
from compact_proofs.sweep.pool import WorkersLost
from compact_proofs.sweep.work import Job, Outcome, Work, work

CONNECTING = 20
"""Seconds to wait for the scheduler, and for its first worker."""

_CONTINUE = "run the same command again to continue"

LOOKS, PAUSE = 5, 1.0
"""How often the workers are looked at before it is an error that one dies meanwhile, and the seconds between."""

ALONE = 60
"""Seconds to wait for a worker when all have gone."""


class DaskWorkers:
    """The workers of a Dask cluster.

    A job whose worker dies is done again by another worker; one that has killed several workers (the scheduler's
    ``allowed-failures``) fails. Within one worker, jobs take turns: start workers with one thread each.

    Parameters
    ----------
    address
        Of the scheduler, such as ``tcp://127.0.0.1:8786``.
    function
        What they do with a job.

    Raises
    ------
    BadInput
        If Dask is not installed, no cluster answers, it has no workers, or they have another version of this package.
    """

    def __init__(self, address: str, function: Work = work) -> None:
        try:
            import distributed
        except ImportError:
            raise BadInput("a sweep on a cluster needs Dask: pip install 'compact-proofs[dask]'") from None
        self._function = function
        self._done: queue.Queue[Any] = queue.Queue()
        self._jobs: dict[str, tuple[Job, Any]] = {}
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

    def submit(self, job: Job) -> None:
        """Send the job to the scheduler."""
        future = self._client.submit(self._function, job, key=f"compact-proofs-{uuid.uuid4().hex}", pure=False)
        self._jobs[str(future.key)] = job, future
        future.add_done_callback(self._done.put)

    def wait(self) -> list[Outcome]:
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
                    raise WorkersLost("the Dask cluster has no workers left; " + _CONTINUE) from None
                continue
            if future.status in ("lost", "pending"):  # its worker died with the result, so another does it again
                future.add_done_callback(self._done.put)
            else:
                return [self._outcome(future)]

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

    def _outcome(self, future: Any) -> Outcome:
        job, _ = self._jobs.pop(future.key)
        if future.status == "cancelled":
            raise self._lost()
        if future.status == "error":
            return Outcome(job.key, error=f"on the cluster: {future.exception()}")
        try:
            outcome: Outcome = future.result()
            return outcome
        except Exception as e:
            if future.status == "cancelled":
                raise self._lost() from None
            return Outcome(job.key, error=f"on the cluster: {type(e).__name__}: {e}")

    def _lost(self) -> WorkersLost:
        return WorkersLost("the connection to the Dask scheduler was lost; " + _CONTINUE)


def _version() -> str:
    return version("compact-proofs")
