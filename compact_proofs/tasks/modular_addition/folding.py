"""A network whose attention does not depend on its input, as tables: what each token adds to every neuron and to every logit."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from compact_proofs.models.one_layer_mlp import OneLayerMLP
from compact_proofs.tasks.modular_addition.parts import each


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


class Added(NamedTuple):
    """The parts of the residual stream after attention that does not depend on the input, or of a linear function of it.

    The stream of (a, b) is ``mixed[a] + mixed[b] + constant + own[b]``.

    Attributes
    ----------
    mixed : [p, k]
        What each token adds, from either position.
    constant : [1, k] or None
        What positions and an "=" sign add; None: nothing.
    own : [p, k] or None
        What the second token adds to its own position; None: nothing.
    """

    mixed: Tensor
    constant: Tensor | None = None
    own: Tensor | None = None

    def put_together(self) -> Summed:
        """What each of the two tokens adds, the constants with the second."""
        second = self.mixed if self.constant is None else self.mixed + self.constant
        return Summed(self.mixed, second if self.own is None else second + self.own)


class Summed(NamedTuple):
    """Values ``first[a] + second[b]`` of pairs, [p, k] each."""

    first: Tensor
    second: Tensor

    def at(self, a: Tensor, b: Tensor) -> Tensor:
        """Values for pairs [n]: [n, k]."""
        return self.first[a] + self.second[b]


def added(model: OneLayerMLP) -> Added:
    """The parts of the residual stream. With the pattern 1/n and M = W_V W_O (all heads) each token adds ``(1/n) W_E M``, the last
    position its own embedding, and an "=" sign x the constant ``(1/n) x M + x``.

    Cost: 4 p d h (h: width of all heads) and lower terms; without attention none.
    """
    c, E = model.config, model.W_E[: model.p]
    if c.attention == "none":
        return Added(E)
    mixed = (E @ model.values) @ model.outputs / c.n_ctx  # [p, d]
    return Added(mixed, model.constant_part(), E if c.n_ctx == 2 else None)


def fold(model: OneLayerMLP) -> Folded:
    """Multiply the weights out.

    Cost: 4 p d h + 4 p d m + 2 m d p + 4 p^2 d and lower terms (h: width of all heads); without attention 2 p d m + 2 m d p.
    """
    stream, biases = added(model), model.config.biases
    neurons = each(lambda part: part @ model.W_in, stream).put_together()
    G = model.W_out @ model.W_U
    if stream.constant is None:
        return folded(model, neurons, None, (model.b_out @ model.W_U)[None] if biases else None, G)
    past = stream._replace(constant=stream.constant + model.b_out) if biases else stream
    return folded(model, neurons, each(lambda part: part @ model.W_U, past).put_together(), None, G)


def folded(model: OneLayerMLP, neurons: Summed, logits: Summed | None, constant: Tensor | None, G: Tensor) -> Folded:
    """Tables from what the stream adds to the neurons and to the logits, with the neurons' biases; `constant` [1, p] is a further
    part of all logits. None: nothing."""
    R = neurons.second + model.b_in if model.config.biases else neurons.second
    S_a, S_b = (None, constant) if logits is None else logits
    if logits is not None and constant is not None:
        S_b = logits.second + constant
    return Folded(neurons.first, R, G, S_a, S_b)


def folded_logits(f: Folded, pairs: Tensor) -> Tensor:
    """Compute the logits [n, p] of pairs [n, 2] from the tables: about 2 m (p + 1) operations each."""
    a, b = pairs[:, 0], pairs[:, 1]
    logits = torch.relu(f.L.index_select(0, a) + f.R.index_select(0, b)) @ f.G
    if f.S_a is not None:
        logits = logits + f.S_a.index_select(0, a)
    if f.S_b is not None:
        logits = logits + (f.S_b.index_select(0, b) if len(f.S_b) > 1 else f.S_b)
    return logits
