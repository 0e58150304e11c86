"""`Certified`: the set of inputs that a proof proves right."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor


class Certified(ABC):
    """A finite set of sequences of tokens.

    Two promises, which tests check for every kind of set by enumeration: `size` is at most the number of inputs for which `member`
    says yes, and just that number where `exact` is true. Both hold whatever was rounded on the way to the set, since a set is made
    of integers and truth values.
    """

    @property
    @abstractmethod
    def size(self) -> int:
        """How many inputs are counted, exactly."""

    @abstractmethod
    def member(self, inputs: Tensor) -> Tensor:
        """Which inputs (int64 [N, n]) belong to the set: bool [N]."""

    @property
    def exact(self) -> bool:
        """Does `size` count every member? Sampling from the other inputs needs it."""
        return True


class Nothing(Certified):
    """The empty set."""

    @property
    def size(self) -> int:
        return 0

    def member(self, inputs: Tensor) -> Tensor:
        return torch.zeros(len(inputs), dtype=torch.bool, device=inputs.device)


@dataclass(frozen=True)
class Disjoint(Certified):
    """The union of sets of which no two share an input, as whoever made them knows: |A u B| = |A| + |B|."""

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


def disjoint(parts: Iterable[Certified]) -> Certified:
    """The union of disjoint sets, without those that are empty."""
    some = tuple(part for part in parts if not isinstance(part, Nothing))
    if not some:
        return Nothing()
    return some[0] if len(some) == 1 else Disjoint(some)


def with_list(base: Certified, inputs: Tensor, right: Tensor) -> Certified:
    """The union of a set and of the listed inputs (int64 [N, n]) that are `right` (bool [N]); each is counted once.

    An input that is listed twice, or is in `base` already, adds nothing. Cost: that of ``base.member``, and n + 2 integer
    operations an input.
    """
    from compact_proofs.certified.sets import Listed

    new = inputs[right & ~base.member(inputs)]
    return disjoint([base, Listed(new)]) if len(new) else base
