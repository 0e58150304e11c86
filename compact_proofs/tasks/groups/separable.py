"""Separable bounds, a term of x plus a term of y: 2 n numbers for n^2 pairs."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from compact_proofs.enclosure import provably


@dataclass(frozen=True)
class Separable:
    """A bound sides[0, x] + sides[1, y] + constant.

    Attributes
    ----------
    sides : [2, n]
        Terms of x and of y.
    constant
        [].
    """

    sides: Tensor
    constant: Tensor

    def __sub__(self, other: Separable) -> Separable:
        return Separable(self.sides - other.sides, self.constant - other.constant)

    def at(self, x: Tensor, y: Tensor) -> Tensor:
        """The bound for pairs (x, y), [r]."""
        return self.sides[0, x] + self.sides[1, y] + self.constant

    def positive(self) -> Tensor:
        """bool [n, n]: for which pairs it is provably positive."""
        left, right = self.sides
        return provably(-left[:, None] < right + self.constant)

    def table(self) -> Tensor:
        """The bound for every pair: [n, n]."""
        left, right = self.sides
        return left[:, None] + right + self.constant
