"""`polish`: improve an explanation by changing one number after another, for the same strategy. Untrusted, like all search."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from compact_proofs.core.prove import identity, run, subject
from compact_proofs.core.strategy import Explanation, Spec, Strategy
from compact_proofs.inputs.task import Task
from compact_proofs.progress import track
from compact_proofs.shards import remembered
from compact_proofs.threads import one_thread


@one_thread()
def polish(
    model: nn.Module,
    task: Task,
    strategy: Strategy,
    explanation: Explanation,
    *,
    moves: int,
    seed: int = 0,
) -> dict[str, Tensor]:
    """Move entries of an explanation while the proof gets better by the float reading.

    A move gives one integer another value within the limits of its `Spec` (a query another group), and is kept if
    (1 - bound) * length does not grow. Lists and real numbers stay as they are.

    Parameters
    ----------
    model, task, strategy, explanation
        As for `compact_proofs.prove`.
    moves
        Moves to try; each takes one float reading of the strategy.
    seed
        Of the moves.

    Returns
    -------
    dict of str to Tensor
        The best explanation found: the given one if no integer can move.
    """
    model, found = subject(model, task, strategy), dict(explanation)
    movable = _movable(strategy.specs(model, task), found)
    if not movable:
        return found

    def moved() -> dict[str, Tensor]:
        return _moved(model, task, strategy, found, movable, moves, seed)

    about = f"polished by {moves} moves, seed {seed}"
    return remembered(lambda: identity(model, task, strategy, found), about, moved)


def _moved(
    model: nn.Module,
    task: Task,
    strategy: Strategy,
    explanation: dict[str, Tensor],
    movable: list[tuple[str, tuple[int, int]]],
    moves: int,
    seed: int,
) -> dict[str, Tensor]:
    found = dict(explanation)
    generator = torch.Generator().manual_seed(seed)
    best = _cost(model, task, strategy, found)
    sizes = torch.tensor([found[name].numel() for name, _ in movable], dtype=torch.float64)
    for _ in track(range(moves), "moves"):
        name, (lo, hi) = movable[int(torch.multinomial(sizes, 1, generator=generator))]
        moved = found[name].clone()
        entry = moved.view(-1)[int(torch.randint(moved.numel(), (), generator=generator))]
        other = int(torch.randint(lo, hi, (), generator=generator))  # any value but the present one
        entry.fill_(other + (other >= int(entry)))
        cost = _cost(model, task, strategy, {**found, name: moved})
        if cost <= best:
            found[name], best = moved, cost
    return found


def _movable(specs: Mapping[str, Spec], explanation: Explanation) -> list[tuple[str, tuple[int, int]]]:
    """The tensors of integers, not lists, that have more than one possible value."""
    return [
        (name, spec.limits)
        for name, spec in specs.items()
        if spec.limits is not None and spec.limits[0] < spec.limits[1] and not spec.fewer and explanation[name].numel()
    ]


def _cost(model: nn.Module, task: Task, strategy: Strategy, explanation: Explanation) -> tuple[float, int]:
    proven, length = run(model, task, strategy, explanation, "float")
    return float(1 - proven / task.size) * length.total, length.total
