"""compact-proofs: prove the accuracy of a neural network, and measure how long the proof is."""

import importlib
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
    from compact_proofs.automatic.shared import Shared
    from compact_proofs.automatic.strategy import Automatic
    from compact_proofs.tasks.finite import Automaton, FiniteTask

__all__ = [
    "ACCURACY",
    "Automatic",
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
    "Shared",
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


_LATER = {
    "Automatic": "compact_proofs.automatic.strategy",
    "Automaton": "compact_proofs.tasks.finite",
    "FiniteTask": "compact_proofs.tasks.finite",
    "Shared": "compact_proofs.automatic.shared",
}
"""What brings the tasks with it, and is loaded when it is asked for."""


def __getattr__(name: str) -> Any:
    """Load what is in `_LATER` when it is asked for."""
    if name in _LATER:
        return getattr(importlib.import_module(_LATER[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
