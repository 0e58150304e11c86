"""Euclidean norms, and distances from inner products."""

from __future__ import annotations

import torch
from torch import Tensor


def norm(x: Tensor, dim: int | tuple[int, ...] | None = None) -> Tensor:
    """Root of the sum of squares over some axes, or over all of them (the Frobenius norm of a matrix).

    Uses: ``|a . b| <= |a| |b|`` (Cauchy and Schwarz), ``|x A| <= |x| |A|`` and ``|A B| <= |A| |B|`` for Frobenius norms. Cost: two
    operations for each entry, and a root for each norm.
    """
    return torch.linalg.vector_norm(x, dim=dim)


def longest(x: Tensor) -> Tensor:
    """The largest norm of a row of x [n, d]: []."""
    return norm(x, 1).amax()


def sums_of_squares(x: Tensor, y: Tensor, inner: Tensor, sign: int) -> Tensor:
    """``|x + y|^2`` (sign = 1) or ``|x - y|^2`` (sign = -1) from squares and the inner product: ``x + y +- 2 inner``, at least 0.

    Parameters
    ----------
    x, y, inner
        |x|^2, |y|^2 and x . y, of shapes that broadcast.

    A sum of squares is not negative, so a lower end below 0 is raised to 0. Cost: about 4 for each entry.
    """
    return (x + y + (2 * sign) * inner).clamp(min=0)


def distances(x: Tensor) -> Tensor:
    """|x_z - x_z'| for all columns z and z' of x [p, n]: [n, n], from inner products. Cost: 2 p n^2 and lower terms.

    ``|a - b|^2 = |a|^2 + |b|^2 - 2 a . b``, and the squares are the diagonal of the same product.
    """
    inner = x.mT @ x
    square = torch.diagonal(inner)
    return sums_of_squares(square[:, None], square, inner, -1).sqrt()
