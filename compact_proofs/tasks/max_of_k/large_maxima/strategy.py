"""`LargeMaxima`: the strategy with its options."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from compact_proofs.certified import Certified
from compact_proofs.core.strategy import Explanation, Spec, finite
from compact_proofs.inputs.task import Task
from compact_proofs.length import stage
from compact_proofs.models.attention_only import AttentionOnlyTransformer
from compact_proofs.models.weights import in_double
from compact_proofs.options import Natural, Positive
from compact_proofs.searches import leading_pair, smallest_ball
from compact_proofs.tasks.max_of_k.additive.grid import GridReach, GridSet, GridSteps, GroupSymbols
from compact_proofs.tasks.max_of_k.additive.rows import Rows
from compact_proofs.tasks.max_of_k.large_maxima.attention import exact_attention, split_attention
from compact_proofs.tasks.max_of_k.large_maxima.tokens import Sizes, Window, divisions
from compact_proofs.tasks.max_of_k.large_maxima.values import direct_by_norms, exact_direct, ratios, values_and_last
from compact_proofs.tasks.max_of_k.task import MaxOfKStrategy


@dataclass(frozen=True)
class LargeMaxima(MaxOfKStrategy):
    """Count sequences with a maximum of at least `least` by the additive certificate, on a grid (`additive.grid`).

    **Direct path and positions.** Attention sums to 1, so what the last position p = W_pos[-1] writes, P = p W_V W_O W_U, may be
    added to the direct path and taken off PVOU: pi_i = PVOU[i] - P. With k = `output_centre`, u[x] = |W_U[:, x] - k| and any c_g,
    for the queries of group g and all positions i, EUPU[q, x] - EUPU[q, m] + PVOU[i, x] - PVOU[i, m] <= high[g, x] - low[g, m],
    where

        high[g, x] = (c_g + p) W_U[:, x] + P[x] + max_i pi_i[x] + F_g u[x],    low[g, m] = ... + min_i pi_i[m] - F_g u[m].

    **Ratios.** rho[t, m] = max over x != m of (EVOU[t, x] - EVOU[t, m] + high[x] - low[m]) / (EVOU[m, m] - EVOU[m, x] + low[m] -
    high[x]), if every denominator is positive. The outputs nearest to m, `rivals` of them at least, are compared one by one; of the
    others, blocks that follow each other (`values.BLOCK`): for x in a block, rho is at most the largest numerator by the least
    denominator, both by the largest EVOU[t, x] + high[x] in the block.

    **Smaller tokens**, t < start, with c = `small_centre`: EVOU[t, x] - EVOU[t, m] differs from the same for c, in the place of
    W_E[t], by at most |W_E[t] - c| |W_V W_O|_F (u[x] + u[m]).

    **Attention.** Put W_Q W_K^T / sqrt(d_head) = a b^T + R, exactly, for any a and b. Under query q, the score of token t is
    beta_q h[t] + e[g, t] + f_q . y[t] with beta_q = (W_E[q] + W_pos[-1]) . a, h = W_E b, e[g] = W_E R^T (c_g + W_pos[-1]) and
    y = W_E R^T. The last differs between t and m by at most F_g (n[t] + n[m]), where n[t] = |y[t] - k'| with k' = `key_centre`; for
    smaller tokens, n[t] <= |W_E[t] - c| |R|_F + |c R^T - k'|. beta (h[t] - h[m]) is linear in beta, so at most its larger value at
    the ends of the group's range. Scores of positions are exact, less the last one's.

    **Neighbours.** f_q . (z - z') <= F_g |z - z'|, which for neighbours is two thirds of what two distances from a centre give. So
    for the `close` outputs on each side of m, and the `close` tokens below it, F_g times the difference is taken off
    (`tokens.triangle_excess`). Where the direct path is exact, what is taken off is high[g, x] - low[g, m] less the largest
    EUPU[q, x] - EUPU[q, m].

    Cost, with s = d_vocab - start: 2 s v d + 4 s d^2 for values and scores, 4 d^3 for folding, 4 K v d for positions, 4 d for each
    maximum and neighbour (3 v if exact), and for each (group, maximum) about 3 window * (rivals + v / 4) + 2 window * reach *
    (K - 4).
    """

    least: Natural = 24
    """The smallest maximum that is looked at."""
    window: Positive = 8
    """Tokens just below the maximum that get a ratio of their own."""
    groups: Positive = 2
    """Groups of queries that share their bounds."""
    rivals: Positive = 16
    """Outputs nearest to the maximum that are compared one by one, at least: whole blocks around it; d_vocab or more for all."""
    steps: GridSteps = 16
    """Grid points in a unit of weight; a power of two."""
    reach: GridReach = 16
    """Largest sum of contributions that is told apart on the grid, in grid points."""
    direct: Literal["norms", "exact"] = "norms"
    """The direct path by the distances from centres (v d), or exactly (2 v^2 d)."""
    attention: Literal["norms", "exact"] = "norms"
    """Scores beyond rank one by the same distances, or exactly for tokens that can be in a window (about s v d)."""
    close: Natural = 2
    """Neighbours of a maximum whose difference from it is bounded by itself: outputs on each side, and tokens if by norms."""
    divisions: Positive = 1
    """Divisions of the queries into groups that the search tries."""

    name: ClassVar[str] = "large-maxima"
    version: ClassVar[int] = 3
    summary: ClassVar[str] = "ours: the additive certificate for large maxima; the shortest for models that were not tuned"

    def explain(self, model: AttentionOnlyTransformer, task: Task) -> dict[str, Tensor]:
        """Of some divisions into groups, take the one that proves most in the float reading."""
        with torch.no_grad():
            m = in_double(model)
            found = [self._hints(m, group_of) for group_of in divisions(m, self._groups(m), self.divisions)]
            return found[0] if len(found) == 1 else max(found, key=lambda hints: self.verify(m, task, hints).size)

    def _hints(self, m: AttentionOnlyTransformer, group_of: Tensor) -> dict[str, Tensor]:
        """Find small balls around the queries of a group, means as centres of the rest, and the leading direction of QK.

        The centre of outputs is that of the maxima which are looked at, which are then near to it; smaller outputs are far behind.
        """
        groups, start = self._groups(m), self._start(m)
        QK = m.W_Q @ m.W_K.mT / m.attn_scale()
        a, b = leading_pair(QK)
        found = {
            "small_centre": m.W_E[:start].mean(0) if start else m.W_E.mean(0),
            "output_centre": m.W_U[:, self._least(m) :].mean(1),
            "a": a,
            "b": b,
        }
        if self._by_norms:
            found["centres"] = torch.stack([smallest_ball(m.W_E[group_of == g]) for g in range(groups)])
        if self.attention == "norms":
            found["key_centre"] = m.W_E[start:].mean(0) @ (QK - a[:, None] * b).mT
        return {"group_of": group_of} | {n: finite(t) for n, t in found.items()}

    def specs(self, model: AttentionOnlyTransformer, task: Task) -> dict[str, Spec]:
        d, groups = model.d_model, self._groups(model)
        found = {"group_of": Spec((model.d_vocab,), (0, groups - 1))}
        found |= {name: Spec((d,)) for name in ("small_centre", "output_centre", "a", "b")}
        if self._by_norms:
            found["centres"] = Spec((groups, d))
        if self.attention == "norms":
            found["key_centre"] = Spec((d,))
        return found

    def verify(self, model: AttentionOnlyTransformer, task: Task, explanation: Explanation) -> Certified:
        symbols = self._symbols(model, explanation)
        with stage("counting"):
            return GridSet(symbols, model.n_ctx, self.steps, self.reach, self._least(model))

    def unexplained_dimension(self, model: AttentionOnlyTransformer, task: Task) -> int:
        """Numbers that are bounded one by one: exact values, scores of rank one with their slack, positions, and norms."""
        v, K, groups = model.d_vocab, model.n_ctx, self._groups(model)
        known = v - self._start(model)
        direct = 2 * groups * v if self.direct == "exact" else (groups + 1) * v
        scores = known * v if self.attention == "exact" else (3 + groups) * v
        return (known + 1 + K) * v + direct + scores + K * v + v

    def _symbols(self, model: AttentionOnlyTransformer, explanation: Explanation) -> GroupSymbols[Rows]:
        """Compute what each position can contribute."""
        v, start, G = model.d_vocab, self._start(model), self._window(model)
        rows = Rows.of(explanation["group_of"], self._groups(model), model.W_E.device, self._least(model))
        window = Window.of(v, G, start, rows.m)
        sizes = Sizes.of(model, rows, explanation, start)
        if self.attention == "norms":
            attention, weight_small = split_attention(model, rows, explanation, sizes, window, min(self.close, G))
        else:
            attention, weight_small = exact_attention(model, rows, explanation, sizes, G, start, self._least(model))
        direct = direct_by_norms if self.direct == "norms" else exact_direct
        VO, last = values_and_last(model)
        paths = direct(model, last, rows, explanation, sizes, self.close)
        rho, rho_far, rho_small, valid = ratios(model, VO, rows, explanation, sizes, window, paths, min(self.rivals, v - 1))
        with stage("symbols"):
            near = torch.where(window.real, attention.near * rho, torch.inf)
            far = torch.where(window.some, attention.beyond * rho_far, 0.0)
            if start:
                far = torch.maximum(far, weight_small * rho_small)
        return GroupSymbols(near, far, attention.low, attention.high, rows, valid)

    @property
    def _by_norms(self) -> bool:
        """Are the distances of queries from centres used?"""
        return "norms" in (self.direct, self.attention)

    def _groups(self, model: AttentionOnlyTransformer) -> int:
        return min(self.groups, model.d_vocab)

    def _window(self, model: AttentionOnlyTransformer) -> int:
        return min(self.window, model.d_vocab)

    def _least(self, model: AttentionOnlyTransformer) -> int:
        return min(self.least, model.d_vocab - 1)

    def _start(self, model: AttentionOnlyTransformer) -> int:
        """The smallest token that is known exactly."""
        return max(self._least(model) - self._window(model), 0)
