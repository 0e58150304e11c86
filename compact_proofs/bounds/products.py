"""Upper bounds of the row differences of a product of matrices: how far two entries of one row can be apart.

Every function takes the factors of M = F_1 F_2 ... F_n and returns a bound of ``max_{i,j} M[r, i] - M[r, j]``, one number for every
row r, or one for all. The elementary inequality: for M = A B,

    M[r, i] - M[r, j] = sum_k A[r, k] (B[k, i] - B[k, j]) <= sum_k |A[r, k]| range_k,     range_k = max_i B[k, i] - min_i B[k, i].

All of it is a relaxation of the exact `spread` of the product, so no bound here is below it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce

import torch
from torch import Tensor

from compact_proofs.bounds.ranges import spread

Factors = Sequence[Tensor]
"""Matrices whose product is meant, [n_0, n_1], [n_1, n_2], ..."""

Break = Callable[[Tensor, Tensor], Tensor]
"""A bound of the row differences of a product of two matrices."""

SQUARINGS = 4
"""`square_of_norm` is at most n^(1 / 2^SQUARINGS) times the truth, for n by n Gram matrices (1.24 for n = 32)."""


def halves(factors: Factors) -> tuple[Tensor, Tensor]:
    """Multiply the factors into two, from both ends towards the middle: O(v d^2)."""
    half = len(factors) // 2
    return reduce(torch.matmul, factors[:half]), reduce(lambda R, F: F @ R, reversed(factors[half:]))


def product(factors: Factors) -> Tensor:
    """The product itself: O(v^2 d)."""
    left, right = halves(factors)
    return left @ right


def exact_range(factors: Factors) -> Tensor:
    """The row range of the product: O(v^2 d)."""
    return spread(product(factors))


def one_break(A: Tensor, B: Tensor) -> Tensor:
    """sum_k |A[r, k]| range_k (the module's inequality): O(size of A and B)."""
    return A.abs() @ spread(B)


def mean_break(A: Tensor, B: Tensor) -> Tensor:
    """The mean row split off first.

    With e = mean_r A[r], M[r] = e B + (A[r] - e) B exactly (for any vector e), so the range of M[r] is at most
    ``range(e B) + sum_k |A[r, k] - e_k| range_k``. O(size of A and B).
    """
    e = A.mean(0, keepdim=True)
    return spread(e @ B) + one_break(A - e, B)


def best_break(factors: Factors, at: Break = one_break) -> Tensor:
    """Break F_1 ... F_n into two at each of the n - 1 places, and take the least bound row by row (all of them hold).

    O(v d^2): no product of a [v, d] by a [d, v] matrix is formed.
    """
    left, right = [factors[0]], [factors[-1]]
    for i in range(1, len(factors) - 1):
        left.append(left[-1] @ factors[i])
        right.append(factors[-1 - i] @ right[-1])
    return torch.stack([at(A, B) for A, B in zip(left, reversed(right), strict=True)]).amin(0)


def recursive(factors: Factors, means: int = 0) -> Tensor:
    """The inequality factor by factor: |F_1| (|F_2| (... range(F_n))), no product of matrices: O(size of the factors).

    ``range(F_1 B) <= |F_1| range(B)`` holds with any upper bound of range(B) in its place, hence by induction.

    Parameters
    ----------
    means
        At so many levels, outermost first, the mean row e of the factor is split off as in `mean_break`: range(e F_2 ... F_n) is
        exact and takes products of a vector with matrices only.
    """
    first, rest = factors[0], factors[1:]
    if not rest:
        return spread(first)
    if means == 0:
        return first.abs() @ recursive(rest)
    e = first.mean(0, keepdim=True)
    return spread(reduce(torch.matmul, rest, e)) + (first - e).abs() @ recursive(rest, means - 1)


def square_of_norm(A: Tensor, B: Tensor) -> Tensor:
    """An upper bound of sigma_1(A B)^2.

    The squares of the singular values of A B are the eigenvalues of B^T (A^T A) B, and up to zeros those of
    N = (A^T A) (B B^T). They are real and >= 0, so with p = 2^SQUARINGS: ``sigma_1^(2p) <= sum of p-th powers = trace(N^p)``.
    N is [n, n] with n the inner dimension; the sum has at most n terms, so the bound is at most n^(1/p) times the truth.
    Each squaring costs 2 n^3. No decomposition is trusted.
    """
    return _power_trace((A.mT @ A) @ (B @ B.mT))


def _power_trace(N: Tensor) -> Tensor:
    """trace(N^p)^(1/p) with p = 2^SQUARINGS: at least the largest eigenvalue, if all are real and >= 0."""
    for _ in range(SQUARINGS):
        N = N @ N
    bound = N.diagonal().sum().clamp(min=0)
    for _ in range(SQUARINGS):
        bound = bound.sqrt()
    return bound


def spectral(factors: Factors) -> Tensor:
    """sqrt(2) sigma_1(M) for every row: M[r, i] - M[r, j] = e_r M (e_i - e_j), and \\|e_i - e_j\\| = sqrt(2). O(v d^2)."""
    return (2 * square_of_norm(*halves(factors))).sqrt()


def product_of_spectral_norms(factors: Factors) -> Tensor:
    """sqrt(2) sigma_1(F_1) ... sigma_1(F_n) >= sqrt(2) sigma_1(M): O(v d^2)."""
    grams = [F.mT @ F if F.shape[0] >= F.shape[1] else F @ F.mT for F in factors]
    return (2 * torch.stack([_power_trace(N) for N in grams]).prod()).sqrt()


def product_of_frobenius_norms(factors: Factors) -> Tensor:
    """sqrt(2) |F_1|_F ... |F_n|_F >= sqrt(2) sigma_1(M): O(size of the factors)."""
    return (2 * torch.stack([F.square().sum() for F in factors]).prod()).sqrt()
