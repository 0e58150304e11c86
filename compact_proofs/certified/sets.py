"""Sets without arithmetic: tables of truth values, boxes, classes, predicates."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from compact_proofs.certified.base import Certified
from compact_proofs.length import charge_integers


def whole(count: Tensor) -> int:
    """Return an integer tensor's one value as a Python int; 0 on meta tensors, which have none."""
    return 0 if count.is_meta else int(count)


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
        return whole(self.table.sum())

    def member(self, inputs: Tensor) -> Tensor:
        return self.table[tuple(inputs.T)]


@dataclass(frozen=True)
class Classes(Certified):
    """Whole classes of inputs, of known sizes.

    Attributes
    ----------
    right : bool [...]
        Which classes are proven, by any number of indices.
    sizes : int64 of the same shape, or int
        How many inputs of the task each class has; an int if all have the same.
    of
        The indices of the classes of inputs [N, ...]: as many tensors int64 [N] as `right` has axes.

    Counting takes an addition for each class, and a multiplication for each, or one where all have the same size.
    """

    right: Tensor
    sizes: Tensor | int
    of: Callable[[Tensor], tuple[Tensor, ...]]

    @cached_property
    def size(self) -> int:
        if isinstance(self.sizes, int):
            charge_integers(1)
            return whole(self.right.sum()) * self.sizes
        return whole((self.right * self.sizes).sum())

    def member(self, inputs: Tensor) -> Tensor:
        return self.right[self.of(inputs)]


@dataclass(frozen=True)
class Counted(Certified):
    """The inputs that satisfy a predicate, counted by a formula of the strategy's own.

    Attributes
    ----------
    count
        Their number.
    holds
        The predicate: bool [N] for inputs [N, ...].
    excluded
        Which inputs are certainly not counted, bool [N]: needed where `count` and `holds` read numbers that may be rounded apart.
        None: they read the same integers and truth values, so that the set is `exact`.
    """

    count: int
    holds: Callable[[Tensor], Tensor]
    excluded: Callable[[Tensor], Tensor] | None = None

    @property
    def size(self) -> int:
        return self.count

    def member(self, inputs: Tensor) -> Tensor:
        return self.holds(inputs)

    @property
    def exact(self) -> bool:
        return self.excluded is None

    def excludes(self, inputs: Tensor) -> Tensor:
        return ~self.holds(inputs) if self.excluded is None else self.excluded(inputs)


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
