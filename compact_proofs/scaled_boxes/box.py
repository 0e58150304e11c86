"""Boxes in scaled coordinates, splits along a coordinate, and functions that are linear on a box.

Of an input x of R^n choose a place j. With r = |x_j|, the *scale*, and y = x / r, a box says between which numbers each y_t and r
lie; y_j is 1 or -1. A network without biases answers x and y alike. One with biases b answers x as the same network answers y with
biases b / r.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from compact_proofs.enclosure import lower

FINEST = 2**30
"""A split divides an edge at a whole multiple of 1 / FINEST of its length."""


@dataclass(frozen=True)
class Boxes:
    """B boxes.

    Attributes
    ----------
    low, high : exactly known [B, n + 1]
        Ends of y_1, ..., y_n and of r. No y_t changes its sign, y_j is one number, and r is positive.
    place : int64 [B]
        j.
    """

    low: Tensor
    high: Tensor
    place: Tensor

    @property
    def n(self) -> int:
        """The number of coordinates of an input."""
        return self.low.shape[-1] - 1

    def __len__(self) -> int:
        return len(self.place)

    def __getitem__(self, chosen: Tensor | slice) -> Boxes:
        """Some of the boxes, by their numbers or by truth values."""
        return Boxes(self.low[chosen], self.high[chosen], self.place[chosen])

    def negative(self) -> Tensor:
        """Where y_t <= 0 on a box, bool [B, n]: elsewhere y_t >= 0."""
        return self.low[:, :-1] < 0


def threshold(low: Tensor, high: Tensor, part: Tensor) -> Tensor:
    """The number that divides intervals [B] at the parts int64 [B] of `FINEST`, or one within them close to it: exactly known."""
    at = lower(low + (high - low) * (part.double().to(low.device) / FINEST))
    return lower(torch.minimum(torch.maximum(at, low), high))


def split(boxes: Boxes, coordinate: Tensor, part: Tensor) -> tuple[Boxes, Boxes]:
    """Split each box at a coordinate int64 [B] (n: the scale; not the place, whose coordinate is one number).

    Up to the inputs with that coordinate at the threshold, which have probability 0 under a law with densities, the two partition
    the box. Cost: 4 operations a box.
    """
    column = coordinate[:, None].to(boxes.low.device)
    low, high = boxes.low.gather(1, column)[:, 0], boxes.high.gather(1, column)[:, 0]
    at = threshold(low, high, part)[:, None]
    here = torch.arange(boxes.n + 1, device=column.device) == column
    below = Boxes(boxes.low, torch.where(here, at, boxes.high), boxes.place)
    return below, Boxes(torch.where(here, at, boxes.low), boxes.high, boxes.place)


@dataclass(frozen=True)
class Linear:
    """K functions c + sum_t g_t y_t + s / r on each of B boxes.

    Attributes
    ----------
    constant : exactly known [B, K]
        c.
    slopes : exactly known [B, K, n]
        g; 0 at the place j, whose term is part of c.
    scale : exactly known [B, K]
        s.
    """

    constant: Tensor
    slopes: Tensor
    scale: Tensor

    def least(self, boxes: Boxes) -> Tensor:
        """Lower bounds of the functions on the boxes, exactly known [B, K]. Cost: about 3 n a function."""
        low, high = boxes.low[:, None], boxes.high[:, None]
        worst = torch.where(self.slopes > 0, low[..., :-1], high[..., :-1])
        of_scale = self.scale / torch.where(self.scale > 0, high[..., -1], low[..., -1])
        return lower(self.constant + (self.slopes * worst).sum(-1) + of_scale)
