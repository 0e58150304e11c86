"""The table over pairs (q, m), and what a position can contribute in each row, a maximum and some of its queries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor

from compact_proofs.core.strategy import Explanation
from compact_proofs.enclosure import provably
from compact_proofs.length import stage
from compact_proofs.models.attention_only import AttentionOnlyTransformer
from compact_proofs.tasks.max_of_k.additive.grid import GroupSymbols
from compact_proofs.tasks.max_of_k.additive.rows import CountedRows
from compact_proofs.tasks.max_of_k.by_maximum.paths import Rivals, Written
from compact_proofs.tasks.max_of_k.by_maximum.rows import maximum_of_pair
from compact_proofs.tasks.max_of_k.large_maxima.attention import Pairs, exact_scores
from compact_proofs.tasks.max_of_k.large_maxima.tokens import Window

R = TypeVar("R", bound=CountedRows)


@dataclass(frozen=True)
class PairTable:
    """All that bounds depend on, of the queries in `numbers`, of the maxima in `rivals`.

    Attributes
    ----------
    numbers : [pairs, G + 2 + R + 1 + 2 K]
        For each pair (q, m): scores of tokens less that of m (`exact_scores`); EUPU[q, x] - EUPU[q, m] for the rivals x that are
        listed; -EUPU[q, m]; scores of positions, less their mean, and minus these. What is shared by some queries is bounded by the
        largest of each.
    rivals
        What each maximum suffers from its rivals.
    window, least, start, d_vocab
        Tokens that have a ratio of their own, the smallest maximum, the smallest known token, the number of tokens.
    """

    numbers: Tensor
    rivals: Rivals
    window: int
    least: int
    start: int
    d_vocab: int

    @classmethod
    def of(
        cls, model: AttentionOnlyTransformer, hints: Explanation, written: Written, outputs: Tensor, G: int, least: int
    ) -> PairTable:
        """Compute it for rivals `outputs` [maxima, R]: the scores, and R + 1 operations for each pair."""
        v, start = model.d_vocab, written.start
        rivals = Rivals.of(written, outputs, least, G)
        pairs = Pairs.of(v, least, start, device=written.EUPU.device)
        scores, EQKP = exact_scores(model, pairs, hints, written.small_sizes, G)
        with stage("pairs"):
            EUPU, q = written.EUPU, pairs.q
            below = -EUPU[q, pairs.m][:, None]
            direct = EUPU[q[:, None], outputs[maximum_of_pair(v, least, device=q.device)]] + below
            position = EQKP - EQKP.mean(1, keepdim=True)
            position = torch.cat([position, -position], 1)[q]
            numbers = torch.cat([scores, direct, below, position], 1)
        return cls(numbers, rivals, G, least, start, v)

    def symbols(self, largest: Tensor, rows: R) -> GroupSymbols[R]:
        """Bound the contributions of each row from the largest numbers of its queries, `largest` [rows, ...].

        For the queries q of a row and all positions i, with t = m, m - 1, ..., m - G and any output x,

            EVOU[t, x] - EVOU[t, m] + PVOU[i, x] - PVOU[i, m] + EUPU[q, x] - EUPU[q, m]

        is at most N[t, x] = listed[t, x] + (the largest EUPU[q, x] - EUPU[q, m]) for a rival x that is listed, and at most N'[t] =
        others[t] + (the largest -EUPU[q, m]) for every other one. So m gains at least -N[m, x], or -N'[m], on x; and rho[t, m] of
        the additive certificate is at most the larger of max_x N[t, x] / -N[m, x] and N'[t] / -N'[m], or 0, if all that is
        divided by is positive. For tokens below the window, likewise, by the least gain on any output.

        Cost: 3 R (G + 1) and lower terms for each row.
        """
        G, rivals, m = self.window, self.rivals, rows.m
        n, K = rivals.listed.shape[2], (largest.shape[1] - G - 3 - rivals.listed.shape[2]) // 2
        scores, direct, own, high, low = largest.split([G + 2, n, 1, K, K], 1)
        at = m - self.least
        with stage("rho"):
            harm = rivals.listed[at] + direct[:, None]  # [rows, G + 1, R]
            gap = -harm[:, 0]
            remote = rivals.others[at] + own
            rest = -remote[:, 0]
            rho = torch.maximum((harm[:, 1:] * (1 / gap)[:, None]).amax(2), remote[:, 1:] / rest[:, None]).clamp(min=0)
            narrowest = torch.minimum(gap.amin(1), rest)
            rho_far = ((rivals.far[at] + own[:, 0]) / narrowest).clamp(min=0)
            valid = provably(narrowest > 0)
        tokens = Window.of(self.d_vocab, G, self.start, m)
        with stage("symbols"):
            weight = torch.exp(scores)
            near = torch.where(tokens.real, weight[:, :G] * rho, torch.inf)
            far = torch.where(tokens.some, weight[:, G] * rho_far, 0.0)
            if self.start:
                rho_small = ((rivals.small[at] + own[:, 0]) / narrowest).clamp(min=0)
                far = torch.maximum(far, weight[:, G + 1] * rho_small)
            return GroupSymbols(near, far, torch.exp(-low), torch.exp(high), rows, valid)
