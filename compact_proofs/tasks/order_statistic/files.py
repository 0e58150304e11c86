"""What a network's file says of the order statistic that it names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from compact_proofs.errors import BadInput
from compact_proofs.models.scalar_recurrent import ScalarRecurrent
from compact_proofs.tasks.order_statistic.task import OrderStatistic


def answer(model: nn.Module, metadata: Mapping[str, Any], source: str) -> None:
    """Note on a network how many numbers exceed the one that it names, if its file says so.

    Raises
    ------
    BadInput
        If what it says is no such number.
    """
    above = metadata.get("above")
    if above is None:
        return
    assert isinstance(model, ScalarRecurrent)
    if not isinstance(above, int) or isinstance(above, bool):
        raise BadInput(f'{source}: "above" must be a whole number, of the larger numbers beside the answer, not {above!r}')
    try:
        OrderStatistic(model.config.n_ctx, above)
    except BadInput as e:
        raise BadInput(f"{source}: {e}") from None
    model.above = above
