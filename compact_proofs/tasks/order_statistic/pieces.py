"""The cones on which a network is linear, cut out of a label cone, in ordinary float64: nothing here is trusted.

A cone is a list of numbers of points that span it. A point has coefficients in the rays of the label cone, and numbers that are
*functions* of it: what enters each neuron, in the order of the steps, and the margins at last. Each cone is cut where the first
function changes its sign that does so on it. Functions are continuous, and what is known of a point is known in all cones that
have it, so cones fit together: where two meet, the one has no point that the other has not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from compact_proofs.tasks.order_statistic.cones import Network

NOISE = 1e-12
"""Functions of this size, relative to the largest at a point, are 0 there."""
SHIFT = 1e-9
"""Margins are taken to be 0 where they are this large, so that they are positive at all points of a cone that is right."""

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


class TooMany(Exception):
    """More cones than were asked for, or numbers that are not finite."""


@dataclass(frozen=True)
class Functions:
    """The functions of points of one label cone.

    Attributes
    ----------
    rays : float64 [n, n]
        Of the label cone.
    W_in, W_h : float64 [d], [d, d]
        Weights of the network.
    margins : float64 [d, n - 1]
        The label's column of W_U minus each other.
    """

    rays: Floats
    W_in: Floats
    W_h: Floats
    margins: Floats

    @classmethod
    def of(cls, network: Network, rays: Tensor, label: int) -> Functions:
        d = network.step.shape[1] // 2
        W_h, W_in, margins = network.step[:d, :d], network.step[2 * d, :d], network.answers[label, :d]
        return cls(*(t.detach().numpy() for t in (rays, W_in, W_h, margins)))

    def at(self, coefficients: Floats) -> Floats:
        """Their values [V, n d + n - 1] at points [V, n].

        Raises
        ------
        TooMany
            If numbers overflow.
        """
        x = coefficients @ self.rays
        state, found = np.zeros((len(x), len(self.W_in))), []
        with np.errstate(all="ignore"):
            for t in range(x.shape[1]):
                found.append(state @ self.W_h + x[:, t : t + 1] * self.W_in)
                state = np.maximum(found[-1], 0)
            found.append(state @ self.margins - SHIFT * np.maximum(1, np.abs(x).max(1, keepdims=True)))
        values = np.concatenate(found, 1)
        if not np.isfinite(values).all():
            raise TooMany
        return values


class Points:
    """Points, with what is known of them.

    Attributes
    ----------
    coefficients : float64 [V, n]
    values : float64 [V, Q]
        Of the functions.
    signs : int8 [V, Q]
        Of the functions, where those that vanish on an edge vanish at its points.
    zero : float32 [V, n + Q]
        1 where a coefficient is 0, and where a function is, else 0.
    """

    def __init__(self, functions: Functions) -> None:
        self._functions = functions
        n = len(functions.rays)
        self.n, self._count = n, 0
        self._made: dict[tuple[int, int, int], int] = {}
        corners = np.eye(n)
        values = functions.at(corners)
        signs = _signs(values)
        self._columns: list[NDArray[Any]] = [corners, values, signs, np.zeros((n, n + values.shape[1]), dtype=np.float32)]
        self._add(corners, values, signs)

    @property
    def coefficients(self) -> Floats:
        return self._columns[0][: self._count]

    @property
    def values(self) -> Floats:
        return self._columns[1][: self._count]

    @property
    def signs(self) -> NDArray[np.int8]:
        return self._columns[2][: self._count]

    @property
    def zero(self) -> NDArray[np.float32]:
        return self._columns[3][: self._count]

    def _add(self, coefficients: Floats, values: Floats, signs: NDArray[np.int8]) -> None:
        zero = np.concatenate([coefficients == 0, signs == 0], 1).astype(np.float32)
        end = self._count + len(zero)
        if end > len(self._columns[0]):
            self._columns = [np.concatenate([c, np.zeros((end, *c.shape[1:]), c.dtype)]) for c in self._columns]
        for column, new in zip(self._columns, (coefficients, values, signs, zero), strict=True):
            column[self._count : end] = new
        self._count = end

    def between(self, one: Integers, other: Integers, function: int) -> Integers:
        """The points on edges [E] at which a function vanishes: the same for the same edge, whichever cone asks."""
        edges = [(min(u, v), max(u, v), function) for u, v in zip(one.tolist(), other.tolist(), strict=True)]
        new = [edge for edge in edges if edge not in self._made]
        if new:
            self._made.update({edge: self._count + i for i, edge in enumerate(new)})
            u, v = np.array(new)[:, :2].T
            of_u, of_v = np.abs(self.values[u, function])[:, None], np.abs(self.values[v, function])[:, None]
            coefficients = (of_v * self.coefficients[u] + of_u * self.coefficients[v]) / (of_u + of_v)
            values = self._functions.at(coefficients)
            signs = _signs(values)
            before = slice(0, function)  # functions that have one sign on the cone
            signs[:, before] = np.where(self.signs[u, before] != 0, self.signs[u, before], self.signs[v, before])
            signs[:, function] = 0
            self._add(coefficients, values, signs)
        return np.array([self._made[edge] for edge in edges], dtype=np.int64)


def _signs(values: Floats) -> NDArray[np.int8]:
    noise = NOISE * np.maximum(1, np.abs(values).max(1, keepdims=True))
    return np.where(np.abs(values) <= noise, 0, np.sign(values)).astype(np.int8)


def linear_cones(points: Points, most: int) -> list[Integers]:
    """Cut a label cone, whose corners the points are, until each function has one sign on each cone: numbers of points.

    Raises
    ------
    TooMany
        If there are more than `most` cones.
    """
    open_, found = [(np.arange(points.n), 0)], []
    while open_:
        cone, first = open_.pop()
        signs = points.signs[cone, first:]
        mixed = (signs > 0).any(0) & (signs < 0).any(0)
        if not mixed.any():
            found.append(cone)
            continue
        if len(found) + len(open_) >= most:
            raise TooMany
        function = first + int(mixed.argmax())
        sign = points.signs[cone, function]
        above, on, below = cone[sign > 0], cone[sign == 0], cone[sign < 0]
        new = points.between(*_edges(points.zero[:, : points.n + function], cone, above, below), function)
        open_ += [(np.concatenate([side, on, new]), function + 1) for side in (above, below)]
    return found


def _edges(zero: NDArray[np.float32], cone: Integers, above: Integers, below: Integers) -> tuple[Integers, Integers]:
    """Which pairs of a cone's points span an edge: those for which no third point lies on all faces that both lie on."""
    one, other = np.repeat(above, len(below)), np.tile(below, len(above))
    common = zero[one] * zero[other]
    on_all = zero[cone] @ common.T == common.sum(1)
    edge = on_all.sum(0) == 2
    return one[edge], other[edge]


def simplices(points: Points, cones: list[Integers], most: int) -> Integers:
    """Divide cones into simplicial ones without new points: numbers of points [S, n], in positive order.

    Of each cone, and of each of its faces, the first point is joined to the simplices of those facets that do not have it; so where
    two cones meet, they are divided in one way.

    Raises
    ------
    TooMany
        If there are more than `most`.
    """
    faces = [_bits(row) for row in points.zero]
    known: dict[tuple[int, ...], list[tuple[int, ...]]] = {}
    found: list[tuple[int, ...]] = []
    for cone in cones:
        found += _pulled(tuple(sorted(cone.tolist())), points.n, faces, known)
        if len(found) > most:
            raise TooMany
    rows = np.array(found, dtype=np.int64).reshape(-1, points.n)
    negative = np.linalg.det(points.coefficients[rows]) < 0
    rows[negative, :2] = rows[negative, 1::-1]
    return rows


def _bits(row: NDArray[np.float32]) -> int:
    """Which faces a point lies on, as the digits of a number."""
    return int.from_bytes(np.packbits(row > 0).tobytes(), "big")


def _pulled(
    face: tuple[int, ...], dim: int, faces: list[int], known: dict[tuple[int, ...], list[tuple[int, ...]]]
) -> list[tuple[int, ...]]:
    """The simplices of a face that spans `dim` dimensions, given by its points in order."""
    if len(face) == dim:
        return [face]
    if face in known:
        return known[face]
    each, some = faces[face[0]], 0
    for point in face:
        each &= faces[point]
        some |= faces[point]
    left, smaller = some & ~each, set()
    while left:
        bit = left & -left
        left ^= bit
        smaller.add(tuple(point for point in face if faces[point] & bit))
    facets = [part for part in smaller if len(part) >= dim - 1 and not any(set(part) < set(other) for other in smaller)]
    found = [(face[0], *rest) for part in sorted(facets) if part[0] != face[0] for rest in _pulled(part, dim - 1, faces, known)]
    known[face] = found
    return found
