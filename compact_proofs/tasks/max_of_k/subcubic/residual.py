"""Ten ways to bound the attention scores, by the remainder of EQKE that they leave unexplained."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from torch import Tensor

from compact_proofs.bounds import products
from compact_proofs.core.strategy import Explanation, Spec
from compact_proofs.length import stage
from compact_proofs.models.attention_only import AttentionOnlyTransformer
from compact_proofs.tasks.max_of_k.subcubic.peeling import FACTORS, LEADING, Peeling


class Residual(ABC):
    """Scores that are right up to a bounded error: for every query q and all tokens k, k',

    ``|(EQKE[q, k] - EQKE[q, k']) - (scores[q, k] - scores[q, k'])| <= slack[q]``.
    """

    @abstractmethod
    def scores(self, model: AttentionOnlyTransformer, explanation: Explanation) -> tuple[Tensor, Tensor | None]:
        """Return `scores` [v, v] and `slack` [v], or None for a slack of 0; both divided by sqrt(d_head)."""

    def specs(self, model: AttentionOnlyTransformer) -> dict[str, Spec]:
        """What the explanation must hold."""
        return {}

    def explain(self, model: AttentionOnlyTransformer) -> dict[str, Tensor]:
        """Find it (untrusted)."""
        return {}

    @abstractmethod
    def dimension(self, v: int, d: int) -> int:
        """Unexplained dimension of the scores."""


class Exact(Residual):
    """EQKE itself, no remainder: 2 v^2 d + O(v d^2) operations; unexplained dimension v^2."""

    def scores(self, model: AttentionOnlyTransformer, explanation: Explanation) -> tuple[Tensor, None]:
        with stage("QK"):
            query = model.W_E + model.W_pos[-1]
            return (query @ (model.W_Q @ model.W_K.mT / model.attn_scale())) @ model.W_E.mT, None

    def dimension(self, v: int, d: int) -> int:
        return v * v


@dataclass(frozen=True)
class Remainder(Residual):
    """EQKE = low rank + R (`Peeling`); the scores are the low-rank part, and the slack bounds the row differences of R.

    R[q, k] - R[q, k'] is what the scores miss, so any upper bound of row q's range, in both directions, is a slack.

    Attributes
    ----------
    peeling
        What the low-rank part is.
    row_differences
        One of `bounds.products`, with its inequality and cost.
    worst_case
        Numbers that the bound treats by their worst case, for v tokens and width d.
    """

    peeling: Peeling
    row_differences: Callable[[products.Factors], Tensor]
    worst_case: Callable[[int, int], int]

    def scores(self, model: AttentionOnlyTransformer, explanation: Explanation) -> tuple[Tensor, Tensor]:
        with stage("QK"):
            split = self.peeling.split(model, explanation)
            scores = (split.left / model.attn_scale()) @ split.right
        with stage("residual"):
            slack = self.row_differences(split.factors) / model.attn_scale()
        return scores, slack.expand(model.d_vocab)

    def specs(self, model: AttentionOnlyTransformer) -> dict[str, Spec]:
        return self.peeling.specs(model)

    def explain(self, model: AttentionOnlyTransformer) -> dict[str, Tensor]:
        return self.peeling.explain(model)

    def dimension(self, v: int, d: int) -> int:
        """The low-rank part's 2 v rank numbers, and what the bound of the remainder treats by the worst case."""
        return 2 * v * self.peeling.rank + self.worst_case(v, d)


def _rows(v: int, d: int) -> int:
    """A range for every row."""
    return v


def _rows_and_ranges(v: int, d: int) -> int:
    """A range for every row, and one for every direction inside."""
    return v + d


def _with_mean(v: int, d: int) -> int:
    """`_rows_and_ranges` and the mean row."""
    return 2 * v + d


def _levels(v: int, d: int) -> int:
    """A range for every row, at every one of four levels."""
    return v + 3 * d


def _levels_with_mean(v: int, d: int) -> int:
    """`_levels` and the mean row."""
    return 2 * v + 3 * d


def _levels_with_means(v: int, d: int) -> int:
    """`_levels` and a mean row at each of three levels."""
    return 4 * v + 3 * d


_mean_best_break = partial(products.best_break, at=products.mean_break)

RESIDUALS: dict[str, Residual] = {
    "exact_EQKE+max_diff_exact": Exact(),
    "max_diff_exact": Remainder(LEADING, products.exact_range, _rows),
    "max_diff": Remainder(LEADING, products.best_break, _rows_and_ranges),
    "mean+max_diff": Remainder(LEADING, _mean_best_break, _with_mean),
    "max_diff_subproduct": Remainder(FACTORS, products.best_break, _rows_and_ranges),
    "mean+max_diff_subproduct": Remainder(FACTORS, _mean_best_break, _with_mean),
    "max_diff_subproduct_recursive": Remainder(FACTORS, products.recursive, _levels),
    "mean+max_diff_subproduct_recursive": Remainder(FACTORS, partial(products.recursive, means=1), _levels_with_mean),
    "mean_recursive+max_diff_subproduct_recursive": Remainder(FACTORS, partial(products.recursive, means=3), _levels_with_means),
    "svd": Remainder(LEADING, products.spectral, lambda v, d: 1),
}
"""By the names of the published code: what is split off, then how the row differences of the rest are bounded."""
