"""All sound rules: importing this module fills the table (`compact_proofs.enclosure.table`).

arithmetic_rules    + - * / powers, elementary functions, sums, matrix products, norms
order_rules         maxima, sorting, comparisons, choice by a condition, conversion
"""

from compact_proofs.enclosure import arithmetic_rules, order_rules
from compact_proofs.enclosure.table import CREATION, EXACT, ON_BOOLS, REFUSED, RULES, apply_rule, base_name, create

__all__ = [
    "CREATION",
    "EXACT",
    "ON_BOOLS",
    "REFUSED",
    "RULES",
    "apply_rule",
    "arithmetic_rules",
    "base_name",
    "create",
    "order_rules",
]
