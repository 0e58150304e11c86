"""Make the golden file again, or some records: ``OMP_NUM_THREADS=1 python -m tests.golden.make [MODEL | MODEL/STRATEGY ...]``.

It prints each record that changed, and writes the file after each. Everything takes about half an hour.
"""

from __future__ import annotations

import sys
from dataclasses import replace

from .proofs import make, names, read, write


def main() -> None:
    wanted, found, order = set(sys.argv[1:]), read(), list(names())
    if unknown := wanted - {name for model, asked in order for name in (model, f"{model}/{asked}")}:
        sys.exit(f"there are no records of {', '.join(sorted(unknown))}: tests/golden/proofs.py says which there are")
    for model, asked in order:
        if wanted and wanted.isdisjoint((model, f"{model}/{asked}")):
            continue
        made = make(model, asked)
        before = found.get(made.name)
        if before:
            made = replace(made, quick=before.quick)
        if made != before:
            print(f"{made.name}: {made.outcome}, {made.numerator}/{made.denominator}", flush=True)
        found[made.name] = made
        write(found[name] for m, a in order if (name := f"{m}/{a}") in found)


if __name__ == "__main__":
    main()
