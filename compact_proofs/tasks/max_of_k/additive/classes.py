"""Drawing from the sequences that the grid does not certify, class by class, and evaluating them through path matrices."""

from __future__ import annotations

import itertools
from bisect import bisect_right
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from compact_proofs.certified import Complement
from compact_proofs.core.claim import ACCURACY
from compact_proofs.draws import Draws
from compact_proofs.length import charge_integers, stage
from compact_proofs.tasks.max_of_k.additive.grid import GridSet, GroupSymbols
from compact_proofs.tasks.max_of_k.additive.rows import Rows
from compact_proofs.tasks.max_of_k.paths import LazyPaths

BATCH = 2**15
"""Sequences tried at once for each one that is drawn, at most."""


class GridByClass(GridSet[Rows]):
    """The sequences that the grid certifies, where every row is known, so that the others can be drawn class by class.

    Parameters
    ----------
    p
        Path matrices of the model, through which sequences are evaluated (`right_by_paths`).
    symbols, steps, reach
        As for `GridSet`.
    """

    def __init__(self, p: LazyPaths, symbols: GroupSymbols[Rows], steps: int, reach: int) -> None:
        super().__init__(symbols, p.model.n_ctx, steps, reach)
        self._paths = p

    @property
    def evaluate(self) -> Callable[[Tensor], Tensor]:
        return lambda inputs: right_by_paths(self._paths, inputs)

    def complement(self) -> Classes:
        return Classes(self, self._paths.model.n_ctx)


class Classes(Complement):
    """The sequences that a grid does not certify, by class.

    A class is a row (group g, maximum m) and a kind of query: m itself, m - 1, ..., m - G, or any smaller one of the group. A class
    of n queries has ``n ((m + 1)^(K - 1) - [query < m] m^(K - 1))`` sequences; the count says exactly how many are certified.
    """

    def __init__(self, certified: GridSet[Rows], K: int) -> None:
        tuples, queries = certified.tuples, certified.queries
        self._certified, self._rows, self._queries, self._K = certified, certified.rows, queries, K
        top = [int(m) for m in self._rows.m.tolist()]
        with stage("drawing"):
            charge_integers(6 * queries.size)
            sizes = [
                int(n) * ((m + 1) ** (K - 1) - (m ** (K - 1) if kind else 0))
                for m, of_row in zip(top, queries, strict=True)
                for kind, n in enumerate(of_row)
            ]
            counted = (tuples * queries).reshape(-1).tolist()
            self._weights = [size - c for size, c in zip(sizes, counted, strict=True)]
            half = [min(-(-size // (2 * u)), BATCH) if u else 0 for size, u in zip(sizes, self._weights, strict=True)]
            self._attempts = np.array(half)

    @property
    def class_counts(self) -> list[int]:
        """Uncertified sequences of each class, row by row."""
        return self._weights

    def draw(self, n: int, draws: Draws) -> Tensor:
        """Draw uncertified sequences: a class by its number of them, then sequences of that class until one is uncertified.

        Each result is uniform: a class is chosen with probability u / |U|, and each of its u uncertified sequences with 1 / u.
        """
        upto = list(itertools.accumulate(self._weights))
        with stage("drawing"):
            charge_integers(n * len(upto).bit_length())
            chosen = np.array([bisect_right(upto, draws.integer(upto[-1])) for _ in range(n)])
            found = torch.zeros(n, self._K, dtype=torch.int64)
            pending = np.arange(n)
            while len(pending):
                tries = self._attempts[chosen[pending]]  # half of what it takes on average, at once
                owner = np.repeat(pending, tries)
                tried = self._of_class(chosen[owner], draws)
                outside = np.flatnonzero(~self._certified.member(tried).numpy())
                done, where = np.unique(owner[outside], return_index=True)
                found[torch.from_numpy(done)] = tried[torch.from_numpy(outside[where])]
                pending = np.setdiff1d(pending, done)
        return found

    def _of_class(self, classes: np.ndarray, draws: Draws) -> Tensor:
        """Draw a uniform sequence of each class."""
        row, kind = np.divmod(classes, self._queries.shape[1])
        m = self._rows.m.numpy()[row]
        far = kind == self._queries.shape[1] - 1
        query = m - kind
        if far.any():
            choice = draws.below(torch.from_numpy(self._queries[row[far], -1])).numpy()
            query[far] = self._smallest(self._rows.group.numpy()[row[far]], choice)
        return torch.cat([self._others(m, query < m, draws), torch.from_numpy(query)[:, None]], 1)

    def _smallest(self, group: np.ndarray, number: np.ndarray) -> np.ndarray:
        """The group's token of this number, in rising order."""
        group_of = self._rows.group_of.numpy()
        ordered = np.argsort(group_of, kind="stable")
        return ordered[np.searchsorted(group_of[ordered], group) + number]

    def _others(self, m: np.ndarray, must_hold: np.ndarray, draws: Draws) -> Tensor:
        """Draw K - 1 tokens that are at most m, and hold m where they must: uniform.

        Where they must, m stands first at position i in m^i (m + 1)^(K - 2 - i) tuples: tokens before it are below m, those
        after it at most m.
        """
        K = self._K
        charge_integers(int(must_hold.sum()) * K)
        first = np.full(len(m), -1)
        for j in np.flatnonzero(must_hold):
            top = int(m[j])
            upto = list(itertools.accumulate(top**i * (top + 1) ** (K - 2 - i) for i in range(K - 1)))
            first[j] = bisect_right(upto, draws.integer(upto[-1]))
        position = np.arange(K - 1)
        bounds = np.where(position < first[:, None], m[:, None], m[:, None] + 1)
        tokens = draws.below(torch.from_numpy(bounds))
        return torch.where(torch.from_numpy(position == first[:, None]), torch.from_numpy(m)[:, None], tokens)


def right_by_paths(p: LazyPaths, inputs: Tensor) -> Tensor:
    """Return bool [n]: the label's logit is provably the largest.

    Logits are multiplied by the softmax's denominator Z = sum_i w_i > 0, which changes no comparison:

        Z l = sum_i w_i (EVOU[t_i] + PVOU[i]) + Z EUPU[q]

    Cost: 2 K v + 4 v for each sequence, and K v^2 for the values at every position.
    """
    positions = torch.arange(inputs.shape[1])
    q = inputs[:, -1]
    weights = p.weights[0][q[:, None], inputs] * p.weights[1][q]
    values = p.values_by_position[positions, inputs]  # [n, K, v]
    logits = (weights[:, None] @ values).squeeze(1) + weights.sum(1, keepdim=True) * p.direct[q]
    return ACCURACY.correct(logits, inputs.max(-1).values)
