"""Strategies for any module on any task, and the kit of a network that belongs to no task that ships."""

from __future__ import annotations

from compact_proofs.automatic.shared import Shared
from compact_proofs.automatic.strategy import Automatic, is_over_tokens
from compact_proofs.claim import Task
from compact_proofs.exhaustive import Exhaustive
from compact_proofs.strategy import Strategy
from compact_proofs.tasks.kit import ProofKit

UNIVERSAL: tuple[type[Strategy], ...] = (Exhaustive, Automatic, Shared)
"""Strategies for any module and any task."""

AFFORDABLE = 2**12
"""Inputs that the linear baseline evaluates at most."""


def universal_kit(task: Task) -> ProofKit:
    """What any module can be proved by on a task."""
    share = Exhaustive(share=min(1.0, AFFORDABLE / task.size))
    tokens = is_over_tokens(task)
    return ProofKit(
        name=task.name,
        strategies=UNIVERSAL,
        default=lambda model: Automatic() if tokens else Exhaustive(),
        brute_force=lambda model: Exhaustive(),
        candidates=lambda model: [Automatic(worth=worth) for worth in (1000, 100, 10_000, 100_000)] if tokens else (),
        always=lambda model: (share,),
        linear=lambda model: share,
    )
