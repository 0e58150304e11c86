"""A network whose attention depends on its input, as tables: what each head moves from each token to every neuron and logit."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor

from compact_proofs.models.architecture import square_root
from compact_proofs.models.one_layer_mlp import OneLayerMLP


@dataclass(frozen=True)
class Attending:
    """A linear function of the residual stream after attention: ``base[b] + sum_h share_h[a, b] (first_h[a] + second_h[b])``.

    Attributes
    ----------
    share : [heads, p, p]
        A weight of each pair (a, b), see `Pattern`.
    first, second : [heads, p, k]
        What each head moves from the first token and from the second.
    base : [p, k] or [1, k]
        What does not depend on the first token; one row if it does not depend on the second either.
    """

    share: Tensor
    first: Tensor
    second: Tensor
    base: Tensor

    def at(self, a: Tensor, b: Tensor) -> Tensor:
        """Values for pairs [n]: [n, k]. Cost: 3 k for each head and pair."""
        found = self.base[b] if len(self.base) > 1 else self.base
        for share, first, second in zip(self.share, self.first, self.second, strict=True):
            found = found + share[a, b][:, None] * (first[a] + second[b])
        return found

    def entry(self, a: Tensor, b: Tensor, k: Tensor) -> Tensor:
        """One value for each pair, number k [n]: [n]."""
        found = self.base[b, k] if len(self.base) > 1 else self.base[0, k]
        for share, first, second in zip(self.share, self.first, self.second, strict=True):
            found = found + share[a, b] * (first[a, k] + second[b, k])
        return found

    def scaled(self, columns: Tensor, scale: Tensor) -> Attending:
        """The values of some columns, divided by numbers."""
        first, second, base = (t[..., columns] / scale for t in (self.first, self.second, self.base))
        return replace(self, first=first, second=second, base=base)


class Pattern(NamedTuple):
    """What attention takes from which position.

    Attributes
    ----------
    share : [heads, p, p]
        Of pairs (a, b): sigma_0 = 1 / (1 + exp(s_1[b] - s_0[a, b])) of two positions with scores s_i; with an "=" sign
        1 / (w_0[a] + w_1[b] + 1), where w_i = exp(s_i - s_2) depends on one token.
    weights : two tensors [heads, p], or none
        w_0 and w_1.
    """

    share: Tensor
    weights: tuple[Tensor, ...]


class Values(NamedTuple):
    """What the heads read: of tokens [heads, p, h], of the first two positions [heads, 2, 1, h], of an "=" sign [heads, 1, h]."""

    tokens: Tensor
    positions: Tensor
    end: Tensor | None


def values(model: OneLayerMLP) -> Values:
    """Cost: 2 d h for each head and token, and lower terms."""
    tokens = model.W_E[: model.p] @ model.W_V
    of_positions = model.W_pos[:, None] @ model.W_V[:, None]  # [heads, n_ctx, 1, h]
    end = None if model.config.n_ctx == 2 else (model.W_E[-1] @ model.W_V + of_positions[:, 2, 0])[:, None]
    return Values(tokens, of_positions[:, :2], end)


class Moved(NamedTuple):
    """The parts of the residual stream after attention, or of a linear function of it.

    Attributes
    ----------
    tokens : [heads, p, k]
        What each head moves from each token.
    positions : [heads, 2, 1, k]
        What it moves from the first two positions.
    end : [heads, 1, k] or None
        What it moves from an "=" sign.
    last : [p, k] or [1, k]
        The last position's own.
    """

    tokens: Tensor
    positions: Tensor
    end: Tensor | None
    last: Tensor

    def put_together(self) -> Carried:
        """Tokens with their positions."""
        return Carried(self.tokens + self.positions[:, 0], self.tokens + self.positions[:, 1], self.end, self.last)


class Carried(NamedTuple):
    """Values ``last[b] + sum_h (sigma_0 first_h[a] + sigma_1 second_h[b] + sigma_2 end_h)`` of pairs, for the pattern sigma.

    Attributes
    ----------
    first, second : [heads, p, k]
    end : [heads, 1, k] or None
        None: there are only two positions.
    last : [p, k] or [1, k]
    """

    first: Tensor
    second: Tensor
    end: Tensor | None
    last: Tensor

    def attending(self, pattern: Pattern) -> Attending:
        """With two positions ``second[b] + sigma_0 (first[a] - second[b])``, else ``end + share (w_0 (first - end) + ...)``."""
        first, second, end, last = self
        if end is None:
            return Attending(pattern.share, first, -second, last + second.sum(0))
        first, second = ((v - end) * w[..., None] for v, w in zip((first, second), pattern.weights, strict=True))
        return Attending(pattern.share, first, second, last + end.sum(0))


def moved(model: OneLayerMLP, values: Values, W: Tensor | None = None) -> Moved:
    """The parts of the residual stream, or of its product with W [d, k].

    Cost: 2 d h and 2 p h for each head and column (h: width of a head); without W 2 p h alone.
    """
    E, end = model.W_E[: model.p], None
    out = model.W_O if W is None else model.W_O @ W  # [heads, h, k]
    if values.end is None:
        last = E + model.W_pos[1]
    else:
        last, end = (model.W_E[-1] + model.W_pos[2])[None], values.end @ out
    return Moved(values.tokens @ out, values.positions @ out[:, None], end, last if W is None else last @ W)


def attending(model: OneLayerMLP) -> tuple[Attending, Attending, Tensor]:
    """What the neurons read, what the logits have beside them, and G = W_out W_U [m, p], multiplied out.

    With e_i = W_E + W_pos[i], the last position's token x, and for each head v_i = e_i W_V W_O W (W = W_in or W_U), scores s_i and
    the pattern sigma:

    * two positions, b the last: ``sigma_0 v_0[a] + sigma_1 v_1[b] = v_1[b] + sigma_0 (v_0[a] - v_1[b])``;
    * with an "=" sign, whose value is c: ``c + (w_0[a] (v_0[a] - c) + w_1[b] (v_1[b] - c)) / (w_0[a] + w_1[b] + 1)``.

    Cost: `moved` and `pattern`, and 2 m d p for G.
    """
    found, read = pattern(model), values(model)
    neurons, logits = (moved(model, read, W).put_together().attending(found) for W in (model.W_in, model.W_U))
    return *with_biases(model, neurons, logits), model.W_out @ model.W_U


def with_biases(model: OneLayerMLP, neurons: Attending, logits: Attending) -> tuple[Attending, Attending]:
    """Add the MLP's biases, if there are any."""
    if not model.config.biases:
        return neurons, logits
    return replace(neurons, base=neurons.base + model.b_in), replace(logits, base=logits.base + model.b_out @ model.W_U)


def pattern(model: OneLayerMLP) -> Pattern:
    """What attention takes from which position. Cost with two positions: 4 p d h and 2 p^2 h for each head, and lower terms."""
    E, scale = model.W_E[: model.p], square_root(model.config.d_head, model.W_E.device)
    if model.config.n_ctx == 2:
        queries = (E + model.W_pos[1]) @ model.W_Q / scale  # [heads, p, h]
        keys = E @ model.W_K
        of_positions = (model.W_pos[:, None] @ model.W_K[:, None]).unbind(1)  # [heads, 1, h] each
        of_first = (keys + of_positions[0]) @ queries.mT  # [heads, a, b]
        of_last = ((keys + of_positions[1]) * queries).sum(-1)[:, None]  # [heads, 1, b]
        return Pattern(1 / (1 + torch.exp(of_last - of_first)), ())
    last = (model.W_E[-1] + model.W_pos[2])[None]  # [1, d]
    asked = model.W_K @ (last @ model.W_Q / scale).mT  # [heads, d, 1]
    own = last @ asked  # [heads, 1, 1]
    w = tuple(torch.exp(((E + model.W_pos[i]) @ asked - own).squeeze(-1)) for i in (0, 1))
    return Pattern(1 / (w[0][:, :, None] + w[1][:, None] + 1), w)
