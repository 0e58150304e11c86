"""`Proven`: what a proof proves; and `Certified`, which is usual: a set of inputs that are right."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

import torch
from torch import Tensor

from compact_proofs.results import result_class

if TYPE_CHECKING:
    from compact_proofs.draws import Draws


class Proven(ABC):
    """What `Strategy.verify` returns: a set of inputs (`Certified`), or a number that counts no inputs (`Total`)."""

    @property
    @abstractmethod
    def total(self) -> Fraction:
        """A lower bound of the sum of the strategy's score over all inputs of the task."""


@dataclass(frozen=True)
class Total(Proven):
    """A bound of a sum that counts no inputs: of a score with more values than 0 and 1, such as the log-likelihood.

    Attributes
    ----------
    number
        The bound, exactly.
    """

    number: Fraction

    @property
    def total(self) -> Fraction:
        return self.number


class Certified(Proven):
    """A finite set of inputs that are proven right (more exactly: whose score is proven to be 1).

    Three promises, whatever was rounded on the way to the set:

    * every member is right;
    * where `exact` is true, `size` is the number of members;
    * else the inputs that `size` counts are right too, and none of them is among those that `excludes` names.

    Tests compare the three with enumeration, for every kind of set and for every registered strategy. What `size` costs is charged
    when it is first asked for (see `counted`); what `member` needs is looked up in what the proof computed.
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        result_class(cls)

    @property
    @abstractmethod
    def size(self) -> int:
        """How many inputs are counted; 0 on meta tensors, where only the cost of counting is of interest."""

    @abstractmethod
    def member(self, inputs: Tensor) -> Tensor:
        """Which inputs [N, ...] belong to the set: bool [N]."""

    @property
    def exact(self) -> bool:
        """Is `size` the number of members? Sampling from the other inputs needs it."""
        return True

    def excludes(self, inputs: Tensor) -> Tensor:
        """Which inputs are certainly not among those that `size` counts: bool [N].

        All that are no members, unless a subclass counts by sums that are rounded otherwise than those of `member`.
        """
        return ~self.member(inputs)

    @property
    def total(self) -> Fraction:
        return Fraction(self.size)

    def counted(self) -> Self:
        """Count now, so that the cost belongs to the current stage of the proof; return the set itself."""
        _ = self.size
        return self

    @property
    def evaluate(self) -> Callable[[Tensor], Tensor] | None:
        """How to tell which inputs are right, bool [N], from what the proof has computed; None: by the network's program."""
        return None

    def complement(self) -> Complement | None:
        """A way to draw inputs that are no members without trying inputs of the whole task; None if there is no better one."""
        return None


class Complement(ABC):
    """The inputs of a task outside of a set, from which can be drawn."""

    @abstractmethod
    def draw(self, n: int, draws: Draws) -> Tensor:
        """Draw n independent inputs, each uniformly distributed outside of the set."""


class Nothing(Certified):
    """The empty set."""

    @property
    def size(self) -> int:
        return 0

    def member(self, inputs: Tensor) -> Tensor:
        return torch.zeros(len(inputs), dtype=torch.bool, device=inputs.device)


@dataclass(frozen=True)
class Disjoint(Certified):
    """The union of sets of which no two count the same input, as whoever made them knows: |A u B| = |A| + |B|."""

    parts: tuple[Certified, ...]

    @cached_property
    def size(self) -> int:
        return sum(part.size for part in self.parts)

    def member(self, inputs: Tensor) -> Tensor:
        found = torch.zeros(len(inputs), dtype=torch.bool, device=inputs.device)
        for part in self.parts:
            found = found | part.member(inputs)
        return found

    @property
    def exact(self) -> bool:
        return all(part.exact for part in self.parts)

    def excludes(self, inputs: Tensor) -> Tensor:
        found = torch.ones(len(inputs), dtype=torch.bool, device=inputs.device)
        for part in self.parts:
            found = found & part.excludes(inputs)
        return found


def disjoint(parts: Iterable[Certified]) -> Certified:
    """The union of disjoint sets, without those that are empty."""
    some = tuple(part for part in parts if not isinstance(part, Nothing))
    if not some:
        return Nothing()
    return some[0] if len(some) == 1 else Disjoint(some)
