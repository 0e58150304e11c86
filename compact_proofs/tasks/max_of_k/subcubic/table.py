"""How much each way to bound the unexplained remainder of EQKE loses: compounding errors, side by side."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from compact_proofs.bounds import products
from compact_proofs.core.strategy import Explanation
from compact_proofs.enclosure import sound, upper
from compact_proofs.estimates import expected_range, noise_of_product
from compact_proofs.length import count
from compact_proofs.models.attention_only import AttentionOnlyTransformer
from compact_proofs.models.weights import in_double
from compact_proofs.tasks.max_of_k.subcubic.peeling import FACTORS


@dataclass(frozen=True)
class RemainderBound:
    """One row of `residual_table`.

    Attributes
    ----------
    name
        The way to bound.
    value
        Upper bound of max_{r, i, j} R[r, i] - R[r, j], rounded outward.
    flops
        Real operations, from the four factors of R to the bound.
    complexity
        The same as it grows, for v tokens and width d.
    """

    name: str
    value: float
    flops: int
    complexity: str


def twice_the_largest_entry(factors: products.Factors) -> Tensor:
    """2 max |R[r, i]| for every row: a difference of two entries is at most the sum of their sizes. O(v^2 d)."""
    return 2 * products.product(factors).abs().amax(-1)


ROWS: tuple[tuple[str, Callable[[products.Factors], Tensor], str], ...] = (
    ("max row diff (exact)", products.exact_range, "O(v^2 d)"),
    ("2 max |entry|", twice_the_largest_entry, "O(v^2 d)"),
    ("max row diff on subproduct", products.best_break, "O(v d^2)"),
    ("recursive max row diff", products.recursive, "O(v d)"),
    ("sqrt(2) sigma_1", products.spectral, "O(v d^2)"),
    ("sqrt(2) product of sigma_1", products.product_of_spectral_norms, "O(v d^2)"),
    ("sqrt(2) product of Frobenius norms", products.product_of_frobenius_norms, "O(v d)"),
)
"""Name, bound and complexity of each way."""


def residual_table(model: AttentionOnlyTransformer, explanation: Explanation | None = None) -> list[RemainderBound]:
    """Bound the row differences of the remainder R of EQKE in every way.

    R = X W_Q' W_K'^T Y^T is what `Peeling` leaves of query W_Q W_K^T key^T after two directions of the query side, two of the key
    side and one each of W_Q and W_K. As published, it is not divided by sqrt(d_head).

    Parameters
    ----------
    model
        Any size.
    explanation
        The directions; found by singular value decomposition unless given.

    Returns
    -------
    list of RemainderBound
        In the order of `ROWS`.
    """
    if explanation is None:
        with torch.no_grad():
            explanation = FACTORS.explain(in_double(model))
    with sound():
        factors = FACTORS.split(model, explanation).factors
    return [_row(name, bound, complexity, factors) for name, bound, complexity in ROWS]


def quadrature_estimate(model: AttentionOnlyTransformer, explanation: Explanation | None = None) -> tuple[float, int]:
    """Guess a typical row difference of the same remainder, as if its factors were independent noise: no bound of anything.

    Returns
    -------
    float, int
        The guess, and the operations that it takes from the four factors: O(v d).
    """
    with torch.no_grad():
        model = in_double(model)
        factors = FACTORS.split(model, FACTORS.explain(model) if explanation is None else explanation).factors
        with count() as counter:
            value = noise_of_product(*factors) * expected_range(model.d_vocab)
    return float(value), counter.length.flops


def _row(name: str, bound: Callable[[products.Factors], Tensor], complexity: str, factors: products.Factors) -> RemainderBound:
    with sound(), count() as counter:
        value = upper(bound(factors).amax())
    return RemainderBound(name, float(value), counter.length.flops, complexity)
