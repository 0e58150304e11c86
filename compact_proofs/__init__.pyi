from .api.explain import explain
from .api.frontier import frontier
from .api.load import load
from .api.prove import brute_force, check, prove, trial
from .automatic.shared import Shared
from .automatic.strategy import Automatic
from .certified import Certified, Classes, Counted, Total, Truth
from .core.certificate import Certificate, Trial
from .core.claim import ACCURACY, Claim, LogLikelihood, Margin, Score
from .core.exhaustive import Exhaustive
from .core.frontier import Frontier, linear_baseline
from .core.function import Function
from .core.prove import measure
from .core.soundness import Specimen, violations
from .core.strategy import Explanation, Spec, Strategy, whole
from .decimals import decimal
from .enclosure import Enclosure, count_below, enclose, lower, provably, sound, upper
from .errors import (
    BadInput,
    CertificateRejected,
    CompactProofsError,
    IntegerOverflow,
    LengthUnknown,
    NoSoundRule,
    NotProvable,
    NotProven,
    PackageSkipped,
    TooLarge,
    UnsoundMachine,
    WorkersLost,
)
from .formal.formalizing import formalize
from .inputs.check_task import check_task
from .inputs.task import Task
from .length import ProofLength, TooLong, address_table, count, stage
from .models.hooked import from_hooked_state, from_transformer_lens
from .program import Program, trace
from .progress import progress_bars
from .search.autopilot import best_within, fill_frontier
from .sequences import Automaton, FiniteTask
from .shards import sharing
from .tables import Explained
from .tasks import LoadedModel

__version__: str

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
    "CompactProofsError",
    "Counted",
    "Enclosure",
    "Exhaustive",
    "Explained",
    "Explanation",
    "FiniteTask",
    "Frontier",
    "Function",
    "IntegerOverflow",
    "LengthUnknown",
    "LoadedModel",
    "LogLikelihood",
    "Margin",
    "NoSoundRule",
    "NotProvable",
    "NotProven",
    "PackageSkipped",
    "Program",
    "ProofLength",
    "Score",
    "Shared",
    "Spec",
    "Specimen",
    "Strategy",
    "Task",
    "TooLarge",
    "TooLong",
    "Total",
    "Trial",
    "Truth",
    "UnsoundMachine",
    "WorkersLost",
    "address_table",
    "best_within",
    "brute_force",
    "check",
    "check_task",
    "count",
    "count_below",
    "decimal",
    "enclose",
    "explain",
    "fill_frontier",
    "formalize",
    "from_hooked_state",
    "from_transformer_lens",
    "frontier",
    "linear_baseline",
    "load",
    "lower",
    "measure",
    "progress_bars",
    "provably",
    "prove",
    "sharing",
    "sound",
    "stage",
    "trace",
    "trial",
    "upper",
    "violations",
    "whole",
]
