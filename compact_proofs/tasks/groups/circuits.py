"""Circuits: an ideal network that is symmetric under the group, described by G-sets and few numbers, and checked exactly.

An explanation lists *left points* b with numbers alpha_b and *right points* c with numbers beta_c, each labelled with the circuit
that it belongs to, on which the group acts from the left, and defines, with gamma(b, c) = 0 for points of different circuits,

    f^(z | x, y) = sum over circuits, b and c of gamma(b, z c) (v ReLU(u) + w u),     u = alpha(x^-1 b) + beta(y c),

with weights (v, w) = (1, 0), or (v_b, w_b) of the left points, or (v_c, w_c) of the right ones.

**Theorem.** Let the action be one (g (h b) = (g h) b, e b = b, likewise for c), keep circuits apart, and gamma(g b, g c) =
gamma(b, c). With left weights f^(z | x, y) depends on x and z y^-1 alone, so that f^'s margin is a function of x; with right
weights it depends on x^-1 z and y, and its margin is one of y; without, f^(z | x, y) = F(x^-1 z y^-1) with F(z) = f^(z | e, e), and
the margin F(e) - max_{z != e} F(z) is the same for every input.
*Proof.* Unless right points have weights, substitute c -> y^-1 c, which permutes the points of each circuit: gamma(b, z c) becomes
gamma(b, z y^-1 c), and beta(y c) beta(c). Unless left points have, b -> x b: gamma(x b, z c) = gamma(b, x^-1 z c), and
alpha(x^-1 b) becomes alpha(b). Without weights, do both.

Weights describe a network that lacks some points of one side, and so does without that side's symmetry. The linear term is there
because ReLU(-u) = ReLU(u) - u: as much of the neurons of a point as have the other sign. Over a whole circuit it cancels.
Nothing in it is about a trained network; `errors` bounds how far one is from it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Literal

import torch
from torch import Tensor
from torch.utils._python_dispatch import _disable_current_modes

from compact_proofs.length import charge_integers, stage
from compact_proofs.strategy import Explanation, Spec
from compact_proofs.tasks.groups.group import Group
from compact_proofs.tasks.groups.layout import Layout, points_of_circuits

POINTS_PER_ELEMENT = 8
"""An explanation has at most this many times the group's order of left points, and of right points."""
READINGS = 4
"""An explanation reads neurons as ideal ones at most this many times their number."""


def circuit_specs(order: int, width: int) -> dict[str, Spec]:
    """The tensors that describe circuits, for a group of an order and a network of a width.

    left : int [points, 1 + n]
        For each left point b its circuit, then x^-1 b for every element x.
    left_values : [points]
        alpha.
    right : int [points, 1 + n]
        For each right point c its circuit, then y c for every element y.
    right_values : [points, 2]
        beta, and gamma(b_0, c) for the first left point b_0 of c's circuit; the others follow from the symmetry.
    left_weights, right_weights : [points, 2] or [0, 2]
        v and w. At most one side has weights.
    readings : int [readings, 3]
        A neuron i of the network, and the points (b, c) of the ideal neuron as which it is read.
    reading_values : [readings, 2]
        A factor t, such that the neuron's input l_i(x) + r_i(y) is about t (alpha(x^-1 b) + beta(y c)), and the share of the neuron
        that is read so. What shares leave of a neuron is bounded as unexplained. If t < 0 the neuron fires where the ideal one does
        not: ReLU(-u) = ReLU(u) - u.
    shifts : [m]
        Numbers s_i to read l_i - s_i and r_i + s_i for l_i and r_i, which define the same network.
    """
    most = POINTS_PER_ELEMENT * order
    points = Spec((most, 1 + order), (0, most - 1), fewer=True)
    return {
        "left": points,
        "left_values": Spec((most,), fewer=True),
        "right": points,
        "right_values": Spec((most, 2), fewer=True),
        "left_weights": Spec((most, 2), fewer=True),
        "right_weights": Spec((most, 2), fewer=True),
        "readings": Spec((READINGS * width, 3), (0, max(most, width) - 1), fewer=True),
        "reading_values": Spec((READINGS * width, 2), fewer=True),
        "shifts": Spec((width,)),
    }


@dataclass(frozen=True)
class Circuits:
    """A checked ideal network.

    Attributes
    ----------
    left_image : int [left points, n]
        x^-1 b.
    right_image : int [right points, n]
        y c.
    alpha, beta
        Their numbers.
    b, c : int [N]
        The points of every ideal neuron.
    output : [N, n]
        v gamma(b, z c), what ReLU(u) of the ideal neuron writes to the logit of z.
    linear : [N, n] or None
        w gamma(b, z c), what u writes.
    weighted : "left", "right" or None
        The side whose points have weights.
    layout
        Where they stand; ideal neurons are ordered circuit by circuit, b by b.
    neurons, ideal : int [k]
        Which neuron each reading is about, and its number in 0 ... N - 1 of an ideal neuron.
    factor, share : [k]
        t and share of each reading.
    rest : dict of int to float
        For each neuron that no readings explain wholly, what is left of it: 1 less its shares, rounded away from 0.
    """

    left_image: Tensor
    right_image: Tensor
    alpha: Tensor
    beta: Tensor
    b: Tensor
    c: Tensor
    output: Tensor
    linear: Tensor | None
    weighted: Literal["left", "right"] | None
    layout: Layout
    neurons: Tensor
    ideal: Tensor
    factor: Tensor
    share: Tensor
    rest: dict[int, float]

    @property
    def left(self) -> Tensor:
        """alpha(x^-1 b) for every left point: [left points, n]."""
        return self.alpha[self.left_image]

    @property
    def right(self) -> Tensor:
        """beta(y c) for every right point: [right points, n]."""
        return self.beta[self.right_image]

    @property
    def inputs(self) -> Tensor:
        """u at (e, e): alpha(b) + beta(c) for every ideal neuron."""
        return self.alpha[self.b] + self.beta[self.c]


def check_circuits(explanation: Explanation, group: Group) -> Circuits | None:
    """Check that an explanation describes a symmetric ideal network, exactly; None if it does not.

    That pi(s h) = pi(s) pi(h) holds for all generators s and all h, and pi(e) = 1, makes pi an action: by induction on the length
    of g as a word in generators, pi(g h) = pi(g) pi(h). So does invariance of gamma follow from the generators.

    Only integers and stored numbers are compared here, and nothing is rounded, so no reading has to follow it; its operations are
    charged by number. Cost: about (k + 3) n for each point and k + 2 for each pair of a left and a right point, with k generators
    (n = |G|), a few for each reading; and `Group.checks` for the group's axioms, on which the theorem rests.
    """
    with stage("group"):
        charge_integers(group.checks)
    with stage("action"), _disable_current_modes():
        circuits = _checked(explanation, group)
    if circuits is None or circuits.weighted is None:
        return circuits
    with stage("ideal network"):
        points = circuits.b if circuits.weighted == "left" else circuits.c
        v, w = explanation[f"{circuits.weighted}_weights"][points].T
        return replace(circuits, output=v[:, None] * circuits.output, linear=w[:, None] * circuits.output)


def _checked(explanation: Explanation, group: Group) -> Circuits | None:
    left, right = explanation["left"].cpu(), explanation["right"].cpu()
    alpha, values = explanation["left_values"], explanation["right_values"]
    if not len(left) or not len(right) or len(left) != len(alpha) or len(right) != len(values):
        return None
    v, w = len(explanation["left_weights"]), len(explanation["right_weights"])
    if (v, w) not in ((0, 0), (len(left), 0), (0, len(right))):
        return None
    labels = left[:, 0], right[:, 0]
    left_image, right_image = left[:, 1:], right[:, 1:]
    if not (_acts(labels[0], left_image, group, inverse=True) and _acts(labels[1], right_image, group, inverse=False)):
        return None
    gamma = _gamma(labels[0], left_image, labels[1], right_image, values[:, 1], group)
    if gamma is None:
        return None
    circuits = points_of_circuits(*(side.tolist() for side in labels))
    pairs = [(b, c) for bs, cs in circuits for b in bs for c in cs]
    read = _readings(explanation, pairs)
    if not pairs or read is None:
        return None
    device = values.device
    b, c = torch.tensor(pairs, device=device).T
    neurons, ideal, factor, share, rest = read
    layout = Layout.of(circuits, pairs, ideal, len(left), len(right), device)
    return Circuits(
        left_image.to(device),
        right_image.to(device),
        alpha,
        values[:, 0],
        b,
        c,
        gamma[b[:, None], right_image.to(device)[c]],
        None,
        "left" if v else "right" if w else None,
        layout,
        torch.tensor(neurons, dtype=torch.int64, device=device),
        torch.tensor(ideal, dtype=torch.int64, device=device),
        factor,
        share,
        rest,
    )


def _acts(labels: Tensor, image: Tensor, group: Group, *, inverse: bool) -> bool:
    """Does ``image[p, g]`` = g p (or g^-1 p) define an action on the points that keeps labels?"""
    points, s = len(image), list(group.generators)
    charge_integers(image.numel() + points + len(s) * (image.numel() + points))
    if not bool((image < points).all()) or not torch.equal(image[:, group.identity], torch.arange(points)):
        return False
    moved = image[:, s]  # [p, s]
    # h^-1 (s^-1 p) = (s h)^-1 p, or s (h p) = (s h) p.
    composed = image[moved] if inverse else moved[image].transpose(1, 2)  # [p, s, h]
    return torch.equal(composed, image[:, group.table[s]]) and torch.equal(labels[moved], labels[:, None].expand_as(moved))


def _gamma(label_b: Tensor, left: Tensor, label_c: Tensor, right: Tensor, first: Tensor, group: Group) -> Tensor | None:
    """gamma [left points, right points] from gamma(b_0, .), or None if it is not invariant (or b_0 does not reach every b).

    gamma(b, c) = gamma(b_0, g^-1 c) for the first g with g b_0 = b, that is g^-1 b = b_0.
    """
    charge_integers(2 * left.numel() + 2 * len(left) + (1 + len(group.generators)) * len(left) * len(right))
    base: dict[int, int] = {}
    for b, label in enumerate(label_b.tolist()):
        base.setdefault(label, b)
    b_0 = torch.tensor([base[label] for label in label_b.tolist()])
    g = (left == b_0[:, None]).to(torch.int64).argmax(1)
    if not torch.equal(left[torch.arange(len(left)), g], b_0):
        return None
    same, device = label_b[:, None] == label_c, first.device
    gamma = first[right[:, group.inverse[g]].T.to(device)].masked_fill(~same.to(device), 0.0)
    for s in group.generators:
        moved = gamma[left[:, int(group.inverse[s])].to(device)][:, right[:, s].to(device)]
        if not gamma.is_meta and not torch.equal(moved, gamma):
            return None
    return gamma


def _readings(
    explanation: Explanation, pairs: list[tuple[int, int]]
) -> tuple[list[int], list[int], Tensor, Tensor, dict[int, float]] | None:
    """The readings of neurons of the network as pairs of points of one circuit, and what they leave of each neuron."""
    listed, values = explanation["readings"], explanation["reading_values"]
    width = len(explanation["shifts"])
    if len(listed) != len(values):
        return None
    number = {pair: i for i, pair in enumerate(pairs)}
    # Without numbers (on meta tensors), a neuron is taken to be explained wholly by its first reading.
    shares = (
        [float(i not in listed[:place, 0]) for place, i in enumerate(listed[:, 0])] if values.is_meta else values[:, 1].tolist()
    )
    left = [Fraction(1)] * width
    neurons, ideal, kept = [], [], []
    charge_integers(4 * len(listed) + width)
    for place, (i, b, c) in enumerate(listed.tolist()):
        found = number.get((b, c))
        if i < width and found is not None:
            neurons.append(i)
            ideal.append(found)
            kept.append(place)
            left[i] -= Fraction(shares[place])
    rest = {i: _away_from_zero(part) for i, part in enumerate(left) if part}
    return neurons, ideal, values[kept, 0], values[kept, 1], rest


def _away_from_zero(exact: Fraction) -> float:
    """A float at least as far from 0."""
    near = float(exact)
    return near if abs(Fraction(near)) >= abs(exact) else math.nextafter(near, math.copysign(math.inf, near))
