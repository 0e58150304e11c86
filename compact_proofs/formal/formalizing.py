"""`formalize`: a theorem about any module on a task, for users of the library."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from torch import nn

from compact_proofs.core.strategy import Strategy
from compact_proofs.inputs.task import Task

if TYPE_CHECKING:
    from compact_proofs.core.certificate import Certificate
    from compact_proofs.formal.arithmetic import Arithmetic
    from compact_proofs.formal.theorem import Formalization, Statement


def formalize(
    module: nn.Module,
    task: Task,
    folder: Path | str,
    *,
    strategy: Strategy | None = None,
    numerator: int | None = None,
    title: str = "a network",
    arithmetic: str = "hardware",
) -> Formalization:
    """Write the theorem that a network answers at least `numerator` of a task's inputs rightly.

    Coq checks it when it is asked to: ``formalize(...).check()``.

    Parameters
    ----------
    module
        Any module that has a program (`compact_proofs.trace`) and reads a row of tokens.
    task
        The inputs and their labels.
    folder
        Files of the same names are replaced; it is made if it does not exist.
    strategy
        How the theorem is proved: one that has a compact checker in Coq, such as ``Automatic()`` for one layer of attention. Unless
        given, Coq runs the network on every input, in interval arithmetic.
    numerator
        What the strategy, or else `compact_proofs.brute_force`, proves, unless given.
    title
        Names the network in a comment.
    arithmetic
        What Coq computes with: "hardware" (the processor's numbers), "software" (30 times slower) or "pure" (100 times slower).

    Raises
    ------
    BadInput
        If the module has no program, its program or the task cannot be written in Coq, no compact checker takes the strategy or
        the network, running it would take more than 10^10 multiply-adds, or the files cannot be written.
    """
    from compact_proofs.formal.arithmetic import Arithmetic
    from compact_proofs.formal.network.statement import statement_of
    from compact_proofs.formal.theorem import write_theorem

    kind = Arithmetic(arithmetic)
    if strategy is None and numerator is not None:
        return write_theorem(statement_of(module, task, title=title, arithmetic=kind), numerator, Path(folder))
    statement, proven = proven_statement(module, task, strategy, title=title, arithmetic=kind)
    return write_theorem(statement, int(proven.claim.numerator) if numerator is None else numerator, Path(folder))


def proven_statement(
    module: nn.Module, task: Task, strategy: Strategy | None, *, title: str, arithmetic: Arithmetic
) -> tuple[Statement, Certificate]:
    """What a theorem says and how Coq is to prove it, and the certificate whose count it claims.

    By the compact checker of a strategy; by running the network on every input if that is None. What Coq has no place for is
    refused before the proof in Python, which may take long.

    Raises
    ------
    BadInput
        As `formalize`.
    """
    from compact_proofs.core.certificate import Certificate
    from compact_proofs.core.exhaustive import brute_force
    from compact_proofs.core.prove import find_explanation, prove
    from compact_proofs.formal.compact import compact_statement, refuse_early
    from compact_proofs.formal.network.statement import statement_of

    if strategy is None:
        every_input = statement_of(module, task, title=title, arithmetic=arithmetic)
        proven = brute_force(module, task)
        assert isinstance(proven, Certificate)  # as the reading is the sound one
        return every_input, proven
    refuse_early(module, task, strategy, title)
    explanation = find_explanation(module, task, strategy)
    statement = compact_statement(module, task, strategy, explanation, title=title, arithmetic=arithmetic)
    return statement, prove(module, task, strategy, explanation=explanation)
