"""`PairNetwork`: a network with one hidden layer of ReLUs that reads two operands, as tables."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor


class PairNetwork(ABC):
    """``logits(x, y) = ReLU(pre(x, y)) G + direct(x, y)`` for operands x and y below n.

    Attributes
    ----------
    G : [m, outputs]
        What each of the m neurons writes to the logits.
    """

    G: Tensor

    @property
    @abstractmethod
    def n(self) -> int:
        """How many values each operand has."""

    @property
    def alike(self) -> bool:
        """Whether the logits of (x, y) and (y, x) are equal, so that pairs x <= y are enough."""
        return False

    @abstractmethod
    def scaled(self, neurons: Tensor, scale: Tensor) -> PairNetwork:
        """The same network with neurons in another order, int64 [m], divided by positive numbers [m]: ``ReLU(pre / s) (s G)``."""

    @abstractmethod
    def pre(self, x: Tensor, y: Tensor) -> Tensor:
        """What the neurons read for pairs x, y [k]: [k, m]."""

    @abstractmethod
    def direct(self, x: Tensor, y: Tensor) -> Tensor:
        """What the logits have beside the neurons for pairs x, y [k]: [k, outputs] or [outputs]."""

    @abstractmethod
    def direct_at(self, x: Tensor, y: Tensor, z: Tensor) -> Tensor:
        """The same for one output z [k] of each pair: [k]."""
