"""Importance sampling: a crude estimate of each kind of sequence says where it is unsure, and samples are drawn there."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from pydantic import Field
from torch import Tensor

from compact_proofs.draws import Draws
from compact_proofs.errors import BadInput
from compact_proofs.estimates import Estimator
from compact_proofs.inputs.task import Task
from compact_proofs.length import address_table, stage
from compact_proofs.models.attention_only import AttentionOnlyTransformer
from compact_proofs.models.files import weights_sha256
from compact_proofs.options import Positive
from compact_proofs.tasks.max_of_k.additive.classes import right_by_paths
from compact_proofs.tasks.max_of_k.estimates.few_queries import LONGEST
from compact_proofs.tasks.max_of_k.estimates.windows import rivals, symbols
from compact_proofs.tasks.max_of_k.paths import LazyPaths, query_max_pairs

UNIT = 2**53
"""Positions of a sample within its stratum."""


@dataclass(frozen=True)
class GuidedSampling(Estimator[AttentionOnlyTransformer]):
    """For each query q, maximum m and pattern s of symbols (m, m - 1, ..., m - G, or any smaller token), guess how often a rival
    wins, and put the guess right by sequences of doubtful patterns.

    Let n_s be the number of sequences of a pattern, and x_s by how much the best of the R rivals nearest to m beats m if the
    smaller tokens are all like one of them. The guess is p_s = 1 / (1 + exp(-x_s / softness)), so that of N sequences
    sum n_s p_s / N are wrong. Patterns are drawn with probabilities proportional to u_s = n_s sqrt(p_s (1 - p_s)), one in each of
    `samples` equal parts of the sum of all u, and a sequence of each evenly. Then:

        errors = ( sum n_s p_s  +  mean over the samples of (wrong - p_s) n_s / u_s  *  sum u_s ) / N

    has the true share of wrong sequences as its mean over draws, whatever the guesses. Where these are good, its spread is about
    sum u_s / N, the share of doubtful sequences, over sqrt(samples); that of evenly drawn sequences has the root of the share of
    wrong ones instead. Where a guess is sure and wrong, most draws miss it and a few count it many times: with logits that differ
    from the guess's by far more than `softness`, such an estimate is a bad one. The result is clamped to 0 ... 1.

    Cost: 6 v^2 d for the path matrices, about 2 (R + 5) times the number of patterns, and 2 K v + 5 v for each sample.
    """

    samples: Positive = 2000
    """Sequences that are drawn and evaluated."""
    window: Positive = 2
    """Tokens just below the maximum that are told apart."""
    rivals: Positive = 6
    """Outputs that may win instead: those nearest to the maximum."""
    softness: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 0.5
    """Difference of logits that the guess may be wrong by."""
    seed: int = 0
    """Draws follow from this and the weights' hash."""

    name: ClassVar[str] = "guided-sampling"
    summary: ClassVar[str] = "random sequences where a crude guess is unsure (n_ctx <= 5)"

    def value(self, model: AttentionOnlyTransformer, task: Task) -> Tensor:
        v, K, p = model.d_vocab, model.n_ctx, LazyPaths(model)
        if K > LONGEST:
            raise BadInput(f"guided-sampling: patterns are exponential in n_ctx, at most {LONGEST}, not {K}; use mean-query")
        pair, symbol, _, sequences = _patterns(v, K, self.window)
        lead = self._leads(p)
        with stage("guess"):
            lead = torch.where(lead < torch.inf, lead, torch.inf)  # NaN, where weights overflow, is wrong
            close = torch.exp(lead.abs() * (-1 / self.softness))
            sure = 1 / (1 + close)
            guess = torch.where(lead < 0, close * sure, sure)
            doubt = sequences * (torch.sqrt(close) * sure)  # sqrt(p (1 - p))
            upto, wrong = doubt.cumsum(0), (sequences * guess).sum()
        with stage("drawing"):
            draws = Draws(f"guided {weights_sha256(model)} {self.seed}".encode())
            within = draws.below(torch.full((self.samples,), UNIT)).to(torch.float64) / UNIT
            strata = torch.arange(self.samples, dtype=torch.float64)
            at = torch.searchsorted(upto, (strata + within) * (upto[-1] / self.samples), right=True).clamp(max=len(upto) - 1)
            inputs = self._sequences(pair[at], symbol[at], v, draws)
        with stage("samples"):
            error = (~right_by_paths(p, inputs)).to(torch.float64) - guess[at]
            corrections = torch.where(doubt[at] > 0, error * sequences[at] / doubt[at], 0.0)
            return (1 - (wrong + corrections.mean() * upto[-1]) / float(v) ** K).clamp(0, 1)

    def _leads(self, p: LazyPaths) -> Tensor:
        """By how much the best rival beats the maximum, for each pattern; the far tokens at one of them."""
        model, (w, r) = p.model, p.weights
        v, K = model.d_vocab, model.n_ctx
        X = rivals(v, min(self.rivals, v - 1))
        near, far, _ = symbols(v, self.window)
        tokens = torch.cat([near, far[:, -1:]], 1)  # [v, symbols]
        q, m = query_max_pairs(v)
        values, direct = p.values, p.direct
        with stage("symbols"):
            token = values[0] + values[1].mean(0)
            every = torch.arange(v)
            gain = token[tokens[:, :, None], X[:, None]] - token[tokens, every[:, None]][:, :, None]  # [v, symbols, R]
            shift = direct[q[:, None], X[m]] - direct[q, m][:, None]  # [pairs, R]
            own = token[q[:, None], X[m]] - token[q, m][:, None] + shift
            weight = w[q[:, None], tokens[m]]
            each = torch.cat([weight[:, :, None] * (gain[m] + shift[:, None]), weight[:, :, None]], 2)  # [pairs, symbols, R + 1]
            own = torch.cat([w[q, q][:, None] * own, w[q, q][:, None]], 1)
            placed = [each * r[q, i][:, None, None] for i in range(K - 1)]
        with stage("patterns"):
            last = own[:, None] + placed[-1]
            before = torch.zeros_like(last[:, :1]) if K == 2 else placed[0]
            for i in range(1, K - 2):
                before = (before[:, :, None] + placed[i][:, None]).flatten(1, 2)
            pair, symbol, prefix, _ = _patterns(v, K, self.window)
            total = before[pair, prefix] + last[pair, symbol[:, -1]]
            return total[:, :-1].amax(1) / total[:, -1]

    def _sequences(self, pair: Tensor, symbol: Tensor, v: int, draws: Draws) -> Tensor:
        """A sequence of each pattern, drawn evenly: [n, K]."""
        q, m = query_max_pairs(v)
        near, _, many = symbols(v, self.window)
        lowest = torch.cat([near, torch.zeros_like(near[:, :1])], 1)
        q, m = q[pair], m[pair]
        tokens = lowest[m[:, None], symbol] + draws.below(many[m[:, None], symbol])
        return torch.cat([tokens, q[:, None]], 1)


@address_table
def _patterns(v: int, K: int, G: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """All patterns of the K - 1 other tokens under all pairs (q, m), q <= m, in which m occurs, that have sequences.

    Returns
    -------
    pair : int64 [patterns]
        Number of (q, m) in `query_max_pairs`.
    symbol : int64 [patterns, K - 1]
    prefix : int64 [patterns]
        Where the symbols but the last stand among all such tuples.
    sequences : float64 [patterns]
        How many sequences a pattern stands for.
    """
    q, m = query_max_pairs(v)
    _, _, many = symbols(v, G)
    tuples = torch.tensor(list(itertools.product(range(G + 2), repeat=K - 1)))
    count = torch.prod(many[m[:, None, None], tuples], 2)  # [pairs, tuples]
    held = (tuples == 0).any(1) | (q == m)[:, None]
    pair, chosen = ((count > 0) & held).nonzero().unbind(1)
    return pair, tuples[chosen], chosen // (G + 2), count[pair, chosen].to(torch.float64)
