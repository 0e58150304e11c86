"""Products of a matrix with vectors many of whose entries are exactly zero, such as the results of a relu."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from compact_proofs.enclosure import upper
from compact_proofs.length import charge_integers

TOGETHER = 16
"""Entries of a vector that are looked at together."""


def without_zeros(rows: Tensor, W: Tensor) -> Tensor:
    """``rows @ W`` for rows [R, d] of numbers >= 0 and W [d, E], where entries that are 0 are not multiplied.

    A row is a sum over parts of `TOGETHER` entries. In each part, rows are sorted by which of their entries are provably at most 0,
    hence 0, and those that agree in this are multiplied together, without these entries.

    Cost: 2 E operations for each entry that is not 0, and E additions for each part but the first; to sort, a comparison and an
    integer operation for each entry, and 2 integer operations for each row and part (a radix sort).
    """
    R, d = rows.shape
    total = None
    for start in range(0, d, TOGETHER):
        part, own = rows[:, start : start + TOGETHER], W[start : start + TOGETHER]
        counts = (upper(part) > 0).cpu().numpy()
        charge_integers(counts.size + 2 * R)
        code = counts @ (1 << np.arange(counts.shape[1]))
        order = np.argsort(code, kind="stable")
        first = np.flatnonzero(np.diff(code[order], prepend=-1))
        found = []
        for members in np.split(order, first[1:]):
            columns = torch.from_numpy(np.flatnonzero(counts[members[0]])).to(rows.device)
            if len(columns):
                found.append(torch.mm(part[torch.from_numpy(members).to(rows.device)][:, columns], own[columns]))
            else:
                found.append(torch.zeros(len(members), W.shape[1], dtype=torch.float64, device=rows.device))
        back = torch.from_numpy(np.argsort(order)).to(rows.device)
        product = torch.cat(found)[back]
        total = product if total is None else total + product
    assert total is not None
    return total
