"""Least squares for the numbers of one circuit, once its neurons have their points: a part of the search, free and untrusted."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from compact_proofs.models.pair_mlp import PairMLP
from compact_proofs.tasks.groups.group import Group, group_of

ROUNDS = 20
"""Rounds of alternating fits."""
Side = Literal["left", "right"]


@dataclass(frozen=True)
class Weights:
    """Float64 copies of what a search reads: l, r [n, m], U [m, n] with each row's mean taken off, and the group."""

    left: Tensor
    right: Tensor
    output: Tensor
    group: Group

    @classmethod
    def of(cls, model: PairMLP) -> Weights:
        """Fold and copy."""
        double = copy.deepcopy(model).double().cpu()
        with torch.no_grad():
            U = double.U
            return cls(double.left(), double.right(), U - U.mean(1, keepdim=True), group_of(double.table))

    @property
    def strength(self) -> Tensor:
        """[m]: how much a neuron moves its inputs, times how much it moves the logits."""
        moved = torch.sqrt(self.left.var(0, correction=0) + self.right.var(0, correction=0))
        return moved * self.output.norm(dim=1)


@dataclass(frozen=True)
class Fit:
    """One circuit, with sets of points G / H and G / K and the readings of neurons as its ideal ones.

    Attributes
    ----------
    left_image, right_image : int [points, n]
        x^-1 b and y c.
    neurons, b, c : int [k]
        Numbers of the neurons, and their points; a neuron is there twice if it is read as two ideal neurons.
    factor, share : [k]
        See `circuits.circuit_specs`.
    shift : [k]
        Of the neurons.
    alpha, beta
        Of the points.
    gamma : [left points, right points]
        Invariant under the group.
    weighted, weights : "left" or "right", [points, 2]
        Weights of one side's points; None without.
    """

    left_image: Tensor
    right_image: Tensor
    neurons: Tensor
    b: Tensor
    c: Tensor
    factor: Tensor
    share: Tensor
    shift: Tensor
    alpha: Tensor
    beta: Tensor
    gamma: Tensor
    weighted: Side | None = None
    weights: Tensor | None = None

    def written(self, w: Weights) -> tuple[Tensor, Tensor]:
        """What the readings of every pair of points write together of ReLU(u), and of u: [left points, right points, n]."""
        nothing = torch.zeros(*self.gamma.shape, w.group.order, dtype=w.output.dtype)
        U = self.share[:, None] * w.output[self.neurons]
        of_relu, of_u = (
            nothing.index_put((self.b, self.c), t[:, None] * U, accumulate=True)
            for t in (self.factor.abs(), self.factor.clamp(max=0.0))
        )
        return of_relu, of_u

    @property
    def missing(self) -> int:
        """Pairs of points that no neuron is read as."""
        return self.gamma.numel() - len(torch.unique(self.b * self.gamma.shape[1] + self.c))


def fit(
    w: Weights,
    left_image: Tensor,
    right_image: Tensor,
    neurons: Tensor,
    b: Tensor,
    c: Tensor,
    sign: Tensor,
    opposite: list[Tensor | None],
) -> Fit:
    """Least squares in turn for factors and shifts, and for alpha and beta; weighted by the squared norm of the output weights.

    If both sides have an opposite (alpha(-b) = -alpha(b), beta(-c) = -beta(c)), a neuron at (b, c) with the factor t is as well one
    at (-b, -c) with the factor -t, and half of it is read as each.
    """
    left, right, U = w.left[:, neurons].T, w.right[:, neurons].T, w.output[neurons]  # [k, n]
    at_left, at_right = left_image[b], right_image[c]  # [k, n]
    weight = U.square().sum(1, keepdim=True)
    size = left.var(1, keepdim=True) + right.var(1, keepdim=True)
    factor, shift = sign[:, None] * torch.sqrt(size / size[:1]), torch.zeros(len(neurons), 1, dtype=left.dtype)
    minus_b, minus_c = opposite
    for _ in range(ROUNDS):
        alpha = _mean_by(at_left, left - shift, factor, weight, len(left_image))
        beta = _mean_by(at_right, right + shift, factor, weight, len(right_image))
        if minus_b is not None and minus_c is not None:
            alpha, beta = (alpha - alpha[minus_b]) / 2, (beta - beta[minus_c]) / 2
        A, B = alpha[at_left], beta[at_right]
        factor = ((left - shift) * A + (right + shift) * B).sum(1, keepdim=True) / (A.square() + B.square()).sum(1, keepdim=True)
        shift = ((left - factor * A) - (right - factor * B)).mean(1, keepdim=True) / 2
    share = torch.ones_like(factor)
    if minus_b is not None and minus_c is not None:
        neurons, shift = torch.cat([neurons, neurons]), torch.cat([shift, shift])
        b, c = torch.cat([b, minus_b[b]]), torch.cat([c, minus_c[c]])
        factor, share = torch.cat([factor, -factor]), torch.cat([share, share]) / 2
    factor, share, shift = (t.flatten() for t in (factor, share, shift))
    nothing = torch.zeros(len(alpha), len(beta), dtype=alpha.dtype)
    return with_gamma(w, Fit(left_image, right_image, neurons, b, c, factor, share, shift, alpha, beta, nothing))


def with_gamma(w: Weights, f: Fit, side: Side | None = None) -> Fit:
    """The gamma, and with a side the weights of its points, for which what ideal neurons write is nearest to what readings write.

    Without weights these are means over orbits; with weights, least squares in turn.
    """
    P, Q = f.gamma.shape
    both = f.left_image[:, None, w.group.inverse] * Q + f.right_image  # [P, Q, n]: number of (g b, g c)
    _, orbit = both.amin(-1).flatten().unique(return_inverse=True)
    orbit = orbit.reshape(P, Q)
    target, (of_relu, of_u) = orbit[:, f.right_image], f.written(w)  # [P, Q, n]: the orbit of (b, z c)
    zero = torch.zeros(int(orbit.max()) + 1, dtype=of_relu.dtype)
    shape, others = ((P, 1, 1), (1, 2)) if side == "left" else ((1, Q, 1), (0, 2))
    weight = torch.ones(shape, dtype=of_relu.dtype)
    for _ in range(ROUNDS if side else 1):
        above, below = (weight * of_relu).flatten(), weight.square().expand_as(of_relu).flatten()
        gamma = zero.index_add(0, target.flatten(), above) / zero.index_add(0, target.flatten(), below).clamp_min(1e-300)
        ideal = gamma[target]
        size = ideal.square().sum(others, keepdim=True).clamp_min(1e-300)
        weight = (of_relu * ideal).sum(others, keepdim=True) / size
    if side is None:
        return replace(f, gamma=gamma[orbit])
    linear = (of_u * ideal).sum(others, keepdim=True) / size
    return replace(f, gamma=gamma[orbit], weighted=side, weights=torch.stack([weight.flatten(), linear.flatten()], 1))


def _mean_by(place: Tensor, values: Tensor, factor: Tensor, weight: Tensor, points: int) -> Tensor:
    """The numbers a_p for which factor_i a_p is nearest to values_ix, where place_ix = p."""
    zero = torch.zeros(points, dtype=values.dtype)
    above = zero.index_add(0, place.flatten(), (weight * factor * values).flatten())
    below = zero.index_add(0, place.flatten(), (weight * factor.square()).expand_as(values).flatten())
    return above / below.clamp_min(1e-300)
