"""Theorems that Coq checks: ``python -m benchmarks.formal [PART ...]``, results/formal.md. Needs Coq; about twenty minutes.

With names of parts (`PARTS`), only their lines are made anew; the others stay as they are.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from functools import partial
from pathlib import Path

import compact_proofs as cp
from benchmarks.writing import write_results
from compact_proofs import prove, zoo
from compact_proofs.automatic.strategy import Automatic
from compact_proofs.core.strategy import Strategy
from compact_proofs.decimals import decimal
from compact_proofs.formal.arithmetic import Arithmetic
from compact_proofs.formal.checkers import formal_default
from compact_proofs.formal.compact import formalize_compact
from compact_proofs.formal.coq import ROOT, Coq, sources
from compact_proofs.formal.goal.goal_statement import check_goal, goal_of, write_goal
from compact_proofs.formal.goal.kinds import closable_kinds
from compact_proofs.formal.theorem import Checked, Measured
from compact_proofs.models.attention_only import AttentionOnlyTransformer
from compact_proofs.models.one_layer_mlp import OneLayerMLP
from compact_proofs.tasks import load_model
from compact_proofs.tasks.groups.directions import Directions as GroupDirections
from compact_proofs.tasks.groups.gsets import GSetsLinear
from compact_proofs.tasks.max_of_k import Additive, BruteForce, MaxOfK, Prefix, finetuning, training
from compact_proofs.tasks.modular_addition.adapting import adapted_directions

RESULTS = Path(__file__).parent / "results" / "formal.md"
PER_QUERY = Additive(8, 64, "joint", "grid", 64, 96)
SMALL = training.TrainingConfig(n_ctx=2, d_vocab=8, d_model=8, steps=500, evaluation_samples=2**12)

NETWORKS = (
    "s4-seed-0",
    "s4-seed-1",
    "s4-seed-2",
    "s4-seed-3",
    "d12-seed-0",
    "c2xc2xs3-seed-0",
    "c31-seed-0",
    "a5-seed-0",
    "s5-seed-0",
    "mod-59-mlp-seed-0",
    "mod-59-attn-seed-0",
)
"""Models that Coq runs on every input."""

GROUPS = (*NETWORKS[:5], "a5-seed-0", "a5-seed-1", "s5-seed-1", "s5-seed-3")
"""Models that the compact checker of groups proves."""

DIRECTIONS = ("mod-59-mlp-seed-0", "mod-59-attn-seed-0")
"""Models that are proved from directions of their neurons' outputs."""

BOXES = ("finite-max-2-heads",)
"""Models with one layer of attention that are proved from boxes of inputs."""

GOALS = ("max-of-4-seed-123", "finite-max-2-heads")
"""Models about which goals are closed by machine."""

Case = tuple[str, AttentionOnlyTransformer, Strategy, Arithmetic]


def positions_cases() -> list[Case]:
    """Max-of-4 by the default, counted by positions."""
    models = ((name, zoo.load(name)) for name in zoo.names() if name.startswith("max-of-4-"))
    return [(name, model, formal_default(model), Arithmetic.hardware) for name, model in models]


def cases() -> list[Case]:
    """Name, model, strategy and arithmetic of every other theorem that a compact checker of Max-of-K proves."""
    found: list[Case] = []
    hardware = Arithmetic.hardware
    for name in zoo.names():
        if name.startswith("max-of-"):
            model = zoo.load(name)
            found.append((name, model, PER_QUERY if model.n_ctx == 4 else formal_default(model), hardware))
    first = zoo.load("max-of-4-seed-123")
    found.append(("max-of-4-seed-123", first, Prefix(), hardware))
    tuned = finetuning.finetune(first, finetuning.config_for(first, rank=5)).model
    found.append(("max-of-4-seed-123, fine-tuned", tuned, formal_default(tuned), hardware))
    two = training.train(training.TrainingConfig(n_ctx=2)).model
    found.append(("max-of-2, trained here", two, BruteForce(), hardware))
    found.append(("max-of-4-seed-123", first, formal_default(first), Arithmetic.software))
    small = training.train(SMALL).model
    found += [("max-of-2, 8 tokens, trained here", small, BruteForce(), kind) for kind in Arithmetic]
    return found


def row(case: Case) -> str:
    """Check one theorem; return its line of the table."""
    name, model, strategy, arithmetic = case
    task = MaxOfK.of(model)
    proven = prove(model, task, strategy)
    with tempfile.TemporaryDirectory() as folder:
        theorem = formalize_compact(
            model, task, strategy, proven.explanation, proven.claim.numerator, Path(folder), arithmetic=arithmetic
        )
        checked = theorem.check()
    used = ("window", "groups", "steps", "reach") if strategy.options().get("counting") == "grid" else ("window",)
    options = "".join(f" {k}={v}" for k, v in strategy.options().items() if k in used)
    return _line(name, f"{strategy.name}{options}", str(arithmetic), checked, task.size, proven.claim.numerator)


def network_row(name: str) -> str:
    """Check the theorem about a network that Coq runs on every input; return its line of the table."""
    loaded = load_model(name)
    with tempfile.TemporaryDirectory() as folder:
        theorem = cp.formalize(loaded.model, loaded.task, folder, title=name)
        return _line(name, "every input", "hardware", theorem.check(), loaded.task.size, theorem.numerator)


def pair_row(name: str, strategy: Strategy, how: str) -> str:
    """Check the theorem about a network on pairs, proved from a strategy's explanation; return its line of the table."""
    loaded = load_model(name)
    proven = prove(loaded.model, loaded.task, strategy)
    numerator = proven.claim.numerator
    with tempfile.TemporaryDirectory() as folder:
        theorem = formalize_compact(loaded.model, loaded.task, strategy, proven.explanation, numerator, Path(folder), title=name)
        assert isinstance(theorem.statement, Measured)
        length, times = theorem.statement.length, theorem.statement.brute_force_length / theorem.statement.length
        said = f"{how}, {length:,} operations (1/{times:.0f})"
        return _line(name, said, "hardware", theorem.check(), loaded.task.size, numerator)


def directions_row(name: str) -> str:
    """The line of a theorem proved from the directions that fit a model."""
    model = zoo.load(name)
    strategy = adapted_directions(model) if isinstance(model, OneLayerMLP) else GroupDirections(12)
    return pair_row(name, strategy, f"directions {strategy.clusters} x {strategy.q}")


def boxes_row(name: str) -> str:
    """Check the theorem about a layer of attention, proved from the boxes of an automatic proof; return its line of the table."""
    loaded = load_model(name)
    proven = prove(loaded.model, loaded.task, Automatic())
    numerator = proven.claim.numerator
    with tempfile.TemporaryDirectory() as folder:
        theorem = formalize_compact(loaded.model, loaded.task, Automatic(), proven.explanation, numerator, Path(folder), title=name)
        return _line(name, "automatic, boxes", "hardware", theorem.check(), loaded.task.size, numerator)


def goal_row(name: str) -> str:
    """Check the theorem about a network whose goals are closed by machine; return its line of the table."""
    loaded = load_model(name)
    n_ctx, d_vocab = loaded.task.n_ctx, loaded.task.d_vocab
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        statement = goal_of(loaded.model, loaded.task, partial(closable_kinds, n_ctx=n_ctx, d_vocab=d_vocab), place, title=name)
        write_goal(statement, place)
        checked = check_goal(statement, place)
    seconds = checked.seconds
    seconds["Accuracy.v"] += seconds["Enclosures.v"] + seconds["Closed.v"]
    return _line(name, "goal, closed by machine", "hardware", checked, loaded.task.size, statement.numerator)


def _line(name: str, how: str, arithmetic: str, checked: Checked, size: int, claimed: int) -> str:
    seconds = checked.seconds
    cells = [
        name,
        how,
        arithmetic,
        decimal(Fraction(checked.numerator, size)).removesuffix("..."),
        f"{checked.numerator - claimed:+d}",
        f"{seconds['Weights.v']:.1f}",
        f"{seconds['Accuracy.v']:.1f}",
    ]
    return f"| {' | '.join(cells)} |"


def clean_build() -> float:
    """Processor seconds of compiling the development from nothing."""
    coq, seconds = Coq.find(), 0.0
    with tempfile.TemporaryDirectory() as folder:
        for file in sources():
            shutil.copy(file, folder)
            output = coq.compile(Path(folder) / file.name, (Path(folder), ROOT))
            assert output.accepted, output.text
            seconds += output.seconds
    return seconds


PARTS: dict[str, Callable[[], Iterator[str]]] = {
    "positions": lambda: map(row, positions_cases()),
    "compact": lambda: map(row, cases()),
    "networks": lambda: map(network_row, NETWORKS),
    "groups": lambda: (pair_row(name, GSetsLinear(exact=False), "circuits") for name in GROUPS),
    "directions": lambda: map(directions_row, DIRECTIONS),
    "boxes": lambda: map(boxes_row, BOXES),
    "goals": lambda: map(goal_row, GOALS),
}
"""The lines of the table, by how theorems are proved."""


def key(line: str) -> tuple[str, ...]:
    """Model, strategy and arithmetic: what tells lines apart."""
    return tuple(line.split(" | ")[:3])


def main() -> None:
    """Write the table, or remake the lines of some parts of it."""
    parts, old = sys.argv[1:], RESULTS.read_text()
    build = clean_build()
    table = [line for line in old.split("\n") if line.startswith("| ")][2:]
    lines = {key(line): line for line in table} if parts else {}
    for part in parts or PARTS:
        for line in PARTS[part]():
            lines[key(line)] = line
            print(line, flush=True)
            write(lines.values(), build, apart=bool(parts))


def write(lines: Iterable[str], build: float, *, apart: bool) -> None:
    """Write the file of results; `apart` says that some lines are of earlier runs."""
    earlier = "Some lines are of earlier commits than the one below, as parts were made apart.\n" if apart else ""
    write_results(
        "formal",
        f"""# Theorems checked by Coq

Made by `make formal-zoo` (Coq {Coq.find().version.split()[0]}). Processor seconds; those of the theorem
include 0.7 s for loading libraries. The difference is Coq's count of right inputs minus the Python certificate's; counted by
positions, each query has bounds of its own in Coq, which evaluates what they leave out, and of circuits one table for each is
compared. Of a goal, the seconds are those of its enclosures and of its proof too. Of circuits, operations are in brackets a
share of those of running the network.
Compiling the development from nothing took {build:.0f} s.
{earlier}
| model | strategy | arithmetic | proven accuracy | difference | weights s | theorem s |
| --- | --- | --- | ---: | ---: | ---: | ---: |
"""
        + "\n".join(lines),
    )


if __name__ == "__main__":
    main()
