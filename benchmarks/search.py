"""Searches on two models, judged on three others: ``python -m benchmarks.search``, results/search.md."""

from __future__ import annotations

from typing import Any

import torch

from benchmarks.writing import write_results
from compact_proofs import zoo
from compact_proofs.cli.search import ends
from compact_proofs.search import Evolution, Judge, Random, Space, q_metric, search
from compact_proofs.search.bayes import Bayes
from compact_proofs.tasks import load_model
from compact_proofs.tasks.max_of_k import MaxOfK

FOUND_ON = ("max-of-4-seed-123", "max-of-4-seed-500")
HELD_OUT = ("max-of-4-seed-104", "max-of-4-seed-50", "max-of-4-seed-999")
EVALUATIONS = 60
PUBLISHED = 64**4 * 584 + 1_213_000
"""Brute force through path matrices, sequence by sequence: the end of Q's axis in earlier figures."""
LENGTHS = (1e6, 1.5e6, 2e6, 3e6)


def main() -> None:
    torch.set_num_threads(1)
    first = load_model(FOUND_ON[0])
    space = Space.of(first.kit.candidates(first.model))
    shortest, longest = ends(first)
    known = [(m := zoo.load(name), MaxOfK.of(m)) for name in FOUND_ON]
    others = [(m := zoo.load(name), MaxOfK.of(m)) for name in HELD_OUT]
    lines = [
        "# Searches",
        "",
        f"{EVALUATIONS} proposals judged on {', '.join(FOUND_ON)}; the frontier that was found, proved on",
        f"{', '.join(HELD_OUT)}, none of which the search saw. Q from {shortest:,} operations",
        f"(reading the weights) to {longest:,} (brute force with shared sums), and in brackets to {PUBLISHED:,}",
        "(brute force sequence by sequence). Bounds are means over the held-out models, at fixed lengths.",
        "",
        f"| proposer | seed | Q | held-out Q | {' | '.join(f'at {n / 1e6:g}M' for n in LENGTHS)} |",
        f"| --- | ---: | ---: | ---: | {' | '.join('---:' for _ in LENGTHS)} |",
    ]
    for kind in (Random, Evolution, Bayes):
        for seed in (0, 1):
            row = _row(kind, seed, Judge(known, space, longest), Judge(others, space, longest), shortest, longest)
            print(row, flush=True)
            lines.append(row)
    write_results("search", "\n".join(lines))


def _row(kind: Any, seed: int, judge: Judge, held_out: Judge, shortest: int, longest: int) -> str:
    state = search(kind(seed), judge, shortest, longest, EVALUATIONS)
    found = [held_out(p) for p, _ in state.frontier]
    points = [(r.length, r.bound) for r in found]
    bounds = " | ".join(f"{max((b for n, b in points if n <= at), default=0):.4f}" for at in LENGTHS)
    held = f"{q_metric(points, shortest, longest):.4f} ({q_metric(points, shortest, PUBLISHED):.4f})"
    return f"| {kind.name} | {seed} | {state.q:.4f} | {held} | {bounds} |"


if __name__ == "__main__":
    main()
