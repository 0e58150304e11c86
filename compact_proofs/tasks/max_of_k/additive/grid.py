"""Counting on a grid: for groups of queries, with weights rounded up to a grid and counted by dynamic programming. Any K.

For the queries of a group, contributions are bounded together. Divide the additive condition by w[q, m] max_i r[q, i]. Of K - 1
positions let a hold other tokens. Then, with y[t] an upper bound of w[q, t] / w[q, m] rho[t, m],

* the other tokens contribute at most the sum of their y,
* the K - 1 - a copies of m at least low[K-1-a] := (sum of the K-1-a smallest r[q, i]) / max_i r[q, i],
* the query itself at least 1 / max_i r[q, i] if q = m, else at most y[q] / max_i r[q, i] on the side of the harm.

So a sequence is right if ``sum of y < low[K-1-a] + own``. Every other token has y <= y_far + excess, where
excess = max(0, y - y_far) is 0 for the far tokens. Excesses are rounded up to multiples of 1/steps, thresholds
``low + own - a y_far`` down, and the a-tuples of tokens whose excesses sum to at most the threshold are counted
exactly: N[a][s] is the number of a-tuples with sum s.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import comb

import numpy as np
import torch
from torch import Tensor

from compact_proofs.enclosure import lower, provably, upper
from compact_proofs.length import address_table, charge_integers, stage
from compact_proofs.tasks.max_of_k.additive.parts import GroupAttention, window_tokens
from compact_proofs.tasks.max_of_k.additive.ratios import Ratios, Rows
from compact_proofs.tasks.max_of_k.paths import pair_number

LARGEST_INT64 = 2**62


@dataclass(frozen=True)
class GroupSymbols:
    """What a position can contribute, for each row (group of queries, maximum m), in units of w[q, m] max_i r[q, i].

    Attributes
    ----------
    window : [rows, G]
        y of t = m - 1, ..., m - G; +inf where t < 0.
    far : [rows]
        y of every t < m - G; 0 where there are none.
    low : [groups, K]
        Least contribution of n copies of m, n = 0 ... K - 1.
    own_least, own_most : [groups]
        Bounds of 1 / max_i r[q, i].
    rows, valid
        The rows, and for which of them the ratios are proven.
    """

    window: Tensor
    far: Tensor
    low: Tensor
    own_least: Tensor
    own_most: Tensor
    rows: Rows
    valid: Tensor

    def thresholds(self) -> Tensor:
        """[rows, G + 2, K]: what the excess of a other tokens must stay below, by what the query is.

        The middle axis: the query is m, m - 1, ..., m - G, or a smaller token. -inf where nothing may be counted: a row that is not
        valid, a query below 0, and a = K - 1 unless the query is m.
        """
        K = self.low.shape[1]
        group = self.rows.group
        harm = torch.cat([self.window, self.far[:, None]], 1) * self.own_most[group][:, None]
        own = torch.cat([self.own_least[group][:, None], -harm], 1)
        a = torch.arange(K, dtype=torch.float64, device=own.device)
        for_others = self.low.flip(1)[group] - self.far[:, None] * a  # [rows, K]: low[K-1-a] - a far
        allowed = self.valid[:, None, None] & _allowed(self.window.shape[1], K, device=own.device)
        return torch.where(allowed, own[:, :, None] + for_others[:, None], -torch.inf)


@address_table
def _allowed(G: int, K: int) -> Tensor:
    """bool [G + 2, K]: a = K - 1 other tokens leave no m unless the query is m."""
    allowed = torch.ones(G + 2, K, dtype=torch.bool)
    allowed[1:, K - 1] = False
    return allowed


def symbols_by_group(attention: GroupAttention, ratios: Ratios, rows: Rows) -> GroupSymbols:
    """Bound contributions for all queries of a group together."""
    v, G = len(rows.group_of), ratios.rho.shape[1]
    _, real, _, some = window_tokens(v, G, device=ratios.rho.device)
    with stage("symbols"):
        near, beyond = torch.exp(attention.near), torch.exp(attention.beyond)
        window = torch.where(real[rows.m], near * ratios.rho, torch.inf)
        far = torch.where(some[rows.m], beyond * ratios.rho_far, 0.0)
    return GroupSymbols(window, far, attention.low, attention.own_least, attention.own_most, rows, ratios.valid)


def count_on_grid(s: GroupSymbols, v: int, K: int, steps: int, reach: int) -> int:
    """Count the certified sequences (see the module's docstring).

    Parameters
    ----------
    steps
        Grid points in a unit.
    reach
        Largest excess that is counted, in grid points; window tokens above it are left out (which only loses sequences).
    """
    bins, edges = grid_positions(s, K, steps, reach)
    G = s.window.shape[1]
    number = _queries(s.rows, G)
    far_tokens = (s.rows.m - G).clamp(min=0)
    tuples = _tuples(bins, far_tokens, K, reach, v)
    charge_integers(3 * edges.numel())
    if bins.is_meta:
        return 0
    edge, weight = edges.cpu().numpy(), number.cpu().numpy()
    total = 0
    for a, N in enumerate(tuples):
        at = np.minimum(edge[:, :, a], N.shape[1] - 1)
        found = np.where(at >= 0, np.take_along_axis(N, np.maximum(at, 0), 1), 0)
        total += comb(K - 1, a) * int((found * weight).sum())
    return total


def grid_positions(s: GroupSymbols, K: int, steps: int, reach: int) -> tuple[Tensor, Tensor]:
    """Round excesses up and thresholds down to the grid.

    Returns
    -------
    bins : int64 [rows, G]
        Excess of each window token in grid points; reach + 1 where it is larger than reach.
    edges : int64 [rows, G + 2, K]
        The largest grid point strictly below each threshold; -1 for none.
    """
    with stage("grid"):
        excess = upper((s.window - s.far[:, None]).clamp(min=0))
        bins = torch.searchsorted(_grid(reach + 1, steps, device=excess.device), excess.contiguous())
        limit = lower(s.thresholds()).contiguous()
        edges = torch.searchsorted(_grid((K - 1) * reach + 1, steps, device=limit.device), limit) - 1
    return bins, edges


@address_table
def _grid(points: int, steps: int) -> Tensor:
    """0, 1/steps, 2/steps, ...: exact, since steps is a power of two."""
    return torch.arange(points, dtype=torch.float64) / steps


def _queries(rows: Rows, G: int) -> Tensor:
    """int64 [rows, G + 2]: how many queries of the group are m, m - 1, ..., m - G, smaller."""
    v, groups = len(rows.group_of), len(rows.first)
    device = rows.group_of.device
    with stage("counting"):
        belongs = rows.group_of == torch.arange(groups, device=device)[:, None]  # [groups, v]
        padded = torch.cat([torch.zeros(groups, 1, dtype=torch.int64, device=device), belongs.to(torch.int64)], 1)
        upto = padded.cumsum(1)  # [groups, n]: members below n
        token, beyond = _query_tokens(v, G, device=device)
        near = padded[rows.group[:, None], token[rows.m]]
        return torch.cat([near, upto[rows.group, beyond[rows.m]][:, None]], 1)


@address_table
def _query_tokens(v: int, G: int) -> tuple[Tensor, Tensor]:
    """For each m: 1 + the tokens m, m - 1, ..., m - G (0 where negative), and how many tokens lie below m - G."""
    m = torch.arange(v)
    return (1 + m[:, None] - torch.arange(G + 1)).clamp(min=0), (m - G).clamp(min=0)


def _tuples(bins: Tensor, far_tokens: Tensor, K: int, reach: int, v: int) -> list[np.ndarray]:
    """For a = 0 ... K - 1, the number of a-tuples of tokens whose excesses sum to at most s: [rows, a reach + 1] each.

    Exact: int64 while v^K < 2^62, Python integers beyond. One multiplication or addition for each row, sum and symbol.
    """
    rows, G = bins.shape
    with stage("counting"):
        charge_integers(sum(rows * ((a - 1) * reach + 1) * (G + 1) + rows * (a * reach + 1) for a in range(1, K)))
    if bins.is_meta:
        return []
    kind = np.int64 if v**K < LARGEST_INT64 else object
    step, far = bins.cpu().numpy(), far_tokens.cpu().numpy().astype(kind)[:, None]
    current = np.ones((rows, 1), dtype=kind)
    result = [current]
    row = np.arange(rows)[:, None]
    for a in range(1, K):
        size = current.shape[1]
        following = np.zeros((rows, size + reach + 1), dtype=kind)  # the last reach columns take what is beyond reach
        following[:, :size] = current * far
        for j in range(G):
            usable = step[:, j] <= reach
            following[row[usable], step[usable, j][:, None] + np.arange(size)] += current[usable]
        current = following[:, : a * reach + 1]
        result.append(np.cumsum(current, axis=1, dtype=kind))
    return result


def grid_member(s: GroupSymbols, inputs: Tensor, K: int, steps: int, reach: int) -> Tensor:
    """Return bool [n]: is each sequence among those that `count_on_grid` counts?"""
    bins, edges = grid_positions(s, K, steps, reach)
    G = bins.shape[1]
    m, q = inputs.max(-1).values, inputs[:, -1]
    row = s.rows.of_pair[pair_number(q, m)]
    below = (m[:, None] - inputs[:, :-1]).clamp(max=G + 1)  # 0: m itself; G + 1: far
    cost = torch.cat([torch.zeros_like(bins[:, :1]), bins, torch.zeros_like(bins[:, :1])], 1)[row[:, None], below]
    a = (below > 0).sum(-1)
    kind = (m - q).clamp(max=G + 1)
    return (cost <= reach).all(-1) & (cost.sum(-1) <= edges[row, kind, a]) & provably(s.valid)[row]
