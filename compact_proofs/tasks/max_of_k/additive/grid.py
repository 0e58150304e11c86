"""Counting on a grid: for groups of queries, with contributions rounded to a grid and counted by dynamic programming. Any K.

For the queries of a group, contributions are bounded together. Divide the additive condition by w[q, m] and by the query's own
scale of positional factors; then low[i] <= r[q, i] <= high[i]. With y[t] an upper bound of w[q, t] / w[q, m] rho[t, m], and y_far
of all t < m - G, a sequence is right if:

    sum over t_i = m of low[i]  -  sum over t_i != m of high[i] y[t_i]  >  0

Every other token has y <= y_far + excess, where excess = max(0, y - y_far) is 0 for the far tokens. Add sum_i high[i] y_far over
the positions i < K before the query on both sides: position i contributes

    gain[i] = low[i] + high[i] y_far  if it holds m,    0 if it holds a far token,    -high[i] excess[t]  if it holds another,

and the sum of contributions must exceed ``threshold = sum_{i < K} high[i] y_far - (the query's own part)``, which is low[K] if
q = m and -high[K] y[q] else. (Then some position holds m: the threshold is at least 0 unless q = m.) Gains are rounded down to
multiples of 1/steps, excesses and thresholds up, and sums counted exactly, position by position: N[s] is the number of tuples with
sum s. Sums above `reach` are counted as `reach`, sums below -reach are dropped; both only lose sequences.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, Generic, TypeVar

import numpy as np
import torch
from pydantic import AfterValidator, Field
from torch import Tensor

from compact_proofs.bounds.indices import window_tokens
from compact_proofs.certified import Certified
from compact_proofs.certified.integers import lower_bounds, upper_bounds
from compact_proofs.length import charge_integers, stage
from compact_proofs.tasks.max_of_k.additive.parts import GroupAttention
from compact_proofs.tasks.max_of_k.additive.ratios import Ratios
from compact_proofs.tasks.max_of_k.additive.rows import CountedRows, GridRows, Rows
from compact_proofs.tasks.max_of_k.paths import pair_number

R = TypeVar("R", bound=CountedRows)
Full = TypeVar("Full", bound=GridRows)

LARGEST_INT64 = 2**62
LARGEST_GRID = 2**20


def _power_of_two(steps: int) -> int:
    if steps & (steps - 1):
        raise ValueError("must be a power of two, so that grid points are exact")
    return steps


GridSteps = Annotated[int, Field(ge=1, le=LARGEST_GRID), AfterValidator(_power_of_two)]
"""Grid points in a unit."""
GridReach = Annotated[int, Field(ge=1, le=LARGEST_GRID)]
"""Largest sum that is told apart, in grid points."""


@dataclass(frozen=True)
class GroupSymbols(Generic[R]):
    """What a position can contribute, for each row (group of queries, maximum m), in units of w[q, m].

    Attributes
    ----------
    window : [rows, G]
        y of t = m - 1, ..., m - G; +inf where t < 0.
    far : [rows]
        y of every t < m - G; 0 where there are none.
    low, high : [groups, K]
        Bounds of the positional factors; the last is the query's own.
    rows, valid
        The rows, and for which of them the ratios are proven.
    """

    window: Tensor
    far: Tensor
    low: Tensor
    high: Tensor
    rows: R
    valid: Tensor


def symbols_by_group(attention: GroupAttention, ratios: Ratios, rows: Rows) -> GroupSymbols[Rows]:
    """Bound contributions for all queries of a group together."""
    v, G = len(rows.group_of), ratios.rho.shape[1]
    _, real, _, some = window_tokens(v, G, device=ratios.rho.device)
    with stage("symbols"):
        near, beyond = torch.exp(attention.near), torch.exp(attention.beyond)
        window = torch.where(real[rows.m], near * ratios.rho, torch.inf)
        far = torch.where(some[rows.m], beyond * ratios.rho_far, 0.0)
    return GroupSymbols(window, far, attention.low, attention.high, rows, ratios.valid)


@dataclass(frozen=True)
class GridSymbols:
    """Contributions in grid points.

    Attributes
    ----------
    gain : int64 [rows, K - 1]
        What m contributes at each position, 0 ... reach.
    harm : int64 [rows, K - 1, G]
        What m - 1, ..., m - G take away; more than 2 reach where that is too much to be counted.
    needed : int64 [rows, G + 2]
        The least sum that is enough if the query is m, m - 1, ..., m - G or smaller; more than 2 reach for none.
    reach : int
        The largest sum.
    """

    gain: Tensor
    harm: Tensor
    needed: Tensor
    reach: int

    @cached_property
    def contributions(self) -> Tensor:
        """int64 [rows, K - 1, G + 2]: what m, m - 1, ..., m - G or any smaller token contributes at each position."""
        return torch.cat([self.gain[:, :, None], -self.harm, torch.zeros_like(self.harm[:, :, :1])], 2)


def on_grid(s: GroupSymbols[R], steps: int, reach: int) -> GridSymbols:
    """Round gains down, harms and thresholds up to the grid. Cost: about 5 for each number on it."""
    with stage("grid"):
        group, far = s.rows.group, s.far[:, None]
        low, high = s.low * steps, s.high * steps  # exact, since steps is a power of two
        from_far = high[group, :-1] * far
        gain = low[group, :-1] + from_far
        harm = high[group, :-1, None] * (s.window - far)[:, None]  # what is not above 0 counts as 0
        own = torch.cat([low[group, -1:], -high[group, -1:] * torch.cat([s.window, far], 1)], 1)
        threshold = torch.where(s.valid[:, None], from_far.sum(1, keepdim=True) - own, torch.inf)
        return GridSymbols(
            _integers(gain, lower_bounds, np.floor, 0, reach),
            _integers(harm, upper_bounds, np.ceil, 0, 2 * reach + 1),
            _integers(threshold, upper_bounds, np.floor, -reach - 1, 2 * reach) + 1,
            reach,
        )


def _integers(
    x: Tensor, bounds: Callable[[Tensor], np.ndarray], rounding: Callable[[np.ndarray], np.ndarray], first: int, last: int
) -> Tensor:
    """Round bounds of real numbers to integers from `first` to `last`: int64. Three operations a number."""
    charge_integers(3 * x.numel())
    if x.is_meta:
        return torch.empty_like(x, dtype=torch.int64)
    return torch.from_numpy(np.clip(rounding(bounds(x)), first, last).astype(np.int64)).to(x.device)


def count_classes(symbols: GridSymbols, rows: CountedRows, K: int, numbers: Any = None) -> tuple[np.ndarray, np.ndarray]:
    """Count the certified tuples of the K - 1 other tokens, and the queries, of each class: a row and a kind of query.

    The last position needs no table of its own: for each class that has queries and each symbol there, the number of tuples of the
    others that reach what is still needed is looked up. Exact: int64 while v^K < 2^62, Python integers beyond; a search may ask for
    floating-point `numbers`.

    Returns
    -------
    tuples, queries : [rows, G + 2]
        For a query that is m, m - 1, ..., m - G or smaller: certified tuples under one such query (0 if no single one is of the
        group), and how many there are. Their products add up to the certified sequences. Zeros on meta tensors.
    """
    G, v = symbols.harm.shape[2], rows.d_vocab
    far_tokens = (rows.m - G).clamp(min=0)
    exact = numbers or (np.int64 if v**K < LARGEST_INT64 else object)
    with stage("counting"):
        classes = rows.classes(G)
        row, kind, of_class = classes.row, classes.kind, classes.queries
        tables = _Sums(symbols, far_tokens, exact)
        tables.add_all(K - 2)
        charge_integers(tables.rows * tables.width + 2 * len(row) * (G + 3))
        if row.is_meta:
            return np.zeros(1, dtype=np.int64), np.zeros(1, dtype=np.int64)
        place = row.cpu().numpy(), kind.cpu().numpy()
        tuples, queries = np.zeros((tables.rows, G + 2), dtype=exact), np.zeros((tables.rows, G + 2), dtype=np.int64)
        tuples[place], queries[place] = tables.tuples(K - 2, *place), of_class.cpu().numpy()
        return tuples, queries


class _Sums:
    """For each row, how many tuples of tokens at the positions so far have each sum -reach ... reach."""

    def __init__(self, symbols: GridSymbols, far_tokens: Tensor, kind: Any) -> None:
        self.symbols, self.reach, self.kind = symbols, symbols.reach, kind
        self.rows, self.meta = len(far_tokens), far_tokens.is_meta
        self.width = 1
        contributions = symbols.contributions  # counted in every reading
        if not self.meta:
            self.contributions, self.needed = contributions.cpu().numpy(), symbols.needed.cpu().numpy()
            far = far_tokens.cpu().numpy().astype(kind)[:, None]
            self.times = np.concatenate([np.ones((self.rows, self.needed.shape[1] - 1), dtype=kind), far], 1)  # [rows, G + 2]
            self.row = np.arange(self.rows)[:, None]
            self.N, self.least = np.ones((self.rows, 1), dtype=kind), 0  # the sum of no contributions is 0

    def add_all(self, n: int) -> None:
        """Add the first n positions: the first two symbol by symbol, if that is less than by a table of the first."""
        by_symbols = n > 1 and 2 * self.symbols.needed.shape[1] < 2 * self.reach + 1
        if by_symbols:
            self._add_two()
        for i in range(2 if by_symbols else 0, n):
            self._add(i)

    def _add_two(self) -> None:
        """Add positions 0 and 1: for each two symbols, an addition of their contributions, and one of how many there are."""
        symbols, R = self.symbols.needed.shape[1], self.reach
        charge_integers(2 * self.rows * symbols**2)
        self.width = 2 * R + 1
        if self.meta:
            return
        table = np.zeros((self.rows, 5 * R + 2), dtype=self.kind)  # of sums from -3 R - 1 on
        first, second = self.contributions[:, 0], self.contributions[:, 1]
        times = np.where(first >= -R, self.times, 0)
        for j, k in itertools.product(range(symbols), repeat=2):
            table[self.row[:, 0], 3 * R + 1 + first[:, j] + second[:, k]] += times[:, j] * self.times[:, k]
        self._keep(table[:, 1:])

    def _add(self, i: int) -> None:
        """Add position i: for each sum, one multiplication for the far tokens and one addition for every other symbol."""
        symbols, width, R = self.symbols.needed.shape[1], self.width, self.reach
        charge_integers(self.rows * width * symbols)
        self.width = 2 * R + 1
        if self.meta:
            return
        table = np.zeros((self.rows, 5 * R + 1), dtype=self.kind)
        at = 3 * R + self.least + np.arange(width)  # of the sums so far, in a table that starts at -3 R
        for j in range(symbols):
            c, times = self.contributions[:, i, j, None], self.times[:, j, None]
            usable = c[:, 0] >= -2 * R
            table[self.row[usable], at + c[usable]] += times[usable] * self.N[usable]
        self._keep(table)

    def _keep(self, table: np.ndarray) -> None:
        """Take the sums from -R on out of a table of sums -3 R ... 2 R; those above R count as R."""
        R = self.reach
        self.N, self.least = table[:, 2 * R : 4 * R + 1], -R
        self.N[:, -1] += table[:, 4 * R + 1 :].sum(1)

    def tuples(self, last: int, row: np.ndarray, kind: np.ndarray) -> np.ndarray:
        """For each class, a row and a kind of query, the number of tuples of tokens at all positions whose sum suffices: [n].

        Two operations (what is still needed, a sum of numbers found) for each class and each symbol at the last position.
        """
        at_least = np.cumsum(self.N[:, ::-1], axis=1, dtype=self.kind)[:, ::-1]
        padded = np.concatenate([at_least, np.zeros((self.rows, 1), dtype=self.kind)], 1)
        needed, total = self.needed[row, kind] - self.least, np.zeros(len(row), dtype=self.kind)
        for j in range(self.times.shape[1]):
            c = self.contributions[row, last, j]
            times = np.where(c >= -2 * self.reach, self.times[row, j], 0)
            total += times * padded[row, np.clip(needed - c, 0, self.width)]
        return total


class GridSet(Certified, Generic[Full]):
    """The sequences that the grid certifies (see the module's docstring); `size` and `member` read the same integers.

    Parameters
    ----------
    symbols
        What each position can contribute.
    K
        Length of a sequence.
    steps
        Grid points in a unit.
    reach
        Largest sum that is told apart, in grid points.
    least
        The rows are those of maxima from this one on; sequences with a smaller maximum do not belong.

    Making it costs about groups * v * K * G * 2 reach integer operations.
    """

    def __init__(self, symbols: GroupSymbols[Full], K: int, steps: int, reach: int, least: int = 0) -> None:
        self.rows, self.grid, self.least = symbols.rows, on_grid(symbols, steps, reach), least
        self.tuples, self.queries = count_classes(self.grid, self.rows, K)
        self._size = int((self.tuples * self.queries).sum())

    @property
    def size(self) -> int:
        return self._size

    def member(self, inputs: Tensor) -> Tensor:
        found = inputs.amax(-1) >= self.least
        found[found.clone()] = self._reaches(inputs[found])
        return found

    def _reaches(self, inputs: Tensor) -> Tensor:
        """bool [n]: do the contributions of each sequence add up to what is needed, as `count_classes` adds them?"""
        G, reach = self.grid.harm.shape[2], self.grid.reach
        m, q = inputs.max(-1).values, inputs[:, -1]
        row = self.rows.of_pair[pair_number(q, m)]
        below = (m[:, None] - inputs[:, :-1]).clamp(max=G + 1)  # 0: m itself; G + 1: far
        contribution = self.grid.contributions[row[:, None], torch.arange(inputs.shape[1] - 1), below]
        total, counted = torch.zeros_like(m), (contribution >= -2 * reach).all(1)
        for i, c in enumerate(contribution.T):
            total = total + c
            if i < contribution.shape[1] - 1:
                counted, total = counted & (total >= -reach), total.clamp(max=reach)
        return counted & (total >= self.grid.needed[row, (m - q).clamp(max=G + 1)])
