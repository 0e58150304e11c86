"""Fixed points of the frontier on every model of the zoo: ``python -m benchmarks.frontier``, results/frontier.md."""

from __future__ import annotations

import time
from statistics import fmean

import torch

from benchmarks.writing import write_results
from compact_proofs import prove, zoo
from compact_proofs.tasks.max_of_k import Additive, ByMaximum, Cubic, LargeMaxima, Listed, MaxOfK

K4 = [name for name in zoo.names() if name.startswith("max-of-4-")]

INTRODUCTION = "Sound bounds and proof lengths, made by `make bench`. Milliseconds are of processor time, on one thread."

POINTS = {
    "max-of-4 (five seeds)": (
        K4,
        [
            LargeMaxima(48, 6, 1, 8),
            LargeMaxima(40, 8, 2, 8),
            LargeMaxima(32),
            LargeMaxima(26, 6, 2, 11, 16, 24, divisions=15),
            LargeMaxima(24),
            LargeMaxima(16, groups=3),
            LargeMaxima(16, 8, 2, 32, 16, 24, attention="exact"),
            LargeMaxima(16, 8, 1, 16, 16, 24, attention="exact", direct="exact"),
            ByMaximum(16, 56, 6, 8, 16, 24),
            ByMaximum(6, 80, 6, 12, 16, 24),
            ByMaximum(),
            ByMaximum(6, 256, 8, 24),
            Additive(6, 1, "separate", "grid", 16, 24),
            LargeMaxima(8, 8, 2, 32, 32, 48, attention="exact", direct="exact"),
            Additive(6, 2, "separate", "grid", 16, 24),
            Additive(8, 1, "joint", "grid", 32, 32),
            Additive(6, 4, "joint", "grid", 32, 48, alike="positions"),
            Additive(6, 4, "joint", "grid", 32, 48),
            Additive(6, 4, "joint", "positions"),
            Listed(4, 2, "joint"),
            Cubic(),
        ],
    ),
    "max-of-5 (two seeds)": (
        ["max-of-5-seed-0", "max-of-5-seed-1"],
        [
            LargeMaxima(44, 8, 2, 8),
            LargeMaxima(29),
            LargeMaxima(21, groups=3),
            LargeMaxima(10, 8, 3, 32, 16, 24, attention="exact", direct="exact"),
            LargeMaxima(10, 8, 2, 63, 32, 48, attention="exact", direct="exact"),
            LargeMaxima(10, 6, 5, 63, 32, 48, attention="exact", direct="exact", divisions=2),
            ByMaximum(6, 100, 6, 12, 16, 24),
            ByMaximum(),
            ByMaximum(6, 256, 8, 24),
            Additive(6, 2, "separate", "grid", 16, 24),
            Additive(8, 1, "joint", "grid", 16, 24),
            Additive(8, 4, "joint", "grid", alike="positions"),
            Additive(8, 4, "joint", "grid", 32, 48),
            Additive(6, 12, "joint", "grid", 32, 48, alike="positions"),
            Additive(8, 16, "joint", "grid", 32, 48),
            Additive(8, 64, "joint", "grid", 32, 48),
        ],
    ),
    "max-of-10 (two seeds)": (
        ["max-of-10-seed-0", "max-of-10-seed-1"],
        [
            LargeMaxima(48, 6, 2),
            LargeMaxima(43, 6, 3),
            LargeMaxima(37, 6, 4),
            LargeMaxima(37, 6, 1, reach=24, attention="exact", direct="exact"),
            ByMaximum(30, 64, 6, 12, 16, 24),
            ByMaximum(6, 64, 6, 8, 16, 24),
            ByMaximum(),
            Additive(4, 4, "norms", "grid", 8, 8),
            Additive(5, 1, "separate", "grid", 16, 24),
            Additive(6, 2, "joint", "grid", 16, 24),
            Cubic(),
        ],
    ),
    "max-of-10, 128 tokens": (
        ["max-of-10-v128-seed-0"],
        [
            LargeMaxima(97, 10, 2),
            LargeMaxima(80, 10, 2, 24, 16, 24, attention="exact", direct="exact"),
            ByMaximum(6, 200, 8, 16),
            Additive(10, 1, "separate", "grid", 16, 24),
            Additive(8, 4, "separate", "grid", 16, 24),
            Additive(8, 4, "joint", "grid", 16, 24),
        ],
    ),
    "max-of-20": (
        ["max-of-20-seed-0"],
        [
            LargeMaxima(56, 6, 2),
            LargeMaxima(49, 6, 4),
            LargeMaxima(46, 5, 1, reach=24, attention="exact", direct="exact"),
            ByMaximum(40, 64, 6, 12, 16, 24),
            ByMaximum(),
            Additive(5, 1, "separate", "grid", 16, 16),
            Additive(5, 2, "joint", "grid", 32, 48),
            Cubic(),
        ],
    ),
}


def main() -> None:
    torch.set_num_threads(1)
    lines = [
        "# Points of the frontier",
        "",
        INTRODUCTION,
        "",
    ]
    for title, (names, strategies) in POINTS.items():
        lines += [f"## {title}", "", "| strategy | bounds | mean | M operations | ms |", "| --- | --- | ---: | ---: | ---: |"]
        for strategy in strategies:
            found, seconds = [], []
            for name in names:
                model = zoo.load(name)
                task = MaxOfK.of(model)
                explanation = strategy.explain(model, task)
                prove(model, task, strategy, explanation=explanation)
                started = time.process_time()
                found.append(prove(model, task, strategy, explanation=explanation))
                seconds.append(time.process_time() - started)
            bounds = [float(c.bound) for c in found]
            lengths = sorted(c.length.total / 1e6 for c in found)
            length = f"{lengths[0]:.3f}" if lengths[-1] - lengths[0] < 5e-4 else f"{lengths[0]:.3f}-{lengths[-1]:.3f}"
            options = " ".join(f"{k}={v}" for k, v in strategy.options().items() if v != type(strategy)().options()[k])
            milliseconds = max(seconds) * 1e3
            proven = " ".join(f"{b:.5f}" for b in bounds)
            row = f"| {strategy.name} {options} | {proven} | {fmean(bounds):.5f} | {length} | {milliseconds:.0f} |"
            print(row, flush=True)
            lines.append(row)
        lines.append("")
    write_results("frontier", "\n".join(lines))


if __name__ == "__main__":
    main()
