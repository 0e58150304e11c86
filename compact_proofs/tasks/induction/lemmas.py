"""The three inequalities that every proof of the folder stands on: leak (L), ratio at a hint (R), decision (D).

All hold for real numbers, whatever the hints are; each function is ordinary PyTorch, under any of the four readings.
"""

from __future__ import annotations

import torch
from torch import Tensor

from compact_proofs.enclosure import provably
from compact_proofs.length import address_table


def leak(scores: Tensor, D: int, shift: Tensor | float = 0.0) -> Tensor:
    """Bound how much of its attention a place of layer 1 gives to places other than the one before it.

    Lemma L. Place k holds token v, place k - 1 token u, and e_k(m) > 0 is the exponential of k's score for place m <= k. With
    L = e_k(k) + sum_{m < k-1} max_t e_k(m; t), the share 1 - A_k(k-1) = rest / (rest + e_k(k-1)) is at most

        lam(k, v, u) = L / (L + e_k(k-1; u)),

    because rest <= L and x / (x + e) increases with x. Hence, for any F and any G >= F(k-1),

        sum_m A_k(m) F(m)  <=  F(k-1) + lam (G - F(k-1))    if G >= F(m) for every m <= k

    and the same with >= for G below every F(m): see `leaked`.

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


def leaked(before: Tensor, lam: Tensor, extreme: Tensor) -> Tensor:
    """Bound a mean over a row of layer 1 by Lemma L (see `leak`): ``before + lam (extreme - before)``.

    An upper bound if `extreme` is one of every value, a lower bound if it is a lower bound of every value: 1 - A_k(k-1) <= lam, and
    what is multiplied has one sign, since `before` is among the values. Cost: 3 for each entry.
    """
    return before + lam * (extreme - before)


def ratio_at_least(hint: Tensor, sigma: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """Bound a weighted mean whose tokens are free from below, at a hinted value.

    Lemma R. Let r = (S + sum_m w_m(t_m) F_m(t_m)) / Z with Z = W + sum_m w_m(t_m) over free tokens t_m, and 0 < low <= Z <= high.
    For any real h, r = h + (S - h W + sum_m w_m(t_m) (F_m(t_m) - h)) / Z, and the numerator is at least

        sigma = S - h W + sum_m min_t w_m(t) (F_m(t) - h).

    So r >= h + sigma / high if sigma >= 0, else r >= h + sigma / low: in both cases r >= h + min(sigma / low, sigma / high). At the
    least ratio itself sigma = 0, and the bound is exact: the prover finds that h by iteration, the verifier evaluates once.

    Parameters
    ----------
    hint : [...]
        h, any number.
    sigma : [...]
        As above; a lower bound of it is enough.
    low, high : [...]
        Bounds of the denominator. Where `low` is not provably positive the quotient is unbounded, and nothing is proven.

    Cost: 4 for each entry.
    """
    return hint + torch.minimum(sigma / low, sigma / high)


def ratio_at_most(hint: Tensor, sigma: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """Lemma R from above: ``sigma = S - h W + sum_m max_t w_m(t) (F_m(t) - h)``, and r <= h + max(sigma / low, sigma / high)."""
    return hint + torch.maximum(sigma / low, sigma / high)


def harm_ratio(harm: Tensor, gain: Tensor, least_gain: float = 0.0) -> tuple[Tensor, Tensor]:
    """Bound how much another key can harm, in units of what the answer's key gains.

    Lemma D. Let key c (which holds the answer a) prefer a to every b by at least J_b, and let each other key k prefer b to a by at
    most N_kb, all of the residual stream included: with the last layer's weights e^{s_k} and their sum Z,

        Z (l_a - l_b)  >=  e^{s_c} J_b - sum_{k != c} e^{s_k} N_kb.

    If every J_b > 0 and rho_k >= max(0, max_b N_kb / J_b), the right-hand side is at least
    J_b (e^{s_c} - sum_k rho_k e^{s_k}), so **sum_{k != c} rho_k e^{s_k - s_c} < 1 implies that a beats every b**.

    Parameters
    ----------
    harm : [..., b]
        Upper bounds of N.
    gain : [..., b]
        Lower bounds of J; broadcast against `harm`.
    least_gain
        For training: gains below it are replaced, so that the loss stays finite. 0 in a proof.

    Returns
    -------
    ratio, valid
        rho [...], at least 1e-9 (so that its logarithm exists), and bool [...]: every J_b is provably positive.

    Cost: 1 for each entry of `gain` and 2 for each of `harm`.
    """
    inverse = 1 / (gain.clamp(min=least_gain) if least_gain else gain)
    return (harm * inverse).amax(-1).clamp(min=1e-9), provably(gain.amin(-1) > 0)
