"""All sound rules: importing this module fills the table (`compact_proofs.enclosure.table`).

arithmetic_rules    + - * / powers, elementary functions, sums, matrix products, norms
order_rules         maxima, sorting, comparisons, choice by a condition, conversion
activations         activation functions, logarithms to other bases, isnan
normalisation       batch, group and instance norm
windows             convolution and pooling
assignment_rules    functional assignment, scattered sums, bags of embeddings
"""

from compact_proofs.enclosure import activations, arithmetic_rules, assignment_rules, normalisation, order_rules, windows
from compact_proofs.enclosure.table import CREATION, EXACT, ON_BOOLS, REFUSED, RULES, apply_rule, base_name, create

__all__ = [
    "CREATION",
    "EXACT",
    "ON_BOOLS",
    "REFUSED",
    "RULES",
    "activations",
    "apply_rule",
    "arithmetic_rules",
    "assignment_rules",
    "base_name",
    "create",
    "normalisation",
    "order_rules",
    "windows",
]
