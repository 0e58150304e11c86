"""Five ways to bound the direct path EUPU: a part that all queries share, and a worst case for each query."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from compact_proofs.bounds.products import one_break
from compact_proofs.bounds.ranges import spread
from compact_proofs.core.strategy import Explanation, Spec, finite
from compact_proofs.length import stage
from compact_proofs.models.attention_only import AttentionOnlyTransformer


class Direct(ABC):
    """Bounds of the form: for every query q and all outputs x, m,

    ``EUPU[q, x] - EUPU[q, m] <= shared[x] - shared[m] + worst[q]``.

    What is shared is combined with the other paths output by output; the rest is taken at its worst.
    """

    @abstractmethod
    def split(self, model: AttentionOnlyTransformer, explanation: Explanation) -> tuple[Tensor | None, Tensor]:
        """Return `shared` [v], or None for zeros, and `worst` [v]."""

    def specs(self, model: AttentionOnlyTransformer) -> dict[str, Spec]:
        """What the explanation must hold."""
        return {}

    def explain(self, model: AttentionOnlyTransformer) -> dict[str, Tensor]:
        """Find it (untrusted)."""
        return {}

    @abstractmethod
    def dimension(self, v: int, d: int) -> int:
        """Unexplained dimension of the direct path."""


@dataclass(frozen=True)
class ExactRange(Direct):
    """Nothing shared; worst[q] is the range of row q of EUPU, or for all queries the largest of these: 2 v^2 d operations.

    (The published ``global_max_diff_exact`` takes the range of the whole matrix, which is never smaller than the largest row's.)
    """

    pooled: bool

    def split(self, model: AttentionOnlyTransformer, explanation: Explanation) -> tuple[None, Tensor]:
        with stage("EU"):
            worst = spread((model.W_E + model.W_pos[-1]) @ model.W_U)
            return None, worst.amax().expand(model.d_vocab) if self.pooled else worst

    def dimension(self, v: int, d: int) -> int:
        """One range, or one for every query."""
        return 1 if self.pooled else v


class MaxDiff(Direct):
    """Nothing shared; worst[q] = sum_j |query[q, j]| range(W_U[j]) with query = W_E + W_pos[-1] (`one_break`): O(v d)."""

    def split(self, model: AttentionOnlyTransformer, explanation: Explanation) -> tuple[None, Tensor]:
        with stage("EU"):
            return None, one_break(model.W_E + model.W_pos[-1], model.W_U)

    def dimension(self, v: int, d: int) -> int:
        """Every entry of the queries, and a range for every direction."""
        return v * d + d


@dataclass(frozen=True)
class SharedQuery(Direct):
    """One vector z stands for all queries: query[q] = z + (query[q] - z) holds exactly for every z.

    So shared = z W_U, and worst[q] = sum_j |query[q, j] - z_j| range(W_U[j]) (`one_break`). O(v d). z is the explanation's.

    Attributes
    ----------
    find
        Finds z from the queries [v, d] and W_U.
    """

    find: Callable[[Tensor, Tensor], Tensor]

    def split(self, model: AttentionOnlyTransformer, explanation: Explanation) -> tuple[Tensor, Tensor]:
        z = explanation["shared_query"]
        with stage("EU"):
            worst = one_break(model.W_E + (model.W_pos[-1] - z), model.W_U)
            return (z[None] @ model.W_U).squeeze(0), worst

    def specs(self, model: AttentionOnlyTransformer) -> dict[str, Spec]:
        return {"shared_query": Spec((model.d_model,))}

    def explain(self, model: AttentionOnlyTransformer) -> dict[str, Tensor]:
        z = self.find(model.W_E + model.W_pos[-1], model.W_U)
        return {"shared_query": finite(z)}

    def dimension(self, v: int, d: int) -> int:
        """What `MaxDiff` has, and the shared output."""
        return v * d + d + v


def _mean(query: Tensor, W_U: Tensor) -> Tensor:
    return query.mean(0)


def _singular(query: Tensor, W_U: Tensor) -> Tensor:
    """The average of the queries' components along the leading left singular vector u of EUPU: mean(u) u^T query."""
    u = torch.linalg.svd(finite(query @ W_U))[0][:, 0]
    return u.mean() * (u @ query)


DIRECTS: dict[str, Direct] = {
    "mean_query+max_diff": SharedQuery(_mean),
    "svd_query+max_diff": SharedQuery(_singular),
    "max_diff": MaxDiff(),
    "max_diff_exact": ExactRange(pooled=False),
    "global_max_diff_exact": ExactRange(pooled=True),
}
"""By the names of the published code."""
