"""Bounds, lengths and times of the strategies on the K = 4 models of the zoo: ``python -m benchmarks.max_of_k``.

Prints a report and writes it to ``benchmarks/results/max_of_k.md``. About two minutes on one core.
"""

from __future__ import annotations

import platform
import resource
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path

import torch

import compact_proofs as cp
from benchmarks.timing import REPEATS, interleaved, markdown
from benchmarks.writing import write_results
from compact_proofs import zoo
from compact_proofs.core.prove import run
from compact_proofs.tasks.max_of_k import Additive, BruteForce, Cubic, MaxOfK

RESULTS = Path(__file__).parent / "results" / "max_of_k.md"
MODELS = tuple(name for name in zoo.names() if name.startswith("max-of-4-"))
STRATEGIES = {"cubic": Cubic(), "additive": Additive(), "additive per query": Additive(window=8, groups=64)}


@dataclass(frozen=True)
class Measurement:
    """One strategy on one model.

    Attributes
    ----------
    bound, accuracy
        What is proven, and the true accuracy from the zoo.
    operations
        The proof's length.
    sound, float_
        Median seconds of `verify` under each reading, the explanation given.
    """

    model: str
    strategy: str
    bound: Fraction
    accuracy: Fraction
    operations: int
    sound: float
    float_: float

    @property
    def ratio(self) -> float:
        """Sound over float seconds."""
        return self.sound / self.float_

    def row(self) -> list[str]:
        """Its line of the table."""
        share = float(self.bound / self.accuracy)
        proven = [cp.decimal(self.bound, 6).rstrip("."), f"{float(self.accuracy):.6f}", f"{share:.6f}"]
        times = [f"{self.sound:.3f}", f"{self.float_:.3f}", f"{self.ratio:.1f}"]
        return [f"{self.model}, {self.strategy}", *proven, f"{self.operations / 1e6:.3f}", *times]


def measure(name: str) -> list[Measurement]:
    """Prove with every strategy and time its readings, taking turns."""
    model = zoo.load(name)
    task, exact = MaxOfK.of(model), zoo.metadata(name)["true_accuracy"]
    found = []
    for label, strategy in STRATEGIES.items():
        certificate = cp.prove(model, task, strategy)
        readings = {
            reading: partial(run, model, task, strategy, certificate.explanation, reading) for reading in ("sound", "float")
        }
        seconds = interleaved(readings)
        accuracy = Fraction(int(exact["numerator"]), int(exact["denominator"]))
        length = certificate.length.total
        found.append(Measurement(name, label, certificate.bound, accuracy, length, seconds["sound"], seconds["float"]))
    return found


def brute_force(name: str) -> str:
    """Time brute force once under each reading, and compare it with the zoo's record."""
    model = zoo.load(name)
    sound, float_ = (run(model, MaxOfK.of(model), BruteForce()) for run in (cp.prove, cp.trial))
    exact = zoo.metadata(name)["true_accuracy"]
    assert sound.claim.numerator == float_.claim.numerator == int(exact["numerator"])
    return (
        f"Brute force on {name}: {sound.claim.numerator}/{sound.claim.denominator} right, "
        f"{sound.length.total / 1e9:.2f} GFLOP; sound {sound.seconds:.1f} s, float {float_.seconds:.1f} s, "
        f"ratio {sound.seconds / float_.seconds:.1f}."
    )


def targets(found: list[Measurement]) -> str:
    """State what was aimed at and what was reached (the worst case over the models)."""
    by_strategy = {label: [m for m in found if m.strategy == label] for label in STRATEGIES}
    grouped, per_query, cubic = (by_strategy[label] for label in ("additive", "additive per query", "cubic"))
    least, least_per_query = (float(min(m.bound / m.accuracy for m in group)) for group in (grouped, per_query))
    longest = max(m.operations for m in grouped) / 1e6
    slowest, widest = max(m.sound for m in cubic), max(m.ratio for m in found)
    lines = [
        ("additive: bound / true accuracy", ">= 0.998", f"{least:.6f}", least >= 0.998),
        ("additive: MFLOP", "<= 2.6", f"{longest:.3f}", longest <= 2.6),
        ("additive per query: bound / true accuracy", ">= 0.9985", f"{least_per_query:.6f}", least_per_query >= 0.9985),
        ("cubic: seconds, sound, one thread", "<= 2", f"{slowest:.3f}", slowest <= 2),
        ("sound / float seconds", "<= 8", f"{widest:.1f}", widest <= 8),
    ]
    rows = [[what, aim, reached, "yes" if met else "**no**"] for what, aim, reached, met in lines]
    return markdown(["figure (worst of the models)", "target", "reached", "met"], rows)


def main() -> None:
    """Measure, print and write the report."""
    torch.set_num_threads(1)
    found = [m for name in MODELS for m in measure(name)]
    columns = ["bound", "true accuracy", "ratio", "MFLOP", "sound s", "float s", "sound / float"]
    everything = brute_force(MODELS[0])
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**30 if platform.system() == "Darwin" else 2**20)
    report = f"""# Max-of-4, 64 tokens: the models of the zoo

Made by `make bench` (torch {torch.__version__}, one thread). Times are medians of {REPEATS} runs of `verify`, the readings
taking turns in one process; MFLOP is the whole proof length, integer operations included.

{markdown(["model, strategy", *columns], [m.row() for m in found])}

{targets(found)}

{everything}

Peak memory of this process, everything included: {memory:.2f} GB.
"""
    print(report)
    RESULTS.parent.mkdir(exist_ok=True)
    write_results("max_of_k", report)


if __name__ == "__main__":
    main()
