"""The prefix certificate: for each query and maximum, all sequences whose other tokens are small enough, at once.

Longer than the additive certificate and never better; it is the simplest compact proof whose checker is verified in Coq
(``formal/Prefix.v``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from compact_proofs.bounds.indices import others
from compact_proofs.certified import Certified, Counted
from compact_proofs.core.strategy import Explanation, Spec
from compact_proofs.enclosure import provably
from compact_proofs.errors import BadInput
from compact_proofs.inputs.task import Task
from compact_proofs.length import charge_integers, stage
from compact_proofs.models.attention_only import AttentionOnlyTransformer
from compact_proofs.models.weights import in_double
from compact_proofs.tasks.max_of_k.paths import LazyPaths, attention_weights
from compact_proofs.tasks.max_of_k.task import MaxOfKStrategy

LARGEST_TABLE = 2**25
"""Entries K v^3 of the table of one query."""


@dataclass(frozen=True)
class Prefix(MaxOfKStrategy):
    """Count sequences by query q and maximum m whose other tokens are below a hinted bound a(q, m).

    Multiplied by the softmax's denominator, the lead of m over x is additive over positions (see `BruteForce`):
    ``sum_i D_i[t_i, x]`` with ``D_i[t, x] = F_i[t, m] - F_i[t, x]``. Let ``any_i[x]`` be the minimum of D_i[t, x] over the
    allowed t, those below a and m itself. If ``sum_{i != p} any_i + D_p[m] + D_K[q] > 0`` for all x != m, every sequence of
    allowed tokens with m at position p is right; if that holds for every p < K, so is every one in which m occurs, which are
    (a + 1)^(K-1) - a^(K-1). If q = m, ``sum_i any_i + D_K[q] > 0`` is enough, for all (a + 1)^(K-1).

    Cost: about 3 K v^4, for the running minima of every query and maximum.
    """

    name: ClassVar[str] = "prefix"
    summary: ClassVar[str] = "all small enough other tokens at once: the simplest compact proof that is verified in Coq; O(v^4 K)"

    def applies_to(self, model: AttentionOnlyTransformer, task: Task) -> None:
        super().applies_to(model, task)
        if model.n_ctx * model.d_vocab**3 > LARGEST_TABLE:
            raise BadInput(f"prefix: a table of K v^3 entries is more than {LARGEST_TABLE} for this model; use additive")

    def explain(self, model: AttentionOnlyTransformer, task: Task) -> dict[str, Tensor]:
        """For each (q, m) the largest a for which the claim holds in float64."""
        v = model.d_vocab
        bound = torch.zeros(v, v, dtype=torch.int64)
        with torch.no_grad():
            p = LazyPaths(in_double(model))
            weights = attention_weights(*p.scores)
            for q in range(v):
                leads = _Leads(p, *weights, q)
                for a in range(v):
                    held = leads.claims(torch.full((v,), a)) & (torch.arange(v) >= max(a, q))
                    bound[q, held.cpu()] = a + 1
        return {"bound": bound}

    def specs(self, model: AttentionOnlyTransformer, task: Task) -> dict[str, Spec]:
        """bound[q, m] is a(q, m) + 1, or 0 to claim nothing."""
        return {"bound": Spec((model.d_vocab, model.d_vocab), (0, model.d_vocab))}

    def verify(self, model: AttentionOnlyTransformer, task: Task, explanation: Explanation) -> Certified:
        p, v, n = LazyPaths(model), model.d_vocab, model.n_ctx - 1
        w, r = attention_weights(*p.scores)
        bound = explanation["bound"].cpu()
        count, rows = 0, []
        for q, allowed in enumerate(bound):
            rows.append(_held(_Leads(p, w, r, q), allowed))
            with stage("counting"):
                charge_integers(4 * v)
                if rows[-1].is_meta:
                    continue
                for m, (claimed, holds) in enumerate(zip(allowed.tolist(), rows[-1].tolist(), strict=True)):
                    count += claimed**n - (0 if q == m else (claimed - 1) ** n) if holds else 0
        held = torch.stack(rows)

        def holds_for(inputs: Tensor) -> Tensor:
            q, m = inputs[:, -1], inputs.amax(-1)
            small = inputs[:, :-1] < bound[q, m][:, None] - 1
            return held[q, m] & (small | (inputs[:, :-1] == m[:, None])).all(-1)

        return Counted(count, holds_for)


def _held(leads: _Leads, allowed: Tensor) -> Tensor:
    """bool [m]: something is claimed for (q, m), in the right form, and holds."""
    a = allowed - 1
    m = torch.arange(len(a))
    formed = (a >= 0) & (a <= m) & (m >= leads.q)
    return leads.claims(a.clamp(min=0)) & formed.to(leads.own.device)


class _Leads:
    """What tokens at each position add to the lead of m over x != m, under one query."""

    def __init__(self, p: LazyPaths, w: Tensor, r: Tensor, q: int) -> None:
        v, K = p.model.d_vocab, p.model.n_ctx
        EVOU, PVOU = p.values
        self.q, self.v = q, v
        every = torch.arange(v, device=w.device)
        with stage("leads"):
            F = (w[q] * r[q][:, None])[:, :, None] * (EVOU + (PVOU + p.direct[q])[:, None])  # [K, t, x]
            D = F[:, :, :, None] - F[:, :, others(v, device=w.device)]  # [K, t, m, v - 1]
            self.own = D[K - 1, q]  # [m, v - 1]
            self.by_max = D[: K - 1, every, every]  # [K - 1, m, v - 1]
            self.below = -torch.cummax(-D[: K - 1], 1).values  # [K - 1, t, m, v - 1]: the least over tokens up to t

    def claims(self, a: Tensor) -> Tensor:
        """bool [m]: with tokens below a[m] and m allowed, the lead is provably positive wherever m may be."""
        every = torch.arange(self.v, device=self.own.device)
        a = a.to(self.own.device)
        with stage("claims"):
            least = torch.minimum(self.below[:, (a - 1).clamp(min=0), every], self.by_max)
            any_ = torch.where((a > 0)[:, None], least, self.by_max)  # [K - 1, m, v - 1]
            at_own = provably((any_.sum(0) + self.own).amin(-1) > 0)
            elsewhere = torch.ones_like(at_own)
            for p in range(len(any_)):
                rest = torch.cat([any_[:p], any_[p + 1 :], self.by_max[p : p + 1]]).sum(0)
                elsewhere = elsewhere & provably((rest + self.own).amin(-1) > 0)
        return torch.where(every == self.q, at_own, elsewhere)
