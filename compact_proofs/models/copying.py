"""Copies of modules that share no state with the original."""

from __future__ import annotations

import copy
import weakref
from contextlib import suppress
from types import CellType, FunctionType
from typing import Any

from torch import nn

from compact_proofs.errors import BadInput
from compact_proofs.models.state import tensors_by_name

_HOOKS = ("_forward_hooks", "_forward_pre_hooks")


def independent_copy(module: nn.Module) -> nn.Module:
    """Copy a module, its tensors that were computed as numbers, and its hooks with what they refer to.

    `copy.deepcopy` shares functions and weak references, so that a hook ``lambda *_: part.seen.append(1)`` of the copy would write
    into the first module's part. Here such a function refers to the copy's part.

    Raises
    ------
    BadInput
        If something in the module cannot be copied.
    """
    memo: dict[int, Any] = {id(t): t.detach().clone() for t in tensors_by_name(module).values() if not t.is_leaf}
    try:
        copied = copy.deepcopy(module, memo)
    except Exception as e:
        text = str(e).split("\n", 1)[0][:200]
        raise BadInput(
            f"{type(module).__name__}: it cannot be copied ({type(e).__name__}: {text}), so that it cannot be traced"
        ) from e
    for part in copied.modules():
        for name, value in vars(part).items():
            if name in _HOOKS:
                for key, hook in value.items():
                    value[key] = _rebound(hook, memo)
            elif _refers(value):
                vars(part)[name] = _rebound(value, memo)
    return copied


def _refers(value: Any) -> bool:
    return type(value) in (FunctionType, weakref.ReferenceType, *weakref.ProxyTypes)


def _rebound(value: Any, memo: dict[int, Any]) -> Any:
    """The copy of a value, if it was copied; a function or a weak reference that refers to copies where it referred to values."""
    if id(value) in memo:
        return memo[id(value)]
    kind = type(value)  # isinstance asks what a proxy stands for, which may be gone
    if kind is FunctionType and value.__closure__:
        return _rebound_function(value, value.__closure__, memo)
    if kind is weakref.ReferenceType:
        other = memo.get(id(value()))
        return value if other is None else weakref.ref(other)
    if kind in weakref.ProxyTypes:
        other = memo.get(id(_behind(value)))
        return value if other is None else weakref.proxy(other)
    return value


def _rebound_function(function: FunctionType, closure: tuple[CellType, ...], memo: dict[int, Any]) -> FunctionType:
    cells = tuple(CellType() for _ in closure)
    rebound = FunctionType(function.__code__, function.__globals__, function.__name__, function.__defaults__, cells)
    rebound.__kwdefaults__ = function.__kwdefaults__
    rebound.__dict__.update(function.__dict__)
    memo[id(function)] = rebound  # which a closure may hold itself
    for cell, new in zip(closure, cells, strict=True):
        with suppress(ValueError):  # of a name that has no value yet
            new.cell_contents = _rebound(cell.cell_contents, memo)
    return rebound


def _behind(proxy: Any) -> Any:
    """What a weak proxy stands for, whose bound methods are those of the object itself; None once it is gone."""
    try:
        return proxy.__dir__.__self__
    except ReferenceError:
        return None
