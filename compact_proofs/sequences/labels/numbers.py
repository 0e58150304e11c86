"""Label functions whose label is a number of another kind: a position, a residue, a length, the state of an automaton."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from compact_proofs.errors import BadInput
from compact_proofs.sequences.automaton import Automaton
from compact_proofs.sequences.labels.base import LabelFunction, state_machine


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
class CountOfLast(LabelFunction):
    """How often the last token occurs, itself included."""

    name: ClassVar[str] = "count-of-last"
    summary: ClassVar[str] = "how often the last token occurs (histogram)"

    def __call__(self, inputs: Tensor) -> Tensor:
        return (inputs == inputs[:, -1:]).sum(1)

    def outputs(self, n: int, v: int) -> int:
        return n + 1


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
        return state_machine(self.modulus, v, lambda s, t: (s + t) % self.modulus, 0, lambda s: s)


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
