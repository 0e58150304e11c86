"""Hinted values for Lemma R: found by iteration when a proof is looked for, read when it is verified."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from compact_proofs.core.strategy import Explanation, Spec

ITERATIONS = 4
"""Steps of the search: more change no bound of the zoo."""

Index = tuple[int | slice | Tensor, ...]

Bound = Callable[[Tensor], Tensor]
"""From a hint to the bound that Lemma R gives there (which is also the next hint)."""


@dataclass(frozen=True)
class Pairing:
    """Some cases and one of their keys, bounded for every two tokens u and v of the places k - 1 and k.

    Attributes
    ----------
    place, key
        i and k.
    cases, queries
        The cases, and the queries among which theirs are.
    sizes
        The numbers of these queries and of tokens.
    query : int64 [g]
        Each case's query, by its number among `queries`.
    own : int64 [g, v]
        The tokens that place k may hold in each case.
    """

    place: int
    key: int
    cases: slice | Tensor
    queries: slice
    sizes: tuple[int, int]
    query: Tensor
    own: Tensor


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
        """Evaluate a bound [..., u, v] at hints ``name[index]`` [..., 2, k]: one for each u plus one for each v."""
        first, second = self.values[name][index].unbind(-2)
        return bound(first[..., : shape[-2], None] + second[..., None, : shape[-1]])

    def of_pairs(self, at: Pairing, shape: tuple[int, ...], bound: Bound) -> tuple[Tensor, Tensor]:
        """Hints for a bound of the shape [g, u, v]: one for each case and u, plus one for each query and token v.

        The second does not depend on the answer, so that what is computed from it serves every answer to a query. `bound` is for
        those who look for hints.

        Returns
        -------
        Tensor [g, u], Tensor [queries, D]
        """
        return self.values["pairs"][at.place, at.cases, at.key, : shape[1]], self.values["pairs_own"][at.place, at.queries, at.key]


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
        first = best.mean(-1)
        self.values[name][index][..., 0, : shape[-2]] = first
        self.values[name][index][..., 1, : shape[-1]] = best.mean(-2) - first.mean(-1, keepdim=True)
        return super().sum_of_two(name, index, shape, bound)

    def of_pairs(self, at: Pairing, shape: tuple[int, ...], bound: Bound) -> tuple[Tensor, Tensor]:
        first, second = self._parts(at, self._iterate(bound, shape))
        self.values["pairs"][at.place, at.cases, at.key, : shape[1]] = first
        self.values["pairs_own"][at.place, at.queries, at.key] = second
        return first, second

    @staticmethod
    def _parts(at: Pairing, best: Tensor) -> tuple[Tensor, Tensor]:
        """Write a table [g, u, v] nearly as such a sum: by what v adds on average over the answers to a query and over u."""
        queries, D = at.sizes
        added = (best - best.mean(2, keepdim=True)).mean(1)  # [g, v]
        place = at.query[:, None] * D + at.own
        total = torch.zeros(queries * D, dtype=torch.float64).index_add(0, place.flatten(), added.flatten())
        second = (total / torch.bincount(place.flatten(), minlength=queries * D).clamp(min=1)).reshape(queries, D)
        return (best - second[at.query[:, None], at.own][:, None]).mean(2), second

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

    def of_pairs(self, at: Pairing, shape: tuple[int, ...], bound: Bound) -> tuple[Tensor, Tensor]:
        return self._parts(at, self._iterate(bound, shape))
