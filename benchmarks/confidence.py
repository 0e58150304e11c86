"""Proof and sample against proof alone and sampling alone: ``python -m benchmarks.confidence``, results/confidence.md."""

from __future__ import annotations

import torch

from benchmarks.writing import write_results
from compact_proofs import prove, zoo
from compact_proofs.confidence import Nothing, sample
from compact_proofs.tasks.max_of_k import Additive, MaxOfK

DELTA = "1e-6"
GOOD = Additive(6, 2, "joint", "grid", 16, 24)
POINTS = [
    *((name, s, n) for name in ("max-of-10-seed-0", "max-of-10-seed-1") for s, n in ((GOOD, 120), (Nothing(), 100))),
    ("max-of-10-v128-seed-0", Additive(8, 4, "separate", "grid", 16, 24), 300),
    ("max-of-20-seed-0", Additive(5, 2, "joint", "grid", 32, 48), 200),
    *((name, GOOD, 300) for name in zoo.names() if name.startswith("max-of-4-")),
]
"""Fixed before any draw: model, what proves a part, samples of the rest."""


def main() -> None:
    torch.set_num_threads(1)
    lines = [
        "# Bounds with confidence",
        "",
        f"A proof of a part and a sample of the rest; each bound is false with probability {DELTA}. Made by `make bench`.",
        "Seeds follow from hashes of the weights, the explanation and the options, and an empty public value.",
        "",
        "| model | proof | bound of the proof | its M operations | samples, right | bound with confidence | M operations |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name, strategy, n in POINTS:
        model = zoo.load(name)
        task = MaxOfK.of(model)
        alone = prove(model, task, strategy)
        said = sample(model, task, strategy, samples=n, delta=DELTA)
        options = " ".join(f"{k}={v}" for k, v in strategy.options().items() if v != type(strategy)().options()[k])
        row = (
            f"| {name} | {strategy.name} {options} | {float(alone.bound):.5f} | {alone.length.total / 1e6:.2f} | {n}, {said.right} "
            f"| {float(said.bound):.5f} | {said.length.total / 1e6:.2f} |"
        )
        print(row, flush=True)
        lines.append(row)
    write_results("confidence", "\n".join(lines))


if __name__ == "__main__":
    main()
