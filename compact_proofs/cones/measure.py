"""Lower bounds of the share of all directions that lie in a simplicial cone.

That share is the cone's probability under every law on R^n that rotations do not change and that is not 0 with positive
probability: such a law's direction is uniformly distributed.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from compact_proofs.cones.cone import Cones
from compact_proofs.enclosure import pi


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
    return cones.volume / (power * _constant(n, cones.rays.device))


def _constant(n: int, device: torch.device) -> Tensor:
    """1 / c = 2 pi^(n/2) (n-1)! / Gamma(n/2), where Gamma(n/2) is (n/2 - 1)!, or (n-2)!! sqrt(pi) / 2^((n-1)/2) for odd n."""
    if n % 2 == 0:
        return pi(device) ** (n // 2) * float(2 * math.factorial(n - 1) // math.factorial(n // 2 - 1))
    odd = math.prod(range(n - 2, 0, -2))
    return pi(device) ** (n // 2) * float(2 ** ((n + 1) // 2) * math.factorial(n - 1)) / float(odd)
