"""Products of a matrix with vectors many of whose entries are exactly zero, such as the results of a relu."""

from __future__ import annotations

import torch
from torch import Tensor

from compact_proofs.automatic.reading.owners import structure
from compact_proofs.enclosure import upper
from compact_proofs.length import charge_integers

NARROW = 2
"""Products with so many columns cost no more than it does to find zeros."""
GATHERED = 2**22
"""Entries of the matrix that are gathered at once, at most."""


def without_zeros(rows: Tensor, W: Tensor) -> Tensor:
    """``rows @ W`` for rows [R, d] of numbers >= 0 and W [d, E], where entries that are 0 are not multiplied.

    Rows that have equally many entries that are not provably at most 0, hence 0, are multiplied together, each by the rows of W
    that belong to these entries.

    Cost: 2 E operations for each entry that is not 0; for each entry a comparison, and an integer operation to list those that are
    not 0; and 2 for each row, to sort them by their number (a radix sort).
    """
    R, d = rows.shape
    counts = upper(rows) > 0
    charge_integers(R * (d + 2))
    with structure():
        number, order = counts.sum(1).sort(stable=True)
        columns = counts.to(torch.int8).argsort(dim=1, descending=True, stable=True)
        parts = [
            (int(k), part)
            for k in number.unique().tolist()
            for part in order[number == k].split(max(1, GATHERED // max(1, k * W.shape[1])))
        ]
        back = torch.cat([part for _, part in parts]).argsort() if parts else order
    found = []
    for k, part in parts:
        own = columns[part, :k]
        found.append(torch.bmm(rows[part[:, None], own][:, None], W[own])[:, 0])
    return torch.cat(found)[back] if found else rows @ W
