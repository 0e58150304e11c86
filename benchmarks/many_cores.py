"""Searches and proofs by one process and by two: ``python -m benchmarks.many_cores [NETWORK ...]``, results/many_cores.md.

The processes are started before, as `cp.sharing` does for several calls, and what the first call would import is imported. What
this process keeps of a network that it has seen is forgotten before each search, so that one process and the asking one of two have
the same to do. Rows of networks that are not named stay as they are.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

import compact_proofs as cp
from benchmarks.timing import markdown
from benchmarks.writing import RESULTS as FOLDER
from benchmarks.writing import write_results
from compact_proofs.automatic.reading import lifted
from compact_proofs.core.prove import find_explanation
from compact_proofs.program import tracing
from compact_proofs.shards import crew
from compact_proofs.shards.work import prepare
from compact_proofs.tasks.max_of_k import BruteForce

RESULTS = FOLDER / "many_cores.md"
CASES: tuple[tuple[str, cp.Strategy], ...] = (
    ("max-of-4-seed-123", BruteForce()),
    ("finite-majority-rnn", cp.Automatic()),
    ("finite-max-relu", cp.Automatic()),
    ("finite-max-2-heads-norm", cp.Automatic()),
    ("finite-max-2-heads-norm-relu", cp.Automatic()),
)
WHAT = ("search", "proof")
JOBS = 2
TICKS = os.sysconf("SC_CLK_TCK")

TEXT = """# One proof on many cores

`python -m benchmarks.many_cores [NETWORK ...]`. Wall seconds of one proof, or of the search for its explanation, by one process,
and by two that were started before, of which none has seen the network. Then processor seconds: by one process; of the asking
process and of the two together. On two idle cores the second wall time is about that of the asking process and half of the two's.
Explanations and certificates are the same, and the program stops if they are not.
"""
HEADER = ["network", "what", "operations, M", "one, s", "two, s", "ratio", "processor: one", "asking", "the two"]


def main(names: list[str]) -> None:
    """Measure the cases of some networks, or all, and write the table."""
    prepare()  # as the workers do
    rows = known()
    for name, strategy in CASES:
        if names and name not in names:
            continue
        loaded = cp.load(name)
        alone, shared = Timed(loaded, strategy), Timed(loaded, strategy)
        alone.run()
        with cp.sharing(JOBS):
            found = crew._crew.get()
            assert found is not None
            assert found.workers is not None
            while not all(worker.started for worker in found.workers._workers):  # type: ignore[attr-defined]
                _, _ = found.workers.ready, time.sleep(0.05)
            shared.run()
        assert (alone.proven.claim, alone.proven.length) == (shared.proven.claim, shared.proven.length)
        assert all(torch.equal(alone.proven.explanation[part], found) for part, found in shared.proven.explanation.items())
        for what in WHAT[0 if isinstance(strategy, cp.Automatic) else 1 :]:
            (wall, one, _), (wall_2, asking, two) = alone.seconds[what], shared.seconds[what]
            operations = f"{alone.proven.length.total / 1e6:.1f}" if what == "proof" else "-"
            seconds = [f"{wall:.1f}", f"{wall_2:.1f}", f"{wall / wall_2:.2f}", f"{one:.1f}", f"{asking:.1f}", f"{two:.1f}"]
            rows[name, f"{strategy.name}, {what}"] = [name, f"{strategy.name}, {what}", operations, *seconds]
            print(*rows[name, f"{strategy.name}, {what}"], flush=True)
    in_order = [row for name, _ in CASES for (of, _), row in rows.items() if of == name]
    write_results("many_cores", f"{TEXT}\n{markdown(HEADER, in_order)}\n")


def known() -> dict[tuple[str, str], list[str]]:
    """The rows of the table as it is, by network and what was timed."""
    lines = RESULTS.read_text().splitlines() if RESULTS.exists() else []
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    return {(row[0], row[1]): row for row in cells[2:] if row[1].endswith(WHAT)}


class Timed:
    """A search and a proof; wall seconds of each, and processor seconds of this process and of the workers together."""

    def __init__(self, loaded: cp.LoadedModel, strategy: cp.Strategy) -> None:
        self.loaded, self.strategy = loaded, strategy
        self.seconds: dict[str, tuple[float, float, float]] = {}

    def run(self) -> None:
        loaded, strategy = self.loaded, self.strategy
        tracing._PROGRAMS.clear()
        lifted._KEPT.clear()
        explanation = self._timed("search", lambda: find_explanation(loaded.model, loaded.task, strategy))
        self.proven = self._timed("proof", lambda: cp.prove(loaded, strategy=strategy, explanation=explanation))

    def _timed(self, what: str, do: Callable[[], Any]) -> Any:
        before, wall, own = sum(others().values()), time.perf_counter(), time.process_time()
        done = do()
        self.seconds[what] = (time.perf_counter() - wall, time.process_time() - own, sum(others().values()) - before)
        return done


def others() -> dict[int, float]:
    """Processor seconds of each worker process so far."""
    found = crew._crew.get()
    workers = [] if found is None or found.workers is None else found.workers._workers  # type: ignore[attr-defined]
    spent = {}
    for worker in workers:
        fields = Path(f"/proc/{worker.process.pid}/stat").read_text().rpartition(")")[2].split()
        spent[worker.process.pid] = (int(fields[11]) + int(fields[12])) / TICKS
    return spent


if __name__ == "__main__":
    main(sys.argv[1:])
