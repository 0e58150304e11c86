"""Programs: which function a theorem is about.

A module is Python code that may do anything; a theorem needs a function. `trace` runs a module once, on one input, and records
the tensor operations that it makes: the *program*, a list of functional operations over exact constants. Everything proved about a
module is proved about its program.

tracing     from a module to its program, or a refusal that says why it has none
simplify    operations that do nothing are taken out
program     `Program`: runs on batches under every reading, prints, hashes
batching    one input to many, by `torch.vmap`
notation    a program as formulas in index notation; `indices`: where moved entries come from
digest      the hash of a program
"""

from compact_proofs.program.program import Program
from compact_proofs.program.tracing import program_of, trace

__all__ = ["Program", "program_of", "trace"]
