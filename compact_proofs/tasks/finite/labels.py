"""Label functions that ship, by name: what a small network may have been trained to say about a sequence of tokens.

Each is a frozen dataclass; its fields are its parameters, which a certificate names with it, so that two people mean the same
function. Where a small automaton computes a function, `LabelFunction.automaton` gives it: boxes of constant label then come from
it, without listing inputs.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from compact_proofs.errors import BadInput
from compact_proofs.tasks.finite.automaton import Automaton

LABELS: dict[str, type[LabelFunction]] = {}
"""The label functions that ship, by name."""


@dataclass(frozen=True)
class LabelFunction(ABC):
    """A function from sequences int64 [N, n] to labels int64 [N], known by its name and its parameters."""

    name: ClassVar[str]
    summary: ClassVar[str]
    """What the label is, in words."""

    def __init_subclass__(cls) -> None:
        if cls.name in LABELS:
            raise TypeError(f"there are two label functions {cls.name!r}")
        LABELS[cls.name] = cls

    @abstractmethod
    def __call__(self, inputs: Tensor) -> Tensor:
        """Labels of a batch of sequences."""

    @abstractmethod
    def outputs(self, n: int, v: int) -> int:
        """One more than the largest label of sequences of n tokens below v."""

    def check(self, n: int, v: int) -> None:  # noqa: B027 (most have a meaning everywhere)
        """Raise `BadInput` where the function has no meaning for sequences of n tokens below v."""

    def automaton(self, n: int, v: int) -> Automaton | None:
        """An automaton that computes it on sequences of n tokens below v, or None where none is small."""
        return None

    def parameters(self) -> dict[str, Any]:
        """Its parameters as plain JSON values."""
        return asdict(self)


def label_function(name: str, parameters: Mapping[str, Any] | None = None) -> LabelFunction:
    """Make a label function from its name and its parameters, as a certificate or a model's file gives them.

    Raises
    ------
    BadInput
        If there is none of that name, or its parameters are others.
    """
    if name not in LABELS:
        raise BadInput(f"there is no label function {name!r}; those that ship are {', '.join(sorted(LABELS))}")
    try:
        return LABELS[name](**{k: _frozen(x) for k, x in (parameters or {}).items()})
    except TypeError as e:
        raise BadInput(f"the label function {name!r}: {e}") from None


def _frozen(value: Any) -> Any:
    return tuple(_frozen(x) for x in value) if isinstance(value, (list, tuple)) else value


def _state_machine(states: int, v: int, step: Callable[[int, int], int], start: int, label: Callable[[int], int]) -> Automaton:
    return Automaton.of([[step(s, t) for t in range(v)] for s in range(states)], start, [label(s) for s in range(states)])


@dataclass(frozen=True)
class Maximum(LabelFunction):
    """The largest token."""

    name: ClassVar[str] = "maximum"
    summary: ClassVar[str] = "the largest token"

    def __call__(self, inputs: Tensor) -> Tensor:
        return inputs.amax(1)

    def outputs(self, n: int, v: int) -> int:
        return v

    def automaton(self, n: int, v: int) -> Automaton:
        return _state_machine(v, v, max, 0, lambda s: s)


@dataclass(frozen=True)
class Minimum(LabelFunction):
    """The smallest token."""

    name: ClassVar[str] = "minimum"
    summary: ClassVar[str] = "the smallest token"

    def __call__(self, inputs: Tensor) -> Tensor:
        return inputs.amin(1)

    def outputs(self, n: int, v: int) -> int:
        return v

    def automaton(self, n: int, v: int) -> Automaton:
        return _state_machine(v, v, min, v - 1, lambda s: s)


@dataclass(frozen=True)
class SecondLargest(LabelFunction):
    """The second largest token, counted as often as it stands there: of 3 1 3 it is 3."""

    name: ClassVar[str] = "second-largest"
    summary: ClassVar[str] = "the second largest token; equal tokens count apart"

    def __call__(self, inputs: Tensor) -> Tensor:
        return inputs.sort(1).values[:, -2]

    def check(self, n: int, v: int) -> None:
        if n < 2:
            raise BadInput("second-largest needs at least two tokens")

    def outputs(self, n: int, v: int) -> int:
        return v

    def automaton(self, n: int, v: int) -> Automaton:
        """States are pairs (largest, second largest) so far, in base v; both 0 at the start, which two tokens hide."""

        def step(s: int, t: int) -> int:
            _, second, first = sorted((s // v, s % v, t))
            return first * v + second

        return _state_machine(v * v, v, step, 0, lambda s: s % v)


@dataclass(frozen=True)
class TokenAt(LabelFunction):
    """The token at one position; negative positions count from the end."""

    position: int
    name: ClassVar[str] = "token-at"
    summary: ClassVar[str] = "the token at a position (0: the first, -1: the last)"

    def __call__(self, inputs: Tensor) -> Tensor:
        return inputs[:, self.position]

    def check(self, n: int, v: int) -> None:
        if not -n <= self.position < n:
            raise BadInput(f"token-at: sequences of {n} tokens have no position {self.position}")

    def outputs(self, n: int, v: int) -> int:
        return v


@dataclass(frozen=True)
class FirstIsLast(LabelFunction):
    """1 if the first token equals the last, else 0."""

    name: ClassVar[str] = "first-is-last"
    summary: ClassVar[str] = "whether the first token equals the last"

    def __call__(self, inputs: Tensor) -> Tensor:
        return (inputs[:, 0] == inputs[:, -1]).to(torch.int64)

    def outputs(self, n: int, v: int) -> int:
        return 2

    def automaton(self, n: int, v: int) -> Automaton:
        """States: nothing read; (first token f, last token is f?) as 1 + 2 f + equal."""

        def step(s: int, t: int) -> int:
            first = t if s == 0 else (s - 1) // 2
            return 1 + 2 * first + int(t == first)

        return _state_machine(1 + 2 * v, v, step, 0, lambda s: (s - 1) % 2 if s else 0)


@dataclass(frozen=True)
class Contains(LabelFunction):
    """1 if a token occurs, else 0."""

    token: int = 0
    name: ClassVar[str] = "contains"
    summary: ClassVar[str] = "whether a token occurs"

    def __call__(self, inputs: Tensor) -> Tensor:
        return (inputs == self.token).any(1).to(torch.int64)

    def check(self, n: int, v: int) -> None:
        if not 0 <= self.token < v:
            raise BadInput(f"contains: there is no token {self.token} among {v}")

    def outputs(self, n: int, v: int) -> int:
        return 2

    def automaton(self, n: int, v: int) -> Automaton:
        return _state_machine(2, v, lambda s, t: int(s == 1 or t == self.token), 0, lambda s: s)


@dataclass(frozen=True)
class OccurredBefore(LabelFunction):
    """1 if the last token occurs at an earlier position too, else 0."""

    name: ClassVar[str] = "occurred-before"
    summary: ClassVar[str] = "whether the last token occurred before"

    def __call__(self, inputs: Tensor) -> Tensor:
        return (inputs[:, :-1] == inputs[:, -1:]).any(1).to(torch.int64)

    def outputs(self, n: int, v: int) -> int:
        return 2


@dataclass(frozen=True)
class PreviousOccurrence(LabelFunction):
    """The latest earlier position of the last token; the last position itself, n - 1, if there is none."""

    name: ClassVar[str] = "previous-occurrence"
    summary: ClassVar[str] = "the latest earlier position of the last token, n - 1 if there is none"

    def __call__(self, inputs: Tensor) -> Tensor:
        n = inputs.shape[1]
        place = torch.arange(n, device=inputs.device)
        earlier = torch.where((inputs == inputs[:, -1:]) & (place < n - 1), place, -1).amax(1)
        return torch.where(earlier < 0, n - 1, earlier)

    def outputs(self, n: int, v: int) -> int:
        return n


@dataclass(frozen=True)
class AfterOccurrence(LabelFunction):
    """The token that follows the first occurrence of the last token: the last token itself, if it does not occur before."""

    name: ClassVar[str] = "after-occurrence"
    summary: ClassVar[str] = "the token after the first occurrence of the last token (induction)"

    def __call__(self, inputs: Tensor) -> Tensor:
        n = inputs.shape[1]
        place = torch.arange(n, device=inputs.device)
        first = torch.where(inputs == inputs[:, -1:], place, n - 1).amin(1)
        return inputs.gather(1, (first + 1).clamp(max=n - 1)[:, None]).squeeze(1)

    def outputs(self, n: int, v: int) -> int:
        return v


@dataclass(frozen=True)
class Repeats(LabelFunction):
    """1 if some token occurs twice, else 0."""

    name: ClassVar[str] = "repeats"
    summary: ClassVar[str] = "whether some token occurs twice"

    def __call__(self, inputs: Tensor) -> Tensor:
        ordered = inputs.sort(1).values
        return (ordered[:, 1:] == ordered[:, :-1]).any(1).to(torch.int64)

    def outputs(self, n: int, v: int) -> int:
        return 2


@dataclass(frozen=True)
class Palindrome(LabelFunction):
    """1 if the sequence reads the same backwards, else 0."""

    name: ClassVar[str] = "palindrome"
    summary: ClassVar[str] = "whether the sequence reads the same backwards"

    def __call__(self, inputs: Tensor) -> Tensor:
        return (inputs == inputs.flip(1)).all(1).to(torch.int64)

    def outputs(self, n: int, v: int) -> int:
        return 2


@dataclass(frozen=True)
class Sorted(LabelFunction):
    """1 if no token is smaller than the one before it, else 0."""

    name: ClassVar[str] = "sorted"
    summary: ClassVar[str] = "whether the tokens ascend, equal ones allowed"

    def __call__(self, inputs: Tensor) -> Tensor:
        return (inputs[:, 1:] >= inputs[:, :-1]).all(1).to(torch.int64)

    def outputs(self, n: int, v: int) -> int:
        return 2

    def automaton(self, n: int, v: int) -> Automaton:
        """State t < v: sorted so far, the last token is t (0 at the start); state v: not sorted."""
        return _state_machine(v + 1, v, lambda s, t: t if s <= t else v, 0, lambda s: int(s < v))


@dataclass(frozen=True)
class Majority(LabelFunction):
    """1 if more than half of the tokens are at least `least`, else 0."""

    least: int
    name: ClassVar[str] = "majority"
    summary: ClassVar[str] = "whether more than half of the tokens are at least a given one"

    def __call__(self, inputs: Tensor) -> Tensor:
        return (2 * (inputs >= self.least).sum(1) > inputs.shape[1]).to(torch.int64)

    def outputs(self, n: int, v: int) -> int:
        return 2

    def automaton(self, n: int, v: int) -> Automaton:
        """State: how many so far; n of them are enough."""
        return _state_machine(n + 1, v, lambda s, t: min(s + int(t >= self.least), n), 0, lambda s: int(2 * s > n))


@dataclass(frozen=True)
class ModularSum(LabelFunction):
    """The sum of the tokens modulo `modulus`."""

    modulus: int
    name: ClassVar[str] = "modular-sum"
    summary: ClassVar[str] = "the sum of the tokens modulo a number"

    def __call__(self, inputs: Tensor) -> Tensor:
        return inputs.sum(1) % self.modulus

    def check(self, n: int, v: int) -> None:
        if self.modulus < 1:
            raise BadInput(f"modular-sum: the modulus must be at least 1, not {self.modulus}")

    def outputs(self, n: int, v: int) -> int:
        return self.modulus

    def automaton(self, n: int, v: int) -> Automaton:
        return _state_machine(self.modulus, v, lambda s, t: (s + t) % self.modulus, 0, lambda s: s)


@dataclass(frozen=True)
class Balanced(LabelFunction):
    """1 if the brackets, token 0 "(" and token 1 ")", are balanced, else 0; other tokens are fillers."""

    name: ClassVar[str] = "balanced"
    summary: ClassVar[str] = "whether 0 = '(' and 1 = ')' are balanced; other tokens are fillers"

    def __call__(self, inputs: Tensor) -> Tensor:
        height = ((inputs == 0).to(torch.int64) - (inputs == 1).to(torch.int64)).cumsum(1)
        return ((height >= 0).all(1) & (height[:, -1] == 0)).to(torch.int64)

    def check(self, n: int, v: int) -> None:
        if v < 2:
            raise BadInput("balanced needs two tokens, for '(' and ')'")

    def outputs(self, n: int, v: int) -> int:
        return 2

    def automaton(self, n: int, v: int) -> Automaton:
        """State: the height so far, n + 1 once it has been negative."""

        def step(s: int, t: int) -> int:
            if s == n + 1 or (t == 1 and s == 0):
                return n + 1
            return min(s + (1 if t == 0 else -1 if t == 1 else 0), n)

        return _state_machine(n + 2, v, step, 0, lambda s: int(s == 0))


@dataclass(frozen=True)
class LongestCycle(LabelFunction):
    """The length of the longest cycle of the map i -> x_i on positions; 0 if there is none (a token n or above leads nowhere)."""

    name: ClassVar[str] = "longest-cycle"
    summary: ClassVar[str] = "the length of the longest cycle of the map from position i to token x_i"

    def __call__(self, inputs: Tensor) -> Tensor:
        n = inputs.shape[1]
        following = torch.cat([inputs.clamp(max=n), torch.full_like(inputs[:, :1], n)], 1)  # position n: nowhere
        start = torch.arange(n, device=inputs.device).expand(len(inputs), n)
        at, returned, longest = start, torch.zeros_like(start, dtype=torch.bool), torch.zeros_like(inputs[:, 0])
        for length in range(1, n + 1):
            at = following.gather(1, at)  # where each position leads in so many steps
            first = (at == start) & ~returned  # positions on cycles of just this length
            longest = torch.where(first.any(1), length, longest)
            returned = returned | first
        return longest

    def outputs(self, n: int, v: int) -> int:
        return n + 1


@dataclass(frozen=True)
class RegularLanguage(LabelFunction):
    """The label of the state in which a finite automaton ends.

    Attributes
    ----------
    step, start, labels
        As in `Automaton`.
    """

    step: tuple[tuple[int, ...], ...]
    start: int
    labels: tuple[int, ...]
    name: ClassVar[str] = "regular-language"
    summary: ClassVar[str] = "the label of the last state of a finite automaton"

    def _automaton(self) -> Automaton:
        return Automaton(self.step, self.start, self.labels)

    def __call__(self, inputs: Tensor) -> Tensor:
        return self._automaton()(inputs)

    def check(self, n: int, v: int) -> None:
        if self._automaton().d_vocab != v:
            raise BadInput(f"the automaton reads {self._automaton().d_vocab} tokens, and the task has {v}")

    def outputs(self, n: int, v: int) -> int:
        return max(self.labels) + 1

    def automaton(self, n: int, v: int) -> Automaton:
        return self._automaton()


@dataclass(frozen=True)
class Avoids(LabelFunction):
    """1 if a factor (consecutive tokens) does not occur, else 0: a regular language."""

    factor: tuple[int, ...]
    name: ClassVar[str] = "avoids"
    summary: ClassVar[str] = "whether some consecutive tokens do not occur (a regular language)"

    def __call__(self, inputs: Tensor) -> Tensor:
        k = len(self.factor)
        if k > inputs.shape[1]:
            return torch.ones_like(inputs[:, 0])
        found = inputs.unfold(1, k, 1) == torch.tensor(self.factor, device=inputs.device)
        return (~found.all(2).any(1)).to(torch.int64)

    def check(self, n: int, v: int) -> None:
        if not self.factor or not all(0 <= t < v for t in self.factor):
            raise BadInput(f"avoids: the factor must be tokens below {v}, at least one, not {self.factor}")

    def outputs(self, n: int, v: int) -> int:
        return 2

    def automaton(self, n: int, v: int) -> Automaton:
        """State: the length of the longest end of what was read that begins the factor; the whole factor is for ever."""
        k = len(self.factor)

        def step(s: int, t: int) -> int:
            if s == k:
                return k
            read = (*self.factor[:s], t)
            return next(j for j in range(min(k, s + 1), -1, -1) if read[len(read) - j :] == self.factor[:j])

        return _state_machine(k + 1, v, step, 0, lambda s: int(s < k))
