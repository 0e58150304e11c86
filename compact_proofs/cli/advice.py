"""Advice on a bound that is too low to say much: one line with what to try."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from compact_proofs.cli.models import is_by
from compact_proofs.cli.output import command
from compact_proofs.decimals import decimal

if TYPE_CHECKING:
    from compact_proofs.core.certificate import Run
    from compact_proofs.tasks import LoadedModel

AFFORDABLE = 2**21
"""Inputs of a task on which brute force is worth a try."""

LONGER = 4
"""What a search that found little is to be repeated with."""


def advice(loaded: LoadedModel, best: Run | None, effort: float | None = None) -> str | None:
    """Say that a bound is poor, and what to try; None if it is not.

    It is poor if it is 0, or if brute force on a share of the inputs would prove as much in as many operations: if bound * size
    inputs cost brute force no more than the proof took.

    Parameters
    ----------
    loaded
        The model.
    best
        The run with the highest bound; None if every bound is 0.
    effort
        That of the search that found it, if there was one.
    """
    from compact_proofs.tasks.kit import TaskKit

    source = loaded.arguments
    poor = _poor(loaded, best, searched=effort is not None)
    if poor is None:
        return None
    tries = []
    default = loaded.kit.default(loaded.model)
    if effort is None and best is not None and (best.strategy, best.options) != (default.name, default.options()):
        tries.append(f"{command('prove', *source)} (the default, {default.name})")
    if effort is None:
        tries.append(f"{command('frontier', *source)} (a search among strategies and options)")
    else:
        tries.append(f"{command('frontier', *source, '--effort', f'{LONGER * max(effort, 1):g}')} (a longer search)")
    if isinstance(loaded.kit, TaskKit) and loaded.kit.tuning:
        tries.append(f"{command('finetune', loaded.task.name, *source, '-o', 'FILE')} (a like network with shorter proofs)")
    everything = loaded.kit.brute_force(loaded.model)
    if everything is not None and loaded.task.size <= AFFORDABLE and best is not None and not is_by(best, everything):
        tries.append(f"{command('prove', *source, '-s', everything.name)} (every input)")
    tries.append(f"{command('sample', *source)} (a bound with confidence, by sampling)")
    return f"{poor} To try: {'; '.join(tries)}."


def _poor(loaded: LoadedModel, best: Run | None, searched: bool) -> str | None:
    if best is None or best.bound <= 0:
        return "The bound is 0: this says nothing about the network."
    share, everything = loaded.kit.linear(loaded.model), loaded.kit.brute_force(loaded.model)
    if share is None or everything is None or is_by(best, everything):
        return None
    if is_by(best, share) and searched:
        return "Nothing that was tried proves more than brute force on a share of the inputs."
    if best.strategy == share.name:
        return None
    if best.length.total < best.bound * brute_force_length(loaded):
        return None
    return f"The bound of {decimal(best.bound)} is no more than brute force on a share of the inputs proves in as many operations."


def brute_force_length(loaded: LoadedModel) -> Fraction:
    """How many operations a proof by every input takes: those of the linear baseline, for each of its inputs, times all inputs."""
    from compact_proofs.core.prove import measure

    share = loaded.kit.linear(loaded.model)
    assert share is not None
    evaluated = max(1, round(loaded.task.size * Fraction(share.options()["share"])))
    return Fraction(measure(loaded.model, loaded.task, share).total, evaluated) * loaded.task.size


def better_proved(loaded: LoadedModel, length: int) -> str | None:
    """Say that what was sampled could have been proven of every input in fewer operations; None if it could not."""
    everything = loaded.kit.brute_force(loaded.model)
    if everything is None or loaded.kit.linear(loaded.model) is None or length < brute_force_length(loaded):
        return None
    proof = command("prove", *loaded.arguments, "-s", everything.name)
    return f"Evaluating every input takes fewer operations, and is a proof: {proof}."
