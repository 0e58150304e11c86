"""A network whose attention does not depend on its input, as tables: what each token adds to every neuron and to every logit."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from compact_proofs.models.one_layer_mlp import OneLayerMLP


class Folded(NamedTuple):
    """``logits(a, b) = relu(L[a] + R[b]) G + S_a[a] + S_b[b]``, exactly.

    Attributes
    ----------
    L, R : [p, m]
        What the first and the second token add to the neurons; all biases and constants are in R. The same tensor where the tokens
        are treated alike.
    G : [m, p]
        What a neuron writes to the logits.
    S_a : [p, p] or None
        What the first token writes past the MLP; None: nothing.
    S_b : [p, p], [1, p] or None
        What the second token and the constants write past the MLP.
    """

    L: Tensor
    R: Tensor
    G: Tensor
    S_a: Tensor | None
    S_b: Tensor | None

    @property
    def alike(self) -> bool:
        """Whether both tokens are treated alike, without a skip path: the logits of (a, b) and (b, a) are equal."""
        return self.R is self.L


def fold(model: OneLayerMLP) -> Folded:
    """Multiply the weights out.

    With the pattern 1/n, M = W_V W_O (all heads) and e_i the embedding with its position, the MLP reads
    ``z = (1/n) e_0[a] M + ((1/n) e_1[b] M + e_1[b])`` (n = 2), the bracket's second term being the last position's own; with an "="
    sign that is a constant, ``(1/n) x M + x``. Distributing ``e_i = W_E + W_pos[i]`` leaves two products with W_in.

    Cost: 4 p d h + 4 p d m + 2 m d p + 4 p^2 d and lower terms (h: width of all heads); without attention 2 p d m + 2 m d p.
    """
    c, G = model.config, model.W_out @ model.W_U
    E = model.W_E[: model.p]
    if c.attention == "none":
        L = E @ model.W_in
        if not c.biases:
            return Folded(L, L, G, None, None)
        return Folded(L, L + model.b_in, G, None, (model.b_out @ model.W_U)[None])
    mixed = (E @ model.values) @ model.outputs / c.n_ctx  # [p, d]
    constant = model.constant_part()
    L, S_a = mixed @ model.W_in, mixed @ model.W_U
    R = L + constant @ model.W_in
    S_b = S_a + (constant + model.b_out if c.biases else constant) @ model.W_U
    if c.n_ctx == 2:
        R, S_b = R + E @ model.W_in, S_b + E @ model.W_U
    if c.biases:
        R = R + model.b_in
    return Folded(L, R, G, S_a, S_b)


def folded_logits(f: Folded, pairs: Tensor) -> Tensor:
    """Compute the logits [n, p] of pairs [n, 2] from the tables: about 2 m (p + 1) operations each."""
    a, b = pairs[:, 0], pairs[:, 1]
    logits = torch.relu(f.L.index_select(0, a) + f.R.index_select(0, b)) @ f.G
    if f.S_a is not None:
        logits = logits + f.S_a.index_select(0, a)
    if f.S_b is not None:
        logits = logits + (f.S_b.index_select(0, b) if len(f.S_b) > 1 else f.S_b)
    return logits
