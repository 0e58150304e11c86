"""What makes itself known to the core from outside: tasks with their strategies, and strategies for any module.

The core imports none of them. What ships is named in `PROVIDERS`, and registers itself when it is imported; packages of others are
found by the entry points of the group ``compact_proofs.tasks``, each of which names a kit (`compact_proofs.tasks.kit.ProofKit`):

    [project.entry-points."compact_proofs.tasks"]
    my-task = "my_package:KIT"

A package whose task cannot be used is skipped with a warning, and is an error only where that task is asked for.
"""

from __future__ import annotations

import importlib
import warnings
from collections import ChainMap, defaultdict
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Protocol

from compact_proofs.core.strategy import Strategy
from compact_proofs.errors import BadInput, PackageSkipped
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


_KITS: ChainMap[str, Kit] = ChainMap({})
"""By the names of their tasks: the kits of installed packages, then those that ship."""
_UNIVERSAL: list[type[Strategy[Any]]] = []
_SKIPPED: dict[str, str] = {}
"""Why the task of an installed package cannot be used: by the task's name or, where that is not known, its entry point's."""


def register(kit: Kit) -> None:
    """Make a task's kit known by its name.

    Raises
    ------
    BadInput
        If another kit has that name.
    """
    if _KITS.setdefault(kit.name, kit) is not kit:
        raise BadInput(f"two packages register a task {kit.name!r}; uninstall one, or rename its task")


def register_shipped(shipped: Mapping[str, Any]) -> None:
    """Make kits known by their names; a mapping that imports on demand stays one."""
    _KITS.maps.append(shipped)  # type: ignore[arg-type]  # written to is the first mapping only


def register_universal(*strategies: type[Strategy[Any]]) -> None:
    """Make strategies known that are for any module and task."""
    _UNIVERSAL.extend(strategies)


def kits() -> Mapping[str, Kit]:
    """The kits of all tasks, by name: those that ship first, then those of installed packages."""
    _load()
    return _KITS


def kit_of(task: str) -> Kit | None:
    """The kit of the task of a name; None if there is none.

    Raises
    ------
    BadInput
        If an installed package has it and cannot be used.
    """
    kit = kits().get(task)
    if kit is None and task in _SKIPPED:
        raise BadInput(_SKIPPED[task])
    return kit


def skipped() -> str:
    """What to add to a message about a name that is not known: the installed packages that cannot be used, if any."""
    _load()
    return "".join(f"; {why}" for why in _SKIPPED.values())


def strategies_for(task: Task) -> dict[str, type[Strategy[Any]]]:
    """The strategies that are known for a task, by name: those for any task, and those that are registered for it.

    Raises
    ------
    BadInput
        As `kit_of`.
    """
    kit = kit_of(task.name)
    return {s.name: s for s in (*_UNIVERSAL, *(kit.strategies if kit else ()))}


@cache
def _load() -> None:
    for module in PROVIDERS:
        importlib.import_module(module)
    _register_installed(entry_points(group=GROUP))


def _register_installed(points: Iterable[EntryPoint]) -> None:
    """Register the kits that entry points name, but for those that cannot be loaded or have one name with another kit."""
    found: dict[str, list[tuple[EntryPoint, Kit]]] = defaultdict(list)
    for point in points:
        try:
            kit = _loaded(point)
        except BadInput as e:
            _skip(point.name, str(e))
        else:
            found[kit.name].append((point, kit))
    for name, alike in found.items():
        owners = " and ".join(_owner(point) for point, _ in alike)
        if _KITS.get(name, alike[0][1]) is not alike[0][1]:
            _skip(name, f"{owners}: there is another task {name!r} already; rename this one, or uninstall its package")
        elif len(alike) > 1:
            _skip(name, f"{owners} have one task, {name!r}; uninstall one of these packages, or rename its task")
        else:
            register(alike[0][1])


def _skip(name: str, why: str) -> None:
    _SKIPPED[name] = why
    warnings.warn(why, PackageSkipped, stacklevel=2)


def _owner(point: EntryPoint) -> str:
    return f"the entry point {point.name!r} of {point.dist.name if point.dist else 'an unknown package'}"


def _loaded(point: EntryPoint) -> Kit:
    """The kit that an entry point names."""
    owner = _owner(point)
    try:
        kit = point.load()
    except (Exception, SystemExit) as e:
        raise BadInput(
            f"{owner} cannot be loaded, so that its task is not known ({type(e).__name__}: {e}); mend or uninstall that package"
        ) from e
    for attribute in ("name", "summary", "strategies", "default"):
        if not hasattr(kit, attribute):
            raise BadInput(
                f"{owner} must name a compact_proofs.tasks.kit.ProofKit, not a {type(kit).__name__}; mend or uninstall that package"
            )
    found: Kit = kit
    return found
