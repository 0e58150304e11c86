"""Neurons by their clusters, laid out as rows; places where something holds."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from compact_proofs.bounds.indices import by_cluster
from compact_proofs.length import charge_integers


def where_true(mask: Tensor) -> Tensor:
    """Number the places where a plain mask [n] holds: n integer operations. Nowhere on meta tensors, which hold nothing."""
    charge_integers(len(mask))
    found = [] if mask.is_meta else [i for i, yes in enumerate(mask.tolist()) if yes]
    return torch.tensor(found, dtype=torch.int64, device=mask.device)


class Layout(NamedTuple):
    """Neurons as one row for each cluster, padded to one length n >= 1.

    Attributes
    ----------
    place : int64 [K, n]
        Their numbers.
    real : bool [K, n]
        False where a row is padded.
    """

    place: Tensor
    real: Tensor


def padded(cluster: Tensor, K: int, device: torch.device | str = "cpu") -> Layout:
    """Lay neurons out by their cluster [m]: m integer operations."""
    order, sizes = by_cluster(cluster, K)
    width = max(1, *sizes)
    rows = [row.tolist() for row in order.split(sizes)]
    place = torch.tensor([[*row, *[row[0] if row else 0] * (width - len(row))] for row in rows], device=device)
    return Layout(place, torch.tensor([[True] * n + [False] * (width - n) for n in sizes], device=device))
