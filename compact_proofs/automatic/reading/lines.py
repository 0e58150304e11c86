"""Linear functions below and above a function of one variable on an interval."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from compact_proofs.automatic.reading.evaluate import function
from compact_proofs.enclosure import lower, upper
from compact_proofs.length import address_table

CURVATURE = {"gelu": 0.7979, "tanh": 0.77, "sigmoid": 0.0963, "silu": 0.5, "square": 2.0}
"""At least |f''| everywhere.

gelu (erf): f'' = phi(z) (2 - z^2), of size at most 2 phi(0) < .79789. tanh: f'' = -2 t (1 - t^2) for t = tanh z, at most 4 / sqrt
27 < .7699. sigmoid: f''(z) = -tanh(z/2) (1 - tanh(z/2)^2) / 4, at most a quarter of 2 / sqrt 27, so .09623. silu: f'' = s' (2 - z
tanh(z/2)) with s' = (1 - tanh(z/2)^2) / 4 <= 1/4, so at most 1/2, and at least -|z| s' tanh(|z|/2) > -.23. square: 2.
"""

POINTS = 24
"""Points at which a curved function is compared with a line."""


@dataclass(frozen=True)
class Lines:
    """``below_slope z + below <= f(z) <= above_slope z + above`` on an interval, for each entry [J, m]."""

    below_slope: Tensor
    below: Tensor
    above_slope: Tensor
    above: Tensor


def has_lines(name: str, options: dict[str, Any]) -> bool:
    """Is there a rule for the function?"""
    return name == "relu" or (name in CURVATURE and options.get("approximate", "none") == "none")


def lines(name: str, lo: Tensor, hi: Tensor, slopes: Tensor) -> Lines:
    """Return lines for f on [lo, hi].

    Parameters
    ----------
    lo, hi : [J, m]
        Plain finite numbers, lo <= hi.
    slopes : [2, J, m]
        Hints: the lower and the upper slope. For relu only the first is read, where 0 lies inside, and taken into [0, 1].

    Notes
    -----
    relu: 0 <= f and z <= f, so s z <= f for s in [0, 1]; above, the chord. Others: g = f - s z is computed at POINTS points.
    Between neighbours z0 < z1 at distance h, g + c (z - z0)(z1 - z) / 2 with c >= |f''| is concave, hence at least the smaller of
    g(z0) and g(z1); so g is at least that minus c h^2 / 8. Likewise above.

    Cost: 3 operations an entry for relu; 5 POINTS and an evaluation of f at each point for others.
    """
    if name == "relu":
        positive, negative = lo >= 0, hi <= 0
        below_slope = torch.where(positive, 1.0, torch.where(negative, 0.0, slopes[0].clamp(0, 1)))
        chord = hi / (hi - lo)
        above_slope = torch.where(positive, 1.0, torch.where(negative, 0.0, chord))
        above = torch.where(positive | negative, 0.0, -chord * lo)
        return Lines(below_slope, torch.zeros_like(lo), above_slope, above)
    share = _shares(POINTS, device=lo.device)
    width = hi - lo
    z = lower(lo[..., None] + width[..., None] * share)  # plain numbers: the points themselves
    z = torch.cat([lo[..., None], z[..., 1:-1].clamp(lo[..., None], hi[..., None]), hi[..., None]], -1)
    z = z.sort(-1).values
    step = upper((z[..., 1:] - z[..., :-1]).amax(-1))
    error = CURVATURE[name] / 8 * (step * step)
    values = function(name)(z)
    low, high = slopes[0], slopes[1]
    below = (values - low[..., None] * z).amin(-1) - error
    above = (values - high[..., None] * z).amax(-1) + error
    return Lines(low, below, high, above)


@address_table
def _shares(points: int) -> Tensor:
    return torch.arange(points, dtype=torch.float64) / (points - 1)


def slopes_for(name: str, lo: Tensor, hi: Tensor, mean: Tensor, spread: Tensor) -> Tensor:
    """Hints [2, J, m] for `lines`: of the chord and tangents near the inputs' mean, those of least gap there."""
    if name == "relu":
        below = (mean > 0).to(lo.dtype)
        return torch.stack([below, below])
    f = function(name)
    mean = torch.minimum(torch.maximum(mean, lo), hi)
    wide = (hi - lo).clamp(min=1e-9)
    chord = (f(hi) - f(lo)) / wide

    def tangent(z: Tensor) -> Tensor:
        z = torch.minimum(torch.maximum(z, lo), hi)
        return (f(z + 1e-5) - f(z - 1e-5)) / 2e-5

    slopes = torch.stack([chord, tangent(mean), (chord + tangent(mean)) / 2, tangent(mean - spread), tangent(mean + spread)])
    z = lo[..., None] + wide[..., None] * torch.linspace(0, 1, POINTS, dtype=lo.dtype)
    gap = f(z) - slopes[..., None] * z
    at = torch.stack([mean - spread, mean, mean + spread], -1)
    at = torch.minimum(torch.maximum(at, lo[..., None]), hi[..., None])
    bulk = (f(at) - slopes[..., None] * at).mean(-1)
    low = (bulk - gap.amin(-1)).argmin(0, keepdim=True)
    high = (gap.amax(-1) - bulk).argmin(0, keepdim=True)
    return torch.cat([slopes.gather(0, low), slopes.gather(0, high)])


def range_of(name: str, lo: Tensor, hi: Tensor) -> tuple[Tensor, Tensor]:
    """Bounds [J, m] of f on [lo, hi], plain numbers: at the ends where f rises, else also its least value in between."""
    at_lo, at_hi = function(name)(lo), function(name)(hi)
    if name in ("gelu", "silu", "square"):
        floor, turn = {"gelu": (-0.18, -0.7), "silu": (-0.2785, -1.2), "square": (0.0, 0.0)}[name]
        inside = (lo < 0) & (hi > turn - 1.0)
        top = torch.maximum(at_lo, at_hi)
        ends = torch.minimum(at_lo, at_hi)
        return lower(torch.where(inside, floor, ends)), upper(top)
    return lower(at_lo), upper(at_hi)
