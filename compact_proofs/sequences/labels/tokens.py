"""Label functions whose label is a token."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from compact_proofs.errors import BadInput
from compact_proofs.sequences.automaton import Automaton
from compact_proofs.sequences.labels.base import TokenFunction, state_machine


@dataclass(frozen=True)
class Maximum(TokenFunction):
    """The largest token."""

    name: ClassVar[str] = "maximum"
    summary: ClassVar[str] = "the largest token"

    def __call__(self, inputs: Tensor) -> Tensor:
        return inputs.amax(1)

    def automaton(self, n: int, v: int) -> Automaton:
        return state_machine(v, v, max, 0, lambda s: s)


@dataclass(frozen=True)
class Minimum(TokenFunction):
    """The smallest token."""

    name: ClassVar[str] = "minimum"
    summary: ClassVar[str] = "the smallest token"

    def __call__(self, inputs: Tensor) -> Tensor:
        return inputs.amin(1)

    def automaton(self, n: int, v: int) -> Automaton:
        return state_machine(v, v, min, v - 1, lambda s: s)


@dataclass(frozen=True)
class SecondLargest(TokenFunction):
    """The second largest token, counted as often as it stands there: of 3 1 3 it is 3."""

    name: ClassVar[str] = "second-largest"
    summary: ClassVar[str] = "the second largest token; equal tokens count apart"

    def __call__(self, inputs: Tensor) -> Tensor:
        return inputs.sort(1).values[:, -2]

    def check(self, n: int, v: int) -> None:
        if n < 2:
            raise BadInput("second-largest needs at least two tokens")

    def automaton(self, n: int, v: int) -> Automaton:
        """States are pairs (largest, second largest) so far, in base v; both 0 at the start, which two tokens hide."""

        def step(s: int, t: int) -> int:
            _, second, first = sorted((s // v, s % v, t))
            return first * v + second

        return state_machine(v * v, v, step, 0, lambda s: s % v)


@dataclass(frozen=True)
class TokenAt(TokenFunction):
    """The token at one position; negative positions count from the end."""

    position: int
    name: ClassVar[str] = "token-at"
    summary: ClassVar[str] = "the token at a position (0: the first, -1: the last)"

    def __call__(self, inputs: Tensor) -> Tensor:
        return inputs[:, self.position]

    def check(self, n: int, v: int) -> None:
        if not -n <= self.position < n:
            raise BadInput(f"token-at: sequences of {n} tokens have no position {self.position}")


@dataclass(frozen=True)
class AfterOccurrence(TokenFunction):
    """The token that follows the first occurrence of the last token: the last token itself, if it does not occur before."""

    name: ClassVar[str] = "after-occurrence"
    summary: ClassVar[str] = "the token after the first occurrence of the last token (induction)"

    def __call__(self, inputs: Tensor) -> Tensor:
        n = inputs.shape[1]
        place = torch.arange(n, device=inputs.device)
        first = torch.where(inputs == inputs[:, -1:], place, n - 1).amin(1)
        return inputs.gather(1, (first + 1).clamp(max=n - 1)[:, None]).squeeze(1)
