"""compact-proofs: prove the accuracy of a neural network, and measure how long the proof is."""

from typing import TYPE_CHECKING, Any

from compact_proofs.autopilot import best_within, fill_frontier
from compact_proofs.certificate import Certificate, Trial
from compact_proofs.check import check
from compact_proofs.check_task import check_task
from compact_proofs.claim import ACCURACY, Claim, LogLikelihood, Margin, Score, Task, decimal
from compact_proofs.enclosure import Enclosure, count_below, enclose, lower, provably, sound, upper
from compact_proofs.errors import BadInput, CertificateRejected, NoSoundRule, NotProvable
from compact_proofs.exhaustive import Exhaustive, brute_force
from compact_proofs.formal import formalize
from compact_proofs.frontier import Frontier, linear_baseline
from compact_proofs.function import Function
from compact_proofs.harness import Specimen, violations
from compact_proofs.length import ProofLength, address_table, count, stage
from compact_proofs.program import Program, trace
from compact_proofs.progress import progress_bars
from compact_proofs.prove import measure, prove
from compact_proofs.strategy import Explanation, Spec, Strategy, whole

if TYPE_CHECKING:
    from compact_proofs.tasks.finite import Automaton, FiniteTask

__all__ = [
    "ACCURACY",
    "Automaton",
    "BadInput",
    "Certificate",
    "CertificateRejected",
    "Claim",
    "Enclosure",
    "Exhaustive",
    "Explanation",
    "FiniteTask",
    "Frontier",
    "Function",
    "LogLikelihood",
    "Margin",
    "NoSoundRule",
    "NotProvable",
    "Program",
    "ProofLength",
    "Score",
    "Spec",
    "Specimen",
    "Strategy",
    "Task",
    "Trial",
    "address_table",
    "best_within",
    "brute_force",
    "check",
    "check_task",
    "count",
    "count_below",
    "decimal",
    "enclose",
    "fill_frontier",
    "formalize",
    "linear_baseline",
    "lower",
    "measure",
    "progress_bars",
    "provably",
    "prove",
    "sound",
    "stage",
    "trace",
    "upper",
    "violations",
    "whole",
]


def __getattr__(name: str) -> Any:
    """Load the tasks when one of them is asked for."""
    if name in ("Automaton", "FiniteTask"):
        from compact_proofs.tasks import finite

        return getattr(finite, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
