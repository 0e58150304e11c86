"""Simplicial cones by their rays, and cuts along an edge.

A simplicial cone of R^n is the set of all sum_k l_k v_k with l_k > 0, for n linearly independent rays v_k. What is said of cones
here is said of many at once, and holds up to sets of measure zero.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from compact_proofs.enclosure import lower

PARTS = 2**52
"""A cut divides an edge by two positive whole numbers with this sum, which float64 holds exactly."""


@dataclass(frozen=True)
class Cones:
    """B simplicial cones of R^n.

    Attributes
    ----------
    rays : real [B, n, n]
        ``rays[b, k]`` is the k-th ray of the b-th cone.
    volume : real [B]
        The absolute value of the determinant of the rays.
    """

    rays: Tensor
    volume: Tensor

    @property
    def n(self) -> int:
        """The dimension."""
        return self.rays.shape[-1]

    def __getitem__(self, chosen: Tensor) -> Cones:
        """Some of the cones, by their numbers or by truth values."""
        return Cones(self.rays[chosen], self.volume[chosen])


def cut(cones: Cones, first: Tensor, second: Tensor, part: Tensor) -> tuple[Cones, Cones, Tensor]:
    """Cut each cone in two, by the ray w = s (k v_a + m v_b) on the edge between two of its rays.

    Parameters
    ----------
    cones
        B cones.
    first, second : int64 [B]
        a and b, two different rays of each.
    part : int64 [B]
        k, from 1 to `PARTS` - 1; m is `PARTS` - k.

    Returns
    -------
    Cones, Cones
        With w in place of v_b, and with w in place of v_a.
    s : exactly known [B]
        The factors.

    Notes
    -----
    *Proof.* Let x = sum l_i v_i with positive l. Written in the first child's rays, the coefficient of w is l_b / (s m) > 0 and
    that of v_a is l_a - (k / m) l_b; in the second's, that of v_b is l_b - (m / k) l_a. So x lies in the first child
    where m l_a > k l_b, in the second where m l_a < k l_b, and nowhere else in either: up to the cutting plane the children
    partition the cone, for *any* s > 0. The determinant is linear in each ray and 0 where two are equal, so it is multiplied by s
    m and by s k.

    s is chosen to make w about as long as a unit vector, which keeps bounds of measures tight.

    *Cost.* About 6 n operations a cone.
    """
    place = torch.arange(len(first))
    k, m = part.double().to(cones.rays.device), (PARTS - part).double().to(cones.rays.device)
    w = k[:, None] * cones.rays[place, first] + m[:, None] * cones.rays[place, second]
    length = lower(1.0 / w.square().sum(-1).sqrt())
    s = torch.where((length > 0) & (length < torch.inf), length, 1 / PARTS)
    w = s[:, None] * w
    put = torch.arange(cones.n)[None, :, None]
    with_first = torch.where((put == second[:, None, None]).to(w.device), w[:, None], cones.rays)
    with_second = torch.where((put == first[:, None, None]).to(w.device), w[:, None], cones.rays)
    return Cones(with_first, cones.volume * (s * m)), Cones(with_second, cones.volume * (s * k)), s
