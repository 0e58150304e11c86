"""`PairNetwork`: a network with one hidden layer of ReLUs that reads two operands, as tables."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import Protocol

from torch import Tensor


class OfPairs(Protocol):
    """Numbers of pairs."""

    def at(self, x: Tensor, y: Tensor, /) -> Tensor:
        """Those of pairs x, y [k]: [k, numbers]."""


@dataclass(frozen=True)
class Doubt:
    """How far a network may be from its tables: pre by ``far(x, y) neurons[i]``, direct by ``far(x, y) outputs[z]``.

    Attributes
    ----------
    far
        One number for each pair.
    neurons : [m]
    outputs : [outputs]
        None of these numbers is negative.
    """

    far: OfPairs
    neurons: Tensor
    outputs: Tensor

    def scaled(self, neurons: Tensor, scale: Tensor) -> Doubt:
        """The same of `PairNetwork.scaled`."""
        return replace(self, neurons=self.neurons[neurons] / scale)

    def reach(self, G: Tensor) -> Tensor:
        """Factors of ``far(x, y)`` that bound what a doubt does to the logits: [outputs]. Cost: 3 for each entry of G.

        A ReLU moves by at most what it reads, so that logit z moves by at most ``sum_i neurons_i |G_iz| + outputs_z``.
        """
        return self.neurons @ G.abs() + self.outputs


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

    @property
    def doubt(self) -> Doubt | None:
        """How far `pre` and `direct` may be from the network's own; None: they are its own."""
        return None

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

    def exactly(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """`pre` and `direct` of the network itself, without `doubt`."""
        return self.pre(x, y), self.direct(x, y)
