"""``compact-proofs formalize --goal``: a theorem up to a goal about real numbers, for any prover."""

from __future__ import annotations

from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from compact_proofs.cli.files import free_folder
from compact_proofs.cli.formalize_output import duration
from compact_proofs.cli.output import say, write_json
from compact_proofs.decimals import decimal
from compact_proofs.errors import BadInput
from compact_proofs.formal.arithmetic import Arithmetic

if TYPE_CHECKING:
    from compact_proofs.inputs.task import Task
    from compact_proofs.tasks import LoadedModel


def formalize_goal(
    loaded: LoadedModel,
    options: dict[str, Any],
    output: Path,
    arithmetic: Arithmetic,
    check: bool,
    fresh: bool,
    force: bool,
    as_json: bool,
) -> None:
    """Write a theorem up to a goal, or have it checked with the proof that is in its folder."""
    from compact_proofs.formal.goal.boxes import maximum_kinds
    from compact_proofs.formal.goal.goal_statement import check_goal, goal_of, write_goal
    from compact_proofs.formal.goal.kinds import closable_kinds
    from compact_proofs.progress import progress_bars

    sizes = _maximum_sizes(loaded.task)
    unknown = options.keys() - {"least", "gap" if "gap" in options else "block"}
    if sizes is None or unknown or not all(type(n) is int for n in options.values()):
        raise BadInput(
            f"{loaded.name}: --goal is for tasks whose label is the maximum, with -O gap=... or -O block=..., and -O least=..., "
            "whole numbers; from Python, compact_proofs.formal.goal takes boxes of inputs of any task"
        )
    n_ctx, d_vocab = sizes
    if "gap" in options:
        kinds: Any = maximum_kinds(n_ctx, d_vocab, **options)
    else:
        kinds = partial(closable_kinds, n_ctx=n_ctx, d_vocab=d_vocab, **options)
    with progress_bars("boxes of inputs"):
        statement = goal_of(loaded.model, loaded.task, kinds, output, title=loaded.name, arithmetic=arithmetic)
    written = (output / "Goal.v").exists()
    if not check or not written:
        free_folder(output, force=force)
        write_goal(statement, output)
    if not check:
        said = statement.words(statement.numerator)
        if as_json:
            write_json({"folder": str(output), "statement": said, "claimed": str(statement.numerator), "checked": None})
            return
        say(f"Written to {output}: {', '.join(statement.parts)}, Accuracy.v, Goal.lean.")
        say(f"Claim: {said}   (= {decimal(Fraction(statement.numerator, statement.size))}).")
        proof = output / "Closed.v"
        if statement.is_open:
            say(f"Prove the goal of Goal.v in {proof}; then let Coq check it by the same command with --check.")
        else:
            say(f"The goal is proved in {proof}. Let Coq check it by the same command with --check.")
        return
    with progress_bars(f"Coq (about {duration(statement.seconds())})"):
        checked = check_goal(statement, output, fresh=fresh)
    if as_json:
        found = {"assumptions": checked.assumptions, "seconds": checked.seconds, "coq": checked.coq}
        write_json({"folder": str(output), "statement": checked.statement, "claimed": str(checked.numerator), "checked": found})
        return
    say(f"Theorem, accepted by Coq {checked.coq.split()[0]}, with the goal closed by Closed.v.", style="bold green")
    say(f"{checked.statement}   (= {decimal(Fraction(checked.numerator, statement.size))})")
    say("Seconds of the processor: " + ", ".join(f"{name} {s:.1f}" for name, s in checked.seconds.items()) + ".")
    say("It rests on: " + ("nothing but Coq's logic." if not checked.assumptions else "; ".join(checked.assumptions) + "."))


def _maximum_sizes(task: Task) -> tuple[int, int] | None:
    """Length and number of tokens, for a task on all rows of tokens whose label is the largest."""
    from compact_proofs.sequences import FiniteTask
    from compact_proofs.sequences.labels import Maximum
    from compact_proofs.tasks.max_of_k import MaxOfK

    if type(task) is MaxOfK or (type(task) is FiniteTask and task.all_valid and type(task.label) is Maximum):
        return task.n_ctx, task.d_vocab
    return None
