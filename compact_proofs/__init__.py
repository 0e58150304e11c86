"""compact-proofs: prove the accuracy of a neural network, and measure how long the proof is."""

from compact_proofs.certificate import Certificate
from compact_proofs.check import check
from compact_proofs.claim import ACCURACY, Claim, LogLikelihood, Margin, Score, Task
from compact_proofs.enclosure import Enclosure, count_below, enclose, lower, provably, sound, upper
from compact_proofs.length import ProofLength, address_table, count, stage
from compact_proofs.prove import measure, prove
from compact_proofs.strategy import Explanation, Spec, Strategy

__all__ = [
    "ACCURACY",
    "Certificate",
    "Claim",
    "Enclosure",
    "Explanation",
    "LogLikelihood",
    "Margin",
    "ProofLength",
    "Score",
    "Spec",
    "Strategy",
    "Task",
    "address_table",
    "check",
    "count",
    "count_below",
    "enclose",
    "lower",
    "measure",
    "prove",
    "provably",
    "sound",
    "stage",
    "upper",
]
