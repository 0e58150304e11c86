"""Enclosures of real constants that are no binary64 number, such as pi."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from compact_proofs.enclosure.tensor import Enclosure
from compact_proofs.enclosure.trigonometric import PI


def pi(device: torch.device | str = "cpu") -> Tensor:
    """Return pi, shape []: in the sound reading enclosed by the neighbours of its nearest float64, otherwise that number."""
    nearest = torch.full((), math.pi, dtype=torch.float64, device=device)
    if not isinstance(nearest, Enclosure):
        return nearest
    lo, hi = (torch.tensor(end, dtype=torch.float64, device=device) for end in PI)
    return Enclosure._wrap(lo, hi)
