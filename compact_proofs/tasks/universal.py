"""Strategies for any module on any task, and the kit of a network that belongs to no task that ships."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from torch import nn

from compact_proofs.automatic.estimates import SharedSampling
from compact_proofs.automatic.shared import Shared
from compact_proofs.automatic.strategy import Automatic, is_over_tokens, usual
from compact_proofs.core.exhaustive import Exhaustive
from compact_proofs.core.strategy import Strategy
from compact_proofs.estimates import Constant, Estimator, Sampling
from compact_proofs.inputs.task import Task
from compact_proofs.tasks.kit import ProofKit

if TYPE_CHECKING:
    from compact_proofs.report.section import Section
    from compact_proofs.tables import Picture, Table

UNIVERSAL: tuple[type[Strategy], ...] = (Exhaustive, Automatic, Shared)
"""Strategies for any module and any task."""

AFFORDABLE = 2**12
"""Inputs that the linear baseline evaluates at most."""


def ladder(task: Task) -> tuple[Automatic, ...]:
    """Automatic proofs by what one more input may cost; the usual one first."""
    first = usual(task)
    return (first, *(Automatic(worth=first.worth * n // d) for n, d in ((1, 20), (1, 200), (10, 1))))


def sampled(model: nn.Module) -> Sequence[Estimator[Any]]:
    """Estimates of any network over tokens, cheap ones first."""
    return [Constant(), Sampling(), SharedSampling(10**6), SharedSampling()]


def share_of(task: Task) -> Exhaustive:
    """The linear baseline: brute force on a share of the inputs that any model can afford."""
    return Exhaustive(share=min(1.0, AFFORDABLE / task.size))


def boxes_sections(model: nn.Module, task: Task) -> Sequence[Section]:
    """The report's section about automatic proofs."""
    from compact_proofs.automatic.report.section import BoxesSection

    return (BoxesSection(model, task),)


def boxes_account(model: nn.Module, task: Task) -> tuple[Sequence[Table], Callable[[], Sequence[Picture]]]:
    """What an automatic proof, made for it, does with the inputs: tables, and what draws pictures of the same."""
    from compact_proofs.automatic.report.tables import boxes_account

    return boxes_account(model, task)


def universal_kit(task: Task) -> ProofKit:
    """What any module can be proved by on a task."""
    share = None if task.law is not None else share_of(task)
    tokens = is_over_tokens(task)
    return ProofKit(
        name=task.name,
        strategies=UNIVERSAL,
        default=lambda model: usual(task) if tokens else Exhaustive(),
        brute_force=lambda model: None if share is None else Exhaustive(),
        candidates=lambda model: ladder(task) if tokens else (),
        always=lambda model: () if share is None else (share,),
        linear=lambda model: share,
        accounts=lambda model: boxes_account(model, task) if tokens else ((), tuple),
        sections=lambda model: boxes_sections(model, task) if tokens else (),
        estimators=lambda model: sampled(model) if tokens else (Constant(), Sampling()),
    )
