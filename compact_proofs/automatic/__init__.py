"""Proofs of any small network over tokens: boxes of inputs, additive bounds on them, exact counting.

boxes      products of token sets
tree       the split tree, which an explanation gives and a verifier expands
diagram    boxes of constant label, from a label function or an automaton
"""

import compact_proofs.tasks  # noqa: F401  (first, since the kit of finite tasks names strategies of this package)
