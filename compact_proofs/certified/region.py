"""`Region`: a set of inputs of a task with a law, of which a lower bound of the probability is known."""

from __future__ import annotations

from abc import abstractmethod
from fractions import Fraction

from torch import Tensor

from compact_proofs.certified.base import Proven


class Region(Proven):
    """A set of inputs that are proven right, under a law.

    Two promises, whatever was rounded on the way to the set: every member is right but for a set of probability 0, and `measure` is
    at most the probability of the members.
    """

    @property
    @abstractmethod
    def measure(self) -> Fraction:
        """A lower bound of the set's probability, exactly; 0 on meta tensors."""

    @abstractmethod
    def member(self, inputs: Tensor) -> Tensor:
        """Which inputs [N, ...] certainly belong to the set: bool [N]. On the edges of its parts it may say no."""

    @property
    def total(self) -> Fraction:
        return self.measure
