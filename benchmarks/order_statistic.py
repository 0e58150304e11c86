"""Proofs about networks that name order statistics: ``python -m benchmarks.order_statistic [--large]``.

Writes results/order_statistic.md. About two minutes on one core; with --large, which proves most of second-of-5, half an hour, and
2 GB of memory.
"""

from __future__ import annotations

import sys
import time

import compact_proofs as cp
from benchmarks.timing import markdown
from benchmarks.writing import write_results
from compact_proofs.cones.tree import CHECK, REFINE
from compact_proofs.core.prove import find_explanation, prove
from compact_proofs.tasks.order_statistic import ConeTree

PROOFS: list[tuple[str, ConeTree]] = [
    ("second-of-3", ConeTree()),
    ("second-of-3", ConeTree(smallest=1e-8, gain=1e-8)),
    ("second-of-4", ConeTree()),
    ("second-of-4", ConeTree(smallest=1e-7, gain=1e-7)),
    ("second-of-5", ConeTree(smallest=1e-5, gain=3e-6)),
    ("second-of-5", ConeTree(smallest=1e-6, gain=1e-6)),
    ("median-of-5", ConeTree(smallest=1e-6, gain=1e-6)),
]
LARGE: list[tuple[str, ConeTree]] = [
    ("second-of-5", ConeTree(smallest=1e-7, gain=1e-7)),
    ("second-of-5", ConeTree(smallest=8e-9, gain=2e-8)),
]
HEADINGS = ("model", "sampled", "smallest", "gain", "proven", "nodes", "runs", "operations", "search, s", "proof, s")


def row(name: str, strategy: ConeTree) -> list[str]:
    """Find a tree, and prove by it."""
    loaded = cp.load(name)
    started = time.process_time()
    explanation = find_explanation(loaded.model, loaded.task, strategy)
    searched = time.process_time() - started
    started = time.process_time()
    certificate = prove(loaded.model, loaded.task, strategy, explanation=explanation)
    proven = time.process_time() - started
    kinds = explanation["cuts"] % 4
    runs = int(((kinds == CHECK) | (kinds == REFINE)).sum())
    found = [
        name,
        f"{loaded.metadata['final']['accuracy']:.4f}",
        f"{strategy.smallest:g}",
        f"{strategy.gain:g}",
        cp.decimal(certificate.bound, 6).rstrip("."),
        f"{len(kinds):,}",
        f"{runs:,}",
        f"{certificate.length.total:.2e}",
        f"{searched:.1f}",
        f"{proven:.1f}",
    ]
    print(*found, flush=True)
    return found


def main() -> None:
    """Write the table."""
    large = "--large" in sys.argv[1:]
    rows = [row(name, strategy) for name, strategy in (*PROOFS, *(LARGE if large else ()))]
    write_results(
        "order_statistic",
        "# Order statistics\n\nMade by `python -m benchmarks.order_statistic`. Processor seconds of one core. Sampled: the share "
        "of random inputs that is right, no proof. Runs: cones on which the network is run.\n\n" + markdown(HEADINGS, rows),
    )


if __name__ == "__main__":
    main()
