"""Strategy X, for long sequences and any two-layer model: expected exponentials of gaps, in place of their worst cases."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from compact_proofs.certified import Certified
from compact_proofs.certified.integers import lower_bounds
from compact_proofs.core.strategy import Explanation, Spec
from compact_proofs.enclosure import possibly, provably
from compact_proofs.inputs.task import Task
from compact_proofs.length import charge_integers, stage
from compact_proofs.models.attention_stack import AttentionStack
from compact_proofs.models.weights import in_double
from compact_proofs.progress import track
from compact_proofs.shards import each
from compact_proofs.tasks.induction.gaps import Gaps
from compact_proofs.tasks.induction.hints import Hints, Search
from compact_proofs.tasks.induction.task import Induction, InductionStrategy

STEEPNESSES = (1.5, 2.0, 3.0)
"""Those that are tried, in units of one over the mean of a row's weights."""
LEAST_SHARE = 1e-6
"""Of a key, in the search."""


@dataclass(frozen=True)
class FarKeys(Certified):
    """The inputs on which every key is far enough; counted case by case, from below, by how many others there can be.

    Attributes
    ----------
    task, gaps
        The task, and its bounds.
    shares : [n - 2, D, n]
        As in the explanation.
    right : list of int
        How many inputs of each case (i, row) are counted, place after place.
    """

    task: Induction
    gaps: Gaps
    shares: Tensor
    right: list[int]

    @property
    def size(self) -> int:
        return sum(self.right)

    @property
    def exact(self) -> bool:
        return False

    def member(self, inputs: Tensor) -> Tensor:
        return self._all(inputs, provably)

    def excludes(self, inputs: Tensor) -> Tensor:
        return ~self._all(inputs, possibly)

    def _all(self, inputs: Tensor, decide: Callable[[Tensor], Tensor]) -> Tensor:
        """bool [N]: is every key far enough, by some bounds?"""
        found = torch.zeros(len(inputs), dtype=torch.bool)
        at = self.task.places(inputs)
        for i in at.unique().tolist():
            some = (at == i).nonzero()[:, 0]
            q, a = inputs[some, -1], inputs[some, i + 1]
            far = self.gaps.valid[i, q, a - (a > q).to(torch.int64)]
            for k in range(self.task.n_ctx):
                if k != i + 1:
                    far = far & decide(self.gaps.ahead(i, k, inputs[some], self.shares) > 0)
            found[some] = far
        return found


@dataclass(frozen=True)
class Chernoff(InductionStrategy):
    """Count the inputs of each case on which some key may come too near, by the expected exponential of its gap.

    With w_alpha the weights of the last row of layer 1, its atoms alpha = (m, t_m), and F a lower bound of what each atom adds,
    s_c - s_k >= sum_alpha w_alpha F(alpha) / sum_alpha w_alpha. By Lemma D an input is right if s_c - s_k > g_k for every key
    k != c, where g_k = log rho_k - log beta_k and the shares beta_k add up to 1. If s_c - s_k <= g_k, then for every l > 0 ::

        1  <=  exp(-l sum_alpha w_alpha (F(alpha) - g_k))  =  prod_alpha exp(-l w_alpha (F(alpha) - g_k)),

    so that the sum of the right side over a case's inputs is at least the number of inputs on which key k is too near (Markov, with
    Chernoff's exponential), and the denominator does no harm. Given the tokens u, v of places k - 1 and k, the product has one
    factor for each other free place, and its sum over tokens that differ is at most the product of sums over tokens other than
    q, a, u, v. Summed over keys, that is how many inputs of the case may be wrong.

    F(alpha) = C(q, i, a) + c(alpha; q, i, a) - X_k(q, u, v) - r_k(alpha; u, v): the numbers of `Rows`, and what query parts add
    (both in `Gaps`), each at the worst over what layer 1 copies from elsewhere. Since rho_k(v) is bounded by a number of the case
    times one of (q, k, v), each factor is one of (i, a; alpha) times one of (k, u, v; alpha), and its sum over tokens is a
    product of matrices. For the last key, r_f(alpha) bounds the mean of TO(q; beta) + OO(alpha; beta) over the row itself: OO is
    a sum of a number of alpha, one of beta, and the rest; the first two are taken exactly, the rest at its largest mean.

    Worst cases over all tokens of a long sequence hardly ever occur, and are what `Pairs` loses; their mean does not.

    Explanation: log l for each query, log-shares for each (i, q, k), and ratios for Lemma R: any numbers will do.

    Cost: 2 (n - 5) D for each (q, i, a, k, u, v), n^3 D^5 in all, as products of matrices; 3 n^3 D^4 / 2 for what query parts add.
    """

    name: ClassVar[str] = "chernoff"
    summary: ClassVar[str] = "any two-layer model, long sequences: expected exponentials of gaps, no worst tokens; O(n^3 D^5)"

    def search_operations(self, model: AttentionStack, task: Task, length: int) -> int:
        """A part of the proof for each steepness that is tried, and the proof; Newton's method for ratios, measured."""
        return 3 * length

    def specs(self, model: AttentionStack, task: Task) -> dict[str, Spec]:
        D, n = model.d_vocab, model.n_ctx
        ratios = (n - 2, D * (D - 1), D - 1)
        return {
            "steepness": Spec((D,)),
            "shares": Spec((n - 2, D, n)),
            "last": Spec((D, n, D)),
            "direct": Spec(ratios),
            "last_harm": Spec(ratios),
        }

    def explain(self, model: AttentionStack, task: Task) -> dict[str, Tensor]:
        """Iterate ratios to their fixed points, try some steepnesses on few places, and share out among keys by what each costs."""
        assert isinstance(task, Induction)
        hints = Search(self.specs(model, task))
        with torch.no_grad():
            gaps = Gaps(in_double(model), hints)
            D, n = gaps.t.sizes
            few = sorted({0, (n - 2) // 2, n - 3})
            for q in track(range(D), "queries"):
                scale = float(gaps.t.weight[-1][q].mean(1).sum())
                tried = [math.log(x / scale) for x in STEEPNESSES]
                equal = torch.zeros(n - 2, n, dtype=torch.float64)
                lost = [
                    float((gaps.failing(q, torch.tensor(x).double(), equal, few).sum(0) / task.case_size).clamp(max=1).mean())
                    for x in tried
                ]
                best = min(range(len(tried)), key=lost.__getitem__)
                hints.values["steepness"][q] = tried[best]
                costs = gaps.failing(q, hints.values["steepness"][q], equal, list(range(n - 2))) / task.case_size  # [k, i, a]
                mean = costs.nan_to_num(1.0, 1.0).clamp(LEAST_SHARE, 1e3).mean(2).T  # [i, k]
                hints.values["shares"][:, q] = torch.log(mean) / (1 + STEEPNESSES[best])
        return {name: values.nan_to_num(0.0, 0.0, 0.0) for name, values in hints.values.items()}

    def verify(self, model: AttentionStack, task: Task, explanation: Explanation) -> Certified:
        assert isinstance(task, Induction)
        device = model.W_E.device
        hints = Hints(explanation, device)
        gaps = Gaps(model, hints)
        D, n = gaps.t.sizes
        steepness, shares, every = hints.values["steepness"], hints.values["shares"], list(range(n - 2))

        def failing(q: int) -> Tensor:
            return gaps.failing(q, steepness[q], shares[:, q], every).sum(0)

        def possible(q: int, found: Tensor) -> bool:
            return isinstance(found, Tensor) and found.shape == (n - 2, D - 1)

        _ = gaps.keys, gaps.scores, gaps.answered  # which all queries read
        number = torch.stack(list(each(failing, list(range(D)), "queries", possible)), 1)  # [i, q, a]
        with stage("counting"):
            number = torch.where(gaps.valid, number, torch.inf)
            charge_integers(3 * gaps.valid.numel())
            most = [] if number.is_meta else [-x for x in lower_bounds(-number).flatten().tolist()]
        size = task.case_size
        right = [size - math.floor(max(x, 0.0)) if x < size else 0 for x in most]
        return FarKeys(task, gaps, shares, right)

    def unexplained_dimension(self, model: AttentionStack, task: Task) -> int:
        """A number for every case, key and two tokens."""
        D, n = model.d_vocab, model.n_ctx
        return (n - 2) * (n - 1) * D**4
