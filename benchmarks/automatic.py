"""Automatic proofs of the networks over tokens: ``python -m benchmarks.automatic [MODEL[@TOKEN][:OPTION=NUMBER ...] ...]``.

Each on its whole set of inputs, or on those that end in a token, by the default options or others, with what the search took beside
it: results/automatic.md.
"""

from __future__ import annotations

import sys
import time
from fractions import Fraction
from pathlib import Path

from benchmarks.timing import markdown
from benchmarks.writing import write_results
from compact_proofs import zoo
from compact_proofs.automatic.strategy import Automatic
from compact_proofs.core.prove import find_explanation, prove
from compact_proofs.decimals import decimal
from compact_proofs.length import count
from compact_proofs.memory import keep_freed_memory
from compact_proofs.program import program_of
from compact_proofs.sequences.automaton import Automaton
from compact_proofs.sequences.task import FiniteTask, OverTokens
from compact_proofs.tasks import load_model

OTHERS = ("max-of-4-seed-123", "max-of-10-seed-0")
"""Networks of Max-of-K, which have proofs made by hand."""
LONG = ("finite-max-2-layers-norm-relu-v32",)
"""A network whose inputs, all of them listed, take an hour: made only if it is named."""
EVERY = [*(name for name in zoo.names() if name.startswith("finite-")), *OTHERS]
SAMPLE = 256
"""Inputs from which the module's own cost is counted."""
RESULTS = Path(__file__).parent / "results" / "automatic.md"

HEADER = ["network", "task", "inputs", "bound", "operations, M", "share", "search, s", "proof, s"]
TRUE = "accuracy"
"""A column after the bound, in the table of whole sets of inputs."""

TEXT = """# Automatic proofs

`python -m benchmarks.automatic [NAME ...]`: the strategy `automatic` by its default options on every input. *accuracy*: the exact
one, where it is known (`python -m compact_proofs.tasks.build_zoo --only-accuracy`). *share*: operations over those of the module on
every input. Seconds are processor time of one core: of the search, which is free and not trusted, and of the proof. Rows are made
one by one; the commit below is that of the last.
"""
PARTS = """
`python -m benchmarks.automatic NAME@TOKEN ...`: on the inputs that end in one token, which alone pay the tables of the model and
the labels of all sequences.
"""

OPTIONS = """
`python -m benchmarks.automatic NAME:OPTION=NUMBER ...`: by other options of the strategy.
"""


def ending_in(task: FiniteTask, token: int) -> FiniteTask:
    """The inputs of a task without validity that end in a token."""
    ends = [int(t == token) for t in range(task.d_vocab)]
    return FiniteTask(task.n_ctx, task.d_vocab, task.label, valid=Automaton.of([ends, ends], 0, [0, 1]))


def row(name: str) -> list[str]:
    """Search and prove."""
    asked, *options = name.split(":")
    model, _, token = asked.partition("@")
    strategy = Automatic(**{key: int(value) for key, value in (option.split("=") for option in options)})
    loaded = load_model(model)
    program, task = program_of(loaded.model, loaded.task), loaded.task
    if token:
        assert isinstance(task, OverTokens)
        task = ending_in(task.as_finite(), int(token))
    inputs = task.inputs(0, min(SAMPLE, task.size))
    with count() as counter:
        program(inputs)
    naive = counter.length.total / len(inputs)
    started = time.process_time()
    explanation = find_explanation(program, task, strategy)
    searched = time.process_time()
    found = prove(program, task, strategy, explanation=explanation)
    proved = time.process_time()
    said = task.parameters()
    made = [f"{task.size:.3g}", decimal(found.bound), f"{found.length.total / 1e6:.1f}"]
    cost = [f"{found.length.total / naive / task.size:.2g}", f"{searched - started:.0f}", f"{proved - searched:.1f}"]
    return [name, f"{said.get('label', task.name)}, v = {said['d_vocab']}, n = {said['n_ctx']}", *made, *cost]


def known() -> dict[str, list[str]]:
    """The rows of the tables as they are, by network."""
    lines = RESULTS.read_text().splitlines() if RESULTS.exists() else []
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    return {row[0]: row[:4] + row[-4:] for row in cells if row[0] != HEADER[0] and not row[0].startswith("---")}


def with_accuracy(row: list[str]) -> list[str]:
    """A row with the exact accuracy of its network, as far as the zoo knows it."""
    exact = zoo.metadata(row[0]).get("true_accuracy")
    known = decimal(Fraction(int(exact["numerator"]), int(exact["denominator"]))) if exact else "-"
    return [*row[:4], known, *row[4:]]


def write(rows: dict[str, list[str]]) -> None:
    """Write the tables."""
    table = markdown([*HEADER[:4], TRUE, *HEADER[4:]], [with_accuracy(rows[name]) for name in EVERY if name in rows])
    parts = markdown(HEADER, [rows[name] for name in sorted(rows) if "@" in name and ":" not in name])
    others = markdown(HEADER, [rows[name] for name in sorted(rows) if ":" in name])
    write_results("automatic", f"{TEXT}\n{table}\n{PARTS}\n{parts}\n{OPTIONS}\n{others}")


def main() -> None:
    """Make the rows of the networks that are named, or of all, and write each into the table when it is there."""
    keep_freed_memory()  # as the command line does
    for name in sys.argv[1:] or [name for name in EVERY if name not in LONG]:
        found = row(name)
        print(" | ".join(found), flush=True)
        write(known() | {name: found})


if __name__ == "__main__":
    main()
