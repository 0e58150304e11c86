"""Label functions that say whether something holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from compact_proofs.errors import BadInput
from compact_proofs.sequences.automaton import Automaton
from compact_proofs.sequences.labels.base import Predicate, state_machine


@dataclass(frozen=True)
class FirstIsLast(Predicate):
    """1 if the first token equals the last, else 0."""

    name: ClassVar[str] = "first-is-last"
    summary: ClassVar[str] = "whether the first token equals the last"

    def holds(self, inputs: Tensor) -> Tensor:
        return inputs[:, 0] == inputs[:, -1]

    def automaton(self, n: int, v: int) -> Automaton:
        """States: nothing read; (first token f, last token is f?) as 1 + 2 f + equal."""

        def step(s: int, t: int) -> int:
            first = t if s == 0 else (s - 1) // 2
            return 1 + 2 * first + int(t == first)

        return state_machine(1 + 2 * v, v, step, 0, lambda s: (s - 1) % 2 if s else 0)


@dataclass(frozen=True)
class Contains(Predicate):
    """1 if a token occurs, else 0."""

    token: int = 0
    name: ClassVar[str] = "contains"
    summary: ClassVar[str] = "whether a token occurs"

    def holds(self, inputs: Tensor) -> Tensor:
        return (inputs == self.token).any(1)

    def check(self, n: int, v: int) -> None:
        if not 0 <= self.token < v:
            raise BadInput(f"contains: there is no token {self.token} among {v}")

    def automaton(self, n: int, v: int) -> Automaton:
        return state_machine(2, v, lambda s, t: int(s == 1 or t == self.token), 0, lambda s: s)


@dataclass(frozen=True)
class OccurredBefore(Predicate):
    """1 if the last token occurs at an earlier position too, else 0."""

    name: ClassVar[str] = "occurred-before"
    summary: ClassVar[str] = "whether the last token occurred before"

    def holds(self, inputs: Tensor) -> Tensor:
        return (inputs[:, :-1] == inputs[:, -1:]).any(1)


@dataclass(frozen=True)
class Repeats(Predicate):
    """1 if some token occurs twice, else 0."""

    name: ClassVar[str] = "repeats"
    summary: ClassVar[str] = "whether some token occurs twice"

    def holds(self, inputs: Tensor) -> Tensor:
        ordered = inputs.sort(1).values
        return (ordered[:, 1:] == ordered[:, :-1]).any(1)


@dataclass(frozen=True)
class Palindrome(Predicate):
    """1 if the sequence reads the same backwards, else 0."""

    name: ClassVar[str] = "palindrome"
    summary: ClassVar[str] = "whether the sequence reads the same backwards"

    def holds(self, inputs: Tensor) -> Tensor:
        return (inputs == inputs.flip(1)).all(1)


@dataclass(frozen=True)
class Sorted(Predicate):
    """1 if no token is smaller than the one before it, else 0."""

    name: ClassVar[str] = "sorted"
    summary: ClassVar[str] = "whether the tokens ascend, equal ones allowed"

    def holds(self, inputs: Tensor) -> Tensor:
        return (inputs[:, 1:] >= inputs[:, :-1]).all(1)

    def automaton(self, n: int, v: int) -> Automaton:
        """State t < v: sorted so far, the last token is t (0 at the start); state v: not sorted."""
        return state_machine(v + 1, v, lambda s, t: t if s <= t else v, 0, lambda s: int(s < v))


@dataclass(frozen=True)
class Majority(Predicate):
    """1 if more than half of the tokens are at least `least`, else 0."""

    least: int
    name: ClassVar[str] = "majority"
    summary: ClassVar[str] = "whether more than half of the tokens are at least a given one"

    def holds(self, inputs: Tensor) -> Tensor:
        return 2 * (inputs >= self.least).sum(1) > inputs.shape[1]

    def automaton(self, n: int, v: int) -> Automaton:
        """State: how many so far; n of them are enough."""
        return state_machine(n + 1, v, lambda s, t: min(s + int(t >= self.least), n), 0, lambda s: int(2 * s > n))


@dataclass(frozen=True)
class Balanced(Predicate):
    """1 if the brackets, token 0 "(" and token 1 ")", are balanced, else 0; other tokens are fillers."""

    name: ClassVar[str] = "balanced"
    summary: ClassVar[str] = "whether 0 = '(' and 1 = ')' are balanced; other tokens are fillers"

    def holds(self, inputs: Tensor) -> Tensor:
        height = ((inputs == 0).to(torch.int64) - (inputs == 1).to(torch.int64)).cumsum(1)
        return (height >= 0).all(1) & (height[:, -1] == 0)

    def check(self, n: int, v: int) -> None:
        if v < 2:
            raise BadInput("balanced needs two tokens, for '(' and ')'")

    def automaton(self, n: int, v: int) -> Automaton:
        """State: the height so far, n + 1 once it has been negative."""

        def step(s: int, t: int) -> int:
            if s == n + 1 or (t == 1 and s == 0):
                return n + 1
            return min(s + (1 if t == 0 else -1 if t == 1 else 0), n)

        return state_machine(n + 2, v, step, 0, lambda s: int(s == 0))


@dataclass(frozen=True)
class Avoids(Predicate):
    """1 if a factor (consecutive tokens) does not occur, else 0: a regular language."""

    factor: tuple[int, ...]
    name: ClassVar[str] = "avoids"
    summary: ClassVar[str] = "whether some consecutive tokens do not occur (a regular language)"

    def holds(self, inputs: Tensor) -> Tensor:
        k = len(self.factor)
        if k > inputs.shape[1]:
            return torch.ones_like(inputs[:, 0])
        found = inputs.unfold(1, k, 1) == torch.tensor(self.factor, device=inputs.device)
        return ~found.all(2).any(1)

    def check(self, n: int, v: int) -> None:
        if not self.factor or not all(0 <= t < v for t in self.factor):
            raise BadInput(f"avoids: the factor must be tokens below {v}, at least one, not {self.factor}")

    def automaton(self, n: int, v: int) -> Automaton:
        """State: the length of the longest end of what was read that begins the factor; the whole factor is for ever."""
        k = len(self.factor)

        def step(s: int, t: int) -> int:
            if s == k:
                return k
            read = (*self.factor[:s], t)
            return next(j for j in range(min(k, s + 1), -1, -1) if read[len(read) - j :] == self.factor[:j])

        return state_machine(k + 1, v, step, 0, lambda s: int(s < k))
