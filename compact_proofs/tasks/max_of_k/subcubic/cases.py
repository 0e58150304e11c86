"""The cases that the subcubic proofs tell apart, and what the verifier knows about each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from compact_proofs.bounds.indices import away_from, others
from compact_proofs.bounds.positions import extreme_sums
from compact_proofs.bounds.ranges import spread
from compact_proofs.core.strategy import Explanation
from compact_proofs.length import address_table, stage
from compact_proofs.models.attention_only import AttentionOnlyTransformer
from compact_proofs.tasks.max_of_k.paths import query_max_pairs
from compact_proofs.tasks.max_of_k.subcubic.attention import Attention, Right
from compact_proofs.tasks.max_of_k.subcubic.direct import Direct
from compact_proofs.tasks.max_of_k.subcubic.residual import Residual


class Cases(NamedTuple):
    """Index vectors over (query q, maximum m >= q, number c of other tokens among the K - 1 positions before the query).

    All pairs (q, m) in the order of `query_max_pairs` for c = 0, then for c = 1, ..., K - 2; then those with q = m for c = K - 1
    (if q < m, some position before the query holds m).

    Attributes
    ----------
    q, m, c
        The case.
    pair
        Number of (q, m) in `query_max_pairs`.
    """

    q: Tensor
    m: Tensor
    c: Tensor
    pair: Tensor


@address_table
def all_cases(v: int, K: int) -> Cases:
    """Every case for v tokens and sequences of length K."""
    q, m = query_max_pairs(v)
    pair = torch.arange(len(q))
    number = torch.cat([pair.repeat(K - 1), pair[q == m]])
    c = torch.cat([torch.arange(K - 1).repeat_interleave(len(q)), torch.full((v,), K - 1)])
    return Cases(q[number], m[number], c, number)


def number_of_gaps(v: int, K: int) -> int:
    """Cases with c > 0: each has a gap."""
    return (K - 2) * (v * (v + 1) // 2) + v


def choices(gap: Tensor, v: int, K: int) -> Tensor:
    """How many tokens are at most m - gap, in each case: m - gap + 1, or none; none where c = 0, which has no gap."""
    t = all_cases(v, K, device=gap.device)
    pairs = len(t.m) - len(gap)
    tokens = (t.m[pairs:] - gap + 1).clamp(min=0)
    return torch.cat([torch.zeros(pairs, dtype=torch.int64, device=gap.device), tokens])


@dataclass(frozen=True)
class Knowledge:
    """Everything that the bounds of `Subcubic` are made of, once per model.

    Scores are relative to the maximum's: a token k weighs at most exp(score[q, k] - top[q, m]) times what the maximum m weighs,
    under query q at the same position.

    Attributes
    ----------
    score : [v, v + 1]
        score[q, n]: the largest score among the n least tokens, -inf for n = 0.
    top : [pairs]
        The score of m less the slack of the scores.
    own : [pairs]
        Upper bound of the query's weight if q < m, relative to m at the query's position; 0 if q = m.
    wrong : [v + 1]
        wrong[n]: the largest range of a row of EVOU among the n least tokens, -inf for n = 0.
    own_wrong : [pairs]
        The same for the query if q < m, and at least max_x R[x].
    of_max, of_max_with_query, of_others : [v, K]
        With r[q, i] = exp(EQKP[q, i] - EQKP[q, K-1]) (1 at the query's position): of_max[q, c] sums the K - 1 - c smallest r[q, .]
        before the query, of_max_with_query[q, c] adds the query's 1, and of_others[q, c] sums the c largest.
    common : [v, v - 1]
        shared[x] - shared[m] + max_i (PVOU[i, x] - PVOU[i, m]) for each m, x in the order of `others`.
    right
        What attending to the maximum does.
    direct : [v]
        The direct path's worst case for each query.
    """

    score: Tensor
    top: Tensor
    own: Tensor
    wrong: Tensor
    own_wrong: Tensor
    of_max: Tensor
    of_max_with_query: Tensor
    of_others: Tensor
    common: Tensor
    right: Right
    direct: Tensor

    def bounds(self, tokens: Tensor, attention: Attention, explanation: Explanation) -> Tensor:
        """Upper bounds of max_{x != m} l_x - l_m for each case, if the other tokens are among the `tokens` least."""
        v, K = self.of_max.shape
        t = all_cases(v, K, device=tokens.device)
        A = torch.where(t.q == t.m, self.of_max_with_query[t.q, t.c], self.of_max[t.q, t.c])
        B = torch.exp(self.score[t.q, tokens] - self.top[t.pair]) * self.of_others[t.q, t.c] + self.own[t.pair]
        total = A + B
        a, remaining = A / total, B / total  # the attention to the maximum is at least a
        wrong = torch.maximum(self.own_wrong[t.pair], self.wrong[tokens])
        shared = attention.shared(self.common, self.right, explanation)
        constant = (shared.expand(K, v)[t.c, t.m] + self.direct[t.q]) + remaining * wrong
        return constant + attention.rest(a, self.right, t.c, t.m, explanation)


def know(model: AttentionOnlyTransformer, direct: Direct, residual: Residual, explanation: Explanation) -> Knowledge:
    """Compute what the bounds need: the paths but EQKE and EUPU (which the choices may avoid), and running maxima."""
    v = model.d_vocab
    scores, slack = residual.scores(model, explanation)
    device = scores.device
    shared, worst = direct.split(model, explanation)
    q, m = query_max_pairs(v, device=device)
    every = torch.arange(v, device=device)
    with stage("QK"):
        keys = model.W_Q @ (model.W_K.mT @ model.W_pos.mT) / model.attn_scale()
        EQKP = (model.W_E + model.W_pos[-1]) @ keys
    with stage("OV"):
        VO = model.W_V @ model.W_O
        EVOU, PVOU = model.W_E @ VO @ model.W_U, model.W_pos @ VO @ model.W_U
    with stage("positions"):
        least, of_others = extreme_sums(torch.exp(EQKP[:, :-1] - EQKP[:, -1:]))
        of_max = least.flip(1)
        of_max_with_query = of_max + 1
    with stage("rows"):
        moved = PVOU if shared is None else PVOU + shared
        common = (moved[:, others(v, device=device)] - moved[:, :, None]).amax(0)
        by_output = away_from(EVOU, every, every)
        right = Right(by_output, by_output.amax(-1), by_output.amin(-1))
        ranges = spread(EVOU)
    with stage("running maxima"):
        column = torch.full((v, 1), -torch.inf, dtype=torch.float64, device=device)
        score = torch.cat([column, torch.cummax(scores, 1).values], 1)
        wrong = torch.cat([column[0], torch.cummax(ranges, 0).values])
    with stage("pairs"):
        top = scores[q, m] if slack is None else scores[q, m] - slack[q]
        own = torch.where(q < m, torch.exp(scores[q, q] - top), 0.0)
        own_wrong = torch.maximum(right.best[m], torch.where(q < m, ranges[q], -torch.inf))
    return Knowledge(score, top, own, wrong, own_wrong, of_max, of_max_with_query, of_others, common, right, worst)
