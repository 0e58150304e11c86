"""Cosines and sines of the multiples of pi / p, and where the pairs (a, b) of one sum or one difference stand."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from compact_proofs.enclosure import pi
from compact_proofs.length import address_table


class Waves(NamedTuple):
    """Waves of K frequencies k along n = 0 .. p - 1; each tensor is [K, p].

    Attributes
    ----------
    cos, sin
        Of 2 pi k n / p.
    half_cos, half_sin
        Of pi k n / p. Up to their sign they depend on n mod p only.
    """

    cos: Tensor
    sin: Tensor
    half_cos: Tensor
    half_sin: Tensor


def waves(frequencies: Tensor, p: int, device: torch.device | str = "cpu") -> Waves:
    """Tabulate the waves of integer frequencies [K].

    Every angle is a multiple of pi / p, so 2p cosines and sines are evaluated and the rest are found by k n mod 2p: about 8 p real
    operations and 4 K p integer ones.
    """
    angle = torch.arange(2 * p, dtype=torch.float64, device=device) * (pi(device) / p)
    cosines, sines = torch.cos(angle), torch.sin(angle)
    half = (frequencies[:, None] * torch.arange(p) % (2 * p)).to(device)
    full = (2 * half) % (2 * p)
    return Waves(cosines[full], sines[full], cosines[half], sines[half])


@address_table
def pairs(p: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """All pairs in lexicographic order: a, b, (a + b) mod p and (a - b) mod p, each int64 [p^2]."""
    n = torch.arange(p * p)
    a, b = n // p, n % p
    return a, b, (a + b) % p, (a - b) % p


@address_table
def unordered_pairs(p: int) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """The pairs a <= b, as `pairs` has them, and the place [p^2] among them of every pair in either order."""
    a, b, total, difference = pairs(p)
    kept = a <= b
    low, high = torch.minimum(a, b), torch.maximum(a, b)
    place = torch.cumsum(kept, 0) - 1
    return a[kept], b[kept], total[kept], difference[kept], place[low * p + high]


@address_table
def pair_class(p: int) -> tuple[Tensor, Tensor]:
    """Of all pairs in lexicographic order: min(d, p - d) for d = (a - b) mod p, and (a + b) mod p; each int64 [p^2]."""
    _, _, total, difference = pairs(p)
    return torch.minimum(difference, p - difference), total


@address_table
def multiplicity(p: int) -> Tensor:
    """How many pairs have each class of a - b and each a + b mod p: int64 [p // 2 + 1, p]."""
    d, s = pair_class(p)
    return torch.bincount(d * p + s, minlength=(p // 2 + 1) * p).reshape(-1, p)


@address_table
def class_size(p: int) -> Tensor:
    """How many pairs have each class of a - b: int64 [p // 2 + 1]."""
    return multiplicity(p).sum(1)
