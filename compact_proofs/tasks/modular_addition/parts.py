"""The parts of a residual stream, a named tuple of tensors, some of which may not be there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from torch import Tensor

Parts = TypeVar("Parts", bound="tuple[Any, ...]")


def each(function: Callable[..., Tensor], *parts: Parts) -> Parts:
    """The named tuple of a linear function of every part, or of the parts of several streams that have the same ones."""
    together = [None if values[0] is None else function(*values) for values in zip(*parts, strict=True)]
    return type(parts[0])(*together)  # type: ignore[arg-type]
