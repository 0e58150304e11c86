"""A matrix as a part of low rank and a remainder, an identity of real numbers for any directions whatever.

Directions come from an explanation. Unit vectors that point along the matrix's structure leave a small remainder; others leave a
large one, and the identity holds all the same, because the remainder is *computed* as the difference.
"""

from __future__ import annotations

import torch
from torch import Tensor


def along(M: Tensor, V: Tensor) -> tuple[Tensor, Tensor]:
    """Coordinates C = M V^T and the remainder M - C V, so that ``M = C V + remainder`` exactly.

    Parameters
    ----------
    M : [n, d]
    V : [q, d]
        Directions, one in each row.

    Returns
    -------
    [n, q], [n, d]
        Cost: 4 n q d.
    """
    coordinates = M @ V.mT
    return coordinates, M - coordinates @ V


def peel(M: Tensor, directions: Tensor) -> tuple[Tensor, Tensor]:
    """Coordinates C and a remainder with ``M = directions^T C + remainder`` exactly, one direction u after another.

    Each step splits what is left, ``F = u (u^T F) + F'`` with ``F' = F - u (u^T F)``; where directions are not orthogonal, this
    leaves less than taking them off all at once.

    Parameters
    ----------
    M : [n, p]
    directions : [r, n]

    Returns
    -------
    [r, p], [n, p]
        Cost: 4 r n p.
    """
    coordinates = []
    for u in directions:
        c = u[None] @ M
        M = M - u[:, None] * c
        coordinates.append(c)
    return torch.cat(coordinates), M
