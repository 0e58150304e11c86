"""Counting by positions: for each query, exactly, with every position's own attention factor. Exponential in K."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import torch
from torch import Tensor

from compact_proofs.bounds.indices import window_tokens
from compact_proofs.certified import whole
from compact_proofs.enclosure import count_below, possibly, provably, upper
from compact_proofs.length import address_table, stage
from compact_proofs.tasks.max_of_k.additive.ratios import Ratios
from compact_proofs.tasks.max_of_k.additive.rows import Rows
from compact_proofs.tasks.max_of_k.paths import attention_weights, pair_number, query_max_pairs


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


def symbols_by_query(EQKE: Tensor, EQKP: Tensor, ratios: Ratios, rows: Rows) -> Symbols:
    """Compute every position's possible contributions, for each query."""
    w, r = attention_weights(EQKE, EQKP)
    v, G, device = len(w), ratios.rho.shape[1], w.device
    q, m = query_max_pairs(v, device=device)
    token, real, behind, some = window_tokens(v, G, device=device)
    with stage("symbols"):
        window = torch.where(real[m], w[q[:, None], token[m]] * ratios.rho[rows.of_pair], torch.inf)
        most = torch.cummax(w, 1).values
        far = torch.where(some[m], most[q, behind[m]] * ratios.rho_far[rows.of_pair], torch.inf)
    return Symbols(window, far, w[q, m], r, ratios.valid[rows.of_pair])


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
    """Return bool [n]: does each sequence provably satisfy the additive condition?"""
    valid, contribution, positional = _contributions(s, inputs)
    return valid & provably((contribution * positional).sum(-1) < 0)


def additive_excludes(s: Symbols, inputs: Tensor) -> Tensor:
    """Return bool [n]: which sequences does `count_exactly` certainly not count?

    It adds the same products as `additive_member` (the query's own contribution as it is), in another order, and so may prove sums
    negative that are not proven there. But whatever the order, an upper bound of the sum is at least the exact sum of the products'
    upper bounds. Where that sum is provably not negative, no order proves anything.
    """
    valid, contribution, positional = _contributions(s, inputs)
    products = torch.cat([(contribution * positional)[:, :-1], contribution[:, -1:]], 1)
    return ~(valid & possibly(upper(products).sum(-1) < 0))


def _contributions(s: Symbols, inputs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Of each sequence: is its pair (q, m) valid, bool [n]; what its tokens contribute, and by which positional factors, [n, K]."""
    G = s.window.shape[1]
    m, q = inputs.max(-1).values, inputs[:, -1]
    pair = pair_number(q, m)
    return s.valid[pair], s.table()[pair[:, None], (m[:, None] - inputs).clamp(max=G + 1)], s.r[q]
