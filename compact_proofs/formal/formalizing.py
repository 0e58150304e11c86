"""`formalize`: a theorem about any module on a task, for users of the library."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from torch import nn

from compact_proofs.inputs.task import Task

if TYPE_CHECKING:
    from compact_proofs.formal.theorem import Formalization


def formalize(
    module: nn.Module,
    task: Task,
    folder: Path | str,
    *,
    numerator: int | None = None,
    title: str = "a network",
    arithmetic: str = "hardware",
) -> Formalization:
    """Write the theorem that a network answers at least `numerator` of a task's inputs rightly.

    Coq runs the network on every input, in interval arithmetic, when the theorem is checked: ``formalize(...).check()``.

    Parameters
    ----------
    module
        Any module that has a program (`compact_proofs.trace`) and reads a row of tokens.
    task
        The inputs and their labels.
    folder
        Files of the same names are replaced; it is made if it does not exist.
    numerator
        What `compact_proofs.brute_force` proves, unless given.
    title
        Names the network in a comment.
    arithmetic
        What Coq computes with: "hardware" (the processor's numbers), "software" (15 times slower) or "pure" (60 times slower).

    Raises
    ------
    BadInput
        If the module has no program, its program or the task cannot be written in Coq, the check would take more than 10^10
        multiply-adds, or the files cannot be written.
    """
    from compact_proofs.core.exhaustive import brute_force
    from compact_proofs.formal.arithmetic import Arithmetic
    from compact_proofs.formal.network.statement import statement_of
    from compact_proofs.formal.theorem import write_theorem

    statement = statement_of(module, task, title=title, arithmetic=Arithmetic(arithmetic))
    if numerator is None:
        numerator = int(brute_force(module, task).claim.numerator)
    return write_theorem(statement, numerator, Path(folder))
