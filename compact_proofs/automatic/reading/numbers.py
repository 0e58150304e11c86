"""Python numbers among the arguments of an operation, exactly."""

from __future__ import annotations

from typing import Any

from compact_proofs.enclosure.tensor import exact_number


def alpha(args: Any, kwargs: Any) -> float:
    """What a sum or a difference multiplies its second term by.

    Raises
    ------
    BadInput
        If float64 does not hold it.
    """
    return exact_number(kwargs.get("alpha", args[2] if len(args) > 2 else 1))
