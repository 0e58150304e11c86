"""What a proof proves: a set of inputs, whose size is counted exactly and which answers for each input whether it belongs.

base       `Certified`, unions of disjoint sets, and `Total`, for scores that count no inputs
sets       tables of truth values, classes, predicates with a size of their own, boxes
lists      inputs that were evaluated one by one, or are listed; a set with further inputs listed
integers   real bounds read as integers, so that whatever follows is exact
region     sets of inputs under a law, with a probability in place of a size
sums       sequences of a box whose sums of integers are positive: three ways to count them
positive   sequences on which additive lower bounds are positive: from the bounds to the set
"""

from compact_proofs.certified.base import Certified, Complement, Disjoint, Nothing, Proven, Total, disjoint
from compact_proofs.certified.lists import Answers, Evaluated, Listed, ListedNumbers, with_list
from compact_proofs.certified.positive import LARGEST_MIXED, InBox, mixed_tables, positive, positive_mixed, positive_tables
from compact_proofs.certified.region import Region
from compact_proofs.certified.sets import BoxSet, Classes, Counted, Truth, whole

__all__ = [
    "LARGEST_MIXED",
    "Answers",
    "BoxSet",
    "Certified",
    "Classes",
    "Complement",
    "Counted",
    "Disjoint",
    "Evaluated",
    "InBox",
    "Listed",
    "ListedNumbers",
    "Nothing",
    "Proven",
    "Region",
    "Total",
    "Truth",
    "disjoint",
    "mixed_tables",
    "positive",
    "positive_mixed",
    "positive_tables",
    "whole",
    "with_list",
]
