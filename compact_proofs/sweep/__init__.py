"""Sweeps: train and prove over seeds x sizes x strategies, into an SQLite file that survives whatever happens.

    plan        models x strategies, as units of work with deterministic keys
    work        what a worker does with one unit
    lock        one sweep at a time on a store
    checksums   of the store's rows
    store       the SQLite file: which units are waiting, running, done, failed
    runner      `run` hands out units and records what becomes of them; `status`
    table       `read` and `export` the results

Example
-------
>>> from compact_proofs.sweep import Plan, export, run
>>> from compact_proofs.tasks.max_of_k import Additive, Cubic
>>> plan = Plan.grid([Cubic(), Additive(window=4, groups=2)], seeds=range(40), recipe={"n_ctx": 4, "d_vocab": 64})
>>> run("sweep.sqlite", plan, workers=2)  # doctest: +SKIP
>>> export("sweep.sqlite", "results.csv")  # doctest: +SKIP

In a script, call `run` under ``if __name__ == "__main__":``, since its worker processes import the script.
"""

from compact_proofs.sweep.plan import Plan
from compact_proofs.sweep.runner import Failure, Status, Summary, run, status
from compact_proofs.sweep.table import COLUMNS, export, read

__all__ = ["COLUMNS", "Failure", "Plan", "Status", "Summary", "export", "read", "run", "status"]
