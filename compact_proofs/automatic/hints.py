"""Hints in the order in which a proof asks for them: recorded when they are found, replayed when the proof is verified."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import torch
from torch import Tensor

from compact_proofs.automatic.effort import uncounted

T = TypeVar("T")


class Hints:
    """A number of columns for each job, read from left to right.

    A proof and the search for its hints are one program: where it needs a hint it asks ``take(shape, find)``. While searching,
    `find` is called and its answer kept; while verifying, the next columns of the explanation are returned, and `find` is not
    called. The number of columns depends on shapes alone.
    """

    def __init__(self, columns: Tensor | None, jobs: int) -> None:
        self._columns, self.jobs, self._at = columns, jobs, 0
        self._found: list[Tensor] = []

    @property
    def searching(self) -> bool:
        """Are hints being found?"""
        return self._columns is None

    def uncounted(self, find: Callable[[], T]) -> T:
        """What `find` returns. It takes no part in the proof: what a proof costs is counted while its hints are found."""
        if not self.searching:
            raise AssertionError("a proof finds nothing")
        with uncounted():
            return find()

    def take(self, shape: tuple[int, ...], find: Callable[[], Tensor]) -> Tensor:
        """Return hints [jobs, *shape]; zeros where the explanation has too few columns."""
        if self._columns is None:
            found = self.uncounted(lambda: find().nan_to_num(0.0, 1e100, -1e100).clamp(-1e100, 1e100))
            self._found.append(found.reshape(self.jobs, -1))
            return found.reshape(self.jobs, *shape)
        size = torch.Size(shape).numel()
        part = self._columns[:, self._at : self._at + size]
        self._at += size
        missing = size - part.shape[1]
        if missing:
            part = torch.cat([part, part.new_zeros(len(part), missing)], 1)
        return part.reshape(self.jobs, *shape)

    def recorded(self) -> Tensor:
        """The hints found [jobs, columns]."""
        return torch.cat(self._found, 1) if self._found else torch.zeros(self.jobs, 0, dtype=torch.float64)
