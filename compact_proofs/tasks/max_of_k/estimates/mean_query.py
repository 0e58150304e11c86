"""The mean query, a band of EVOU near the diagonal, and everything else as independent noise of the right size."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from compact_proofs.estimates import Estimator
from compact_proofs.inputs.task import Task
from compact_proofs.length import stage
from compact_proofs.models.attention_only import AttentionOnlyTransformer
from compact_proofs.options import Positive
from compact_proofs.tasks.max_of_k.estimates.windows import multisets, rivals, symbols


@dataclass(frozen=True)
class MeanQuery(Estimator[AttentionOnlyTransformer]):
    """Presume that outputs, queries and keys deviate from their means independently.

    For each multiset s of symbols (the maximum m, m - 1, ..., m - G, or any smaller token), with mean-query weights w, the margin
    of m over a rival x, times the softmax's denominator, is taken as normal with mean mu_x = - sum w B and variance

        sd^2 = (sum w)^2 sE^2 + sum (w B)^2 sS^2 / 2,     B[t, x] = EV'[t, x] - EV'[t, m]

    where sE is the spread of the direct path over queries and sS that of the scores, from norms alone. Then
    ``P(wrong | s) = 1 - prod_x Phi(mu_x / sd)``, summed over multisets with their numbers of sequences.

    Cost: 2 v d^2 for the values, 2 v (G + 5) (R + 1) d for the band, and some 10 R for each multiset and maximum.
    """

    window: Positive = 2
    """Tokens just below the maximum that are told apart."""
    rivals: Positive = 2
    """Outputs that may win instead: those nearest to the maximum."""
    noise: bool = True
    """False: what is not looked at is 0."""

    name: ClassVar[str] = "mean-query"
    summary: ClassVar[str] = "no query: the mean query, a band of EVOU, the rest as noise; O(v d^2)"

    def value(self, model: AttentionOnlyTransformer, task: Task) -> Tensor:
        v, K = model.d_vocab, model.n_ctx
        X = rivals(v, min(self.rivals, v - 1))
        near, far, many = symbols(v, self.window)
        with stage("scores"):
            centre = model.W_E.mean(0)
            query = (centre + model.W_pos[-1]) @ model.W_Q
            score = model.W_E @ (model.W_K @ query / model.attn_scale())
        weights = self._weights(score, near, many[:, -1])
        band = self._band(model, centre, torch.cat([near, far], 1), X)  # [v, G + 1 + far tokens, R]
        G = near.shape[1]
        harm = torch.cat([band[:, :G], band[:, G:].mean(1, keepdim=True)], 1) * weights[:, :, None]
        with stage("patterns"):
            direct, scores = self._noise(model, centre)
            held, orders = multisets(K, G + 1)
            counts = held.to(torch.float64)
            mean = -(counts @ harm)  # [v, ways, R]
            variance = (counts @ weights[:, :, None]).square() * direct + (counts @ harm.square()) * (scores / 2)
            right = _normal(mean / torch.sqrt(variance + 1e-300)).prod(-1)
            sequences = torch.prod(many[:, None] ** held, -1).to(torch.float64) * orders  # [v, ways]
            return 1 - ((1 - right) * sequences).sum() / float(v) ** K

    def _weights(self, score: Tensor, near: Tensor, beyond: Tensor) -> Tensor:
        """Weight of each symbol relative to the maximum's, [v, G + 2]; of the far one the mean over its `beyond` tokens."""
        with stage("scores"):
            w = torch.exp(score - score.amax())
            mean = w.cumsum(0)[(beyond - 1).clamp(min=0)] / beyond.clamp(min=1)
            return torch.cat([w[near], mean[:, None]], 1) / w[:, None]

    def _band(self, model: AttentionOnlyTransformer, centre: Tensor, tokens: Tensor, X: Tensor) -> Tensor:
        """B[t, x] with the mean direct path and positional value folded in, for some tokens and rivals of each maximum."""
        with stage("values"):
            VO = model.W_V @ model.W_O
            written = model.W_E @ VO
            folded = (centre + model.W_pos[-1] + model.W_pos.mean(0) @ VO) @ model.W_U  # [v]
            apart = model.W_U.mT[X] - model.W_U.mT[:, None]  # [v, R, d]: columns of x minus those of m
            return written[tokens] @ apart.mT + (folded[X] - folded[:, None])[:, None]

    def _noise(self, model: AttentionOnlyTransformer, centre: Tensor) -> tuple[Tensor, Tensor]:
        """Variances sE^2 of the direct path's differences, and sS^2 of the scores', by norms in quadrature."""
        if not self.noise:
            nothing = torch.zeros((), dtype=torch.float64)
            return nothing, nothing
        d, h = model.d_model, model.d_head
        deviation = (model.W_E - centre).square().sum() / model.d_vocab
        output = (model.W_U - model.W_U.mean(1, keepdim=True)).square().sum() / model.d_vocab
        circuit = model.W_Q.square().sum() * model.W_K.square().sum() / (h * h)
        return 2 * deviation * output / d, 2 * circuit * (deviation / d).square()


def _normal(x: Tensor) -> Tensor:
    """The normal distribution function."""
    return (1 + torch.erf(x / math.sqrt(2))) / 2
