"""Sets of sequences without arithmetic: tables of truth values, boxes, lists."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from compact_proofs.certified.base import Certified
from compact_proofs.length import charge_integers


@dataclass(frozen=True)
class Truth(Certified):
    """The sequences at which a table says yes.

    Attributes
    ----------
    table : bool [v, ..., v]
        One axis for each position. Its size is the number of entries that are true: v^n integer operations.
    """

    table: Tensor

    @cached_property
    def size(self) -> int:
        return int(self.table.sum())

    def member(self, inputs: Tensor) -> Tensor:
        return self.table[tuple(inputs.T)]


@dataclass(frozen=True)
class BoxSet(Certified):
    """The sequences of boxes of which no two share an input.

    Attributes
    ----------
    masks : bool [B, n, v]
        The tokens that each box allows at each position. A box holds the product of n numbers of tokens: n v integer operations.
    """

    masks: Tensor

    @cached_property
    def size(self) -> int:
        charge_integers(self.masks.numel())
        return sum(math.prod(widths) for widths in self.masks.cpu().numpy().sum(-1).tolist())

    def member(self, inputs: Tensor) -> Tensor:
        return belongs(self.masks, inputs).any(1)


def belongs(masks: Tensor, inputs: Tensor) -> Tensor:
    """Which inputs [N, n] lie in which boxes [B, n, v]: bool [N, B]."""
    found = torch.ones(len(inputs), len(masks), dtype=torch.bool, device=inputs.device)
    for i in range(masks.shape[1]):
        found = found & masks[:, i, inputs[:, i]].T
    return found


@dataclass(frozen=True)
class Listed(Certified):
    """Sequences that are written down, each counted once however often it stands there.

    Attributes
    ----------
    inputs : int64 [N, n]
        The list. Telling its entries apart costs n integer operations each.
    """

    inputs: Tensor

    @cached_property
    def _rows(self) -> frozenset[bytes]:
        charge_integers(self.inputs.numel())
        return frozenset(row.tobytes() for row in self.inputs.cpu().contiguous().numpy())

    @cached_property
    def size(self) -> int:
        return len(self._rows)

    def member(self, inputs: Tensor) -> Tensor:
        rows = inputs.cpu().contiguous().numpy()
        return torch.tensor([row.tobytes() in self._rows for row in rows], dtype=torch.bool, device=inputs.device)
