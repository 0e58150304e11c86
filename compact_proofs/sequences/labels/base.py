"""`LabelFunction`: a function of sequences known by its name and its parameters, and the table of those that ship."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from compact_proofs.errors import BadInput
from compact_proofs.sequences.automaton import Automaton

LABELS: dict[str, type[LabelFunction]] = {}
"""The label functions that ship, by name."""


@dataclass(frozen=True)
class LabelFunction(ABC):
    """A function from sequences int64 [N, n] to labels int64 [N], known by its name and its parameters."""

    name: ClassVar[str]
    summary: ClassVar[str]
    """What the label is, in words."""

    def __init_subclass__(cls) -> None:
        if "name" not in vars(cls):  # a kind of functions, such as `Predicate`
            return
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


class TokenFunction(LabelFunction):
    """A function whose label is a token."""

    def outputs(self, n: int, v: int) -> int:
        return v


class Predicate(LabelFunction):
    """A function whose label is 1 where something holds, and 0 elsewhere."""

    @abstractmethod
    def holds(self, inputs: Tensor) -> Tensor:
        """bool [N]: where it holds."""

    def __call__(self, inputs: Tensor) -> Tensor:
        return self.holds(inputs).to(torch.int64)

    def outputs(self, n: int, v: int) -> int:
        return 2


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


def state_machine(states: int, v: int, step: Callable[[int, int], int], start: int, label: Callable[[int], int]) -> Automaton:
    """An automaton with the states 0 ... states - 1, from its step (state, token) and the label of each state."""
    return Automaton.of([[step(s, t) for t in range(v)] for s in range(states)], start, [label(s) for s in range(states)])
