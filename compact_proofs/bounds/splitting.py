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


def rest_norms(M: Tensor, coordinates: Tensor, gram: Tensor) -> Tensor:
    """Norms of the rows of ``M' = M - C V`` from C = M V^T and the Gram matrix V V^T, without M' itself.

    For one row m with coordinates c, ``|m - c V|^2 = |m|^2 - 2 m V^T c^T + c V V^T c^T = |m|^2 - c (2 c - c V V^T)``, which is not
    negative; a lower end below 0 is raised to 0. What is left of rounding is about 1e-7 of |m|.

    Parameters
    ----------
    M : [..., d]
    coordinates : [..., q]
    gram : [q, q]

    Returns
    -------
    [...]
        Cost: 2 d + 2 q^2 and lower terms for each row.
    """
    inner = (coordinates * (2 * coordinates - coordinates @ gram)).sum(-1)
    return (M.square().sum(-1) - inner).clamp(min=0).sqrt()


def through(W: Tensor, V: Tensor, gram: Tensor) -> tuple[Tensor, Tensor]:
    """A linear map read through a few directions: B with ``z W = c B + z' W'`` for every z = c V + z', c = z V^T; and norms of W'.

    With C = V W and W' = W - V^T C, it is ``B = C + V W' = 2 C - (V V^T) C``: ``z W = z (V^T C + W') = c C + (c V + z') W'``.
    Both rests are small where V holds most of z or of W, and ``|z' W'_i| <= |z'| |W'_i|`` is a product of the two.

    Parameters
    ----------
    W : [d, k]
    V : [q, d]
        Any directions.
    gram : [q, q]
        V V^T.

    Returns
    -------
    [q, k], [k]
        B, and norms of the columns of W' (`rest_norms`). Cost: (2 q d + 2 q^2 + 2 d) k and lower terms.
    """
    C = V @ W
    B = 2 * C - gram @ C
    return B, (W.square().sum(0) - (C * B).sum(0)).clamp(min=0).sqrt()
