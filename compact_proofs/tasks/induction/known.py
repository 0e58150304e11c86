"""Costs of single inputs of a case: the last row of layer 1 is known where every token is."""

from __future__ import annotations

import torch
from torch import Tensor

from compact_proofs.length import stage
from compact_proofs.tasks.induction.leads import Cases


def input_costs(cases: Cases) -> Tensor:
    """Bound sum_{k != c} rho_k e^{-(s_c - s_k)} from above for each input of some cases: [g, J, ..., J], an axis a free place.

    With w_alpha the weights of the last row's atoms, all of them known, and Z their sum, s_c - s_k is at least (see `Cases.ahead`)

        answer(q, a) - other(q, u, v) + sum_alpha w_alpha (composed_answer(alpha; q, a) - composed_key(alpha; u, v)) / Z

    for each key k < f; key f is bounded as for the whole case (`Cases.ahead_of_last`). Infinite where a gain is not positive.
    Choices of free tokens are numbered, those with equal ones among them, which no input has. Cost: about 8 a choice and key.
    """
    place, axes, case = cases.place, len(cases.free), cases.case
    q, a = cases.q, cases.a
    ratios, valid = cases.ratios()
    last = torch.exp(-cases.ahead_of_last()) * ratios[cases.n - 1][:, 0]

    def aligned(x: Tensor, axis: int | None = None) -> Tensor:
        """[g], or [g, J] along one of the axes."""
        return x.reshape(len(x), *(-1 if axis == j else 1 for j in range(axes)))

    with stage("inputs"):
        token = {m: aligned(s) for m, s in cases.known} | {m: aligned(cases.tokens, j) for j, m in enumerate(cases.free)}
        here, query = aligned(case), aligned(q)
        weight = {m: cases.weight[here, m, s] for m, s in token.items()}
        of_answer = place.composed_answer[q, a]  # [g, m, s]
        total = _sum([*weight.values()])
        gained = _sum([w * of_answer[here, m, token[m]] for m, w in weight.items()])
        cost = aligned(last)
        for k, other in place.others.items():
            v = token[k]
            u = token[k - 1] if k else torch.zeros_like(v)
            behind = other[query, u, v] - aligned(place.answer[q, a])
            lost = _sum([w * place.composed_keys[k][m, token[m], u, v] for m, w in weight.items()])
            cost = cost + ratios[k][here, v] * torch.exp((lost - gained) / total + behind)
        return torch.where(aligned(valid), cost, torch.inf)


def _sum(terms: list[Tensor]) -> Tensor:
    """Add tensors of shapes that broadcast, the smallest first."""
    first, *others = sorted(terms, key=Tensor.numel)
    return sum(others, first)
