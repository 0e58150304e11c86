"""Layer norm of averages: averages again, each multiplied by 1 / sigma of its row.

sigma^2 = |z|^2 / d + eps is a product of averages (`compact_proofs.automatic.listing.products`), which costs next to nothing; and a
linear map of z / sigma maps the tables, as one of z does.
"""

from __future__ import annotations

import torch
from torch import Tensor

from compact_proofs.automatic.listing.products import product
from compact_proofs.automatic.listing.sums import folded
from compact_proofs.automatic.listing.values import Affine, Dense, Reader, Softmaxes, Weighted, shape_of
from compact_proofs.automatic.reading.owners import structure


def normalised(z: Affine, eps: float, steps: object, n: int, largest: int) -> Affine | None:
    """``z / sqrt(mean of z^2 + eps)`` along the last axis; None where z is more than averages by softmaxes of one kind."""
    sums = steps.sums  # type: ignore[attr-defined]
    shape, d = shape_of(z), shape_of(z)[-1]
    rows = shape[:-1].numel()
    z = folded(z, sums.v, largest)
    if z.tables:
        return None
    flat, column = _reshaped(z, torch.Size([rows, 1, d])), _reshaped(z, torch.Size([rows, d, 1]))
    square = product(flat, column, sums, torch.Size([rows, 1, 1]), n, largest)
    if square is None:
        return None

    def step(inputs: Tensor, read: Reader) -> Tensor:
        return torch.rsqrt(read(square).flatten(1) / d + eps)

    inverse = sums.add(step, torch.Size([rows]), square.on)
    return Affine((), tuple(_times(w, inverse, shape) for w in flat.weighted))


def _reshaped(x: Affine, shape: torch.Size) -> Affine:
    weighted = [w.read_as(w.tables.reshape(*w.tables.shape[:2], *shape), w.used.reshape(-1, *shape)) for w in x.weighted]
    return Affine((), tuple(weighted))


def _times(w: Weighted, factor: Dense, shape: torch.Size) -> Weighted:
    """Rows [rows, 1, d] of shares times tables, each times its entry of `factor`, in a shape [.., d]."""
    with structure():
        used = w.used.flatten(2)
        share, row = w.used.any(-1)[..., 0].nonzero(as_tuple=True)
        own = (torch.arange(w.used.shape[1]) == row[:, None])[:, :, None]
        counts = (used[share] & own).reshape(len(share), *shape)
    tables = torch.where(own.to(w.tables.device), w.tables.flatten(3)[:, share], 0.0).reshape(-1, len(share), *shape)
    return Weighted(w.source, w.entry[share], w.owner[share], tables, counts, factor, row)


def is_average(x: object) -> bool:
    """Is a value made of averages by softmaxes, without factors?"""
    return (
        isinstance(x, Affine) and bool(x.weighted) and all(isinstance(w.source, Softmaxes) and w.factor is None for w in x.weighted)
    )
