"""Sparse codes as lists: for each input, or for each token, which features it has (index) and how much of them (value)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from compact_proofs.length import charge_integers, unseen


class Reads(NamedTuple):
    """The neurons that follow one feature, and those that do not.

    Attributes
    ----------
    kept, dropped : int64
        Their numbers.
    back : int64 [n]
        Puts ``cat([kept, dropped])`` into the neurons' order.
    """

    kept: Tensor
    dropped: Tensor
    back: Tensor


def read_lists(kept: Tensor, device: torch.device) -> list[Reads]:
    """Lists for each feature of a table of zeros and ones [L, n]: one integer operation for each entry."""
    charge_integers(kept.numel())
    lists = []
    with unseen("the explanation's lists, charged by number"):
        for row in kept:
            order = torch.argsort(row, descending=True, stable=True)
            count = int(row.sum())
            lists.append(Reads(*(t.to(device) for t in (order[:count], order[count:], order.argsort()))))
    return lists


def sorted_by(labels: Tensor, n: int, device: torch.device) -> tuple[Tensor, Tensor, list[int]]:
    """The order [N] that puts equal labels (0 ... n - 1) together, its inverse, and how many have each; N integer operations."""
    charge_integers(len(labels))
    with unseen("an order of labels, charged by number"):
        order = labels.argsort(stable=True)
        return order.to(device), order.argsort().to(device), torch.bincount(labels, minlength=n).tolist()


def combined(start: Tensor, rows: Tensor, index: Tensor, value: Tensor, reads: list[Reads] | None = None) -> Tensor:
    """``start + sum_t value[:, t] rows[index[:, t]]``, over the entries of the rows that are followed.

    Parameters
    ----------
    start : [n]
        For every code.
    rows : [L, n]
        What a feature adds.
    index, value : [N, k]
        Codes. An index may stand twice in a row.
    reads
        Of each feature; None: every entry is followed.

    Returns
    -------
    Tensor, [N, n]
        Two operations for each code, feature of it, and entry that is followed. The others are moved past.
    """
    H = start.expand(len(index), -1)
    for j, z in zip(index.unbind(1), value.unbind(1), strict=True):
        H = H + z[:, None] * rows[j.to(rows.device)] if reads is None else _followed(H, rows, j, z, reads)
    return H


def _followed(H: Tensor, rows: Tensor, index: Tensor, value: Tensor, reads: list[Reads]) -> Tensor:
    """Add one feature to each row of H, rows of one feature together."""
    order, back, sizes = sorted_by(index, len(rows), H.device)
    parts = []
    for f, (part, z) in enumerate(zip(H[order].split(sizes), value[order].split(sizes), strict=True)):
        if len(part):
            kept, dropped, place = reads[f]
            followed = part[:, kept] + z[:, None] * rows[f, kept]
            parts.append(torch.cat([followed, part[:, dropped]], 1)[:, place])
    return torch.cat(parts)[back]


def as_lists(Z: Tensor, decoder: Tensor, active: int) -> tuple[Tensor, Tensor]:
    """Keep of each row of dense codes [N, L] the `active` largest contributions ``|z_j| |D_j|``: index and value [N, active]."""
    index = (Z.abs() * decoder.norm(dim=1)).topk(min(active, Z.shape[1]), 1).indices
    value = Z.gather(1, index)
    missing = active - index.shape[1]
    return torch.cat([index, index.new_zeros(len(Z), missing)], 1), torch.cat([value, value.new_zeros(len(Z), missing)], 1)


def as_dense(index: Tensor, value: Tensor, features: int) -> Tensor:
    """Codes [N, L] from lists; indices that stand twice add up."""
    return torch.zeros(len(index), features, dtype=value.dtype).scatter_add(1, index, value)
