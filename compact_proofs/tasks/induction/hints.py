"""Hinted values for Lemma R: found by iteration when a proof is looked for, read when it is verified."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from compact_proofs.core.strategy import Explanation, Spec

ITERATIONS = 7
"""Steps of the search; the first few matter."""

Index = tuple[int | slice | Tensor, ...]

Bound = Callable[[Tensor], Tensor]
"""From a hint to the bound that Lemma R gives there (which is also the next hint)."""


class Hints:
    """Hints as they stand in an explanation.

    A ratio is hinted by itself, or, for a table over two tokens, by a sum of one number for each: the second-order error of a hint
    does not matter, and the explanation stays small.
    """

    def __init__(self, explanation: Explanation, device: torch.device) -> None:
        self.values = {name: t.to(device) for name, t in explanation.items() if t.is_floating_point()}

    def one(self, name: str, index: Index, shape: tuple[int, ...], bound: Bound) -> Tensor:
        """Evaluate a bound of the given shape at its hints ``name[index]``."""
        return bound(self.values[name][index])

    def sum_of_two(self, name: str, index: Index, shape: tuple[int, ...], bound: Bound) -> Tensor:
        """Evaluate a bound [g, u, v] at hints ``name[index]`` [g, 2, k]: one for each u plus one for each v."""
        first, second = self.values[name][index].unbind(-2)
        return bound(first[:, : shape[1], None] + second[:, None, : shape[2]])


class Search(Hints):
    """Find the hints, on plain float64 tensors: each bound is iterated from 0 to its fixed point, and the result is kept."""

    def __init__(self, specs: Mapping[str, Spec]) -> None:
        self.values = {name: torch.zeros(s.shape, dtype=torch.float64) for name, s in specs.items() if s.limits is None}

    def one(self, name: str, index: Index, shape: tuple[int, ...], bound: Bound) -> Tensor:
        best = self._iterate(bound, shape)
        self.values[name][index] = best
        return bound(best)

    def sum_of_two(self, name: str, index: Index, shape: tuple[int, ...], bound: Bound) -> Tensor:
        best = self._iterate(bound, shape)
        first = best.mean(2)
        self.values[name][index][:, 0, : shape[1]] = first
        self.values[name][index][:, 1, : shape[2]] = best.mean(1) - first.mean(1, keepdim=True)
        return super().sum_of_two(name, index, shape, bound)

    @staticmethod
    def _iterate(bound: Bound, shape: tuple[int, ...]) -> Tensor:
        """Newton's method for the fixed point, entry by entry.

        bound(h) - h is sigma(h) over a denominator, sigma is concave and falls with a slope of minus the denominator at the worst
        tokens, so the iteration comes down to the fixed point from above in a few steps (Dinkelbach).
        """
        hint = torch.zeros(shape, dtype=torch.float64)
        for _ in range(ITERATIONS):
            with torch.enable_grad():
                hint.requires_grad_(True)
                value = bound(hint)
                (slope,) = torch.autograd.grad(value.sum(), hint)
            hint = (hint - (value - hint) / (slope - 1)).detach().nan_to_num(0.0, 0.0, 0.0)
        return hint


class OnTheSpot(Search):
    """Find hints and keep none: to look at single cases."""

    def __init__(self) -> None:
        super().__init__({})

    def one(self, name: str, index: Index, shape: tuple[int, ...], bound: Bound) -> Tensor:
        return bound(self._iterate(bound, shape))

    def sum_of_two(self, name: str, index: Index, shape: tuple[int, ...], bound: Bound) -> Tensor:
        return bound(self._iterate(bound, shape))
