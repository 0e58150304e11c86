"""`explain`: where proofs about a network lose their bounds, in tables and pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from compact_proofs.api.load import pair_of
from compact_proofs.api.prove import Network
from compact_proofs.errors import BadInput
from compact_proofs.inputs.task import Task
from compact_proofs.tables import Explained, Picture, Table
from compact_proofs.tasks import LoadedModel


def explain(model: Network, task: Task | None = None) -> Explained:
    """Say where proofs about a network lose their bounds, and how much structure it has.

    Parameters
    ----------
    model, task
        As for `prove`.

    Returns
    -------
    Explained
        For networks of a task that ships with proofs of its own, how large each circuit is and what every step of a proof gives up.
        For any other network over tokens, an automatic proof is made: into which boxes it divides the inputs, in words, and what it
        proves in each.

    Raises
    ------
    BadInput
        As for `prove`; and if no strategy looks into such a network or task.
    """
    pair = pair_of(model, task)
    tables, draw = _account_of(pair)
    return Explained(tables, tuple(pair.kit.heatmaps(pair.model)), tuple(draw()))


def tables_of(loaded: LoadedModel) -> tuple[Table, ...]:
    """The tables of `explain` for a model that is loaded; nothing is drawn.

    Raises
    ------
    BadInput
        If no strategy looks into such a network or task.
    """
    return _account_of(loaded)[0]


def _account_of(loaded: LoadedModel) -> tuple[tuple[Table, ...], Callable[[], Sequence[Picture]]]:
    """Tables, and what draws the pictures beside them."""
    kit, model = loaded.kit, loaded.model
    made, draw = kit.accounts(model)
    tables = (*kit.tables(model), *made)
    if not tables:
        raise BadInput(
            f"{loaded.name}: there is nothing to explain, since no strategy here looks into such a network or task; "
            "a task over tokens, a FiniteTask, has automatic proofs, which say which inputs they reach"
        )
    return tables, draw
