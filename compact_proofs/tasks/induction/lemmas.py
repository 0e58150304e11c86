"""The inequalities that every proof of the folder stands on. Lemma L, the leak of layer 1, is here.

Lemma R, a ratio at a hint, is `compact_proofs.bounds.mean`. Lemma D, the decision, is `compact_proofs.bounds.dominance`: its terms
are the last layer's keys k with weights e^{s_k}, and its winning term is the answer's key c. So
**sum_{k != c} rho_k e^{s_k - s_c} < 1 implies that a beats every b**.
"""

from __future__ import annotations

import torch
from torch import Tensor

from compact_proofs.length import address_table

LEAST_RATIO = 1e-9
"""Ratios of Lemma D are raised to it, so that their logarithms exist."""


def leak(scores: Tensor, D: int, shift: Tensor | float = 0.0) -> Tensor:
    """Bound how much of its attention a place of layer 1 gives to places other than the one before it.

    Lemma L. Place k holds token v, place k - 1 token u, and e_k(m) > 0 is the exponential of k's score for place m <= k. With
    L = e_k(k) + sum_{m < k-1} max_t e_k(m; t), the share 1 - A_k(k-1) = rest / (rest + e_k(k-1)) is at most

        lam(k, v, u) = L / (L + e_k(k-1; u)),

    because rest <= L and x / (x + e) increases with x. Hence, for any F and any G >= F(k-1),

        sum_m A_k(m) F(m)  <=  F(k-1) + lam (G - F(k-1))    if G >= F(m) for every m <= k

    and the same with >= for G below every F(m): see `bounds.mean.moved_mean`.

    Parameters
    ----------
    scores : [D + n, D + n]
        Layer 1's score of a query row (tokens, then places) for a key column; a score is the sum of its four parts, that is
        ``score(k, v; m, t) = S[v, t] + S[v, D+m] + S[D+k, t] + S[D+k, D+m]``.
    D
        Number of tokens.
    shift
        How much the logarithm of rest / e_k(k-1) may be larger than these scores say.

    Returns
    -------
    Tensor [n - 1, D, D]
        lam(k, v, u) at [k - 1, v, u].

    Cost: 7 n D^2 + 5 n^2 D.
    """
    n = scores.shape[0] - D
    places, before, earlier = _rows(D, n, device=scores.device)
    token = scores[:D, :D] + scores[D + 1 :, None, :D]  # [k, v, t]
    place = scores[:D, D:] + scores[D + 1 :, None, D:]  # [k, v, m]
    own = token.diagonal(dim1=1, dim2=2) + place[places, :, places + 1]  # [k, v]
    most = token.amax(2, keepdim=True) + place  # [k, v, m]
    rest = torch.cat([own.unsqueeze(2), torch.where(earlier[:, None], most, -torch.inf)], 2)
    previous = token + place[places, :, before].unsqueeze(2)
    return torch.sigmoid(torch.logsumexp(rest, 2, keepdim=True) + shift - previous)


@address_table
def _rows(D: int, n: int) -> tuple[Tensor, Tensor, Tensor]:
    """For k = 1 ... n-1: its row k - 1, the place before it, and which places come before that."""
    row = torch.arange(n - 1)
    return row, row, torch.arange(n) < row[:, None]
