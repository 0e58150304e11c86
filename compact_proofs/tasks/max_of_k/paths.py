"""The paths through a one-layer attention-only transformer, as matrices; and the index tables that proofs share."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from compact_proofs.bounds.norms import norm
from compact_proofs.length import address_table, stage
from compact_proofs.models.attention_only import AttentionOnlyTransformer


@dataclass(frozen=True)
class Paths:
    """What the logits are made of.

    With q = t_K the query token, scores and logits at the last position are:

        score_i = EQKE[q, t_i] + EQKP[q, i]        a = softmax_i(score)
        logits  = EUPU[q] + sum_i a_i (EVOU[t_i] + PVOU[i])

    Attributes
    ----------
    EQKE : [v, v]
        Score of key token k under query q, divided by sqrt(d_head).
    EQKP : [v, K]
        Score of position i under query q.
    EVOU : [v, v]
        What attending to token k writes to the logits.
    PVOU : [K, v]
        What attending to position i writes to the logits.
    EUPU : [v, v]
        The direct path from the query token and the last position to the logits.
    """

    EQKE: Tensor
    EQKP: Tensor
    EVOU: Tensor
    PVOU: Tensor
    EUPU: Tensor


class LazyPaths:
    """The path matrices of a model and the norms of its embeddings, each computed when it is first asked for, and once."""

    def __init__(self, model: AttentionOnlyTransformer) -> None:
        self.model = model

    @cached_property
    def scores(self) -> tuple[Tensor, Tensor]:
        """EQKE and EQKP."""
        return score_paths(self.model)

    @cached_property
    def values(self) -> tuple[Tensor, Tensor]:
        """EVOU and PVOU."""
        return value_paths(self.model)

    @cached_property
    def direct(self) -> Tensor:
        """EUPU."""
        return direct_path(self.model)

    @cached_property
    def weights(self) -> tuple[Tensor, Tensor]:
        """Unnormalised attention: see `attention_weights`."""
        return attention_weights(*self.scores)

    @cached_property
    def values_by_position(self) -> Tensor:
        """EVOU[t] + PVOU[i], [K, v, v]."""
        token, position = self.values
        with stage("fold"):
            return token + position[:, None]

    @cached_property
    def all(self) -> Paths:
        """All five."""
        return Paths(*self.scores, *self.values, self.direct)

    @cached_property
    def centre(self) -> Tensor:
        """The mean embedding, [d]."""
        with stage("norms"):
            return self.model.W_E.mean(0)

    @cached_property
    def deviations(self) -> Tensor:
        """Embeddings minus their mean, [v, d]."""
        with stage("norms"):
            return self.model.W_E - self.centre

    @cached_property
    def deviation_norms(self) -> Tensor:
        """Their Euclidean norms, [v]."""
        with stage("norms"):
            return norm(self.deviations, 1)

    @cached_property
    def position_norm(self) -> Tensor:
        """The largest norm of a positional embedding, []."""
        with stage("norms"):
            return norm(self.model.W_pos, 1).amax()

    @cached_property
    def output_norms(self) -> Tensor:
        """Norms of the columns of W_U, [v]."""
        with stage("norms"):
            return norm(self.model.W_U, 0)


def paths(model: AttentionOnlyTransformer) -> Paths:
    """Multiply out the five path matrices: 6 v^2 d + 4 v d^2 + O(d^3 + K v d) operations."""
    return LazyPaths(model).all


def score_paths(model: AttentionOnlyTransformer) -> tuple[Tensor, Tensor]:
    """EQKE and EQKP: 2 v^2 d + 2 v d^2 + ..."""
    with stage("QK"):
        QK = model.W_Q @ model.W_K.mT / model.attn_scale()
        keys = (model.W_E + model.W_pos[-1]) @ QK
        return keys @ model.W_E.mT, keys @ model.W_pos.mT


def value_paths(model: AttentionOnlyTransformer) -> tuple[Tensor, Tensor]:
    """EVOU and PVOU: 2 v^2 d + 2 v d^2 + ..."""
    with stage("OV"):
        VO = model.W_V @ model.W_O
        return model.W_E @ VO @ model.W_U, model.W_pos @ VO @ model.W_U


def direct_path(model: AttentionOnlyTransformer) -> Tensor:
    """EUPU: 2 v^2 d + v d."""
    with stage("EU"):
        return (model.W_E + model.W_pos[-1]) @ model.W_U


def attention_weights(EQKE: Tensor, EQKP: Tensor) -> tuple[Tensor, Tensor]:
    """Unnormalised attention, factored: the weight of token t at position i under query q is w[q, t] r[q, i].

    Returns
    -------
    w : [v, v]
        exp(EQKE[q, t] - max_t EQKE[q, t]); the shift cancels in every ratio.
    r : [v, K]
        exp(EQKP[q, i] - EQKP[q, K-1]), so that r at the query's own position is 1.
    """
    with stage("attention"):
        w = torch.exp(EQKE - EQKE.amax(1, keepdim=True))
        r = torch.exp(EQKP - EQKP[:, -1:])
    return w, r


@address_table
def query_max_pairs(v: int) -> tuple[Tensor, Tensor]:
    """All (q, m) with q <= m as two int64 vectors of length v (v + 1) / 2, ordered by m, then q."""
    m, q = torch.tril_indices(v, v)
    return q, m


def pair_number(q: Tensor, m: Tensor) -> Tensor:
    """Where (q, m) stands in `query_max_pairs`."""
    return m * (m + 1) // 2 + q


@address_table
def at_maximum(v: int) -> Tensor:
    """int64 [pairs]: the number of the pair (m, m), for each pair (q, m)."""
    _, m = query_max_pairs(v)
    return pair_number(m, m)
