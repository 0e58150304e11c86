"""The theorem: what codes over a dictionary prove about the margins of an MLP."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from compact_proofs.bounds.ranges import spread
from compact_proofs.bounds.relu import error_of_outputs
from compact_proofs.bounds.splitting import along
from compact_proofs.core.claim import largest_other
from compact_proofs.core.strategy import Explanation
from compact_proofs.dictionaries.codes import read_lists, sorted_by
from compact_proofs.dictionaries.coding import Coding, Features, InputCodes, TokenCodes
from compact_proofs.dictionaries.metric import Metric
from compact_proofs.length import stage
from compact_proofs.models.component import Component


class Terms(NamedTuple):
    """What a bound of margins consists of, for each of some inputs.

    Attributes
    ----------
    explained : [N]
        The margin of the network whose neurons read only what the dictionary explains, and write only along the output directions.
    residual : [N]
        What the activations' distance from the dictionary can cost.
    interaction : [N]
        What the reads that are not followed can cost.
    projection : [N]
        What the neurons write beside the output directions can cost.
    """

    explained: Tensor
    residual: Tensor
    interaction: Tensor
    projection: Tensor

    @property
    def margin(self) -> Tensor:
        """A lower bound of the margin, [N]."""
        return self.explained - (self.residual + self.interaction + self.projection)


class Outputs(NamedTuple):
    """What neurons write, halved and split: ``G / 2 = (G Y^T) Y / 2 + rest``, in groups of neurons with directions Y of their own.

    Attributes
    ----------
    order, sizes
        The neurons by their groups, and how many each has.
    coordinates : G of [n_g, q]
        What they write along their group's directions, halved.
    directions : [G q, C]
        All of them.
    level : [n]
        What is taken for |h| where they write beside the directions.
    range : [n]
        Of the rest of each.
    """

    order: Tensor
    sizes: list[int]
    coordinates: list[Tensor]
    directions: Tensor
    level: Tensor
    range: Tensor


@dataclass(frozen=True)
class Bound:
    """A lower bound of the margin of ``F(x) = relu(x W + b) G + x U + c``, for any dictionary and any codes.

    **Hints.** A decoder D with an offset; codes z; the reads that neurons follow; directions V of the activations; groups of
    neurons with rows Y of output directions; a level m_i for each neuron. With ``x = offset + z D + r``, ``a = D W``, ``gr_i =
    max_c G_ic - min_c G_ic``, neuron i reads

        h_i = h^_i + sum over dropped j of z_j a_ji + w_i . r,        h^_i = b_i + w_i . offset + sum over followed j of z_j a_ji.

    **Inequality.** As relu(h) = h / 2 + |h| / 2, the linear half joins the skip path, exactly: ``F(x) = |h| G / 2 + x (U + W G / 2)
    + c + b G / 2``. As ``||h_i| - |h^_i|| <= |h_i - h^_i|``, and a change e of |h_i| moves the difference of two logits by at most
    ``|e| gr_i / 2``; and as ``|h^_i| G_i = |h^_i| (G_i Y^T) Y + m_i rest_i + (|h^_i| - m_i) rest_i`` for ``rest_i = G_i - (G_i Y^T)
    Y``, whatever Y and m are,

        margin(x) >= margin of (|h^| (G Y^T) Y + m rest) / 2 + x (U + W G / 2) + c + b G / 2               explained
                     - 1/2 sum_i ||h^_i| - m_i| range(rest_i)                                           projection
                     - 1/2 min( sum_j |z_j| al_j, sqrt(sum gr) sqrt(z T z^T) )                           interaction
                     - 1/2 sqrt(sum gr) sqrt(r S r^T)                                                     residual

    with B the dropped entries of a, ``al_j = sum_i gr_i |B_ji|``, ``T = B diag(gr) B^T``, ``S = W diag(gr) W^T`` (`Metric`): the
    triangle inequality, or Cauchy and Schwarz. Where neurons read the activations themselves, h - h^ is known, and the last two are
    ``1/2 sum_i gr_i |h_i - h^_i|``. The linear half may also be of the features alone, ``(start + z a) G / 2`` in place of ``(x W +
    b) G / 2``; then the residual, whose linear half is left out too, costs twice as much. A constant added to all outputs of a
    neuron changes no margin, so G is centred first.

    **Cost**, for N inputs, L features, n neurons, C outputs, q directions for each of g groups, s directions V: before the inputs 2
    d n (L + C + s) and lower terms; then N (2 n q + 2 g q C + 5 n) and what the codes take (`Coding`).
    """

    component: Component
    weight: Tensor
    half: Tensor
    metric: Metric | None
    outputs: Outputs
    linear: Sequence[Tensor]
    exact: bool

    @classmethod
    def of(cls, c: Component, explanation: Explanation, *, exact: bool = True) -> Bound:
        """Compute what depends on neither dictionary nor input; `exact`: whether the linear half is (it always is without W)."""
        exact = exact or c.W is None
        hints = {name: t.to(c.G.device) for name, t in explanation.items() if t.is_floating_point()}
        with stage("outputs"):
            G = c.G - c.G.mean(1, keepdim=True)
            weight = spread(G)
            half = G * 0.5
            outputs, beside = cls._split(half, explanation["group"], hints["directions"], hints["level"])
        with stage("linear half"):
            linear = cls._linear_half(c, half if exact else None, beside)
        metric = None
        if c.W is not None:
            with stage("metric"):
                metric = Metric.of(c, weight, hints["metric"])
        return cls(c, weight, half, metric, outputs, linear, exact)

    @staticmethod
    def _split(half: Tensor, group: Tensor, Y: Tensor, level: Tensor) -> tuple[Outputs, Tensor]:
        """Split the outputs by groups of neurons; also ``sum_i m_i rest_i`` [C]."""
        order, _, sizes = sorted_by(group, len(Y), half.device)
        coordinates, rests = [], []
        for G_g, Y_g in zip(half[order].split(sizes), Y, strict=True):
            coordinate, rest_g = along(G_g, Y_g)
            coordinates.append(coordinate)
            rests.append(rest_g)
        rest, level = torch.cat(rests), level[order]
        return Outputs(order, sizes, coordinates, Y.flatten(0, 1), level, spread(rest)), level @ rest

    @staticmethod
    def _linear_half(c: Component, half: Tensor | None, constant: Tensor) -> list[Tensor]:
        """What each row of each table adds to the logits by ``U + W G / 2``, or by U: [n_t, C]; all constants are in the last."""
        U = c.U
        if half is not None:
            through = half if c.W is None else c.W @ half
            U = through if U is None else through + U
            constant = constant if c.b is None else constant + c.b @ half
        constant = constant if c.c is None else constant + c.c
        tables = [torch.zeros(len(t), c.outputs, dtype=t.dtype, device=t.device) if U is None else t @ U for t in c.tables]
        return [*tables[:-1], tables[-1] + constant]

    def features(self, decoder: Tensor, offset: Tensor) -> Features:
        """The dictionary as the neurons see it."""
        return Features.of(self.component, decoder, offset, None if self.exact else self.half)

    def coding(self, features: Features, explanation: Explanation, *, tokens: bool = False) -> Coding:
        """The explanation's codes, of inputs or of tokens, made ready."""
        index, value = explanation["index"], explanation["value"]
        V = None if self.metric is None else self.metric.V
        if tokens:
            return TokenCodes(self.component, features, index, value, V)
        if "kept" not in explanation:
            return InputCodes(self.component, features, index, value, V)
        reads = read_lists(explanation["kept"], features.reads.device)
        B = torch.where(explanation["kept"].to(features.reads.device) == 1, 0.0, features.reads)
        weighted = B * self.weight
        return InputCodes(self.component, features, index, value, V, reads, (weighted.abs().sum(1), weighted @ B.T))

    def terms(self, coding: Coding, rows: slice, labels: Tensor) -> Terms:
        """Bound the margins of some inputs, given their labels [N]."""
        with stage("neurons"):
            h = coding.neurons(rows)
        with stage("errors"):
            residual, interaction = self._errors(coding, rows, h)
        out = self.outputs
        with stage("logits"):
            size = h.abs()[:, out.order]
            projection = (size - out.level).abs() @ out.range
            parts = [s @ k for s, k in zip(size.split(out.sizes, 1), out.coordinates, strict=True)]
            logits = torch.cat(parts, 1) @ out.directions + self.component.gather(self.linear, rows)
            logits = logits if self.exact else logits + coding.written(rows)
        with stage("margins"):
            own = logits.gather(1, labels[:, None]).squeeze(1)
            return Terms(own - largest_other(logits, labels), residual, interaction, projection)

    def _errors(self, coding: Coding, rows: slice, h: Tensor) -> tuple[Tensor, Tensor]:
        """What the residual and the reads that are not followed can cost."""
        nothing = torch.zeros(len(h), dtype=h.dtype, device=h.device)
        if self.metric is None:
            exact = self.component.activations(rows)
            exact = exact if self.component.b is None else exact + self.component.b
            return error_of_outputs((exact - h).abs(), self.weight * 0.5), nothing
        root = self.weight.sum().sqrt()
        residual = (root * (0.5 if self.exact else 1.0)) * self.metric.bound(*coding.residual(rows))
        found = coding.interaction(rows)
        if found is None:
            return residual, nothing
        by_feature, squares = found
        return residual, 0.5 * torch.minimum(by_feature, root * squares.clamp(min=0).sqrt())
