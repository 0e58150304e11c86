"""`run`: do what a plan asks for and the store does not have yet; `status`: what a store has."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from compact_proofs.errors import BadInput
from compact_proofs.files.atomic import made, write_atomically
from compact_proofs.progress import track
from compact_proofs.sweep.lock import is_running
from compact_proofs.sweep.plan import Plan, recipe_json
from compact_proofs.sweep.store import Store
from compact_proofs.sweep.work import Job, Outcome, ProofJob, work
from compact_proofs.tasks import KITS
from compact_proofs.workers import DaskWorkers, Done, ProcessPool, Workers

AGAIN = "run the same command again to continue"
"""What to do when all workers are lost: what was done is in the store."""


@dataclass(frozen=True)
class Failure:
    """A unit that failed, in words, and why."""

    unit: str
    error: str

    @property
    def reason(self) -> str:
        """The first line of the error; the rest is a traceback."""
        return self.error.split("\n", 1)[0]


@dataclass(frozen=True)
class Summary:
    """What became of a plan.

    Attributes
    ----------
    done
        Units done in this run: models trained or read, and proofs.
    skipped
        Units that were in the store already.
    failed
        Units of the plan that failed, in this run or before.
    seconds
        Wall time.
    failures
        One for each failed unit, but not for the proofs that were not tried because their model failed.
    """

    done: int
    skipped: int
    failed: int
    seconds: float
    failures: tuple[Failure, ...]


@dataclass(frozen=True)
class Status:
    """What a store has.

    Attributes
    ----------
    models, proofs
        How many are waiting, running, done, failed.
    running
        Process, host and start of the sweep that is running on the store, or None.
    failures
        As in `Summary`.
    """

    models: dict[str, int]
    proofs: dict[str, int]
    running: dict[str, Any] | None
    failures: tuple[Failure, ...]


def run(
    store: str | Path,
    plan: Plan | None = None,
    *,
    workers: int = 1,
    dask: str | None = None,
    retry_failed: bool = False,
    keep_certificates: str | Path | None = None,
) -> Summary:
    """Train and prove what a plan asks for and the store does not have yet.

    Every finished unit is in the store for good. A run that was killed, at any moment and in any way, is continued by the same
    call: what was finished is skipped, what was not is done again. A unit that fails, or kills its worker, costs only itself
    (and a model its proofs). The results do not depend on the number of workers.

    Parameters
    ----------
    store
        An SQLite file, made if it is missing; on a local disk, since SQLite's write-ahead log needs one.
    plan
        What is wanted; None for what still waits in the store.
    workers
        Processes on this machine, of one thread each.
    dask
        Address of a Dask scheduler, whose workers are used instead. Model files must be readable there under the same path.
    retry_failed
        Try again what failed before.
    keep_certificates
        Folder for the models and the certificates of the proofs that are made in this run.

    Raises
    ------
    BadInput
        If the store cannot be used, or another sweep is running on it.
    WorkersLost
        If no worker starts, or the cluster goes away; the store keeps what was done.
    """
    if workers < 1:
        raise BadInput(f"workers = {workers}: a sweep needs at least 1")
    if plan is None and not Path(store).exists():
        raise BadInput(f"{store}: there is no such store to continue; give a plan")
    with Store(store, write=True) as opened:
        hands: Workers = ProcessPool(workers, work, "sweep.run") if dask is None else DaskWorkers(dask, work, AGAIN)
        try:
            return execute(opened, plan, hands, retry_failed=retry_failed, keep_certificates=keep_certificates)
        finally:
            hands.close()


def execute(
    store: Store,
    plan: Plan | None,
    workers: Workers,
    *,
    retry_failed: bool = False,
    keep_certificates: str | Path | None = None,
) -> Summary:
    """Do what `run` does, on an open store with any kind of workers."""
    started = time.perf_counter()
    if plan is not None:
        store.add(plan)
    if retry_failed:
        store.retry()
    store.give_up_on_failed_models()
    before = store.counts(wanted=True)
    bar = iter(track(range(before["waiting"]), "units of work"))
    next(bar, None)
    for settled in _settle(store, workers, None if keep_certificates is None else Path(keep_certificates)):
        for _ in range(settled):
            next(bar, None)
    after = store.counts(wanted=True)
    return Summary(
        done=after["done"] - before["done"],
        skipped=before["done"],
        failed=after["failed"],
        seconds=time.perf_counter() - started,
        failures=_failures(store, wanted=True),
    )


def status(store: str | Path) -> Status:
    """Read what a store has, also while a sweep is running.

    Raises
    ------
    BadInput
        If the file is no store.
    """
    with Store(store) as opened:
        holder = [dict(row) for row in opened.rows("SELECT * FROM sweep")]
        alive = bool(holder) and is_running(opened.path)
        return Status(
            models=_really(opened.counts("models"), alive),
            proofs=_really(opened.counts("proofs"), alive),
            running=holder[0] if alive else None,
            failures=_failures(opened),
        )


def _really(counts: dict[str, int], alive: bool) -> dict[str, int]:
    """What runs runs only while its sweep does; after the sweep was killed it waits to be done again."""
    return counts if alive else counts | {"waiting": counts["waiting"] + counts["running"], "running": 0}


def _settle(store: Store, workers: Workers, folder: Path | None) -> Iterator[int]:
    """Hand out jobs and record outcomes until nothing is left to do; yield how many units each outcome settles."""
    at_work: dict[str, Job] = {}
    while True:
        while len(at_work) < workers.capacity and (job := store.claim(folder is not None)) is not None:
            at_work[job.key] = job
            workers.submit(job)
        if not at_work:
            return
        for done in workers.wait():
            job, outcome = at_work.pop(done.job.key), _outcome(done)
            if folder is not None and isinstance(job, ProofJob) and outcome.certificate is not None:
                _keep(store, folder, job, outcome)
            yield store.finish(job, outcome)


def _outcome(done: Done) -> Outcome:
    """A unit whose worker died has failed."""
    if done.lost is None:
        found: Outcome = done.result
        return found
    return Outcome(done.job.key, error=f"{done.lost} at this unit")


def _keep(store: Store, folder: Path, job: ProofJob, outcome: Outcome) -> None:
    """Write the certificate, and once the model, into the folder, before the row says that the proof is done."""
    ((model,),) = store.rows("SELECT model FROM proofs WHERE key = ?", [job.key])
    made(folder)
    weights = folder / f"{model[:16]}.safetensors"
    if not weights.exists():
        write_atomically(weights, job.weights)
    write_atomically(folder / f"{model[:16]}-{job.strategy}-{job.key[:16]}.cert", outcome.certificate or b"")


def _failures(store: Store, wanted: bool = False) -> tuple[Failure, ...]:
    """The failed units; a proof without an attempt waited for a model that is itself among them."""
    only = "AND {}.key IN (SELECT key FROM wanted)" if wanted else ""
    models = store.rows(f"SELECT * FROM models m WHERE status = 'failed' {only.format('m')} ORDER BY number")
    proofs = store.rows(
        "SELECT m.task, m.recipe, m.path, p.strategy, p.options, p.error FROM proofs p JOIN models m ON p.model = m.key "
        f"WHERE p.status = 'failed' AND m.status <> 'failed' {only.format('p')} ORDER BY p.number"
    )
    found = [Failure(_name(row["task"], row["recipe"], row["path"]), row["error"]) for row in models]
    for row in proofs:
        given = " ".join(f"{key}={value}" for key, value in json.loads(row["options"]).items())
        name = f"{_name(row['task'], row['recipe'], row['path'])}: {row['strategy']} {given}".rstrip()
        found.append(Failure(name, row["error"]))
    return tuple(found)


def _name(task: str, recipe: str | None, path: str | None) -> str:
    """Name a model by its file, or by its seed and what is not as published."""
    if recipe is None:
        return Path(path or "").name
    published = json.loads(recipe_json(KITS[task], {}))
    telling = {k: v for k, v in json.loads(recipe).items() if k == "seed" or v != published.get(k)}
    return f"{task} {' '.join(f'{key}={value}' for key, value in telling.items())}"


def to_json(found: Summary | Status) -> dict[str, Any]:
    """The object printed by ``--json``."""
    return asdict(found) | {"failures": [asdict(failure) for failure in found.failures]}
