"""What a network's file says of the order statistic that it names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import nn

from compact_proofs.errors import BadInput
from compact_proofs.laws import Normal, OneDimensional, Uniform
from compact_proofs.models.scalar_recurrent import ScalarRecurrent
from compact_proofs.tasks.order_statistic.task import OrderStatistic


def answer(model: nn.Module, metadata: Mapping[str, Any], source: str) -> None:
    """Note on a network how many numbers exceed the one that it names, and the law of each number, if its file says so.

    Raises
    ------
    BadInput
        If what it says is no such number or law.
    """
    if metadata.get("of_each") is not None:
        assert isinstance(model, ScalarRecurrent)
        model.of_each = _law(metadata["of_each"], source)
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


_LAWS: Mapping[str, Callable[[float, float], OneDimensional]] = {"normal": Normal, "uniform": Uniform}


def _law(said: Any, source: str) -> OneDimensional:
    """A law as files say it: ``{"normal": [mean, deviation]}`` or ``{"uniform": [low, high]}``."""
    for name, law in _LAWS.items():
        match said:
            case {**given} if list(given) == [name]:
                match given[name]:
                    case [int() | float() as first, int() | float() as second]:
                        try:
                            return law(first, second)
                        except BadInput as e:
                            raise BadInput(f"{source}: {e}") from None
    raise BadInput(f'{source}: "of_each" must be {{"normal": [mean, deviation]}} or {{"uniform": [low, high]}}, not {said!r}')
