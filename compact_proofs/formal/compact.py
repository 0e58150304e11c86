"""Theorems that a compact checker proves from a strategy's explanation, without running the network on every input."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from torch import Tensor, nn

from compact_proofs.automatic.strategy import Automatic
from compact_proofs.core.strategy import Strategy
from compact_proofs.directions import Directions
from compact_proofs.errors import BadInput
from compact_proofs.formal.arithmetic import Arithmetic
from compact_proofs.formal.directions.directions_statement import directions_statement
from compact_proofs.formal.fractions.fraction_statement import fraction_statement, parts_of
from compact_proofs.formal.groups.group_statement import group_statement
from compact_proofs.formal.sources import transformer_statement
from compact_proofs.formal.theorem import Formalization, Statement, write_theorem
from compact_proofs.inputs.task import Task
from compact_proofs.tasks.groups.gsets import GSetsLinear
from compact_proofs.tasks.max_of_k import MaxOfK

Maker = Callable[[nn.Module, Task, Strategy, Mapping[str, Tensor], str, Arithmetic], Statement]


def checker_of(task: Task, strategy: Strategy) -> Maker | None:
    """What states a theorem from an explanation of this strategy; None if no compact checker takes such ones."""
    if isinstance(strategy, GSetsLinear):
        return group_statement
    if isinstance(strategy, Directions):
        return directions_statement
    if isinstance(strategy, Automatic):
        return fraction_statement
    return transformer_statement if isinstance(task, MaxOfK) else None


def refuse_early(model: nn.Module, task: Task, strategy: Strategy, title: str) -> None:
    """Refuse, before a long search for an explanation, a network that a strategy's compact checker does not take.

    Raises
    ------
    BadInput
        If it is known already that there is no checker for it.
    """
    if isinstance(strategy, Automatic):
        with _refusing(title):
            parts_of(model, task)


@contextmanager
def _refusing(title: str) -> Iterator[None]:
    """Say of every refusal whose it is, and what takes any network."""
    try:
        yield
    except BadInput as reason:
        raise BadInput(f"{title} has no compact checker: {reason}; cp.formalize takes any network, and runs it") from reason


def compact_statement(
    model: nn.Module,
    task: Task,
    strategy: Strategy,
    explanation: Mapping[str, Tensor],
    *,
    title: str = "a network",
    arithmetic: Arithmetic = Arithmetic.hardware,
) -> Statement:
    """State the accuracy of a model, proved by the compact checker of a strategy.

    Parameters
    ----------
    model, task, strategy, explanation
        As for `compact_proofs.prove`.
    title
        Names the model in a comment.
    arithmetic
        What the checker computes with.

    Raises
    ------
    BadInput
        If there is no such checker for the strategy, or it does not take this model or explanation.
    """
    maker = checker_of(task, strategy)
    if maker is None:
        raise BadInput(f"{title}: {strategy.name} on {task.name} has no compact checker; cp.formalize takes any network")
    with _refusing(title):
        return maker(model, task, strategy, explanation, title, arithmetic)


def formalize_compact(
    model: nn.Module,
    task: Task,
    strategy: Strategy,
    explanation: Mapping[str, Tensor],
    numerator: int,
    folder: Path,
    *,
    title: str = "a network",
    arithmetic: Arithmetic = Arithmetic.hardware,
) -> Formalization:
    """Write the theorem that at least `numerator` of all inputs are answered rightly, proved by a compact checker.

    Parameters
    ----------
    model, task, strategy, explanation, title, arithmetic
        As for `compact_statement`.
    numerator
        What the strategy proved; the check writes Coq's own count in its place.
    folder
        Made if it is not there; files of the same names are replaced.

    Raises
    ------
    BadInput
        As `compact_statement`, or if the files cannot be written.
    """
    return write_theorem(
        compact_statement(model, task, strategy, explanation, title=title, arithmetic=arithmetic), numerator, folder
    )
