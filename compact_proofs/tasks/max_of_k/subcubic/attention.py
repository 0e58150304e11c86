"""Two ways to use the attention to the maximum: with a part that all queries share, or for each query alone.

Fix the maximum m and the number c of other tokens. Of each query the verifier knows a lower bound a of the attention to m; what
attending to m adds to output x is R[x] = EVOU[m, x] - EVOU[m, m]. It must bound ``common[x] + a R[x]`` over x != m, where `common`
does not depend on the query.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from compact_proofs.core.strategy import Explanation, Spec
from compact_proofs.models.attention_only import AttentionOnlyTransformer


@dataclass(frozen=True)
class Right:
    """What attending to the maximum m does.

    Attributes
    ----------
    by_output : [v, v - 1]
        R[x] for each m, x in the order of `others`.
    best, worst : [v]
        max_x R[x] and min_x R[x].
    """

    by_output: Tensor
    best: Tensor
    worst: Tensor


class Attention(ABC):
    """A bound ``common[x] + a R[x] <= shared[c, m] + rest(a)`` for all x != m and a >= 0, where `rest` grows by at most max R."""

    typical: ClassVar[bool]
    """Does it read a typical attention for each (c, m) from the explanation?"""

    @abstractmethod
    def shared(self, common: Tensor, right: Right, explanation: Explanation) -> Tensor:
        """Return `shared` [n_ctx, v], or [1, v] if it does not depend on c."""

    @abstractmethod
    def rest(self, a: Tensor, right: Right, c: Tensor, m: Tensor, explanation: Explanation) -> Tensor:
        """Return `rest` for each a [n] of a case with c other tokens and maximum m."""

    def specs(self, model: AttentionOnlyTransformer) -> dict[str, Spec]:
        """What the explanation must hold."""
        return {}


class MeanAndDifference(Attention):
    """A typical attention b, common to all queries, is used output by output; the difference a - b is taken at its worst.

    common[x] + a R[x] = (common[x] + b R[x]) + (a - b) R[x] for every real b. The first bracket is maximised over x once for all
    queries; (a - b) R[x] is at most (a - b) max R where a >= b, and **(a - b) min R where a < b**: the larger of both products
    in either case. (The published code takes max R in both, and b = the mean over queries; here b is the explanation's.)

    3 n_ctx v^2 operations, and 4 for each case.
    """

    typical: ClassVar[bool] = True

    def shared(self, common: Tensor, right: Right, explanation: Explanation) -> Tensor:
        return (common + explanation["attention"][:, :, None] * right.by_output).amax(-1)

    def rest(self, a: Tensor, right: Right, c: Tensor, m: Tensor, explanation: Explanation) -> Tensor:
        difference = a - explanation["attention"][c, m]
        return torch.maximum(difference * right.best[m], difference * right.worst[m])

    def specs(self, model: AttentionOnlyTransformer) -> dict[str, Spec]:
        return {"attention": Spec((model.n_ctx, model.d_vocab))}


class DropAverage(Attention):
    """max_x common[x] + a max_x R[x], as a >= 0: v^2 operations, and 1 for each case."""

    typical: ClassVar[bool] = False

    def shared(self, common: Tensor, right: Right, explanation: Explanation) -> Tensor:
        return common.amax(-1)[None]

    def rest(self, a: Tensor, right: Right, c: Tensor, m: Tensor, explanation: Explanation) -> Tensor:
        return a * right.best[m]


ATTENTIONS: dict[str, Attention] = {"mean_query+diff": MeanAndDifference(), "drop_average": DropAverage()}
"""By the names of the published code (there: drop_average_query_per_output_logit_reasoning)."""
