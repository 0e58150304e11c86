"""Every path of the two layers as a table over atoms: a token t at a place m.

Residual rows are sums of a token's part and a place's part, so each product of two rows is a sum of four entries of a small matrix.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from compact_proofs.length import stage
from compact_proofs.models.attention_stack import AttentionStack
from compact_proofs.tasks.induction.lemmas import leak


@dataclass(frozen=True)
class Tables:
    """What each atom does, with x(m, t) = W_E[t] + W_pos[m] and o(m, t) = x(m, t) W_V1 W_O1.

    Attributes
    ----------
    weight : [k, v, m, t]
        exp of layer 1's score of (m, t) for the row (k, v), divided by the largest over m <= k; of no meaning for m > k.
    lam : [k - 1, v, u]
        Lemma L.
    TX, TO : [q, k, t]
        Last-layer score of x(k, t) and of o(k, t) for the query row x(f, q).
    OX, OO : [m, s, k, t]
        The same for the query part o(m, s).
    xU : [q, b]
        Logits of x(f, q).
    oU, xW, oW : [m, t, b]
        Logits of o; of x and of o through the second head, W = W_V2 W_O2 W_U.
    """

    weight: Tensor
    lam: Tensor
    TX: Tensor
    TO: Tensor
    OX: Tensor
    OO: Tensor
    xU: Tensor
    oU: Tensor
    xW: Tensor
    oW: Tensor

    @property
    def sizes(self) -> tuple[int, int]:
        """D and n."""
        _, n, D = self.TX.shape
        return D, n


@dataclass(frozen=True)
class Parts:
    """The matrices of which everything is a sum: a row for each token, then one for each place.

    Attributes
    ----------
    score : [D + n, D + n]
        Layer 1's score of a query row for a key column.
    query : [D, h]
        The query of x(f, q), divided by sqrt(h).
    o_query, x_key, o_key : [D + n, h]
        Query part (divided by sqrt(h)) and key parts in the last layer.
    xU : [D, D]
        Logits of x(f, q).
    oU, xW, oW : [D + n, D]
        Logits, as in `Tables`.
    """

    score: Tensor
    query: Tensor
    o_query: Tensor
    x_key: Tensor
    o_key: Tensor
    xU: Tensor
    oU: Tensor
    xW: Tensor
    oW: Tensor


def layer_parts(model: AttentionStack) -> Parts:
    """Compute the parts: about 20 (D + n) d h operations."""
    first, second = model.head(0), model.head(1)
    x = torch.cat([model.W_E, model.W_pos])
    with stage("layer 1"):
        score = (x @ first.W_Q / first.attn_scale()) @ (x @ first.W_K).mT
        value = x @ first.W_V
    with stage("scores"):
        scale = second.attn_scale()
        query = (model.W_E + model.W_pos[-1]) @ second.W_Q / scale
        o_query = value @ (first.W_O @ second.W_Q) / scale
        x_key, o_key = x @ second.W_K, value @ (first.W_O @ second.W_K)
    with stage("logits"):
        W = second.W_O @ model.W_U
        xU = model.W_E @ model.W_U + model.W_pos[-1] @ model.W_U
        oU, oW = value @ (first.W_O @ model.W_U), (value @ (first.W_O @ second.W_V)) @ W
        xW = (x @ second.W_V) @ W
    return Parts(score, query, o_query, x_key, o_key, xU, oU, xW, oW)


def path_tables(model: AttentionStack) -> Tables:
    """Compute all tables.

    Cost: that of the parts, 2 (D + n)^2 h for each product of two, n^2 D^2 for each table over two atoms.
    """
    parts, D = layer_parts(model), model.d_vocab
    n = model.n_ctx
    with stage("layer 1"):
        score = _rows(_columns(parts.score, D), D)
        weight = torch.exp(score - _causal_max(score))
        lam = leak(parts.score, D)
    with stage("scores"):
        keys = torch.cat([parts.x_key, parts.o_key]).mT
        TX, TO = (_columns(half, D) for half in (parts.query @ keys).split(D + n, 1))
        OX, OO = (_rows(_columns(half, D), D) for half in (parts.o_query @ keys).split(D + n, 1))
    with stage("logits"):
        oU, xW, oW = (_rows(p, D) for p in (parts.oU, parts.xW, parts.oW))
    return Tables(weight, lam, TX, TO, OX, OO, parts.xU, oU, xW, oW)


class Vectors(Parts):
    """What each atom puts into the streams of the last layer, as vectors, for evaluating single inputs: `Parts` by place and token.

    Shapes: `score` [k, v, m, t] for the row (k, v) and the atom (m, t); `query` [q, h]; `o_query`, `x_key`, `o_key` [m, t, h]; `xU`
    [q, b]; `oU`, `xW` and `oW` [m, t, b].
    """

    @property
    def sizes(self) -> tuple[int, int]:
        """D and n."""
        n, D = self.x_key.shape[:2]
        return D, n


def vectors(model: AttentionStack) -> Vectors:
    """Compute all vectors."""
    parts, D = layer_parts(model), model.d_vocab
    return Vectors(
        _rows(_columns(parts.score, D), D),
        parts.query,
        _rows(parts.o_query, D),
        _rows(parts.x_key, D),
        _rows(parts.o_key, D),
        parts.xU,
        *(_rows(p, D) for p in (parts.oU, parts.xW, parts.oW)),
    )


def _rows(parts: Tensor, D: int) -> Tensor:
    """[D + n, ...] (tokens, then places) -> [n, D, ...]."""
    return parts[D:, None] + parts[None, :D]


def _columns(parts: Tensor, D: int) -> Tensor:
    """[..., D + n] -> [..., n, D]."""
    return parts[..., D:, None] + parts[..., None, :D]


def _causal_max(score: Tensor) -> Tensor:
    """Maximum over the atoms (m, t) with m <= k: [k, v, 1, 1]."""
    n = score.shape[0]
    causal = torch.ones(n, n, dtype=torch.bool, device=score.device).tril()[:, None, :, None]
    return torch.where(causal, score, -torch.inf).amax((2, 3), keepdim=True)
