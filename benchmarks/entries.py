"""This package's own entries of the leaderboard: default proofs of models of the zoo, and frontiers of some.

python -m benchmarks.entries [NAME ...]     # make entries
"""

from __future__ import annotations

import sys
from pathlib import Path

import compact_proofs as cp

FOLDER = Path(__file__).parents[1] / "leaderboard" / "compact-proofs"

MODELS = {
    "max-of-4-seed-50": 0.0,
    "max-of-4-seed-104": 0.0,
    "max-of-4-seed-123": 0.1,
    "max-of-4-seed-500": 0.0,
    "max-of-4-seed-999": 0.0,
    "s4-seed-0": 0.1,
    "s4-seed-1": 0.0,
    "induction-6-seed-0-tuned": 0.0,
    "induction-8-seed-0-tuned": 0.0,
    "mod-59-mlp-seed-0-tuned": 0.0,
}
"""With the effort of the frontier; 0 for the default proof alone."""
LARGEST = 100_000
"""Certificates above so many bytes are left out: lists of inputs, mostly."""


def main(names: list[str]) -> None:
    """Make the entries of the models that are named, of all unless any is."""
    for name in names or MODELS:
        loaded = cp.load(name)
        effort = MODELS[name]
        found = cp.frontier(loaded, effort=effort, moves=0).best if effort else (cp.prove(loaded),)
        folder = FOLDER / name
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.glob("*.cert"):
            old.unlink()
        for number, certificate in enumerate(found, start=1):
            file = certificate.save(folder / f"{number:02d}-{certificate.strategy}.cert")
            if file.stat().st_size > LARGEST:
                file.unlink()


if __name__ == "__main__":
    main(sys.argv[1:])
