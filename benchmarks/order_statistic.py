"""Proofs about networks that name order statistics: ``python -m benchmarks.order_statistic [NETWORK | NETWORK/STRATEGY ...]``.

Writes results/order_statistic.md. About twenty minutes on one core, most of it for the two networks of five numbers, and 2 GB of
memory. Rows of networks that are not named stay as they are. A network with "uniform" behind its name reads numbers that are
uniform between -1 and 1.
"""

from __future__ import annotations

import sys
import time
from functools import cache

import torch

import compact_proofs as cp
from benchmarks.timing import markdown
from benchmarks.writing import RESULTS as FOLDER
from benchmarks.writing import write_results
from compact_proofs.cones.tree import CHECK, REFINE
from compact_proofs.core.prove import find_explanation, prove
from compact_proofs.laws import Uniform
from compact_proofs.scaled_boxes.tree import CHECK as BOX
from compact_proofs.tasks.order_statistic import BoxTree, ConeTree, LinearPieces, OrderStatistic, WholeCones

RESULTS = FOLDER / "order_statistic.md"
PROOFS: list[tuple[str, cp.Strategy]] = [
    ("second-of-3", ConeTree()),
    ("second-of-3", ConeTree(smallest=1e-8, gain=1e-8)),
    ("second-of-3", LinearPieces()),
    ("second-of-3", BoxTree()),
    ("second-of-3", BoxTree(gain=1e-6, cells=16)),
    ("second-of-3-biased", BoxTree()),
    ("second-of-3-biased", BoxTree(gain=1e-6)),
    ("second-of-3 uniform", BoxTree()),
    ("second-of-3 uniform", BoxTree(gain=1e-6, cells=16)),
    ("second-of-4", ConeTree()),
    ("second-of-4", ConeTree(smallest=1e-7, gain=1e-7)),
    ("second-of-4", LinearPieces()),
    ("second-of-4", BoxTree()),
    ("second-of-4", BoxTree(gain=1e-6)),
    ("second-of-10-by-hand", WholeCones()),
    ("second-of-10-by-pairs", WholeCones()),
    ("second-of-5", LinearPieces()),
    ("second-of-5", ConeTree(smallest=1e-6, gain=1e-6)),
    ("second-of-5", BoxTree()),
    ("median-of-5", ConeTree(smallest=1e-6, gain=1e-6)),
    ("median-of-5", LinearPieces()),
    ("median-of-5", BoxTree()),
    ("second-of-10", BoxTree(gain=5e-8, most=4_000_000, groups=3, steps=12, middle=2e-7, least=3e-8)),
]
TEXT = """# Order statistics

Made by `python -m benchmarks.order_statistic [NETWORK | NETWORK/STRATEGY ...]`. Processor seconds of one core. Sampled: the share
of 2^22 random inputs that is right (standard error .0002), no proof. Runs: cones on which the network is run, or boxes on which it
is bounded. A network with "uniform" behind its name reads numbers that are uniform between -1 and 1.
"""
HEADINGS = ("model", "sampled", "strategy", "proven", "nodes", "runs", "operations", "search, s", "proof, s")


def label(strategy: cp.Strategy) -> str:
    """A strategy with its options that are not the defaults."""
    defaults = type(strategy)().options()
    changed = [f"{name}={value}" for name, value in strategy.options().items() if value != defaults[name]]
    return " ".join([strategy.name, *changed])


def load(name: str) -> cp.LoadedModel:
    """The network of a row with its task."""
    first, *law = name.split()
    loaded = cp.load(first)
    if not law:
        return loaded
    return cp.load(loaded.model, OrderStatistic(loaded.task.n, loaded.task.above, Uniform(-1, 1)))


@cache
def sampled(name: str) -> float:
    """The share of 2^22 random inputs that is right, which proves nothing."""
    loaded = load(name)
    model, task, right = loaded.model.double(), loaded.task, 0
    generator = torch.Generator().manual_seed(0)
    for _ in range(64):
        x = task.law.sample(2**16, generator)
        logits, labels = model(x), task.labels(x)[:, None]
        own = logits.gather(1, labels)
        right += int((own > logits.scatter(1, labels, -torch.inf)).all(1).sum())
    return right / 2**22


def row(name: str, strategy: cp.Strategy) -> list[str]:
    """Find an explanation, and prove by it."""
    loaded = load(name)
    started = time.process_time()
    explanation = find_explanation(loaded.model, loaded.task, strategy)
    searched = time.process_time() - started
    started = time.process_time()
    certificate = prove(loaded.model, loaded.task, strategy, explanation=explanation)
    proven = time.process_time() - started
    nodes = runs = "-"
    if "cuts" in explanation:
        kinds = explanation["cuts"] % 4
        nodes, runs = f"{len(kinds):,}", f"{int(((kinds == CHECK) | (kinds == REFINE)).sum()):,}"
    if "splits" in explanation:
        kinds = explanation["splits"] % 3
        nodes, runs = f"{len(kinds):,}", f"{int((kinds == BOX).sum()):,}"
    found = [
        name,
        f"{sampled(name):.4f}",
        label(strategy),
        cp.decimal(certificate.bound, 6).rstrip("."),
        nodes,
        runs,
        f"{certificate.length.total:.2e}",
        f"{searched:.1f}",
        f"{proven:.1f}",
    ]
    print(*found, flush=True)
    return found


def known() -> dict[tuple[str, str], list[str]]:
    """The rows of the table as it is, by network and strategy."""
    lines = RESULTS.read_text().splitlines() if RESULTS.exists() else []
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    return {(cell[0], cell[2]): cell for cell in cells[2:]}


def main(names: list[str]) -> None:
    """Write the table, after each row."""
    for name, strategy in PROOFS:
        if names and not {name, f"{name}/{strategy.name}"} & set(names):
            continue
        made = row(name, strategy)
        rows = known() | {(name, label(strategy)): made}
        in_order = [rows[key] for n, s in PROOFS if (key := (n, label(s))) in rows]
        write_results("order_statistic", f"{TEXT}\n{markdown(HEADINGS, in_order)}")


if __name__ == "__main__":
    main(sys.argv[1:])
