"""Weighted means with free terms, bounded at a hinted value (Dinkelbach's parametric form of a ratio).

**Theorem.** Let r = (S + sum_m w_m(t_m) F_m(t_m)) / Z with Z = W + sum_m w_m(t_m) over free choices t_m, and 0 < low <= Z <= high.
For any real h,

    r = h + (S - h W + sum_m w_m(t_m) (F_m(t_m) - h)) / Z,

and the numerator is at least sigma = S - h W + sum_m min_t w_m(t) (F_m(t) - h), one minimum for each free choice. So r >= h +
sigma / high if sigma >= 0, else r >= h + sigma / low: in both cases ``r >= h + min(sigma / low, sigma / high)``. At the least ratio
sigma = 0 and the bound is exact: the prover finds that h by iteration, the verifier evaluates the bound once.
"""

from __future__ import annotations

import torch
from torch import Tensor


def ratio_at_least(hint: Tensor, sigma: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """Bound the mean from below at a hint.

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
    """The same from above: ``sigma = S - h W + sum_m max_t w_m(t) (F_m(t) - h)``, and r <= h + max(sigma / low, sigma / high)."""
    return hint + torch.maximum(sigma / low, sigma / high)


def moved_mean(known: Tensor, share: Tensor, extreme: Tensor) -> Tensor:
    """Bound a mean that gives all but a `share` of its weight to a known value: ``known + share (extreme - known)``.

    An upper bound if `extreme` is one of every value, a lower bound if it is a lower bound of every value: for weights a_m of sum
    1, sum_m a_m F_m - F_c = sum_{m != c} a_m (F_m - F_c) <= (1 - a_c) (extreme - F_c), and `share` is at least 1 - a_c, while
    extreme - F_c has one sign because F_c is among the values. Cost: 3 for each entry.
    """
    return known + share * (extreme - known)
