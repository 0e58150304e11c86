"""A network whose attention depends on its input, as tables: what each head moves from each token to every neuron and logit."""

from __future__ import annotations

from dataclasses import dataclass, replace

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
        A weight of each pair (a, b), see `attending`.
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


def attending(model: OneLayerMLP) -> tuple[Attending, Attending, Tensor]:
    """What the neurons read, what the logits have beside them, and G = W_out W_U [m, p], multiplied out.

    With e_i = W_E + W_pos[i], the last position's token x, and for each head v_i = e_i W_V W_O W (W = W_in or W_U), scores s_i and
    the pattern sigma:

    * two positions, b the last: ``sigma_0 v_0[a] + sigma_1 v_1[b] = v_1[b] + sigma_0 (v_0[a] - v_1[b])``, with
      sigma_0 = 1 / (1 + exp(s_1[b] - s_0[a, b]));
    * with an "=" sign, whose value is c: ``c + (w_0[a] (v_0[a] - c) + w_1[b] (v_1[b] - c)) / (w_0[a] + w_1[b] + 1)``, where
      w_i = exp(s_i - s_2) depends on one token.

    Cost: 2 d h and 2 p h for each head and column (h: width of a head), 2 p^2 h for the scores, and 2 m d p for G.
    """
    E, G = model.W_E[: model.p], model.W_out @ model.W_U
    values = E @ model.W_V  # [heads, p, h]
    of_positions = model.W_pos[:, None] @ model.W_V[:, None]  # [heads, n_ctx, 1, h]
    share, weights, last = _pattern(model, E)
    found = []
    for W, bias in ((model.W_in, model.b_in if model.config.biases else None), (model.W_U, None)):
        moved = model.W_O @ W  # [heads, h, k]
        tokens = values @ moved  # [heads, p, k]
        first, second = (tokens + of_positions[:, i] @ moved for i in (0, 1))
        base = last @ W
        if model.config.n_ctx == 2:
            base, second = base + second.sum(0), -second
        else:
            constant = (model.W_E[-1] @ model.W_V + of_positions[:, 2, 0])[:, None] @ moved  # [heads, 1, k]
            base = base + constant.sum(0)
            first, second = ((v - constant) * w[..., None] for v, w in zip((first, second), weights, strict=True))
        if bias is not None:
            base = base + bias
        found.append(Attending(share, first, second, base))
    neurons, logits = found
    if model.config.biases:
        logits = replace(logits, base=logits.base + model.b_out @ model.W_U)
    return neurons, logits, G


def _pattern(model: OneLayerMLP, E: Tensor) -> tuple[Tensor, tuple[Tensor, ...], Tensor]:
    """The shares [heads, p, p] of pairs (a, b), the weights of tokens ([heads, p] each), and the last position's own row [., d]."""
    scale = square_root(model.config.d_head, E.device)
    if model.config.n_ctx == 2:
        last = E + model.W_pos[1]
        queries = last @ model.W_Q / scale  # [heads, p, h]
        of_first = (E + model.W_pos[0]) @ model.W_K @ queries.mT  # [heads, a, b]
        of_last = (last @ model.W_K * queries).sum(-1)[:, None]  # [heads, 1, b]
        return 1 / (1 + torch.exp(of_last - of_first)), (), last
    last = (model.W_E[-1] + model.W_pos[2])[None]  # [1, d]
    asked = model.W_K @ (last @ model.W_Q / scale).mT  # [heads, d, 1]
    own = last @ asked  # [heads, 1, 1]
    w = tuple(torch.exp(((E + model.W_pos[i]) @ asked - own).squeeze(-1)) for i in (0, 1))
    return 1 / (w[0][:, :, None] + w[1][:, None] + 1), w, last
