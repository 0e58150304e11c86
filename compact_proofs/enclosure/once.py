"""A table with one entry for each name, and names written as words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

T = TypeVar("T")


def words(text: str) -> frozenset[str]:
    """The words of a text: names of operations."""
    return frozenset(text.split())


class Once(dict[str, T]):
    """A dict whose entries are made once: a second one under the same name would silently undo the first, so it is an error.

    Parameters
    ----------
    what
        What an entry is, for the message.

    Raises
    ------
    ValueError
        On a second entry under one name, whichever way it is made.
    """

    def __init__(self, what: str) -> None:
        super().__init__()
        self._what = what

    def __setitem__(self, name: str, entry: T) -> None:
        if name in self:
            raise ValueError(f"{name} has a {self._what} already; a second one would undo the first")
        super().__setitem__(name, entry)

    def update(self, *others: Any, **entries: T) -> None:
        for name, entry in [*(pair for other in others for pair in dict(other).items()), *entries.items()]:
            self[name] = entry

    def __ior__(self, others: Mapping[str, T]) -> Once[T]:  # type: ignore[override,misc]
        self.update(others)
        return self

    def setdefault(self, name: str, entry: Any = None) -> Any:
        self[name] = entry
        return entry
