"""Circuits: an explanation of some neurons by G-sets and a few numbers, and its exact check.

An explanation lists *left points* b and *right points* c, each labelled with the circuit that it belongs to, on which the group
acts from the left; for each pair of points of one circuit a number gamma(b, c); and *readings*: a share of neuron i sees x as the
point x^-1 b and y as the point y c, and writes s gamma(b, z c) to the logit of z. What is checked here: the actions are actions
(g (h b) = (g h) b, e b = b), transitive on the left and on the right points of every circuit, and gamma(g b, g c) = gamma(b, c).

Nothing in it is about weights; `errors` bounds how far a network is from this, and `circuit_gaps` what follows where it is so.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

import torch
from torch import Tensor

from compact_proofs.algebra.group import Group
from compact_proofs.core.strategy import Explanation, Spec
from compact_proofs.length import charge_integers, stage, unseen

POINTS_PER_ELEMENT = 8
"""An explanation has at most this many times the group's order of left points, and of right points."""
READINGS = 8
"""An explanation reads neurons at most this many times their number."""
ENTRIES = 2**24
"""The tables of a circuit's readings, and those that are compared, have at most this many numbers; larger circuits are refused."""
Alike = Literal["all", "left", "right"]
"""Which pairs of points are taken to have one table: all of a circuit, those of a left point, those of a right point."""
ALIKE: tuple[Alike, ...] = ("all", "left", "right")


def circuit_specs(order: int, width: int) -> dict[str, Spec]:
    """The tensors that describe circuits, for a group of an order and a network of a width.

    left : int [points, 1 + n]
        For each left point b its circuit, then x^-1 b for every element x.
    right : int [points, 1 + n]
        For each right point c its circuit, then y c for every element y.
    gamma : [points]
        gamma(b_0, c) for the first left point b_0 of c's circuit; the others follow from the symmetry.
    readings : int [readings, 3]
        A neuron i of the network, and the points (b, c) as which it sees x and y.
    reading_values : [readings, 2]
        s, and the share of the neuron that is read so. What shares leave of a neuron is bounded as unexplained.
    alike : int [1]
        Whether tables are compared over all pairs of points of a circuit (0), for each left (1), or for each right point (2).
    shifts : [m]
        Numbers s_i to read l_i - s_i and r_i + s_i for l_i and r_i of unexplained neurons, which define the same network.
    """
    most = POINTS_PER_ELEMENT * order
    points = Spec((most, 1 + order), (0, most - 1), fewer=True)
    return {
        "left": points,
        "right": points,
        "gamma": Spec((most,), fewer=True),
        "readings": Spec((READINGS * width, 3), (0, max(most, width) - 1), fewer=True),
        "reading_values": Spec((READINGS * width, 2), fewer=True),
        "alike": Spec((1,), (0, len(ALIKE) - 1)),
        "shifts": Spec((width,)),
    }


@dataclass(frozen=True)
class Circuit:
    """A checked circuit; its points are numbered from 0.

    Attributes
    ----------
    left_image : int [P, n]
        x^-1 b.
    right_image : int [Q, n]
        y c.
    left_classes : int [P, P, n / P]
        For points b and p, the x with x^-1 b = p.
    right_classes : int [Q, Q, n / Q]
        For points c and q, the y with y c = q.
    gamma : [P, Q]
    usual
        One of its values; the better the more pairs have it.
    neurons, b, c : int [k]
        The neuron and the points of every reading.
    scale, share : [k]
        s and share of every reading.
    of_left, of_right : int [P, ...], [Q, ...]
        The readings of every point, filled up with k.
    pairs : list of (b, c)
        Pairs of points that have readings.
    place : int [P, Q]
        Their places in this list; its length for other pairs.
    of_pair : int [pairs, ...]
        Their readings, filled up with k.
    """

    left_image: Tensor
    right_image: Tensor
    left_classes: Tensor
    right_classes: Tensor
    gamma: Tensor
    usual: Tensor
    neurons: Tensor
    b: Tensor
    c: Tensor
    scale: Tensor
    share: Tensor
    of_left: Tensor
    of_right: Tensor
    pairs: list[tuple[int, int]]
    place: Tensor
    of_pair: Tensor

    @property
    def output(self) -> Tensor:
        """gamma(b, z c) for every pair of points and every z: [P, Q, n]."""
        return self.gamma[:, self.right_image]

    def alike_pairs(self, alike: Alike) -> Tensor:
        """int [classes, ...]: the classes of pairs that are taken to have one table, filled up with the number of pairs, which also
        stands for those pairs of a class that have no reading."""
        P, Q = self.gamma.shape
        number, full = {"all": (1, P * Q), "left": (P, Q), "right": (Q, P)}[alike]
        rows: list[list[int]] = [[] for _ in range(number)]
        charge_integers(len(self.pairs))
        for i, (b, c) in enumerate(self.pairs):
            rows[{"all": 0, "left": b, "right": c}[alike]].append(i)
        none = len(self.pairs)
        return _filled([row if len(row) == full else [*row, none] for row in rows], none, self.gamma.device)


@dataclass(frozen=True)
class Circuits:
    """What an explanation says, checked.

    Attributes
    ----------
    circuits
        Those that have left and right points.
    rest : dict of int to float
        For each neuron that no readings explain wholly, what is left of it: 1 less its shares, rounded away from 0.
    alike
        Which tables are compared.
    """

    circuits: tuple[Circuit, ...]
    rest: dict[int, float]
    alike: Alike


def check_circuits(explanation: Explanation, group: Group) -> Circuits | None:
    """Check that an explanation describes circuits, exactly; None if it does not.

    That pi(s h) = pi(s) pi(h) holds for all generators s and all h, and pi(e) = 1, makes pi an action: by induction on the length
    of g as a word in generators, pi(g h) = pi(g) pi(h). So does invariance of gamma follow from the generators.

    Only integers and stored numbers are compared here, and nothing is rounded, so no reading has to follow it; its operations are
    charged by number. Cost: about (k + 4) n for each point and k + 2 for each pair of a left and a right point, with k generators
    (n = |G|), a few for each reading; and `Group.checks` for the group's axioms, on which the theorem rests.
    """
    with stage("group"):
        charge_integers(group.checks)
    with stage("action"), unseen("exact checks of integers, charged by number"):
        return _checked(explanation, group)


def _checked(explanation: Explanation, group: Group) -> Circuits | None:
    left, right, first = explanation["left"].cpu(), explanation["right"].cpu(), explanation["gamma"]
    if len(right) != len(first) or len(explanation["readings"]) != len(explanation["reading_values"]):
        return None
    if not (_acts(left, group, inverse=True) and _acts(right, group, inverse=False)):
        return None
    of_left, of_right = _by_label(left[:, 0].tolist()), _by_label(right[:, 0].tolist())
    labels = [label for label in of_left if label in of_right]
    place_b, place_c = (
        {p: (i, q) for i, label in enumerate(labels) for q, p in enumerate(of[label])} for of in (of_left, of_right)
    )
    readings, rest = _readings(explanation, place_b, place_c)
    circuits = []
    for i, label in enumerate(labels):
        bs, cs = of_left[label], of_right[label]
        images = _local(left[bs, 1:], bs), _local(right[cs, 1:], cs)
        found = _circuit(images, first[cs], readings.get(i, []), explanation["reading_values"], group)
        if found is None:
            return None
        circuits.append(found)
    return Circuits(tuple(circuits), rest, ALIKE[int(explanation["alike"])]) if circuits else None


def _acts(listed: Tensor, group: Group, *, inverse: bool) -> bool:
    """Does a list of labels and ``image[p, g]`` = g p (or g^-1 p) define an action on the points that keeps labels?"""
    labels, image = listed[:, 0], listed[:, 1:]
    points, s = len(image), list(group.generators)
    charge_integers(image.numel() + points + len(s) * (image.numel() + points))
    if not bool((image < points).all()) or not torch.equal(image[:, group.identity], torch.arange(points)):
        return False
    moved = image[:, s]  # [p, s]
    # h^-1 (s^-1 p) = (s h)^-1 p, or s (h p) = (s h) p.
    composed = image[moved] if inverse else moved[image].transpose(1, 2)  # [p, s, h]
    return torch.equal(composed, image[:, group.table[s]]) and torch.equal(labels[moved], labels[:, None].expand_as(moved))


def _by_label(labels: Sequence[int]) -> dict[int, list[int]]:
    """The points of every circuit."""
    charge_integers(len(labels))
    points: dict[int, list[int]] = {}
    for p, label in enumerate(labels):
        points.setdefault(label, []).append(p)
    return points


def _local(image: Tensor, points: list[int]) -> Tensor:
    """Images of some points that are mapped to each other, in numbers 0 ... len(points) - 1."""
    charge_integers(image.numel())
    return torch.searchsorted(torch.tensor(points), image.contiguous())


def _circuit(
    images: tuple[Tensor, Tensor], first: Tensor, readings: list[tuple[int, int, int, int]], values: Tensor, group: Group
) -> Circuit | None:
    """One circuit from x^-1 b, y c and gamma(b_0, c); None if it is not transitive, or too large, or gamma is not invariant."""
    left, right = images
    left_classes, right_classes, gamma = _classes(left), _classes(right), None
    if left_classes is not None and right_classes is not None:
        gamma = _gamma(left, right, first, group)
    if left_classes is None or right_classes is None or gamma is None:
        return None
    device, k = first.device, len(readings)
    charge_integers(4 * k)
    place, neurons, b, c = ([r[j] for r in readings] for j in range(4))
    pairs = sorted(set(zip(b, c, strict=True)))
    number = {pair: i for i, pair in enumerate(pairs)}
    rows: tuple[list[list[int]], ...] = tuple([[] for _ in range(size)] for size in (len(left), len(right), len(pairs)))
    for r, pair in enumerate(zip(b, c, strict=True)):
        for of, at in zip(rows, (*pair, number[pair]), strict=True):
            of[at].append(r)
    of_left, of_right, of_pair = (_filled(of, k, device) for of in rows)
    compared = max(k, len(left) * (1 + of_left.shape[1]), len(right) * (1 + of_right.shape[1]))
    if gamma.numel() * compared > ENTRIES:
        return None
    charge_integers(gamma.numel())
    table = [[number.get((p, q), len(pairs)) for q in range(len(right))] for p in range(len(left))]
    scale, share = values[torch.tensor(place, dtype=torch.int64, device=device)].T
    return Circuit(
        left.to(device),
        right.to(device),
        left_classes.to(device),
        right_classes.to(device),
        gamma,
        gamma.flatten().median(),
        torch.tensor(neurons, dtype=torch.int64, device=device),
        torch.tensor(b, dtype=torch.int64, device=device),
        torch.tensor(c, dtype=torch.int64, device=device),
        scale,
        share,
        of_left,
        of_right,
        pairs,
        torch.tensor(table, device=device),
        of_pair,
    )


def _classes(image: Tensor) -> Tensor | None:
    """For every point p and every q, the elements that take p to q, all as many; None if some are not reached."""
    points, n = image.shape
    charge_integers(image.numel())
    order = image.argsort(dim=1, stable=True)
    per = n // points if points and n % points == 0 else 0
    if not per or not torch.equal(image.gather(1, order), torch.arange(points).repeat_interleave(per).expand(points, n)):
        return None
    return order.reshape(points, points, per)


def _gamma(left: Tensor, right: Tensor, first: Tensor, group: Group) -> Tensor | None:
    """gamma [P, Q] from gamma(b_0, .), or None if it is not invariant.

    gamma(b, c) = gamma(b_0, g^-1 c) for the first g with g b_0 = b, that is g^-1 b = b_0.
    """
    charge_integers(left.numel() + (1 + len(group.generators)) * len(left) * len(right))
    g = (left == 0).to(torch.int64).argmax(1)
    gamma = first[right[:, group.inverse[g]].T.to(first.device)]
    for s in group.generators:
        moved = gamma[left[:, int(group.inverse[s])].to(first.device)][:, right[:, s].to(first.device)]
        if not gamma.is_meta and not torch.equal(moved, gamma):
            return None
    return gamma


def _readings(
    explanation: Explanation, place_b: dict[int, tuple[int, int]], place_c: dict[int, tuple[int, int]]
) -> tuple[dict[int, list[tuple[int, int, int, int]]], dict[int, float]]:
    """For every circuit its readings, as their places in the list, neurons and points; and what readings leave of each neuron.

    Readings of neurons that there are not, or as points of two circuits, say nothing.
    """
    listed, values = explanation["readings"], explanation["reading_values"]
    width = len(explanation["shifts"])
    # Without numbers (on meta tensors), a neuron is taken to be explained wholly by its first reading.
    shares = (
        [float(i not in listed[:place, 0]) for place, i in enumerate(listed[:, 0])] if values.is_meta else values[:, 1].tolist()
    )
    left = [Fraction(1)] * width
    found: dict[int, list[tuple[int, int, int, int]]] = {}
    charge_integers(4 * len(listed) + width)
    for place, (i, b, c) in enumerate(listed.tolist()):
        at_b, at_c = place_b.get(b), place_c.get(c)
        if i < width and at_b is not None and at_c is not None and at_b[0] == at_c[0]:
            found.setdefault(at_b[0], []).append((place, i, at_b[1], at_c[1]))
            left[i] -= Fraction(shares[place])
    return found, {i: _away_from_zero(part) for i, part in enumerate(left) if part}


def _away_from_zero(exact: Fraction) -> float:
    """A float at least as far from 0."""
    near = float(exact)
    return near if abs(Fraction(near)) >= abs(exact) else math.nextafter(near, math.copysign(math.inf, near))


def _filled(rows: Sequence[Sequence[int]], fill: int, device: torch.device) -> Tensor:
    most = max(1, *map(len, rows)) if rows else 1
    return torch.tensor([[*row, *[fill] * (most - len(row))] for row in rows], dtype=torch.int64, device=device).reshape(-1, most)
