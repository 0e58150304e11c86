"""The cubic proof of Max-of-K (Gross et al. 2024, section 4.2), vectorised and sound."""

from __future__ import annotations

from dataclasses import dataclass
from math import comb
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor

from compact_proofs.bounds.indices import away_from, others
from compact_proofs.bounds.positions import extreme_sums
from compact_proofs.certified import Certified, Counted, whole
from compact_proofs.core.strategy import Explanation
from compact_proofs.enclosure import provably
from compact_proofs.inputs.task import Task
from compact_proofs.length import address_table, charge_integers, stage
from compact_proofs.models.attention_only import AttentionOnlyTransformer
from compact_proofs.tasks.max_of_k.paths import at_maximum, attention_weights, pair_number, paths, query_max_pairs
from compact_proofs.tasks.max_of_k.task import MaxOfKStrategy


@dataclass(frozen=True)
class Cubic(MaxOfKStrategy):
    """Count sequences by query q, maximum m, number c of other tokens, and the set of tokens that each of them may be.

    Fix q, m, and c of the K - 1 other positions to hold tokens k < m, the rest m. If all c hold the same k, every logit difference
    l_x - l_m is at most ``eu[q, m] + (A ep[m, m] + B ep[k, m] + C ep[q, m]) / (A + B + C)`` with

    * ``eu[q, m] = max_{x != m} EUPU[q, x] - EUPU[q, m]``,
    * ``ep[k, m] = max_{x != m} (EVOU[k, x] - EVOU[k, m] + max_i (PVOU[i, x] - PVOU[i, m]))``,
    * C = w[q, q], A = w[q, m] a, B = w[q, k] b, where a and b are the sums of r[q, .] over the positions of m and of k.

    a + b is fixed, so the quotient is a linear-fractional function of a, extreme where a is the sum of the smallest or of the
    largest weights. Let S be the set of k for which the bound is negative. If the c tokens are any tokens of S, the numerator
    sum_i r_i w[q, t_i] (ep[t_i, m] + eu) is at most that with all of them the worst one of S, which is negative. So
    |S|^c C(K-1, c) sequences are right. (q < m leaves at most K - 2 other tokens; c = 0 is bounded with x common to all terms.)

    Cost: O(v^3 K) for the table of all (q, m, k, c), plus the path matrices.
    """

    name: ClassVar[str] = "cubic"
    summary: ClassVar[str] = "published: one table over query, maximum and other token; O(v^3 K)"

    def verify(self, model: AttentionOnlyTransformer, task: Task, explanation: Explanation) -> Certified:
        bounds = margin_bounds(model)
        v, K = model.d_vocab, model.n_ctx
        with stage("counting"):
            alone = provably(bounds.alone < 0)
            count, good = whole(alone.sum()), {}
            for c, bound in bounds.others.items():
                good[c] = provably(bound < 0)
                chosen = good[c].to(torch.int64)
                pair = _triples(v, int(c == K - 1), device=chosen.device).pair
                choices = torch.zeros(v * (v + 1) // 2, dtype=torch.int64, device=chosen.device).index_add(0, pair, chosen)
                count += comb(K - 1, c) * sum_of_powers(choices, c)
        return Counted(count, lambda inputs: _holds(alone, good, v, inputs))


def _holds(alone: Tensor, good: dict[int, Tensor], v: int, inputs: Tensor) -> Tensor:
    """bool [n]: is each sequence's case proven, with each of its other tokens? `good` by c, in the order of `_triples`."""
    m, rest = inputs.max(-1).values, inputs[:, :-1]
    K = inputs.shape[1]
    pair = pair_number(inputs[:, -1], m)
    c = (rest < m[:, None]).sum(-1)
    result = (c == 0) & alone[pair]
    for n, proven in good.items():
        t = _triples(v, int(n == K - 1))
        table = torch.zeros(v * (v + 1) // 2, v, dtype=torch.bool)
        table[t.pair, t.k] = proven
        result |= (c == n) & (table[pair[:, None], rest] | (rest == m[:, None])).all(-1)
    return result


class Triples(NamedTuple):
    """Index vectors over (query, maximum, other token) with q <= m and k < m.

    Attributes
    ----------
    q, k
        Query and other token.
    pair, other, top
        Numbers of the pairs (q, m), (k, m) and (m, m) in `query_max_pairs`.
    """

    q: Tensor
    k: Tensor
    pair: Tensor
    other: Tensor
    top: Tensor


@address_table
def _triples(v: int, at_maximum: int) -> Triples:
    """All triples, or with ``at_maximum`` = 1 those with q = m."""
    q, m = query_max_pairs(v)
    pair = torch.repeat_interleave(torch.arange(len(m)), m)
    k = torch.arange(len(pair)) - torch.repeat_interleave(torch.cumsum(m, 0) - m, m)
    q, m = q[pair], m[pair]
    kept = q == m if at_maximum else torch.ones_like(q, dtype=torch.bool)
    q, m, k = q[kept], m[kept], k[kept]
    return Triples(q, k, pair_number(q, m), pair_number(k, m), pair_number(m, m))


@dataclass(frozen=True)
class MarginBounds:
    """Upper bounds of max_{x != m} l_x - l_m.

    Attributes
    ----------
    alone : [v (v + 1) / 2]
        For each pair (q, m): every other position holds m.
    others
        For each c >= 1, bounds for c copies of k, in the order of `_triples` (only q = m for c = K - 1).
    """

    alone: Tensor
    others: dict[int, Tensor]


def margin_bounds(model: AttentionOnlyTransformer) -> MarginBounds:
    """Compute the bounds of `Cubic` for every case."""
    p = paths(model)
    w, r = attention_weights(p.EQKE, p.EQKP)
    v, K, device = model.d_vocab, model.n_ctx, w.device
    q, m = query_max_pairs(v, device=device)
    with stage("positions"):
        least, most = extreme_sums(r[:, :-1])
        pv = (p.PVOU[:, others(v, device=device)] - p.PVOU[:, :, None]).amax(0)  # [m, x != m]
    with stage("rows"):
        eu = away_from(p.EUPU, q, m)
        ev = away_from(p.EVOU, q, m) + pv[m]
        eu_worst, ep = eu.amax(-1), ev.amax(-1)  # [pair]
    with stage("table"):
        top, own, w_max = at_maximum(v, device=device), w[q, q], w[q, m]
        alone = _alone(w_max * least[q, -1], own, eu, ev, top)
        own_ep = own * ep
        result = {}
        for c in range(1, K):
            t = _triples(v, int(c == K - 1), device=device)
            quotients = []
            for of_max, of_other in ((least, most), (most, least)):
                A = w_max * of_max[q, K - 1 - c]
                AC, AC_ep = A + own, A * ep[top] + own_ep
                B = w[t.q, t.k] * of_other[t.q, c]
                quotients.append((AC_ep[t.pair] + B * ep[t.other]) / (AC[t.pair] + B))
            result[c] = torch.maximum(*quotients) + eu_worst[t.pair]
    return MarginBounds(alone, result)


def _alone(A: Tensor, C: Tensor, eu: Tensor, ev: Tensor, top: Tensor) -> Tensor:
    """No other token but m and the query: max_x (eu + a ev[m] + (1 - a) ev[q]) with a = A / (A + C) (ev includes positions)."""
    a = (A / (A + C))[:, None]
    return (eu + ev + a * (ev[top] - ev)).amax(-1)


def sum_of_powers(counts: Tensor, c: int) -> int:
    """Return sum_i counts_i^c in exact integers: c operations for each entry."""
    charge_integers(c * counts.numel())
    return 0 if counts.is_meta else sum(n**c for n in counts.tolist())
