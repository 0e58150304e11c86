"""Finite tasks: ``python -m benchmarks.finite`` measures brute force with shared tables, results/finite.md. A minute on one core.

The length for one input is that of a sample; only recurrent networks, whose inputs share states, are proven whole.
"""

from __future__ import annotations

import torch

from benchmarks.timing import markdown
from benchmarks.writing import write_results
from compact_proofs import count, prove, sound, zoo
from compact_proofs.automatic.listing import Listing
from compact_proofs.automatic.shared import Shared
from compact_proofs.decimals import decimal
from compact_proofs.models.recurrent import Recurrent
from compact_proofs.program import program_of
from compact_proofs.tasks import load_model

SAMPLED = 128


def row(name: str) -> list[str]:
    """The network, its task, operations for one input by both ways, and what is proven."""
    loaded = load_model(name)
    model, task = loaded.model, loaded.task
    inputs = torch.randint(0, model.config.d_vocab, (SAMPLED, model.config.n_ctx), generator=torch.Generator().manual_seed(0))
    program = program_of(model, task)
    with sound(), count() as plain:
        program(inputs)
    with sound(), count() as tables:
        listing = Listing(program, model.config.d_vocab)
    with sound(), count() as each:
        listing.logits(inputs)
    naive, shared = plain.length.total / SAMPLED, each.length.total / SAMPLED
    bound = "-"
    if isinstance(model, Recurrent):
        certificate = prove(model, task, Shared())
        bound, shared = decimal(certificate.bound), certificate.length.total / task.size
    made = [f"{shared:,.0f}", f"{naive:,.0f}", f"{shared / naive:.3f}", f"{tables.length.total / 1e6:.1f}", bound]
    return [name, f"{task.parameters()['label']}, v = {model.config.d_vocab}, n = {model.config.n_ctx}", *made]


def main() -> None:
    torch.set_num_threads(1)
    header = ["network", "task", "shared", "module", "share", "tables, M", "proven of all inputs"]
    rows = [row(name) for name in zoo.names("finite")]
    text = f"""# Brute force with shared tables

`python -m benchmarks.finite`: operations for one input by the strategy `shared` and by the module itself, and millions of
operations for the tables, which are made once. Recurrent networks are proven on all inputs, in the order in which those that begin
alike stand together, and *shared* is the whole proof's length over their number.

{markdown(header, rows)}
"""
    write_results("finite", text)
    print(text)


if __name__ == "__main__":
    main()
