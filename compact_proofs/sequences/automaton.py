"""Finite automata on sequences: they label, count and enumerate sets of sequences far too large to list."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from compact_proofs.errors import BadInput

INT64_SAFE = 2**62


@dataclass(frozen=True)
class Automaton:
    """A deterministic automaton that reads tokens left to right and answers by its last state.

    Attributes
    ----------
    step : tuple of tuples of int
        ``step[s][t]``: the state after reading token t in state s; every row has v entries.
    start : int
        The first state.
    labels : tuple of int
        The label of each state, at least 0. As a set of sequences, an automaton holds those whose label is not 0.
    """

    step: tuple[tuple[int, ...], ...]
    start: int
    labels: tuple[int, ...]

    def __post_init__(self) -> None:
        states = len(self.step)
        if not states or len({len(row) for row in self.step}) != 1 or not self.step[0]:
            raise BadInput("an automaton needs at least one state, and a row of the same length, one entry a token, for each")
        if not all(0 <= s < states for row in self.step for s in row) or not 0 <= self.start < states:
            raise BadInput(f"an automaton of {states} states steps to states 0 ... {states - 1} and starts in one")
        if len(self.labels) != states or min(self.labels) < 0:
            raise BadInput(f"an automaton of {states} states has {states} labels, each at least 0")

    @classmethod
    def of(cls, step: Tensor | Sequence[Sequence[int]], start: int, labels: Tensor | Sequence[int]) -> Automaton:
        """Make an automaton from tensors or lists."""
        rows = step.tolist() if isinstance(step, Tensor) else step
        named = labels.tolist() if isinstance(labels, Tensor) else labels
        return cls(tuple(tuple(int(s) for s in row) for row in rows), int(start), tuple(int(y) for y in named))

    @property
    def d_vocab(self) -> int:
        """v, the number of tokens."""
        return len(self.step[0])

    @cached_property
    def table(self) -> Tensor:
        """`step` as int64 [states, v]."""
        return torch.tensor(self.step)

    @cached_property
    def label_table(self) -> Tensor:
        """`labels` as int64 [states]."""
        return torch.tensor(self.labels)

    def __call__(self, inputs: Tensor) -> Tensor:
        """Labels of sequences, int64 [N, n] -> [N]."""
        state = torch.full((len(inputs),), self.start, dtype=torch.int64, device=inputs.device)
        table = self.table.to(inputs.device)
        for tokens in inputs.unbind(1):
            state = table[state, tokens]
        return self.label_table.to(inputs.device)[state]

    def product(self, other: Automaton, label: dict[tuple[int, int], int]) -> Automaton:
        """The automaton that runs both; a pair of labels has the label that `label` gives it."""
        pairs = [(a, b) for a in range(len(self.step)) for b in range(len(other.step))]
        number = {pair: i for i, pair in enumerate(pairs)}
        step = [[number[s, t] for s, t in zip(self.step[a], other.step[b], strict=True)] for a, b in pairs]
        return Automaton.of(step, number[self.start, other.start], [label[self.labels[a], other.labels[b]] for a, b in pairs])

    def sha256(self) -> str:
        """Hash of the automaton as it is written."""
        return hashlib.sha256(repr((self.step, self.start, self.labels)).encode()).hexdigest()


class Language:
    """The sequences of length n that an automaton holds (those with a label other than 0), in lexicographic order.

    Parameters
    ----------
    automaton
        Which ones.
    n
        Their length.

    Attributes
    ----------
    size : int
        How many there are, exactly: paths from the start to a state that holds, counted backwards state by state.
    """

    def __init__(self, automaton: Automaton, n: int) -> None:
        self.automaton, self.n = automaton, n
        largest = automaton.d_vocab**n
        self._kind: Any = np.int64 if largest < INT64_SAFE else object
        step = np.array(automaton.step)
        ways = np.array([int(label != 0) for label in automaton.labels], dtype=self._kind)
        self._after: list[np.ndarray] = []  # [states, v + 1]: completions by tokens below t, for each position from the last
        for _ in range(n):
            by_token = ways[step]
            below = np.concatenate([np.zeros((len(step), 1), dtype=self._kind), np.cumsum(by_token, 1, dtype=self._kind)], 1)
            self._after.append(below)
            ways = below[:, -1]
        self.size = int(ways[automaton.start])

    def numbered(self, numbers: Tensor | Sequence[int]) -> Tensor:
        """Sequences by their numbers 0 ... size - 1, int64 [N, n]."""
        left = np.array([int(i) for i in numbers], dtype=self._kind)
        if any(not 0 <= i < self.size for i in left.tolist()):
            raise BadInput(f"inputs are numbered 0 ... {self.size - 1}")
        state = np.full(len(left), self.automaton.start)
        step = np.array(self.automaton.step)
        tokens = []
        for below in reversed(self._after):
            token = (left[:, None] >= below[state][:, 1:]).sum(1).astype(np.int64)
            left = left - below[state, token]
            state = step[state, token]
            tokens.append(token)
        return torch.from_numpy(np.stack(tokens, 1))

    def numbers(self, inputs: Tensor) -> list[int]:
        """Numbers of sequences that are held, the inverse of `numbered`."""
        state = np.full(len(inputs), self.automaton.start)
        step = np.array(self.automaton.step)
        number = np.zeros(len(inputs), dtype=self._kind)
        for below, tokens in zip(reversed(self._after), inputs.numpy().T, strict=True):
            number = number + below[state, tokens]
            state = step[state, tokens]
        return [int(i) for i in number]
