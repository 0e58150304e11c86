"""Label functions that ship, by name: what a small network may have been trained to say about a sequence of tokens.

Each is a frozen dataclass; its fields are its parameters, which a certificate names with it, so that two people mean the same
function. Where a small automaton computes a function, `LabelFunction.automaton` gives it: boxes of constant label then come from
it, without listing inputs.

base        what a label function is
tokens      the label is a token
predicates  the label says whether something holds
numbers     the label is another number
"""

from compact_proofs.sequences.labels.base import (
    LABELS,
    LabelFunction,
    label_function,
)
from compact_proofs.sequences.labels.numbers import (
    CountOfLast,
    LongestCycle,
    ModularSum,
    PreviousOccurrence,
    RegularLanguage,
)
from compact_proofs.sequences.labels.predicates import (
    Avoids,
    Balanced,
    Contains,
    FirstIsLast,
    Majority,
    OccurredBefore,
    Palindrome,
    Repeats,
    Sorted,
)
from compact_proofs.sequences.labels.tokens import (
    AfterOccurrence,
    Maximum,
    Minimum,
    SecondLargest,
    TokenAt,
)

__all__ = [
    "LABELS",
    "AfterOccurrence",
    "Avoids",
    "Balanced",
    "Contains",
    "CountOfLast",
    "FirstIsLast",
    "LabelFunction",
    "LongestCycle",
    "Majority",
    "Maximum",
    "Minimum",
    "ModularSum",
    "OccurredBefore",
    "Palindrome",
    "PreviousOccurrence",
    "RegularLanguage",
    "Repeats",
    "SecondLargest",
    "Sorted",
    "TokenAt",
    "label_function",
]
