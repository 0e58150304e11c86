"""What makes itself known to the core from outside: tasks with their strategies, and strategies for any module.

The core imports none of them. What ships is named in `PROVIDERS`, and registers itself when it is imported; packages of others are
found by the entry points of the group ``compact_proofs.tasks``, each of which names a kit (`compact_proofs.tasks.kit.ProofKit`):

    [project.entry-points."compact_proofs.tasks"]
    my-task = "my_package:KIT"
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Protocol

from compact_proofs.core.strategy import Strategy
from compact_proofs.errors import BadInput
from compact_proofs.inputs.task import Task

GROUP = "compact_proofs.tasks"
"""The group of entry points that is read."""
PROVIDERS = ("compact_proofs.tasks",)
"""Modules that register the tasks and strategies that ship."""


class Kit(Protocol):
    """What the core knows of a task's kit."""

    @property
    def name(self) -> str: ...
    @property
    def summary(self) -> str: ...
    @property
    def strategies(self) -> tuple[type[Strategy[Any]], ...]: ...


_KITS: dict[str, Kit] = {}
_UNIVERSAL: list[type[Strategy[Any]]] = []


def register(kit: Kit) -> None:
    """Make a task's kit known by its name.

    Raises
    ------
    BadInput
        If another kit has that name.
    """
    if _KITS.setdefault(kit.name, kit) is not kit:
        raise BadInput(f"two packages register a task {kit.name!r}; uninstall one, or rename its task")


def register_universal(*strategies: type[Strategy[Any]]) -> None:
    """Make strategies known that are for any module and task."""
    _UNIVERSAL.extend(strategies)


def kits() -> Mapping[str, Kit]:
    """The kits of all tasks, by name: those that ship first, then those of installed packages."""
    _load()
    return _KITS


def strategies_for(task: Task) -> dict[str, type[Strategy[Any]]]:
    """The strategies that are known for a task, by name: those for any task, and those that are registered for it."""
    kit = kits().get(task.name)
    return {s.name: s for s in (*_UNIVERSAL, *(kit.strategies if kit else ()))}


@cache
def _load() -> None:
    for module in PROVIDERS:
        importlib.import_module(module)
    for point in entry_points(group=GROUP):
        register(_loaded(point))


def _loaded(point: EntryPoint) -> Kit:
    """The kit that an entry point names."""
    owner = f"the entry point {point.name!r} of {point.dist.name if point.dist else 'an unknown package'}"
    try:
        kit = point.load()
    except Exception as e:
        raise BadInput(f"{owner} cannot be loaded, so that its task is not known: {type(e).__name__}: {e}") from e
    for attribute in ("name", "summary", "strategies", "default"):
        if not hasattr(kit, attribute):
            raise BadInput(f"{owner} must name a compact_proofs.tasks.kit.ProofKit, not a {type(kit).__name__}")
    found: Kit = kit
    return found
