"""Layer norm: the root of a mean square between its tangent and its tangent plus a constant.

For z in R^d let sigma(z) = sqrt(|z|^2 / d + eps). At any centre zc, with s = sigma(zc) and u = zc / (s d),

    a(z) = s + u.(z - zc)  <=  sigma(z)  <=  a(z) + kappa,      kappa = max |z - zc|^2 / (2 s d).

Left: sigma is convex and a its tangent. Right: sigma(z)^2 = s^2 + t with t = 2 zc.(z - zc) / d + |z - zc|^2 / d, and
sqrt(s^2 + t) <= s + t / (2 s) wherever the left side is real.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from compact_proofs.enclosure import lower, upper


@dataclass(frozen=True)
class Frame:
    """Coordinates y = Q w of vectors w in R^d, Q nearly orthonormal.

    For any square Q and e >= |I - Q^T Q| (Frobenius): |w|^2 = |Q w|^2 + w.(I - Q^T Q) w, so |Q w|^2 / (1 + e) <= |w|^2, and
    |w|^2 <= |Q w|^2 / (1 - e) if e < 1; and c.w = (Q c).(Q w) + c.(I - Q^T Q) w, where the last term is at most e |c| |w|.

    Attributes
    ----------
    Q : [d, d]
        A hint.
    e : []
        A plain number; 1 where it is not below 1: then |w| has no bound, and nothing is proven.
    """

    Q: Tensor
    e: Tensor

    @classmethod
    def of(cls, Q: Tensor) -> Frame:
        """Compute e: 2 d^3 operations."""
        eye = torch.eye(len(Q), dtype=torch.float64)
        e = upper((eye - Q.mT @ Q).square().sum().sqrt())
        return cls(Q, torch.where(e < 1, e, 1.0))


@dataclass(frozen=True)
class Tangent:
    """What is known of sigma on the boxes of each job.

    Attributes
    ----------
    centre : [J, d]
        zc, plain numbers.
    s : [J]
        sigma(zc).
    u : [J, d]
    kappa, least, most : [J]
        kappa, and bounds of sigma: plain numbers, least > 0.
    """

    centre: Tensor
    s: Tensor
    u: Tensor
    kappa: Tensor
    least: Tensor
    most: Tensor

    @property
    def offset(self) -> Tensor:
        """a(0) = s - u.zc, [J]."""
        return self.s - (self.u * self.centre).sum(-1)


def tangent(
    frame: Frame,
    lo: Tensor,
    hi: Tensor,
    eps: float,
    rest: Tensor,
    others: list[tuple[Tensor, Tensor, Tensor, Tensor]],
) -> Tangent:
    """Bound sigma(z) for z = w + rest + sum_b P_b x_b.

    Parameters
    ----------
    frame
        For w.
    lo, hi : [J, d]
        Plain numbers: Q w lies between.
    rest : [J, d]
        What is known of z exactly.
    others
        For each other part P, [m, d], its operator norm (a plain number), and bounds lo, hi [J, m] of x: plain numbers.

    Notes
    -----
    Cost: 4 d^2 operations, and 4 m d for each other part.
    """
    d = lo.shape[1]
    middle = lower((lo + hi) / 2 @ frame.Q)  # of w, in its own coordinates: any numbers will do
    halves = [lower((down + up) / 2) for _, _, down, up in others]
    known = rest + middle
    for (P, _, _, _), half in zip(others, halves, strict=True):
        known = known + half @ P
    centre = lower(known)
    stray = known - centre  # z - zc = (w - middle) + sum P (x - half) + stray
    s = (centre.square().sum(-1) / d + eps).sqrt()
    u = centre / (s * d)[:, None]

    at = middle @ frame.Q.mT
    dl, dh = lo - at, hi - at
    own = (torch.maximum(dl.abs(), dh.abs()).square().sum(-1) / (1 - frame.e)).sqrt()
    deviation = own + stray.square().sum(-1).sqrt()
    uy = u @ frame.Q.mT
    size = u.square().sum(-1).sqrt()
    slack = size * own * frame.e + size * stray.square().sum(-1).sqrt()
    down = s + (uy.clamp(min=0) * dl + uy.clamp(max=0) * dh).sum(-1) - slack
    up = s + (uy.clamp(min=0) * dh + uy.clamp(max=0) * dl).sum(-1) + slack
    for (P, norm, bottom, top), half in zip(others, halves, strict=True):
        below, above = bottom - half, top - half
        deviation = deviation + norm * torch.maximum(below.abs(), above.abs()).square().sum(-1).sqrt()
        v = u @ P.mT
        down = down + (v.clamp(min=0) * below + v.clamp(max=0) * above).sum(-1)
        up = up + (v.clamp(min=0) * above + v.clamp(max=0) * below).sum(-1)
    kappa = deviation.square() / (2 * s * d)
    least, most = down, up + kappa
    floor = torch.full_like(lower(s), eps)
    if not others:
        shift = rest @ frame.Q.mT
        zl, zh = lo + shift, hi + shift
        nearest = torch.maximum(torch.maximum(zl, -zh), torch.zeros_like(lower(zl)))
        small = (nearest.square().sum(-1) / (1 + frame.e) / d + eps).sqrt()
        least = torch.maximum(least, small)
        large = torch.maximum(zl.abs(), zh.abs()).square().sum(-1) / (1 - frame.e)
        most = torch.minimum(most, (large / d + eps).sqrt())
    least = torch.maximum(least, (floor / 2).sqrt())
    return Tangent(centre, s, u, upper(kappa), lower(least), upper(most))


def operator_norm(P: Tensor) -> Tensor:
    """An upper bound of |x P| / |x|, a plain number: |P^T P| <= |(P^T P)^16|_F^(1/16). Cost: 10 d^3 operations."""
    A = P.mT @ P if P.shape[0] >= P.shape[1] else P @ P.mT
    scale = lower(A.diagonal().sum()).clamp(min=1e-300)  # any number: the powers stay in range
    B = A / scale
    for _ in range(4):
        B = B @ B
    root = B.square().sum().sqrt()
    for _ in range(4):
        root = root.sqrt()
    return upper((root * scale).sqrt())
