"""One proof by one process and by two: ``python -m benchmarks.many_cores``, results/many_cores.md.

Needs two cores that are idle. The processes are started before, as `cp.sharing` does for several calls.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

import compact_proofs as cp
from benchmarks.timing import markdown
from compact_proofs.core.prove import find_explanation
from compact_proofs.shards import crew
from compact_proofs.tasks.max_of_k import BruteForce

RESULTS = Path(__file__).parent / "results" / "many_cores.md"
CASES: tuple[tuple[str, cp.Strategy], ...] = (
    ("max-of-4-seed-123", BruteForce()),
    ("max-of-4-seed-123", cp.Exhaustive(share=1 / 128)),
    ("finite-majority-rnn", cp.Automatic()),
    ("finite-max-2-heads-norm", cp.Automatic()),
)
JOBS = 2
TICKS = os.sysconf("SC_CLK_TCK")

TEXT = """# One proof on many cores

`python -m benchmarks.many_cores`, on two cores. *wall*: seconds until the proof is there, by one process and by two that were
started before. *path*: processor seconds of the asking process and of the busier of the two others, which is what the wall time
would be if nothing else ran. The certificates are the same, and the program stops if they are not.
"""
HEADER = ["network", "strategy", "operations, M", "wall, 1", "wall, 2", "ratio", "processor, 1", "path, 2", "ratio"]


def main() -> None:
    """Measure all cases, and write the table."""
    rows = []
    for name, strategy in CASES:
        loaded = cp.load(name)
        explanation = find_explanation(loaded.model, loaded.task, strategy)
        alone, wall, processor, _ = timed(loaded, strategy, explanation)
        with cp.sharing(JOBS):
            found = crew._crew.get()
            assert found is not None
            assert found.workers is not None
            while not all(worker.started for worker in found.workers._workers):  # type: ignore[attr-defined]
                _, _ = found.workers.ready, time.sleep(0.05)
            shared, wall_2, own, busiest = timed(loaded, strategy, explanation)
        assert (alone.claim, alone.length) == (shared.claim, shared.length)
        path = own + busiest
        said = [f"{alone.length.total / 1e6:.1f}", f"{wall:.1f}", f"{wall_2:.1f}", f"{wall / wall_2:.2f}"]
        rows.append([name, strategy.name, *said, f"{processor:.1f}", f"{path:.1f}", f"{processor / path:.2f}"])
        print(rows[-1], flush=True)
    RESULTS.write_text(f"{TEXT}\n{markdown(HEADER, rows)}\n")


def timed(loaded: cp.LoadedModel, strategy: cp.Strategy, explanation: cp.Explanation) -> tuple[cp.Certificate, float, float, float]:
    """A proof, its wall seconds, the processor seconds of this process, and of the busiest of the others."""
    before, wall, own = others(), time.perf_counter(), time.process_time()
    proven = cp.prove(loaded, strategy=strategy, explanation=explanation)
    wall, own = time.perf_counter() - wall, time.process_time() - own
    return proven, wall, own, max((spent - before.get(process, 0) for process, spent in others().items()), default=0.0)


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
    main()
