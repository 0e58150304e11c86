"""Modular addition over seeds: ``python -m benchmarks.modular_addition_seeds``, results/modular_addition_seeds.md.

Trains what ``build/modular_addition`` does not hold (half an hour on one core), by the recipe, seeds in order and none left out;
proves by the default.
"""

from __future__ import annotations

import time
from pathlib import Path

import torch

from benchmarks.timing import markdown
from benchmarks.writing import write_results
from compact_proofs import prove
from compact_proofs.core.prove import measure
from compact_proofs.decimals import decimal
from compact_proofs.tasks import load_model
from compact_proofs.tasks.modular_addition import BruteForce
from compact_proofs.tasks.modular_addition.training import Architecture, TrainingConfig, train

BUILD = Path(__file__).parents[1] / "build" / "modular_addition"
SEEDS: tuple[tuple[Architecture, range], ...] = (("attn", range(10, 15)), ("mlp", range(10, 14)), ("learned", range(10, 11)))
HEADER = ["network", "default proof", "right", "bound", "operations, M", "ratio", "search and proof, s"]
ASKED = (0.99, 85e6)
"""The least bound, and the most operations, that count as a short proof."""


def trained(architecture: Architecture, seed: int) -> Path:
    """The network's file, from an earlier run or made now."""
    file = BUILD / f"{architecture}-{seed}.safetensors"
    if not file.exists():
        BUILD.mkdir(parents=True, exist_ok=True)
        train(TrainingConfig(architecture=architecture, seed=seed)).save(file)
    return file


def row(architecture: Architecture, seed: int) -> tuple[list[str], bool]:
    """Prove by the default: a line of the table, and whether the proof is as short as asked."""
    loaded = load_model(str(trained(architecture, seed)))
    started = time.process_time()
    strategy = loaded.kit.default(loaded.model)
    found = prove(loaded.model, loaded.task, strategy)
    seconds = time.process_time() - started
    brute = measure(loaded.model, loaded.task, BruteForce()).total
    given = ", ".join(f"{k} = {v}" for k, v in strategy.options().items() if k in ("clusters", "q", "span") and v)
    cells = [
        f"{architecture}, seed {seed}",
        f"{strategy.name}, {given}",
        f"{found.claim.numerator:,} of {found.claim.denominator:,}",
        decimal(found.bound),
        f"{found.length.total / 1e6:.1f}",
        f"{brute / found.length.total:.1f}",
        f"{seconds:.1f}",
    ]
    print(cells, flush=True)
    return cells, found.bound >= ASKED[0] and found.length.total <= ASKED[1]


def main() -> None:
    """Train, prove, print and write the table."""
    torch.set_num_threads(1)
    rows = [row(architecture, seed) for architecture, seeds in SEEDS for seed in seeds]
    short = sum(is_short for _, is_short in rows)
    write_results(
        "modular_addition_seeds",
        f"""# Modular addition over seeds, p = 59

Made by `make bench-modular_addition_seeds`: networks of the recipe, seeds in order and none left out, and the proof that
`compact-proofs prove` chooses. *ratio*: operations of brute force over those of the proof. Seconds are processor time of one core.

{markdown(HEADER, [cells for cells, _ in rows])}

{short} of {len(rows)} have a bound of at least {ASKED[0]} in at most {ASKED[1] / 1e6:.0f} million operations.
""",
    )


if __name__ == "__main__":
    main()
