"""Some queries exactly, few rivals, few symbols; the other tokens are summed in closed form instead of sampled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from compact_proofs.errors import BadInput
from compact_proofs.estimates import Estimator
from compact_proofs.inputs.task import Task
from compact_proofs.length import address_table, stage
from compact_proofs.models.attention_only import AttentionOnlyTransformer
from compact_proofs.options import Positive
from compact_proofs.tasks.max_of_k.estimates.windows import symbols
from compact_proofs.tasks.max_of_k.paths import attention_weights

LONGEST = 5
"""Patterns are all tuples of symbols, which is too much for longer sequences."""


@dataclass(frozen=True)
class FewQueries(Estimator[AttentionOnlyTransformer]):
    """For each maximum m and some queries q <= m, count the patterns of symbols under which a rival wins.

    A symbol is m, one of m - 1, ..., m - G, or any smaller token, which is taken at its mean. A sequence is wrong if for one of R
    rivals x the sum over positions of ``w (EVOU[t, x] - EVOU[t, m] + EUPU[q, x] - EUPU[q, m] + PVOU[i, x] - PVOU[i, m])`` is at
    least 0.

    Cost: the path matrices of the chosen queries, and about 2 R (G + 2)^(K - 1) for each query and maximum.
    """

    queries: Positive = 64
    """Queries that are looked at, evenly spread."""
    window: Positive = 4
    """Tokens just below the maximum that are told apart."""
    rivals: Positive = 4
    """Outputs that may win instead: those that come nearest if half of the attention goes to m - 1."""

    name: ClassVar[str] = "few-queries"
    summary: ClassVar[str] = "some queries, some rivals; other tokens in closed form (n_ctx <= 5)"

    def value(self, model: AttentionOnlyTransformer, task: Task) -> Tensor:
        v, K = model.d_vocab, model.n_ctx
        if K > LONGEST:
            raise BadInput(f"few-queries: patterns are exponential in n_ctx, at most {LONGEST}, not {K}; use mean-query")
        chosen = _spread(v, min(self.queries, v))
        w, r, values, positions, direct = self._paths(model, chosen)
        near, far, many = symbols(v, self.window)
        row, m = _pairs(v, len(chosen))  # a chosen query and a maximum each
        X = self._rivals(values, direct, row, m)
        with stage("symbols"):
            shift = direct[row[:, None], X] - direct[row, m][:, None]  # [pairs, R]
            pi = positions[:, X] - positions[:, m][:, :, None]  # [K, pairs, R]
            extra = (shift + pi).permute(1, 0, 2)  # [pairs, K, R]
            tokens = torch.cat([near, far], 1)[m]
            gain = values[tokens[:, :, None], X[:, None]] - values[tokens, m[:, None]][:, :, None]
            G = near.shape[1]
            gain = torch.cat([gain[:, :G], gain[:, G:].mean(1, keepdim=True)], 1)  # [pairs, symbols, R]
            beyond = many[m, -1]  # smaller tokens than the window has
            mean = w.cumsum(1)[row, (beyond - 1).clamp(min=0)] / beyond.clamp(min=1)
            weight = torch.cat([w[row[:, None], near[m]], mean[:, None]], 1)  # [pairs, symbols]
            q = chosen[row]
            own = w[row, q][:, None] * (values[q[:, None], X] - values[q, m][:, None] + extra[:, -1])  # [pairs, R]
            harm = weight[:, None, :, None] * (gain[:, None] + extra[:, :-1, None]) * r[row][:, :-1, None, None]
        below, at = _split(v, len(chosen))
        wrong = self._wrong(own[at], harm[at], many[m[at]], None)
        for first in range(K - 1):
            wrong = wrong + self._wrong(own[below], harm[below], many[m[below]], first)
        return 1 - wrong.to(torch.float64) / (len(chosen) * float(v) ** (K - 1))

    def _wrong(self, own: Tensor, harm: Tensor, many: Tensor, first: int | None) -> Tensor:
        """Number of sequences in which a rival wins, among those whose first m stands somewhere, or (None) all."""
        total, sequences = own[:, None], torch.ones(len(own), 1, dtype=torch.int64)
        with stage("patterns"):
            for i in range(harm.shape[1]):
                allowed = slice(0, None) if first is None or i > first else slice(0, 1) if i == first else slice(1, None)
                total = (total[:, :, None] + harm[:, i, None, allowed]).flatten(1, 2)
                sequences = (sequences[:, :, None] * many[:, None, allowed]).flatten(1)
            return torch.where(total.amax(-1) < 0, 0, sequences).sum()  # NaN, where weights overflow, is wrong

    def _rivals(self, values: Tensor, direct: Tensor, row: Tensor, m: Tensor) -> Tensor:
        """int64 [pairs, R]: the outputs nearest to winning if half of the attention goes to m and half to m - 1."""
        v = len(values)
        with stage("rivals"):
            halves = (values + torch.cat([values[:1], values[:-1]])) / 2  # [m, x]
            lead = halves - halves.diagonal()[:, None]
            lead = torch.where(torch.eye(v, dtype=torch.bool), -torch.inf, lead)[m] + direct[row]
            return lead.topk(min(self.rivals, v - 1), dim=1).indices

    def _paths(self, model: AttentionOnlyTransformer, chosen: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Attention and direct path of the chosen queries, values with the mean direct path folded in, positional values."""
        with stage("QK"):
            queries = (model.W_E[chosen] + model.W_pos[-1]) @ model.W_Q / model.attn_scale()
            keys = queries @ model.W_K.mT
            scores, by_position = keys @ model.W_E.mT, keys @ model.W_pos.mT
        w, r = attention_weights(scores, by_position)
        with stage("OV"):
            VO = model.W_V @ model.W_O
            values, positional = model.W_E @ VO @ model.W_U, model.W_pos @ VO @ model.W_U
        with stage("EU"):
            direct = (model.W_E[chosen] + model.W_pos[-1]) @ model.W_U
        return w, r, values, positional, direct


@address_table
def _spread(v: int, n: int) -> Tensor:
    """int64 [n]: n of v tokens, evenly spread."""
    return (2 * torch.arange(n) + 1) * v // (2 * n)


@address_table
def _pairs(v: int, n: int) -> tuple[Tensor, Tensor]:
    """All pairs of a chosen query, by its number, and a maximum that is not below it."""
    queries = _spread(v, n)
    pairs = [(i, m) for i, q in enumerate(queries.tolist()) for m in range(q, v)]
    rows = torch.tensor(pairs)
    return rows[:, 0], rows[:, 1]


@address_table
def _split(v: int, n: int) -> tuple[Tensor, Tensor]:
    """Numbers of the pairs whose query is below the maximum, and is the maximum."""
    row, m = _pairs(v, n)
    below = _spread(v, n)[row] < m
    return below.nonzero().squeeze(1), (~below).nonzero().squeeze(1)
