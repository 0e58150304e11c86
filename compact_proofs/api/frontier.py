"""`frontier`: bounds at many lengths, by the strategies of a network's task."""

from __future__ import annotations

from compact_proofs.api.load import pair_of
from compact_proofs.api.prove import Network
from compact_proofs.core.frontier import Frontier
from compact_proofs.errors import BadInput
from compact_proofs.inputs.task import Task
from compact_proofs.search.autopilot import fill_frontier
from compact_proofs.shards import shared_by


def frontier(
    model: Network,
    task: Task | None = None,
    *,
    effort: float = 1.0,
    points: int = 16,
    moves: int = 100,
    with_brute_force: bool = False,
    jobs: int = 1,
    dask: str | None = None,
) -> Frontier:
    """Prove bounds at many lengths; ``.best`` of the result are the proofs that no other beats in both bound and length.

    Parameters
    ----------
    model, task
        As for `prove`.
    effort
        How long strategies with many options are estimated first: 1 is about 20 seconds of one core for a model of the zoo. It is
        counted in operations, so that the same call finds the same proofs on a busy machine.
    points
        About so many of the estimated strategies are proved.
    moves
        Small changes of each chosen explanation that are tried, each in a float reading.
    with_brute_force
        Prove by every input too, so that the true accuracy is known.
    jobs, dask
        As for `prove`.

    Returns
    -------
    Frontier
        Of `Certificate`s, shortest first; ``.report(folder)`` writes a page about them.

    Raises
    ------
    BadInput
        As for `prove`; and for `with_brute_force` on a task with a law.
    """
    pair = pair_of(model, task)
    kit = pair.kit
    everything = kit.brute_force(pair.model) if with_brute_force else None
    if with_brute_force and everything is None:
        raise BadInput(f"{pair.task.name} has a law, and no list of inputs for brute force")
    always = [*kit.always(pair.model), *(() if everything is None else (everything,))]
    with shared_by(jobs, dask):
        return fill_frontier(pair.model, pair.task, kit.candidates(pair.model), always, effort, points, moves)
