"""Lower bounds of the share of all directions that lie in a simplicial cone.

That share is the cone's probability under every law on R^n that rotations do not change and that is not 0 with positive
probability: such a law's direction is uniformly distributed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Literal

import torch
from torch import Tensor

from compact_proofs.cones.cone import Cones
from compact_proofs.enclosure import lower, pi


def by_jensen(cones: Cones) -> Tensor:
    """Return lower bounds of the shares, as real numbers [B]: the lower ends of their enclosures are proven.

    With V the rays, P = Gamma(n/2) / (2 pi^(n/2)) |det V| times the integral of u(l)^(-n/2) over the simplex l_k >= 0, sum l_k =
    1, where u(l) = |sum_k l_k v_k|^2. Since u^(-n/2) is convex in u and the simplex has the measure 1 / (n-1)!, Jensen's
    inequality gives

        P >= c |det V| ubar^(-n/2),    c = Gamma(n/2) / (2 pi^(n/2) (n-1)!),

    where ubar = (|sum_k v_k|^2 + sum_k |v_k|^2) / (n (n+1)) is the mean of u: for uniform l the mean of l_i l_j is 1 / (n (n+1)),
    and twice that for i = j.

    *Proof of the formula.* P is the integral of the standard normal density over the cone. With x = r sum l_k v_k, dx is
    |det V| r^(n-1) dr dl, and the integral of r^(n-1) exp(-r^2 u / 2) over r > 0 is 2^(n/2-1) Gamma(n/2) u^(-n/2).

    For rays of equal length the relative error is of the fourth order in the diameter. *Cost.* 3 n^2 + 2 n + 10 operations a cone.
    """
    n = cones.n
    mean = (cones.rays.sum(1).square().sum(-1) + cones.rays.square().sum((-1, -2))) / (n * (n + 1))
    power = mean ** (n // 2) * mean.sqrt() if n % 2 else mean ** (n // 2)
    return cones.volume / (power * share_constant(n, cones.rays.device))


def share_constant(n: int, device: torch.device) -> Tensor:
    """1 / c of `by_jensen`: 2 pi^(n/2) (n-1)! / Gamma(n/2).

    Gamma(n/2) is (n/2 - 1)! for even n, and (n-2)!! sqrt(pi) / 2^((n-1)/2) for odd n.
    """
    if n % 2 == 0:
        return pi(device) ** (n // 2) * float(2 * math.factorial(n - 1) // math.factorial(n // 2 - 1))
    odd = math.prod(range(n - 2, 0, -2))
    return pi(device) ** (n // 2) * float(2 ** ((n + 1) // 2) * math.factorial(n - 1)) / float(odd)


STEPS = 4
"""Iterations that find the m of `by_mean_field`."""
LARGEST_M = 5.0
"""So that 1 - erf(m / sqrt 2) is known to nine digits."""
MeasureName = Literal["jensen", "both"]
"""`by_jensen`, or the better of it and `by_mean_field`."""


def by_mean_field(cones: Cones) -> Tensor:
    """Return lower bounds of the shares, as real numbers [B], that are better than `by_jensen` for large cones in many dimensions.

    With V the rays, scaled to length 1, and G = V V^T, P = |det V| (2 pi)^(-n/2) times the integral of exp(-l'Gl / 2) over l >= 0.
    By the inequality of Gibbs and Bogoliubov the logarithm of the integral is at least

        sum_k (log Z(m_k) + m_k mu_k) - 1/2 sum_{k != l} G_kl mu_k mu_l,
        Z(m) = exp(m^2 / 2) sqrt(pi / 2) (1 - erf(m / sqrt 2)),    mu_k = 1 / Z(m_k) - m_k,

    for *any* real numbers m_k.

    *Proof.* Let q be the density that is the product of exp(-l_k^2 / 2 - m_k l_k) / Z(m_k) for l_k >= 0; Z(m) is that integral, and
    mu_k the mean of l_k under q. By Jensen's inequality log of the integral of exp(-H) is at least the mean of -H - log q under q,
    for H = l'Gl / 2. Since G_kk = 1, the terms with l_k^2 cancel, and the means of products of different l_k are products of means.

    m is found by a few steps towards m_k = sum_{l != k} G_kl mu_l, with (sqrt(m^2 + 2 pi) - m) / pi in place of mu, and is at most
    5.

    *Cost.* About 12 n^2 + 30 n operations a cone.
    """
    n = cones.n
    length = cones.rays.square().sum(-1).sqrt()
    V = cones.rays / length[..., None]
    G = (V @ V.mT) * (1 - torch.eye(n, dtype=torch.float64, device=V.device))
    two_pi = 2 * pi(V.device)
    guide, tau = lower(G), lower(two_pi)
    m = torch.zeros(cones.rays.shape[:2], dtype=torch.float64, device=V.device)
    for _ in range(STEPS):
        mean = lower(2 * ((m.square() + tau).sqrt() - m) / tau)
        m = lower((guide @ mean[..., None])[..., 0]).clamp(-LARGEST_M, LARGEST_M)
    two = torch.full((), 2.0, dtype=torch.float64, device=V.device)
    Z = (m.square() / 2).exp() * (two_pi / 4).sqrt() * (1 - torch.erf(m / two.sqrt()))
    mu = 1 / Z - m
    exponent = (Z.log() + m * mu).sum(-1) - (mu * (G @ mu[..., None])[..., 0]).sum(-1) / 2
    whole = two_pi ** (n // 2) * two_pi.sqrt() if n % 2 else two_pi ** (n // 2)
    return cones.volume / length.prod(-1) * exponent.exp() / whole


def by_both(cones: Cones) -> Tensor:
    """The better of the two bounds, [B]."""
    return torch.maximum(by_jensen(cones), by_mean_field(cones))


MEASURES: Mapping[MeasureName, Callable[[Cones], Tensor]] = {"jensen": by_jensen, "both": by_both}
"""Bounds of measures by name."""
