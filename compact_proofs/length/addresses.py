"""Index tables that depend on sizes alone: address computation, which is not part of a proof's length."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch.utils._python_dispatch import _disable_current_modes
from torch.utils._pytree import tree_map

F = TypeVar("F", bound=Callable[..., Any])


def address_table(f: F) -> F:
    """Make a function of integers that returns index tensors free and cached; ``device=`` moves its result.

    Knowing *where* to read costs nothing, like a view or a gather; the decorated function therefore may take integers only (sizes),
    never a tensor, so no work on weights or explanations can hide in it.
    """

    @functools.lru_cache(maxsize=256)
    def table(*sizes: int) -> Any:
        with _disable_current_modes():
            return f(*sizes)

    @functools.wraps(f)
    def wrapper(*sizes: int, device: torch.device | str = "cpu") -> Any:
        if not all(isinstance(n, int) for n in sizes):
            raise TypeError(f"{f.__name__} is an address table: it takes integers only")
        return tree_map(lambda t: t.to(device), table(*sizes))

    return wrapper  # type: ignore[return-value]
