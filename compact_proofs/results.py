"""Classes of what parts of a proof find: data, which may come back from another process or from a file."""

from __future__ import annotations

from typing import TypeVar

RESULTS: set[type] = set()
"""The classes, beside plain data, tensors and arrays."""

Kind = TypeVar("Kind", bound=type)


def result_class(kind: Kind) -> Kind:
    """Decorate a data class whose instances may be, or be part of, what a part of a proof finds (`compact_proofs.shards.each`)."""
    RESULTS.add(kind)
    return kind
