"""Max-of-K: the largest of K tokens, by a one-layer attention-only transformer.

    task          the inputs and their labels
    paths         the QK, OV and direct paths as matrices
    brute_force   every sequence; the linear baseline
    cubic         the published proof, O(v^3)
    additive      ours: ratios that add up, O(v^2 d)
    training      the published recipe
"""

from compact_proofs.tasks.max_of_k.additive import Additive
from compact_proofs.tasks.max_of_k.brute_force import BruteForce, LinearBaseline
from compact_proofs.tasks.max_of_k.cubic import Cubic
from compact_proofs.tasks.max_of_k.task import MaxOfK

__all__ = ["Additive", "BruteForce", "Cubic", "LinearBaseline", "MaxOfK"]
