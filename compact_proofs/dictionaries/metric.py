"""How much an error of the activations can change what the neurons write: a seminorm, bounded by a few of its directions."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from compact_proofs.core.strategy import finite
from compact_proofs.models.component import Component


class Metric(NamedTuple):
    """A bound of ``sqrt(r S r^T)`` for ``S = W diag(weight) W^T``, from ``q = r V^T`` and ``|r|^2``, whatever V is.

    With r = q V + r (I - V^T V), the triangle inequality of the seminorm, ``A = V S V^T``, and the trace of a matrix that is never
    negative as a bound of its largest eigenvalue,

        sqrt(r S r^T) <= sqrt(q A q^T) + sqrt(tau) |r|,    tau = tr (I - V^T V) S (I - V^T V) = tr S - 2 tr A + tr A V V^T,
        q A q^T <= sum_k A_kk q_k^2 + |A - diag A| |q|^2   (Frobenius).

    With eigenvectors of S for V, A is diagonal up to rounding, and tau what their eigenvalues leave of the trace.

    Attributes
    ----------
    V : [s, d]
        Directions that are followed: rows of any length, at any angle.
    diagonal : [s]
        A_kk.
    beside, tail : []
        |A - diag A| and sqrt(tau).
    """

    V: Tensor
    diagonal: Tensor
    beside: Tensor
    tail: Tensor

    @classmethod
    def of(cls, c: Component, weight: Tensor, V: Tensor) -> Metric:
        """Measure W along V: 2 s d n operations, and lower terms."""
        assert c.W is not None
        read = V @ c.W  # [s, n]
        A = (read * weight) @ read.T
        diagonal = A.diagonal()
        beside = (A - torch.diag_embed(diagonal)).square().sum().sqrt()
        tau = (c.W.square().sum(0) * weight).sum() - 2 * diagonal.sum() + (A * (V @ V.T)).sum()
        return cls(V, diagonal, beside, tau.clamp(min=0).sqrt())

    def bound(self, q: Tensor, squares: Tensor) -> Tensor:
        """Bound the seminorm from q [N, s] and |r|^2 [N]: about 4 s operations each."""
        size = q.square()
        followed = (size * self.diagonal).sum(1) + self.beside * size.sum(1)
        return followed.clamp(min=0).sqrt() + self.tail * squares.clamp(min=0).sqrt()


def find_directions(S: Tensor, s: int) -> Tensor:
    """The s leading eigenvectors of S, as rows [s, d]."""
    return torch.linalg.eigh(finite(S)).eigenvectors.flip(1)[:, :s].T.contiguous()
