"""All results of the documentation, one part after another: ``make bench``, or ``python -m benchmarks [PART ...] [--again]``.

Each part is a module of this folder that writes a file of `results/`, in a process of its own. What was made from the same sources
is not made again, so that a run that was stopped goes on where it was; `--again` makes it all the same. A part that fails does not
stop the others. In the end stand the seconds of each part and of all.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.writing import ROOT

PARTS = (
    "max_of_k",
    "frontier",
    "confidence",
    "search",
    "estimates",
    "estimates_automatic",
    "order_statistic",
    "finetuned",
    "readout",
    "modular_addition",
    "modular_addition_seeds",
    "planar",
    "induction",
    "groups",
    "groups_survey",
    "finite",
    "automatic",
    "dictionaries",
    "many_cores",
    "formal",
)
"""Parts in the order in which they are made; the last needs Coq."""
DONE = ROOT / "build" / "bench.json"
"""Of what sources each part was made, and in how many seconds."""


def sources() -> str:
    """A hash of all code that a result may depend on."""
    found = hashlib.sha256()
    for folder in ("compact_proofs", "benchmarks", "formal"):
        for file in sorted(ROOT.joinpath(folder).rglob("*")):
            if file.suffix in (".py", ".v", ".safetensors"):
                found.update(str(file.relative_to(ROOT)).encode() + b"\0" + file.read_bytes())
    return found.hexdigest()


def run(part: str) -> bool:
    """Make one part; did it succeed?"""
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.run([sys.executable, "-m", f"benchmarks.{part}"], cwd=ROOT, env=environment, check=False).returncode == 0


def main(arguments: list[str]) -> int:
    """Make the parts that are named, or all; return the number of those that failed."""
    again, named = "--again" in arguments, [a for a in arguments if a != "--again"]
    if unknown := sorted(set(named) - set(PARTS)):
        print(f"there is no part {', '.join(unknown)}; there are {', '.join(PARTS)}", file=sys.stderr)
        return 2
    made, done = sources(), read(DONE)
    failed, total = [], 0.0
    for part in named or PARTS:
        if not again and done.get(part, {}).get("sources") == made:
            print(f"{part}: made already from these sources, in {done[part]['seconds']:.0f} s", flush=True)
            continue
        print(f"{part} ...", flush=True)
        started = time.monotonic()
        if run(part):
            seconds = time.monotonic() - started
            total += seconds
            done[part] = {"sources": made, "seconds": seconds}
            DONE.parent.mkdir(exist_ok=True)
            DONE.write_text(json.dumps(done, indent=1))
            print(f"{part}: {seconds:.0f} s", flush=True)
        else:
            failed.append(part)
    print(f"{total:.0f} s in all" + (f"; failed: {', '.join(failed)}" if failed else ""))
    return len(failed)


def read(file: Path) -> dict[str, dict[str, str | float]]:
    """What is known of parts that were made."""
    found: dict[str, dict[str, str | float]] = json.loads(file.read_text()) if file.exists() else {}
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
