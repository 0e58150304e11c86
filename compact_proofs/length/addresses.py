"""Index tables that depend on sizes alone: address computation, which is not part of a proof's length."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch.utils._pytree import tree_iter, tree_map

from compact_proofs.length.unseen import unseen


def address_table(f: Callable[..., Any]) -> Callable[..., Any]:
    """Make a function of integers that returns index tensors free and cached; ``device=`` moves its result.

    Knowing *where* to read costs nothing, like a view or a gather; the decorated function therefore may take integers only (sizes),
    never a tensor, so no work on weights or explanations can hide in it. Whoever writes into a table is told so at its next use.
    """

    @functools.lru_cache(maxsize=256)
    def table(*sizes: int) -> tuple[Any, list[int]]:
        with unseen("addresses, made from sizes alone"), torch.inference_mode(False):
            tables = f(*sizes)
        return tables, _versions(tables)

    @functools.wraps(f)
    def wrapper(*sizes: int, device: torch.device | str = "cpu") -> Any:
        if not all(isinstance(n, int) for n in sizes):
            raise TypeError(f"{f.__name__} is an address table: it takes integers only")
        tables, versions = table(*sizes)
        if _versions(tables) != versions:
            raise RuntimeError(f"something wrote into the address table {f.__name__}{sizes}, which is shared")
        return tree_map(lambda t: t.to(device), tables)

    return wrapper


def _versions(tables: Any) -> list[int]:
    """How often each tensor was written into."""
    return [t._version for t in tree_iter(tables)]
