"""Index tables that depend on sizes alone: computing addresses is not part of a proof's length."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch.utils._pytree import tree_iter, tree_map

from compact_proofs.length.unseen import unseen


def address_table(f: Callable[..., Any]) -> Callable[..., Any]:
    """Decorate a function from sizes to index tensors: its operations are not counted, and its results are cached.

    A proof's length counts operations on numbers, not the computation of addresses (views and gathers are free for the same
    reason). So that no work on weights or explanations can be hidden in such a function, it may take integers only and never a
    tensor. Its results are shared between calls: if a caller has written into one, the next call raises `RuntimeError`. The
    decorated function also takes ``device=``, to which its tensors are moved.
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
