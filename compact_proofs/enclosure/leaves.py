"""The tensors among the arguments and results of aten operations, which nest tuples, lists and dicts and nothing else.

(`torch.utils._pytree` does the same for any container, and would take a third of the time of a short proof.)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def leaves(x: Any) -> list[Any]:
    """Whatever is in x and is no tuple, list or dict, in order."""
    found: list[Any] = []
    _collect(x, found)
    return found


def _collect(x: Any, found: list[Any]) -> None:
    if isinstance(x, (tuple, list)):
        for y in x:
            if isinstance(y, (tuple, list, dict)):
                _collect(y, found)
            else:
                found.append(y)
    elif isinstance(x, dict):
        for y in x.values():
            _collect(y, found)
    else:
        found.append(x)


def map_leaves(f: Callable[..., Any], x: Any, *others: Any) -> Any:
    """Put ``f(leaf, ...)`` in the place of every leaf of x; `others` have the same structure."""
    if isinstance(x, (tuple, list)):
        if others:
            mapped = [map_leaves(f, *parts) for parts in zip(x, *others, strict=True)]
        else:
            mapped = [map_leaves(f, y) if isinstance(y, (tuple, list, dict)) else f(y) for y in x]
        return mapped if isinstance(x, list) else tuple(mapped)
    if isinstance(x, dict):
        return {key: map_leaves(f, y, *(other[key] for other in others)) for key, y in x.items()}
    return f(x, *others)
