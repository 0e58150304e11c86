"""A mean over a row of layer 1 of which some tokens are free: Lemma R, bounded at a hint."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from compact_proofs.bounds.mean import ratio_at_least


@dataclass(frozen=True)
class Mean:
    """What Lemma R needs but the hint.

    Attributes
    ----------
    known
        (weight, value) of each atom that is known, shapes [..., 1] and alike.
    free
        (weight, value) of each free place, with the tokens along the last axis.
    low, high
        Bounds of the denominator.
    allowed
        Which tokens a free place may hold (broadcast against `free`).
    """

    known: list[tuple[Tensor, Tensor]]
    free: list[tuple[Tensor, Tensor]]
    low: Tensor
    high: Tensor
    allowed: Tensor

    def at_least(self, hint: Tensor, offset: Tensor | float = 0.0) -> Tensor:
        """Lower bound of offset + mean, at a hint for it."""
        base = offset - hint
        sigma = sum((weight * (value + base) for weight, value in self.known), torch.zeros((), dtype=torch.float64))
        for weight, value in self.free:
            sigma = sigma + torch.where(self.allowed, weight * (value + base[..., None]), torch.inf).amin(-1)
        return ratio_at_least(hint, sigma, self.low, self.high)
