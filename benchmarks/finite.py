"""Finite tasks: ``python -m benchmarks.finite [MODEL ...]`` measures brute force with shared tables, results/finite.md.

The length for one input is known from shapes: it is that of at most 2^20 inputs, one after the other, which share what they have in
common. Recurrent networks, which are fast, are proven whole.
"""

from __future__ import annotations

import copy
import sys

import torch

from benchmarks.timing import markdown
from benchmarks.writing import RESULTS, write_results
from compact_proofs import count, prove, zoo
from compact_proofs.automatic.listing.program import Listing
from compact_proofs.automatic.shared import Shared
from compact_proofs.decimals import decimal
from compact_proofs.models.recurrent import Recurrent
from compact_proofs.program import program_of
from compact_proofs.tasks import load_model

SAMPLED, TOGETHER = 128, 2**20
"""Inputs from which the module's own cost is counted; inputs that share, at most."""
HEADER = ["network", "task", "shared", "module", "share", "tables, M", "proven of all inputs"]


def row(name: str) -> list[str]:
    """The network, its task, operations for one input by both ways, and what is proven."""
    loaded = load_model(name)
    model, task = loaded.model, loaded.task
    program = program_of(model, task)
    shapes = copy.deepcopy(program).to("meta")
    with count() as plain:
        shapes(task.inputs(0, min(SAMPLED, task.size)))
    with count() as tables:
        listing = Listing(shapes, model.config.d_vocab)
    naive = plain.length.total / min(SAMPLED, task.size)
    if isinstance(model, Recurrent):
        certificate = prove(model, task, Shared())
        bound, shared = decimal(certificate.bound), certificate.length.total / task.size
    else:
        bound, shared = "-", listing.price(task.inputs(0, min(TOGETHER, task.size)))
    made = [f"{shared:,.0f}", f"{naive:,.0f}", f"{shared / naive:.3f}", f"{tables.length.total / 1e6:.1f}", bound]
    return [name, f"{task.parameters()['label']}, v = {model.config.d_vocab}, n = {model.config.n_ctx}", *made]


def known() -> dict[str, list[str]]:
    """The rows of the table as it is, by network."""
    path = RESULTS / "finite.md"
    lines = path.read_text().splitlines() if path.exists() else []
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    return {cell[0]: cell for cell in cells[2:]}


def main() -> None:
    torch.set_num_threads(1)
    rows, every = known(), zoo.names("finite")
    for name in sys.argv[1:] or every:
        rows[name] = row(name)
        print(" | ".join(rows[name]), flush=True)
    text = f"""# Brute force with shared tables

`python -m benchmarks.finite`: operations for one input by the strategy `shared` and by the module itself, and millions of
operations for the tables, which are made once. *shared* is the mean over the first 2^20 inputs, one after the other: what depends
on few tokens is computed once. Recurrent networks are proven on all inputs: *shared* is the whole proof's length over their number.

{markdown(HEADER, [rows[name] for name in every if name in rows])}
"""
    write_results("finite", text)


if __name__ == "__main__":
    main()
