"""The published subcubic proofs of Max-of-K (Gross et al. 2024, section 4.3 and appendix), made sound: 5 x 2 x 10 choices."""

from __future__ import annotations

from dataclasses import dataclass
from math import comb
from typing import Annotated, ClassVar

import torch
from torch import Tensor

from compact_proofs.certified import Certified, Counted, whole
from compact_proofs.core.strategy import Explanation, Spec
from compact_proofs.enclosure import provably
from compact_proofs.inputs.task import Task
from compact_proofs.length import stage
from compact_proofs.models.attention_only import AttentionOnlyTransformer
from compact_proofs.models.weights import in_double
from compact_proofs.options import one_of
from compact_proofs.tasks.max_of_k.cubic import sum_of_powers
from compact_proofs.tasks.max_of_k.paths import pair_number
from compact_proofs.tasks.max_of_k.subcubic.attention import ATTENTIONS, Attention
from compact_proofs.tasks.max_of_k.subcubic.cases import choices, know, number_of_gaps
from compact_proofs.tasks.max_of_k.subcubic.direct import DIRECTS, Direct
from compact_proofs.tasks.max_of_k.subcubic.gap_search import find_gaps
from compact_proofs.tasks.max_of_k.subcubic.residual import RESIDUALS, Residual
from compact_proofs.tasks.max_of_k.task import MaxOfKStrategy


@dataclass(frozen=True)
class Subcubic(MaxOfKStrategy):
    """Count sequences by query q, maximum m and number c of other tokens, all of which are at most m - gap.

    **The bound of a case.** Let a be the attention to positions that hold m. For x != m, with R[x] = EVOU[m, x] - EVOU[m, m]:

        l_x - l_m <= EUPU[q, x] - EUPU[q, m]               <= shared[x] - shared[m] + direct[q]   (`direct`: five choices)
                     + max_i (PVOU[i, x] - PVOU[i, m])     attention is a mean over positions
                     + a R[x]                              (`attention`: two choices)
                     + (1 - a) W                           W >= EVOU[k, x] - EVOU[k, m] for the tokens k that are not m

    W is the largest range of a row of EVOU among k <= m - gap and the query (if q < m), and at least max R. Therefore the
    right side does not grow with a, and a lower bound of a may be put in. Such a bound is A / (A + B), relative to the
    weight that m has: A is the sum of the K - 1 - c smallest positional factors (and 1 for the query if q = m), and B is
    exp(max_{k <= m - gap} score[q, k] - score[q, m]) times the sum of the c largest, plus the query's own weight if q < m.
    The scores are known up to a slack in their row differences (`residual`: ten choices), which is added to each difference.

    **The count.** A sequence has one q = t_K, one m, and one number c of positions before the query that do not hold m. If
    the bound of (q, m, c) with its gap is negative, every sequence of that case whose c other tokens are at most m - gap is
    right: the places of these tokens can be chosen in C(K-1, c) ways and each token in m - gap + 1 ways, so
    ``C(K-1, c) (m - gap + 1)^c`` distinct sequences are counted (1 for c = 0, where no gap is needed). Different cases have
    no sequence in common. Every case has its own gap. If q < m then c <= K - 2, since m must stand before the query.

    Cost: 4 v d^2 + 2 v^2 d for EVOU, O(v d^2 + v^2) to O(v^2 d) for the choices, about 15 operations for each of the
    (K - 1) v^2 / 2 cases, O(K v^2) for the positions.

    What differs from the published code. For soundness: min R where the attention is below its mean (there max R), the
    cross terms of every splitting, rounding. For the bound: m - gap + 1 choices (there m - gap), W by each query's own gap
    (there by the least of all), the query's own score and row (there the worst token's, and m - q >= gap was needed).
    For the length: no product of all queries with W_U for the v sequences that hold nothing but m.
    """

    direct: Annotated[str, one_of(DIRECTS)] = "max_diff_exact"
    """EUPU: mean_query+max_diff, svd_query+max_diff, max_diff, max_diff_exact or global_max_diff_exact."""
    attention: Annotated[str, one_of(ATTENTIONS)] = "mean_query+diff"
    """Attention to the maximum: mean_query+diff or drop_average."""
    residual: Annotated[str, one_of(RESIDUALS)] = "exact_EQKE+max_diff_exact"
    """EQKE: exact_EQKE+max_diff_exact, max_diff_exact, [mean+]max_diff, [mean+]max_diff_subproduct, svd or
    [mean+ or mean_recursive+]max_diff_subproduct_recursive."""

    name: ClassVar[str] = "subcubic"
    summary: ClassVar[str] = "published: gaps below the maximum; 5 x 2 x 10 ways to bound the parts; O(v^2 d)"

    @property
    def _parts(self) -> tuple[Direct, Attention, Residual]:
        return DIRECTS[self.direct], ATTENTIONS[self.attention], RESIDUALS[self.residual]

    def explain(self, model: AttentionOnlyTransformer, task: Task) -> dict[str, Tensor]:
        """Find directions by singular value decomposition, then the gaps by bisection."""
        direct, attention, residual = self._parts
        with torch.no_grad():
            model = in_double(model)
            directions = direct.explain(model) | residual.explain(model)
            return directions | find_gaps(know(model, direct, residual, directions), attention)

    def specs(self, model: AttentionOnlyTransformer, task: Task) -> dict[str, Spec]:
        v, K = model.d_vocab, model.n_ctx
        parts = (part.specs(model) for part in self._parts)
        return {name: spec for specs in parts for name, spec in specs.items()} | {"gap": Spec((number_of_gaps(v, K),), (1, v))}

    def verify(self, model: AttentionOnlyTransformer, task: Task, explanation: Explanation) -> Certified:
        proven, tokens = self._proven(model, explanation)
        v, K = model.d_vocab, model.n_ctx
        sizes = [v * (v + 1) // 2] * (K - 1) + [v]
        with stage("counting"):
            counted = torch.where(proven, tokens, 0).split(sizes)
            alone = whole(proven[: sizes[0]].sum())
            count = alone + sum(comb(K - 1, c) * sum_of_powers(counted[c], c) for c in range(1, K))
        return Counted(count, lambda inputs: _holds(proven, tokens, v, inputs))

    def unexplained_dimension(self, model: AttentionOnlyTransformer, task: Task) -> int:
        """EVOU entry by entry, PVOU and EQKP, and what the direct path and the scores leave."""
        v, K, d = model.d_vocab, model.n_ctx, model.d_model
        direct, _, residual = self._parts
        return v * v + 2 * K * v + direct.dimension(v, d) + residual.dimension(v, d)

    def _proven(self, model: AttentionOnlyTransformer, explanation: Explanation) -> tuple[Tensor, Tensor]:
        """Which cases are proven, and how many tokens each of the others may be, in the order of `all_cases`."""
        direct, attention, residual = self._parts
        known = know(model, direct, residual, explanation)
        with stage("cases"):
            tokens = choices(explanation["gap"], model.d_vocab, model.n_ctx).to(known.score.device)
            return provably(known.bounds(tokens, attention, explanation) < 0), tokens


def _holds(proven: Tensor, tokens: Tensor, v: int, inputs: Tensor) -> Tensor:
    """bool [n]: is each sequence's case proven for its other tokens? `proven` and `tokens` in the order of `all_cases`."""
    m, rest = inputs.max(-1).values, inputs[:, :-1]
    is_other = rest < m[:, None]
    c = is_other.sum(-1)
    pairs = v * (v + 1) // 2
    case = c * pairs + torch.where(c == inputs.shape[1] - 1, m, pair_number(inputs[:, -1], m))
    return proven[case] & ((rest < tokens[case][:, None]) | ~is_other).all(-1)


COMBINATIONS = tuple(Subcubic(d, a, r) for r in RESIDUALS for d in DIRECTS for a in ATTENTIONS)
"""All 100."""
