"""What linear maps read of the residual stream of every pair, whatever the attention is."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from compact_proofs import directions
from compact_proofs.bounds.norms import longest, norm
from compact_proofs.models.one_layer_mlp import OneLayerMLP
from compact_proofs.tasks.modular_addition.attending import moved, pattern, values
from compact_proofs.tasks.modular_addition.folding import added
from compact_proofs.tasks.modular_addition.parts import each


def reader(model: OneLayerMLP) -> Callable[[Tensor], directions.OfPairs]:
    """A function of maps W [d, k] to tables of ``z(a, b) W``, z being the residual stream after attention.

    Cost: `values` and `pattern`, or `added`, once; for each map `moved`, or 2 p d k for each part of the stream.
    """
    if model.config.attention == "learned":
        shares, read = pattern(model), values(model)
        return lambda W: moved(model, read, W).put_together().attending(shares)
    stream = added(model)
    return lambda W: each(lambda part: part @ W, stream).put_together()


def longest_stream(model: OneLayerMLP) -> Tensor:
    """A bound of |z(a, b)| for all pairs.

    With x_n the longest of a token with its position, heads add means of rows ``x_i W_V W_O``, at most |x_n| |W_V| |W_O| long each
    (Frobenius norms). Without attention z is the sum of two embeddings. Cost: 2 d for each token, 2 d h twice for each head.
    """
    token = longest(model.W_E)
    if model.config.attention == "none":
        return 2 * token
    heads = (norm(model.W_V, (1, 2)) * norm(model.W_O, (1, 2))).sum()
    return (token + longest(model.W_pos)) * (1 + heads)
