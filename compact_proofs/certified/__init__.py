"""What a proof proves: a set of inputs, whose size is counted exactly and which answers for each input whether it belongs.

base       `Certified`, unions of disjoint sets, a set with further inputs listed
sets       tables of truth values, boxes, lists
integers   real bounds read as integers, so that whatever follows is exact
sums       sequences of a box whose sums of integers are positive: three ways to count them
positive   sequences on which additive lower bounds are positive: from the bounds to the set
"""

from compact_proofs.certified.base import Certified, Disjoint, Nothing, disjoint, with_list
from compact_proofs.certified.positive import LARGEST_MIXED, InBox, mixed_tables, positive, positive_mixed, positive_tables
from compact_proofs.certified.sets import BoxSet, Listed, Truth

__all__ = [
    "LARGEST_MIXED",
    "BoxSet",
    "Certified",
    "Disjoint",
    "InBox",
    "Listed",
    "Nothing",
    "Truth",
    "disjoint",
    "mixed_tables",
    "positive",
    "positive_mixed",
    "positive_tables",
    "with_list",
]
