"""One operation of a program whose arguments `listing` knows something of before any input is given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from compact_proofs.automatic.listing.values import moves
from compact_proofs.automatic.reading.lifted import call
from compact_proofs.automatic.reading.owners import dependencies, structure
from compact_proofs.enclosure.leaves import leaves, map_leaves


@dataclass(frozen=True)
class Operation:
    """An operation, with its arguments.

    Attributes
    ----------
    name, target
        Its short name, and the aten operation that is called.
    args, kwargs
        Constants and values (`compact_proofs.automatic.listing.values`).
    shape
        Of the result for one input.
    """

    name: str
    target: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    shape: torch.Size

    @property
    def moving(self) -> list[Any]:
        """Its arguments that depend on the input."""
        return [x for x in leaves((self.args, self.kwargs)) if moves(x)]

    def put(self, put: Callable[[Any], Any]) -> Operation:
        """The same operation, each argument replaced by what is put in its place."""
        args, kwargs = map_leaves(put, (self.args, self.kwargs))
        return Operation(self.name, self.target, args, kwargs, self.shape)

    def on(self, put: Callable[[Any], Any]) -> Any:
        """The result with other arguments."""
        op = self.put(put)
        return self.target(*op.args, **op.kwargs)

    def for_all(self, put: Callable[[Any], Any]) -> Any:
        """The results for all indices of leading axes of other arguments (`Lifted`), whose axes come first."""
        op = self.put(put)
        return call(self.target, op.args, op.kwargs)[0]

    def depends(self, marks: dict[int, Tensor]) -> Tensor:
        """Which marks of its arguments each entry of the result depends on: bool [marks, *shape].

        Parameters
        ----------
        marks
            By the id of an argument, bool [marks, *its shape].
        """
        with structure():
            number = len(next(iter(marks.values())))
            shells = {key: torch.ones(m.shape[1:], dtype=torch.float64) for key, m in marks.items()}
            op = self.put(lambda x: shells.get(id(x), x))
            by_shell = {id(shells[key]): m for key, m in marks.items()}
            return dependencies(self.name, self.target, op.args, op.kwargs, by_shell, number, self.shape)
