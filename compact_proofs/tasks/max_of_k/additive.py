"""The additive certificate: one ratio rho[t, m] says how much a token t can harm the maximum m, and harms add up.

The shared part of every additive strategy: folding the bias, the ratio, the symbols that are counted.

Fold the mean direct path into the values (attention sums to 1, so this is exact)::

    EV'[t, x] = EVOU[t, x] + mean_q EUPU[q, x] + mean_i PVOU[i, x]
    delta_q = EUPU[q] - mean_q EUPU,    pi_i = PVOU[i] - mean_i PVOU

With weights w_i > 0 (unnormalised attention), output x loses to the maximum m if and only if::

    sum_i w_i ( EV'[t_i, x] - EV'[t_i, m] + delta_q[x] - delta_q[m] + pi_i[x] - pi_i[m] ) < 0

Let D[x] >= delta_q[x] - delta_q[m] + pi_i[x] - pi_i[m] for all queries of a group and all positions i, let
G[m, x] = EV'[m, m] - EV'[m, x] > D[x] for every x != m, and::

    rho[t, m] = max(0, max_{x != m} (EV'[t, x] - EV'[t, m] + D[x]) / (G[m, x] - D[x]))

Then **sum over t_i != m of w_i rho[t_i, m] < sum over t_i = m of w_i** proves the sequence right: for each x multiply by
G[m, x] - D[x] > 0; the left side is at least the sum of w_i (EV'[t_i, x] - EV'[t_i, m] + D[x]) over t_i != m, the right side minus
the sum of the same over t_i = m. The condition is additive over positions, so the sequences that satisfy it can be counted exactly.
Raising any rho or lowering any weight of m only shrinks that set.

Only a *window* of tokens just below m gets a rho of its own. All t < m - window share one: the largest weight among them times a
bound of their ratios.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from compact_proofs.claim import Task
from compact_proofs.enclosure import count_below, provably
from compact_proofs.errors import BadInput
from compact_proofs.length import address_table, stage
from compact_proofs.strategy import Explanation, Spec, whole
from compact_proofs.tasks.max_of_k.grouping import cluster_rows
from compact_proofs.tasks.max_of_k.task import MaxOfKStrategy
from compact_proofs.tasks.max_of_k.paths import (
    Paths,
    attention_weights,
    away_from,
    others,
    pair_number,
    paths,
    query_max_pairs,
)


@dataclass(frozen=True)
class Symbols:
    """What a position can contribute under each pair (query q, maximum m), q <= m (`query_max_pairs`).

    Attributes
    ----------
    window : [pairs, G]
        w[q, t] rho[t, m] for t = m - 1, ..., m - G; +inf where t < 0.
    far : [pairs]
        An upper bound of w[q, t] rho[t, m] for all t < m - G; +inf where there are none.
    top : [pairs]
        w[q, m].
    r : [v, K]
        Positional factors, 1 at the query's own position.
    valid : bool [pairs]
        G[m, x] > D[x] is proven for every x.
    """

    window: Tensor
    far: Tensor
    top: Tensor
    r: Tensor
    valid: Tensor

    def table(self) -> Tensor:
        """[pairs, G + 2]: what a token m, m - 1, ..., m - G, or any smaller one contributes; the maximum itself negatively."""
        return torch.cat([-self.top[:, None], self.window, self.far[:, None]], 1)

    def own(self, v: int) -> Tensor:
        """The query's own contribution, [pairs]."""
        column = _query_column(v, self.window.shape[1], device=self.valid.device)
        return self.table().gather(1, column).squeeze(1)


@address_table
def _query_column(v: int, G: int) -> Tensor:
    """For each pair (q, m): the column of `Symbols.table` that q falls in, [pairs, 1]."""
    q, m = query_max_pairs(v)
    return (m - q).clamp(max=G + 1)[:, None]


@dataclass(frozen=True)
class Additive(MaxOfKStrategy):
    """The additive certificate with one rho per group of queries ("S1"), counted exactly over the positions.

    Cost: 6 v^2 d for the path matrices, about groups * v^2 * 3 window for rho, v^3 for D, and for counting about
    v^2 / 2 * (K - 1) choose 2 * window * (log2 window + 4) at K = 4; exponential in K.
    """

    window: int = 6
    """Tokens just below the maximum that get a ratio of their own."""
    groups: int = 4
    """Groups of queries that share D; d_vocab or more for one group per query."""

    name: ClassVar[str] = "additive"
    summary: ClassVar[str] = "ours (S1): additive ratios per query group, exact counting for K <= 5"

    def __post_init__(self) -> None:
        if self.window < 1 or self.groups < 1:
            raise BadInput(f"additive: window and groups must be at least 1, not {self.window} and {self.groups}")

    def explain(self, model: nn.Module, task: Task) -> dict[str, Tensor]:
        """Cluster the queries by their direct path."""
        groups = self._groups(model)
        if groups == model.d_vocab:
            return {"group_of": torch.arange(groups)}
        with torch.no_grad():
            direct = (model.W_E.double() + model.W_pos[-1].double()) @ model.W_U.double()
        return {"group_of": cluster_rows(direct, groups)}

    def specs(self, model: nn.Module, task: Task) -> dict[str, Spec]:
        return {"group_of": Spec((model.d_vocab,), (0, self._groups(model) - 1))}

    def verify(self, model: nn.Module, task: Task, explanation: Explanation) -> int:
        if model.n_ctx > 5:
            raise BadInput(f"additive counts exactly for n_ctx <= 5 only, not {model.n_ctx}")
        symbols = self.symbols(model, explanation["group_of"])
        with stage("counting"):
            return count_exactly(symbols, model.d_vocab, model.n_ctx)

    def member(self, model: nn.Module, task: Task, explanation: Explanation, inputs: Tensor) -> Tensor:
        return additive_member(self.symbols(model, explanation["group_of"]), inputs)

    def _groups(self, model: nn.Module) -> int:
        return min(self.groups, model.d_vocab)

    def symbols(self, model: nn.Module, group_of: Tensor) -> Symbols:
        """Compute every position's possible contributions."""
        p = fold(paths(model))
        w, r = attention_weights(p)
        v, device = model.d_vocab, w.device
        G = min(self.window, v)
        q, m = query_max_pairs(v, device=device)
        rho, rho_far, valid, row = _ratios(p, group_of.to("cpu"), self._groups(model), G)
        with stage("symbols"):
            token, real = _window_tokens(v, G, device=device)
            window = torch.where(real, w[q[:, None], token] * rho[row], torch.inf)
            most, behind, some = torch.cummax(w, 1).values, *_far_tokens(v, G, device=device)
            far = torch.where(some, most[q, behind] * rho_far[row], torch.inf)
        return Symbols(window, far, w[q, m], r, valid[row])


def fold(p: Paths) -> Paths:
    """Move the mean direct path and the mean positional value into EVOU (see the module's docstring)."""
    with stage("fold"):
        direct, position = p.EUPU.mean(0), p.PVOU.mean(0)
        return Paths(p.EQKE, p.EQKP, p.EVOU + (direct + position), p.PVOU - position, p.EUPU - direct)


def _ratios(p: Paths, group_of: Tensor, groups: int, G: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Compute rho for every (group, m) that some query of the group needs.

    Returns
    -------
    rho : [rows, G]
        For t = m - 1 ... m - G (0 where t < 0), one row for each needed (group, m).
    rho_far : [rows]
        For all t < m - G.
    valid : bool [rows]
    row : int64 [pairs]
        The row of each pair (q, m).
    """
    v, device = p.EVOU.shape[0], p.EVOU.device
    q, m = query_max_pairs(v)
    first = torch.full((groups,), v).scatter_reduce(0, group_of, torch.arange(v), "amin")  # least query of each group
    start = torch.cumsum(v - first, 0) - (v - first) - first  # rows of a group: start + m for m = first ... v - 1
    row = (start[group_of][q] + m).to(device)
    m_of = torch.cat([torch.arange(int(f), v) for f in first]).to(device)
    q, m = q.to(device), m.to(device)
    with stage("D"):
        direct = away_from(p.EUPU, q, m)  # [pairs, v - 1]
        position = (p.PVOU[:, others(v, device=device)] - p.PVOU[:, :, None]).amax(0)
        worst = torch.full((len(m_of), v - 1), -torch.inf, dtype=torch.float64, device=device)
        worst = worst.scatter_reduce(0, row[:, None].expand(-1, v - 1), direct, "amax", include_self=False)
        D = worst + position[m_of]
    with stage("rho"):
        every = torch.arange(v, device=device)
        gap = -away_from(p.EVOU, every, every)[m_of] - D
        least = gap.amin(-1)
        valid = provably(least > 0)
        inverse = 1 / gap
        harm = away_from(p.EVOU, *_window_pairs(v, G, device=device))  # [window pairs, v - 1]
        entry, pair, slot = _window_of_rows(v, G, *(int(f) for f in first), device=device)
        ratios = ((harm[pair] + D[entry]) * inverse[entry]).amax(-1).clamp(min=0)
        rho = torch.cat([ratios, torch.zeros(1, dtype=torch.float64, device=device)])[slot]
    with stage("far"):
        behind = torch.cummax(p.EVOU.amax(1, keepdim=True) - p.EVOU, 0).values  # [t, m]: worst over tokens <= t
        worst_behind = behind[(every - G - 1).clamp(min=0), every][m_of]
        rho_far = ((worst_behind + D.amax(-1)) / least).clamp(min=0)
    return rho, rho_far, valid, row


@address_table
def _window_tokens(v: int, G: int) -> tuple[Tensor, Tensor]:
    """For each pair (q, m): the tokens m - 1 ... m - G (0 where negative), and which of them are tokens."""
    _, m = query_max_pairs(v)
    token = m[:, None] - torch.arange(1, G + 1)
    return token.clamp(min=0), token >= 0


@address_table
def _far_tokens(v: int, G: int) -> tuple[Tensor, Tensor]:
    """For each pair (q, m): the largest token below the window (0 where none), and whether there is one."""
    _, m = query_max_pairs(v)
    return (m - G - 1).clamp(min=0), m > G


@address_table
def _window_pairs(v: int, G: int) -> tuple[Tensor, Tensor]:
    """All (t, m) with m - G <= t < m, ordered by m, then by falling t."""
    m = torch.arange(v)
    lengths = m.clamp(max=G)
    top = torch.repeat_interleave(m, lengths)
    return top - 1 - _count_up(lengths), top


@address_table
def _window_of_rows(v: int, G: int, *first: int) -> tuple[Tensor, Tensor, Tensor]:
    """For the rows (group, m) with m >= first[group]: one entry for each token in the window of m.

    Returns
    -------
    entry, pair : int64 [entries]
        The row of each entry, and its number in `_window_pairs`.
    slot : int64 [rows, G]
        The entry of the j-th token below m; the number of entries (one past the last) where there is none.
    """
    m_of = torch.cat([torch.arange(f, v) for f in first])
    lengths = torch.arange(v).clamp(max=G)
    starts = torch.cumsum(lengths, 0) - lengths
    entry = torch.repeat_interleave(torch.arange(len(m_of)), lengths[m_of])
    j = _count_up(lengths[m_of])
    slot = torch.full((len(m_of), G), len(entry))
    slot[entry, j] = torch.arange(len(entry))
    return entry, starts[m_of][entry] + j, slot


def _count_up(lengths: Tensor) -> Tensor:
    """0 ... n - 1 for each n of `lengths`, one after the other."""
    starts = torch.cumsum(lengths, 0) - lengths
    return torch.arange(int(lengths.sum())) - torch.repeat_interleave(starts, lengths)


def count_exactly(s: Symbols, v: int, K: int) -> int:
    """Count the sequences with ``sum of contributions of other tokens < sum of contributions of m``, exactly.

    For each pair (q, m) and each set N of non-query positions that hold other tokens, every choice of symbols at all of N but the
    last leaves a threshold for the last, whose smaller symbols are found by bisection among the sorted window. A far symbol stands
    for m - G tokens. N = all positions only if q = m (else no position would hold m).
    """
    G, device = s.window.shape[1], s.valid.device
    q, m = query_max_pairs(v, device=device)
    own = s.own(v)
    positional = s.r[q]
    ordered = torch.sort(s.window, dim=1).values
    symbols = torch.cat([ordered, s.far[:, None]], 1)
    scaled = [positional[:, i : i + 1] * symbols for i in range(K - 1)]
    from_max = s.top[:, None] * positional[:, :-1]
    total = torch.zeros((), dtype=torch.int64, device=device)
    for size in range(K):
        rows = _pairs_at_maximum(v, device=device) if size == K - 1 else torch.arange(len(q), device=device)
        for held in itertools.combinations(range(K - 1), size):
            free = [i for i in range(K - 1) if i not in held]
            have = from_max[rows][:, free].sum(1) - own[rows] if free else -own[rows]
            threshold = torch.where(s.valid[rows], have, -torch.inf)[:, None]
            if not held:
                total = total + provably(threshold > 0).sum()
                continue
            for i in held[:-1]:
                threshold = (threshold[:, :, None] - scaled[i][rows][:, None, :]).flatten(1)
            last = scaled[held[-1]][rows]
            near = count_below(last[:, :G], threshold)
            far = provably(last[:, G:] < threshold).to(torch.int64)
            by_max = torch.zeros(2, v, threshold.shape[1], dtype=torch.int64, device=device)
            by_max = by_max.index_add(1, m[rows], torch.stack([near, far]))
            total = total + (by_max * _multiplicities(v, G, size, device=device)).sum()
    return whole(total)


@address_table
def _pairs_at_maximum(v: int) -> Tensor:
    """Numbers of the pairs (m, m)."""
    m = torch.arange(v)
    return pair_number(m, m)


@address_table
def _multiplicities(v: int, G: int, size: int) -> Tensor:
    """int64 [2, m, choices]: how many tuples of tokens a choice of symbols at `size` positions stands for.

    The choices run over the first size - 1 positions, each a window symbol (one token) or, last, the far symbol (m - G tokens);
    the last position holds a window symbol (first plane) or the far one (second plane).
    """
    is_far = (torch.arange(G + 1) == G).to(torch.int64)
    far = torch.zeros(1, dtype=torch.int64)
    for _ in range(size - 1):
        far = (far[:, None] + is_far).flatten()
    tokens = (torch.arange(v) - G).clamp(min=0)[:, None]
    return torch.stack([tokens**far, tokens ** (far + 1)])


def additive_member(s: Symbols, inputs: Tensor) -> Tensor:
    """Return bool [n]: does each sequence satisfy the additive condition?"""
    G = s.window.shape[1]
    m, q = inputs.max(-1).values, inputs[:, -1]
    pair = pair_number(q, m)
    contribution = s.table()[pair[:, None], (m[:, None] - inputs).clamp(max=G + 1)]
    return s.valid[pair] & provably((contribution * s.r[q]).sum(-1) < 0)


