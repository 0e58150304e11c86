"""Attention of each group of queries: by norms, or exactly."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from compact_proofs.bounds.norms import norm
from compact_proofs.bounds.positions import factors_by_group
from compact_proofs.bounds.ranges import largest_by_group
from compact_proofs.core.strategy import Explanation
from compact_proofs.length import address_table, stage
from compact_proofs.models.attention_only import AttentionOnlyTransformer
from compact_proofs.tasks.max_of_k.additive.parts import GroupAttention
from compact_proofs.tasks.max_of_k.additive.rows import Rows
from compact_proofs.tasks.max_of_k.large_maxima.tokens import Sizes, Window, triangle_excess
from compact_proofs.tasks.max_of_k.paths import query_max_pairs


def split_attention(
    model: AttentionOnlyTransformer, rows: Rows, hints: Explanation, sizes: Sizes, window: Window, close: int = 0
) -> tuple[GroupAttention, Tensor]:
    """Bound the attention of each group, for tokens from `start` on; and the largest w[q, t] / w[q, m] of all smaller t, [rows].

    The `close` tokens below each maximum, at most as many as the window has, are compared by their distances from it.
    """
    groups, group, m, start = len(rows.first), rows.group, rows.m, window.start
    a, b, centres = hints["a"], hints["b"], hints["centres"]
    with stage("QK"):
        QK = model.W_Q @ model.W_K.mT / model.attn_scale()
        R = QK - a[:, None] * b
        last, h = model.W_pos[-1], model.W_E @ b
        beta = model.W_E @ a + last @ a
        shared = ((centres + last) @ R) @ model.W_E.mT  # e, [groups, v]
        keys = torch.cat([model.W_E[start:], hints["small_centre"][None]]) @ R.mT - hints["key_centre"]
        rest, least = norm(keys, 1), min(rows.first)
        excess = triangle_excess(keys[:-1], rest[:-1], least - start, close)
        n = torch.cat([sizes.small * norm(R) + rest[-1], rest[:-1]])
        EQKP = _position_scores(model, QK)
    with stage("attention"):
        ends = largest_by_group(torch.stack([-beta, beta], 1), rows.group_of, groups)
        low, high = factors_by_group(EQKP, rows.group_of, groups)
        score = torch.stack([-ends[:, 0], ends[:, 1]])[:, :, None] * h + shared  # at both ends of beta, [2, groups, v]
        slack = sizes.query * n
        most, at_max = score + slack, (score - slack)[:, group, m]
        known = most[:, :, start:]
        near = (known[:, group[:, None], window.token] - at_max[:, :, None]).amax(0)
        nearest = near[:, :close] - sizes.query[group] * excess[m - least]
        near = torch.exp(torch.cat([nearest, near[:, close:]], 1))
        beyond = torch.exp((torch.cummax(known, 2).values[:, group, window.beyond] - at_max).amax(0))
        small = torch.exp((most[:, :, :start].amax(2)[:, group] - at_max).amax(0)) if start else torch.zeros_like(beyond)
    return GroupAttention(near, beyond, low, high), small


def exact_attention(
    model: AttentionOnlyTransformer, rows: Rows, hints: Explanation, sizes: Sizes, G: int, start: int, least: int
) -> tuple[GroupAttention, Tensor]:
    """Bound the same from exact scores (`exact_scores`)."""
    pairs = Pairs.of(model.d_vocab, least, start, device=rows.m.device)
    scores, EQKP = exact_scores(model, pairs, hints, sizes.small, G)
    with stage("attention"):
        worst = torch.exp(largest_by_group(scores, rows.of_pair[pairs.number], len(rows.m)))
        low, high = factors_by_group(EQKP, rows.group_of, len(rows.first))
    return GroupAttention(worst[:, :G], worst[:, G], low, high), worst[:, G + 1]


@dataclass(frozen=True)
class Pairs:
    """All queries and maxima (q, m) with q <= m and m >= least, ordered by m, then q.

    Attributes
    ----------
    q, m : int64 [pairs]
    known : int64 [pairs]
        m - start, the number of m among the known tokens.
    number : int64 [pairs]
        Their numbers in `query_max_pairs`.
    start
        The smallest known token.
    """

    q: Tensor
    m: Tensor
    known: Tensor
    number: Tensor
    start: int

    @classmethod
    def of(cls, v: int, least: int, start: int, device: torch.device) -> Pairs:
        """List them."""
        q, m, known, number = _pairs_from(v, least, start, device=device)
        return cls(q, m, known, number, start)


def exact_scores(
    model: AttentionOnlyTransformer, pairs: Pairs, hints: Explanation, small_sizes: Tensor, G: int
) -> tuple[Tensor, Tensor]:
    """For each pair (q, m): scores of the tokens below m, less that of m; and the scores of positions, [v, K].

    Exact for tokens that stand in the window of some m >= q: from max(start, q - G) on. A block of queries knows the tokens of its
    first.

    With key_q = W_Q W_K^T / sqrt(d_head) applied to W_E[q] + W_pos[-1], beta_q as before and key_q = beta_q b + k_q, the score of
    another token t is beta_q h[t] + k_q . W_E[t]. For all t < start it is at most max_t beta_q h[t] + k_q . c + |k_q| max_t |W_E[t]
    - c|, and for the others from `start` on at most max_t beta_q h[t] + |k_q| max_t |W_E[t]|.

    Returns
    -------
    scores : [pairs, G + 2]
        Of m - 1, ..., m - G (any value where negative); the largest of known tokens beyond; the largest of tokens below `start`.
    """
    v, q, start = model.d_vocab, pairs.q, pairs.start
    window = Window.of(v, G, start, pairs.m)
    behind, some = _behind(v, G, start, device=q.device)
    with stage("QK"):
        QK = model.W_Q @ model.W_K.mT / model.attn_scale()
        query = model.W_E + model.W_pos[-1]
        keys, EQKP = query @ QK, _position_scores(model, QK)
        none = torch.full_like(keys[:1, 0], -torch.inf)
        EQKE = torch.cat([_scores(keys, model.W_E, queries, G, start) for queries in _blocks(v)])  # [q, t - start]
        beta, h = query @ hints["a"], model.W_E[: v - G] @ hints["b"]
        rest = keys - beta[:, None] * hints["b"]
        size = norm(rest, 1)
        small = torch.zeros_like(beta)
        if start:
            ends = torch.maximum(beta * h[:start].amin(), beta * h[:start].amax())
            small = ends + rest @ hints["small_centre"] + size * small_sizes.amax()
        others = none.expand(v)
        if start < v - G:
            least_h, most_h = (torch.cummin(h[start:], 0).values[behind], torch.cummax(h[start:], 0).values[behind])
            longest = torch.cummax(norm(model.W_E[start : v - G], 1), 0).values[behind]
            others = torch.where(some, torch.maximum(beta * least_h, beta * most_h) + size * longest, -torch.inf)
    with stage("attention"):
        at_max = EQKE[q, pairs.known]
        near = EQKE[q[:, None], window.token] - at_max[:, None]
        beyond = torch.maximum(torch.cummax(EQKE, 1).values[q, window.beyond], others[q]) - at_max
        return torch.cat([near, beyond[:, None], (small[q] - at_max)[:, None]], 1), EQKP


def _position_scores(model: AttentionOnlyTransformer, QK: Tensor) -> Tensor:
    """Scores of positions, less the last one's, under each query: [v, K]. Cost: 2 (K - 1) d (v + d)."""
    last = model.W_pos[-1]
    directions = (model.W_pos[:-1] - last) @ QK.mT
    scores = model.W_E @ directions.mT + last @ directions.mT
    return torch.cat([scores, torch.zeros_like(model.W_E[:, :1])], 1)


@address_table
def _pairs_from(v: int, least: int, start: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The tables of `Pairs`."""
    q, m = query_max_pairs(v)
    number = (m >= least).nonzero().squeeze(1)
    return q[number], m[number], m[number] - start, number


def _blocks(v: int) -> list[slice]:
    """Queries in blocks, at most sixteen."""
    size = -(-v // 16)
    return [slice(first, min(first + size, v)) for first in range(0, v, size)]


def _scores(keys: Tensor, W_E: Tensor, queries: slice, G: int, start: int) -> Tensor:
    """Scores of tokens from `start` on under a block of queries, -inf where they are not asked for."""
    first = max(start, queries.start - G)
    none = torch.full((queries.stop - queries.start, first - start), -torch.inf, dtype=torch.float64, device=keys.device)
    return torch.cat([none, keys[queries] @ W_E[first:].mT], 1)


@address_table
def _behind(v: int, G: int, start: int) -> tuple[Tensor, Tensor]:
    """For each query the largest token whose score is not known, counted from `start` (0 if there is none); and is there one?"""
    first = torch.cat([torch.full((queries.stop - queries.start,), queries.start) for queries in _blocks(v)])
    behind = first - G - 1 - start
    return behind.clamp(min=0), behind >= 0
