"""Detect modules that change their own state when they are called: such a module computes no function."""

from __future__ import annotations

import weakref
from collections.abc import Collection, Iterator
from types import CellType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np
from torch import Tensor, nn

from compact_proofs.errors import BadInput

_REGISTRIES = {"_parameters", "_buffers", "_modules", "training"}
_DEPTH = 4


def tensors_by_name(module: nn.Module) -> dict[str, Tensor]:
    """Every tensor that a module holds, by its path: parameters, buffers, and plain attributes (also in lists and dicts)."""
    found: dict[str, Tensor] = {}
    found.update(module.named_parameters(remove_duplicate=False))
    found.update(module.named_buffers(remove_duplicate=False))
    for prefix, part in module.named_modules(remove_duplicate=False):
        for name, value in vars(part).items():
            if name not in _REGISTRIES:
                path = f"{prefix}.{name}" if prefix else name
                found.update((p, t) for p, t in _leaves(path, value, _DEPTH) if isinstance(t, Tensor) and p not in found)
    return found


class Unchanged:
    """A context in which calling a module must leave it as it was: ``with Unchanged(module): module(x)``.

    Compared are the versions of all its tensors, which every write raises, and its Python attributes. An attribute that a call
    sets to a new tensor of the same shape, to be looked at later, is let through: `check_unread` is to say that no call reads it.

    Raises
    ------
    BadInput
        On leaving, if the module changed; the message names what changed.
    """

    def __init__(self, module: nn.Module) -> None:
        self._module = module
        self._replaced: set[str] = set()

    def __enter__(self) -> Unchanged:
        tensors = tensors_by_name(self._module)
        self._tensors = {name: (t, t._version) for name, t in tensors.items() if not t.is_inference()}
        self._attributes = dict(_attributes(self._module))
        return self

    def __exit__(self, kind: Any, error: Any, traceback: Any) -> None:
        if kind is not None:
            return
        written = [name for name, (t, version) in self._tensors.items() if t._version != version]
        now = dict(_attributes(self._module))
        changed = [name for name in now.keys() | self._attributes.keys() if now.get(name, now) != self._attributes.get(name, now)]
        tensors = tensors_by_name(self._module)
        self._replaced = {name for name in changed if _alike(self._tensors.get(name, (None,))[0], tensors.get(name))}
        self._refuse({*written, *changed} - self._replaced)

    def check_unread(self, constants: Collection[str]) -> None:
        """Raise `BadInput` if a program has a constant that every call replaces, so that it depends on the last call."""
        self._refuse(self._replaced & set(constants))

    def _refuse(self, changed: set[str]) -> None:
        if changed:
            names = ", ".join(sorted(changed)[:5])
            raise BadInput(
                f"{type(self._module).__name__}: a call changes {names}, so that the module is no function of its input. Take the "
                "change out of forward, or make it unconditional on earlier calls"
            )


def _alike(before: Tensor | None, after: Tensor | None) -> bool:
    return before is not None and after is not None and (before.shape, before.dtype) == (after.shape, after.dtype)


def _attributes(module: nn.Module) -> Iterator[tuple[str, Any]]:
    """Each Python attribute of a module and its parts, with a value that can be compared."""
    for prefix, part in module.named_modules(remove_duplicate=False):
        for name, value in vars(part).items():
            if name not in _REGISTRIES:
                path = f"{prefix}.{name}" if prefix else name
                for p, leaf in _leaves(path, value, _DEPTH):
                    yield p, _comparable(leaf)


def _comparable(leaf: Any) -> Any:
    if isinstance(leaf, (int, float, str, bytes, bool, complex, type(None))):
        return leaf
    return (id(leaf), leaf.tobytes()) if isinstance(leaf, np.ndarray) else id(leaf)


def _leaves(path: str, value: Any, depth: int) -> Iterator[tuple[str, Any]]:
    """Whatever is in nested lists, tuples, sets, dicts, objects and closures, by path; a container's own length too."""
    if type(value) in weakref.ProxyTypes:  # which stands for another object, or for none any more
        yield path, None
    elif depth and isinstance(value, dict):
        yield f"len({path})", len(value)
        for key, item in value.items():
            yield from _leaves(f"{path}[{key!r}]", item, depth - 1)
    elif depth and isinstance(value, (list, tuple)):
        yield f"len({path})", len(value)
        for i, item in enumerate(value):
            yield from _leaves(f"{path}[{i}]", item, depth - 1)
    elif isinstance(value, (set, frozenset)):
        yield f"len({path})", len(value)
    else:
        yield path, value
        if depth:
            for name, item in _held(value):
                yield from _leaves(f"{path}.{name}", item, depth - 1)


def _held(value: Any) -> list[tuple[str, Any]]:
    """What an object of a Python class holds in its attributes, and a function in its closure."""
    if isinstance(value, (nn.Module, Tensor, type, ModuleType)):
        return []
    if isinstance(value, FunctionType):
        cells = zip(value.__code__.co_freevars, value.__closure__ or (), strict=True)
        return [(name, cell.cell_contents) for name, cell in cells if _is_full(cell)]
    if isinstance(value, MethodType):
        return _held(value.__func__)
    slots = [name for kind in type(value).__mro__ for name in _words(vars(kind).get("__slots__", ()))]
    attributes = list(getattr(value, "__dict__", {}).items())
    return attributes + [(name, getattr(value, name)) for name in slots if name != "__dict__" and hasattr(value, name)]


def _words(slots: Any) -> tuple[str, ...]:
    return (slots,) if isinstance(slots, str) else tuple(slots)


def _is_full(cell: CellType) -> bool:
    """Whether a name of a closure has a value yet."""
    try:
        return cell.cell_contents is not cell
    except ValueError:
        return False
