"""Least squares for the numbers of one circuit, once its neurons have their points: a part of the search, free and untrusted."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from compact_proofs.algebra.group import Group, group_of
from compact_proofs.models.pair_mlp import PairMLP
from compact_proofs.models.weights import in_double

ROUNDS = 10
"""Rounds of alternating fits."""
EVEN = 0.2
"""Symmetries of gamma up to sign hold up to this share of its norm."""


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
        double = in_double(model).cpu()
        with torch.no_grad():
            U = double.U.detach()
            return cls(double.left().detach(), double.right().detach(), U - U.mean(1, keepdim=True), group_of(double.table))

    @property
    def strength(self) -> Tensor:
        """[m]: how much a neuron moves its inputs, times how much it moves the logits."""
        moved = torch.sqrt(self.left.var(0, correction=0) + self.right.var(0, correction=0))
        return moved * self.output.norm(dim=1)


@dataclass(frozen=True)
class Fit:
    """One circuit, with sets of points G / H and G / K and the readings of neurons.

    Attributes
    ----------
    left_image, right_image : int [points, n]
        x^-1 b and y c.
    neurons, b, c : int [k]
        Numbers of the neurons, and their points; a neuron is there several times if it is read in several ways.
    scale, share : [k]
        See `circuits.circuit_specs`.
    gamma : [left points, right points]
        Invariant under the group, with mean square 1.
    """

    left_image: Tensor
    right_image: Tensor
    neurons: Tensor
    b: Tensor
    c: Tensor
    scale: Tensor
    share: Tensor
    gamma: Tensor

    @property
    def output(self) -> Tensor:
        """gamma(b, z c): [left points, right points, n]."""
        return self.gamma[:, self.right_image]

    @property
    def missing(self) -> int:
        """Pairs of points that no neuron is read as."""
        return self.gamma.numel() - len(torch.unique(self.b * self.gamma.shape[1] + self.c))


def fit(w: Weights, images: tuple[Tensor, Tensor], neurons: Tensor, b: Tensor, c: Tensor, share: Tensor, sign: Tensor) -> Fit:
    """Least squares in turn for gamma and for scales: ``share U_i(z)`` is to be near ``s_i gamma(b_i, z c_i)``.

    `images` are x^-1 b and y c; `sign` is that of the scales to start from.
    """
    left_image, right_image = images
    P, Q = len(left_image), len(right_image)
    both = left_image[:, None, w.group.inverse] * Q + right_image  # [P, Q, n]: number of (g b, g c)
    _, orbit = both.amin(-1).flatten().unique(return_inverse=True)
    orbit = orbit.reshape(P, Q)
    target = orbit[b[:, None], right_image[c]]  # [k, n]: the orbit of (b_i, z c_i)
    U = share[:, None] * w.output[neurons]
    scale = sign * U.norm(dim=1)
    zero = torch.zeros(int(orbit.max()) + 1, dtype=U.dtype)
    for _ in range(ROUNDS):
        above, below = scale[:, None] * U, scale.square()[:, None].expand_as(U)
        gamma = zero.index_add(0, target.flatten(), above.flatten())
        gamma = gamma / zero.index_add(0, target.flatten(), below.flatten()).clamp_min(1e-300)
        gamma = gamma / gamma[orbit].square().mean().sqrt().clamp_min(1e-300)
        ideal = gamma[target]
        scale = (U * ideal).sum(1) / ideal.square().sum(1).clamp_min(1e-300)
    return Fit(left_image, right_image, neurons, b, c, scale, share, gamma[orbit])


def automorphisms(act: Tensor) -> list[Tensor]:
    """int [points] each: the maps of a transitive set of points that commute with the group, the identity first. `act` is g p."""
    found = []
    for q in range(len(act)):
        image = torch.full((len(act),), -1)
        image[act[0]] = act[q]  # g 0 to g q
        if torch.equal(image[act], act[image]):
            found.append(image)
    return found


def read_in_every_way(w: Weights, f: Fit, most: int) -> Fit:
    """A neuron at (b, c) sees as much at other points, by automorphisms; where they keep gamma up to a sign, read it so too.

    Then pairs of points that lack a neuron of their own are not missing. `most` ways at most; else the circuit is left alone.
    """
    left, right = automorphisms(f.left_image[:, w.group.inverse]), automorphisms(f.right_image)
    ways: list[tuple[Tensor, Tensor, float]] = []
    for s in left:
        for t in right:
            moved = f.gamma[s][:, t]
            sign = 1.0 if float((moved * f.gamma).sum()) > 0 else -1.0
            if float((moved - sign * f.gamma).norm()) < EVEN * float(f.gamma.norm()):
                ways.append((s, t, sign))
    if not 1 < len(ways) <= most:
        return f
    b, c = torch.cat([s[f.b] for s, _, _ in ways]), torch.cat([t[f.c] for _, t, _ in ways])
    signs = torch.cat([sign * f.scale.sign() for _, _, sign in ways])
    return fit(w, (f.left_image, f.right_image), f.neurons.repeat(len(ways)), b, c, f.share.repeat(len(ways)) / len(ways), signs)
