"""A network whose residual stream is read through few of its directions: tables that cost less to multiply out, and a doubt."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from compact_proofs import directions
from compact_proofs.bounds.splitting import rest_norms, through
from compact_proofs.core.strategy import finite
from compact_proofs.models.one_layer_mlp import OneLayerMLP
from compact_proofs.tasks.modular_addition.attending import moved, pattern, values, with_biases
from compact_proofs.tasks.modular_addition.folding import added, folded
from compact_proofs.tasks.modular_addition.networks import AdditiveNetwork, AttendingNetwork
from compact_proofs.tasks.modular_addition.parts import each


@dataclass(frozen=True)
class Spanned(directions.PairNetwork):
    """Tables that are the network's but for a doubt, and what the network itself is made of.

    Attributes
    ----------
    tables
        Another network on pairs.
    within
        How far the network is from it, its doubt.
    model
        The network itself, in the order and scale of its weights.
    stream
        Its residual stream after attention, of d columns.
    neurons, scale : [m]
        The order of the tables' neurons, and what they are divided by.
    """

    tables: directions.PairNetwork
    within: directions.Doubt
    model: OneLayerMLP
    stream: directions.OfPairs
    neurons: Tensor
    scale: Tensor

    @property
    def G(self) -> Tensor:  # type: ignore[override]
        return self.tables.G

    @property
    def doubt(self) -> directions.Doubt:
        return self.within

    @property
    def n(self) -> int:
        return self.tables.n

    @property
    def alike(self) -> bool:
        return self.tables.alike

    def scaled(self, neurons: Tensor, scale: Tensor) -> Spanned:
        tables, within = self.tables.scaled(neurons, scale), self.within.scaled(neurons, scale)
        return replace(self, tables=tables, within=within, neurons=self.neurons[neurons], scale=self.scale[neurons] * scale)

    def pre(self, x: Tensor, y: Tensor) -> Tensor:
        return self.tables.pre(x, y)

    def direct(self, x: Tensor, y: Tensor) -> Tensor:
        return self.tables.direct(x, y)

    def direct_at(self, x: Tensor, y: Tensor, z: Tensor) -> Tensor:
        return self.tables.direct_at(x, y, z)

    def exactly(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Through all directions of the stream: 2 d m and 2 d p operations for each pair."""
        stream = self.stream.at(x, y)
        pre = stream @ self.model.W_in
        past = stream.new_zeros(1, self.model.p) if self.model.config.attention == "none" else stream @ self.model.W_U
        if self.model.config.biases:
            pre, past = pre + self.model.b_in, past + self.model.b_out @ self.model.W_U
        return pre[:, self.neurons] / self.scale, past


def through_span(model: OneLayerMLP, V: Tensor) -> Spanned:
    """Multiply a network out through directions V [r, d] of its residual stream, whatever they are.

    The stream z of a pair, the sum of its parts, is ``c V + z'``, and for W = W_in or W_U it is ``z W = c B + z' W'`` (`through`).
    The tables hold c B. What neuron i reads is further from theirs by at most ``|z'| |W'_i|``, a logit's direct part by the same
    with W_U; and |z'| is at most what the norms of the parts' rests add up to (`rest_norms`), put together as the parts are, whose
    weights are not negative.

    Cost: `added`, or `moved`, `values` and `pattern`; 2 r d for each part of the stream (a token, and one for each head that moves
    it) and for each neuron and logit, 2 r for each of these parts and each neuron and logit; lower terms; and 2 m d p for G.
    """
    learned, G = model.config.attention == "learned", model.W_out @ model.W_U
    gram = V @ V.mT
    into, beyond_in = through(model.W_in, V, gram)
    past, beyond_past = through(model.W_U, V, gram)
    tables, stream, far = (_attending if learned else _adding)(model, V, gram, into, past, G)
    if model.config.attention == "none":
        beyond_past = torch.zeros_like(beyond_past)
    order = torch.arange(model.config.d_mlp, device=V.device)
    scale = torch.ones(len(order), dtype=torch.float64, device=V.device)
    return Spanned(tables, directions.Doubt(far, beyond_in, beyond_past), model, stream, order, scale)


Found = tuple[directions.PairNetwork, directions.OfPairs, directions.OfPairs]
"""Tables, the stream of d columns, and bounds of what the directions leave of it."""


def _attending(model: OneLayerMLP, V: Tensor, gram: Tensor, into: Tensor, past: Tensor, G: Tensor) -> Found:
    """Where attention depends on the input."""
    parts, shares = moved(model, values(model)), pattern(model)
    coordinates = each(lambda part: part @ V.mT, parts)
    neurons = each(lambda c: c @ into, coordinates).put_together().attending(shares)
    logits = each(lambda c: c @ past, coordinates).put_together().attending(shares)
    whole = parts.put_together()
    far = each(lambda part, c: rest_norms(part, c, gram)[..., None], whole, coordinates.put_together()).attending(shares)
    return AttendingNetwork(*with_biases(model, neurons, logits), G), whole.attending(shares), far


def _adding(model: OneLayerMLP, V: Tensor, gram: Tensor, into: Tensor, past: Tensor, G: Tensor) -> Found:
    """Where it does not, or where there is none."""
    parts = added(model)
    coordinates = each(lambda part: part @ V.mT, parts)
    neurons = each(lambda c: c @ into, coordinates).put_together()
    logits = None if model.config.attention == "none" else each(lambda c: c @ past, coordinates).put_together()
    whole = parts.put_together()
    far = each(lambda part, c: rest_norms(part, c, gram)[..., None], whole, coordinates.put_together())
    constant = (model.b_out @ model.W_U)[None] if model.config.biases else None
    return AdditiveNetwork(folded(model, neurons, logits, constant, G), G), whole, far


def span_of(model: OneLayerMLP, r: int) -> Tensor:
    """The directions [r, d] that the neurons of a float64 network read most from; zeros beyond d of them."""
    found = torch.zeros(r, model.config.d_model, dtype=torch.float64)
    V = torch.linalg.svd(finite(model.W_in.T), full_matrices=False).Vh[:r]
    found[: len(V)] = V
    return finite(found)
