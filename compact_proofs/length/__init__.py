"""Proof length: operations counted from the run of a verifier.

costs       what each tensor operation costs, with the conventions
counter     the mode that adds them up: `count()`, `stage()`, `ProofLength`
addresses   index tables from sizes alone, which are free
unseen      the one way to compute what is neither enclosed nor counted
"""

from compact_proofs.length.addresses import address_table
from compact_proofs.length.counter import (
    Counter,
    NoCost,
    ProofLength,
    TooLong,
    charge_integers,
    charge_length,
    count,
    current_stage,
    foresee,
    list_stage,
    stage,
    tightest,
)
from compact_proofs.length.unseen import unseen

__all__ = [
    "Counter",
    "NoCost",
    "ProofLength",
    "TooLong",
    "address_table",
    "charge_integers",
    "charge_length",
    "count",
    "current_stage",
    "foresee",
    "list_stage",
    "stage",
    "tightest",
    "unseen",
]
