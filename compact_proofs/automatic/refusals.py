"""What a reading of a program cannot hold."""

from __future__ import annotations

from typing import Any

from compact_proofs.errors import BadInput


class NotRead(BadInput):
    """A program has an operation that a reading by tokens, or one that shares tables, has no place for."""


def one_of(results: Any, number: Any, name: str) -> Any:
    """The result of an operation that is asked for.

    Raises
    ------
    NotRead
        If it is another than the first of several.
    """
    if not isinstance(number, int) or not 0 <= number < len(results):
        raise NotRead(f"the program reads another result than the first of {name}, which this reading does not keep")
    return results[number]
