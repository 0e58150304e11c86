from .automatic.shared import Shared
from .automatic.strategy import Automatic
from .certified import Certified, Classes, Counted, Total, Truth
from .core.certificate import Certificate, Trial
from .core.check import check
from .core.check_task import check_task
from .core.claim import ACCURACY, Claim, LogLikelihood, Margin, Score, Task, decimal
from .core.exhaustive import Exhaustive, brute_force
from .core.frontier import Frontier, linear_baseline
from .core.function import Function
from .core.prove import measure, prove
from .core.soundness import Specimen, violations
from .core.strategy import Explanation, Spec, Strategy, whole
from .enclosure import Enclosure, count_below, enclose, lower, provably, sound, upper
from .errors import BadInput, CertificateRejected, NoSoundRule, NotProvable
from .formal import formalize
from .length import ProofLength, address_table, count, stage
from .program import Program, trace
from .progress import progress_bars
from .search.autopilot import best_within, fill_frontier
from .tasks.finite import Automaton, FiniteTask

__all__ = [
    "ACCURACY",
    "Automatic",
    "Automaton",
    "BadInput",
    "Certificate",
    "CertificateRejected",
    "Certified",
    "Claim",
    "Classes",
    "Counted",
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
    "Total",
    "Trial",
    "Truth",
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
