"""Values that may be NaN: once a result has been undefined, `isnan` has no provable answer.

An undefined result (0/0, a softmax of nothing but -inf, NaN in the data) is unbounded on both sides: what is proved holds
whatever number is put in its place. PyTorch puts NaN there, and a module may ask for it: ``torch.where(x.isnan(), 0, x)``. Bounds
alone cannot answer, since clamp, tanh or a maximum bound what was unknown. So the Enclosures that an undefined result can have
reached are marked: `note_unknown` is called wherever bounds become unbounded on both sides, and `spread_unknown` marks what a
call made then, or made from marked operands. Before the first undefined result of a process this costs nothing.
"""

from __future__ import annotations

from typing import Any

from compact_proofs.enclosure.leaves import leaves


class _Noted:
    """How many results were unbounded on both sides so far; only whether it changes matters."""

    count = 0


def note_unknown() -> None:
    """Say that a result may be undefined."""
    _Noted.count += 1


def unknowns() -> int:
    """How often `note_unknown` was called so far."""
    return _Noted.count


def spread_unknown(before: int, given: Any, result: Any) -> None:
    """Mark the Enclosures of a `result` that may hold undefined numbers.

    They may if an operand was marked, or if something was noted since `before` (a value of `unknowns`).
    """
    if _Noted.count and (_Noted.count != before or any(getattr(leaf, "_unknown", False) for leaf in leaves(given))):
        for leaf in leaves(result):
            if hasattr(leaf, "_unknown"):
                leaf._unknown = True
