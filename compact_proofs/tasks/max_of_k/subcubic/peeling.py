"""Split the scores EQKE into a low-rank matrix and a remainder, exactly, along any directions."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from compact_proofs.bounds.splitting import peel
from compact_proofs.core.strategy import Explanation, Spec, finite
from compact_proofs.models.attention_only import AttentionOnlyTransformer


@dataclass(frozen=True)
class LowRank:
    """sqrt(d_head) EQKE = left @ right + product of `factors`, an identity of real numbers.

    Attributes
    ----------
    left, right : [v, rank], [rank, v]
        The part that is kept.
    factors
        Four matrices [v, d], [d, d_head], [d_head, d], [d, v]: the remainder, never multiplied out here.
    """

    left: Tensor
    right: Tensor
    factors: tuple[Tensor, Tensor, Tensor, Tensor]


@dataclass(frozen=True)
class Peeling:
    """Which leading directions are taken off the four factors of ``query W_Q W_K^T key^T``.

    With query = W_E + W_pos[-1] and key = W_E + mean_i W_pos[i] (a shift of all keys by one vector changes every row of EQKE by a
    constant, which no row difference sees). A direction u of a factor F splits ``F = u (u^T F) + F'`` with ``F' = F - u (u^T F)``
    *computed*: true for every vector u, a unit singular vector or garbage. Write query = U A + X, key = W B + Y (so many directions
    each in the columns of U and W), W_Q = P C + Q', W_K = S D + K'. Then, one factor after the other:

        query W_Q W_K^T key^T = U (A W_Q W_K^T key^T)
                              + (X W_Q W_K^T B^T) W^T
                              + (X P) (C W_K^T Y^T)
                              + (X Q' D^T) (S^T Y^T)
                              + X Q' K'^T Y^T

    No cross term is dropped. The last product is the remainder; the others have rank 2 (tokens + head) in all.
    Cost: O((tokens + head) (v d + d d_head)).

    Attributes
    ----------
    tokens
        Directions peeled off the query side and off the key side.
    head
        Directions peeled off W_Q and off W_K.
    """

    tokens: int
    head: int

    @cached_property
    def rank(self) -> int:
        """Of the part that is kept."""
        return 2 * (self.tokens + self.head)

    def specs(self, model: AttentionOnlyTransformer) -> dict[str, Spec]:
        """The directions, one in each row: over tokens for query and key, over the residual stream for W_Q and W_K."""
        v, d = model.d_vocab, model.d_model
        found = {"query_directions": Spec((self.tokens, v)), "key_directions": Spec((self.tokens, v))}
        if self.head:
            found |= {"W_Q_directions": Spec((self.head, d)), "W_K_directions": Spec((self.head, d))}
        return found

    def explain(self, model: AttentionOnlyTransformer) -> dict[str, Tensor]:
        """Singular vectors: first those of EQKE, then those of what is left of each side; of W_Q and W_K themselves."""
        query, key, W_Q, W_K = _factors(model)
        U, _, Vh = _svd(query @ W_Q @ W_K.mT @ key.mT)
        sides = []
        for first, side in ((U[:, 0], query), (Vh[0], key)):
            _, left = peel(side, first[None])
            sides.append(torch.cat([first[None], _svd(left)[0].mT[: self.tokens - 1]]))
        found = {"query_directions": sides[0], "key_directions": sides[1]}
        if self.head:
            heads = [_svd(W)[0].mT[: self.head].contiguous() for W in (W_Q, W_K)]
            found |= {"W_Q_directions": heads[0], "W_K_directions": heads[1]}
        return found

    def split(self, model: AttentionOnlyTransformer, explanation: Explanation) -> LowRank:
        """Peel the given directions off, in order."""
        query, key, W_Q, W_K = _factors(model)
        U, W = explanation["query_directions"], explanation["key_directions"]
        A, X = peel(query, U)
        B, Y = peel(key, W)
        left = [U.mT, X @ (W_Q @ (W_K.mT @ B.mT))]
        right = [A @ W_Q @ W_K.mT @ key.mT, W]
        if self.head:
            P, S = explanation["W_Q_directions"], explanation["W_K_directions"]
            C, Q_rest = peel(W_Q, P)
            D, K_rest = peel(W_K, S)
            left += [X @ P.mT, X @ (Q_rest @ D.mT)]
            right += [C @ W_K.mT @ Y.mT, S @ Y.mT]
            W_Q, W_K = Q_rest, K_rest
        return LowRank(torch.cat(left, 1), torch.cat(right, 0), (X, W_Q, W_K.mT, Y.mT))


LEADING = Peeling(tokens=1, head=0)
"""The leading singular direction of EQKE: rank 2, because the cross terms stay."""

FACTORS = Peeling(tokens=2, head=1)
"""Two directions of either side and one of W_Q and W_K: rank 6."""


def _factors(model: AttentionOnlyTransformer) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """query, key, W_Q, W_K as in `Peeling`."""
    return model.W_E + model.W_pos[-1], model.W_E + model.W_pos.mean(0), model.W_Q, model.W_K


def _svd(M: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Singular value decomposition, of something finite for a broken model (any directions will do)."""
    return torch.linalg.svd(finite(M), full_matrices=False)
