"""Circuits of a network on a group, as hints to the checker of ``formal/GroupChecker.v``.

The points come from the explanation of a certificate of ``g-sets-linear``; the numbers are fitted to the weights here. None of them
is trusted: Coq checks the points, and bounds how far the network is from the numbers, whatever they are.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from compact_proofs.errors import BadInput
from compact_proofs.models.pair_mlp import PairMLP
from compact_proofs.models.weights import in_double
from compact_proofs.tasks.groups.circuits import Circuit, check_circuits
from compact_proofs.tasks.groups.task import Groups

MOST_BITS = 48
"""Hints are integers over two to this power, or to a smaller one if they would not be machine integers."""


@dataclass(frozen=True)
class Reading:
    """A share of a neuron, given what it sees: `reading` in ``formal/GroupChecker.v``. Numbers are integers over 2^bits."""

    neuron: int
    share: int
    seen_left: list[int]
    seen_right: list[int]
    rows: list[int]
    columns: list[int]
    mean: int
    slope: int


@dataclass(frozen=True)
class CircuitHints:
    """A circuit: `circuit` in ``formal/GroupChecker.v``. Numbers are integers over 2^bits.

    Attributes
    ----------
    left_image, right_image : [n, P], [n, Q]
        x^-1 b for every x and b, and y c for every y and c.
    gamma, table : [P, Q]
    cells : [P, Q, ...]
        The readings of every pair of points.
    """

    left_image: list[list[int]]
    right_image: list[list[int]]
    gamma: list[list[int]]
    table: list[list[int]]
    cells: list[list[list[Reading]]]

    @property
    def points(self) -> tuple[int, int]:
        """P and Q."""
        return len(self.gamma), len(self.gamma[0])

    @property
    def readings(self) -> int:
        """How many readings there are."""
        return sum(len(cell) for row in self.cells for cell in row)


@dataclass(frozen=True)
class GroupHints:
    """All hints: circuits with numbers over 2^bits, the neutral element, and the inverse of every element."""

    bits: int
    circuits: tuple[CircuitHints, ...]
    neutral: int
    inverse: list[int]


def group_hints(model: PairMLP, task: Groups, explanation: Mapping[str, Tensor]) -> GroupHints:
    """Write an explanation's circuits as hints; the last circuit, of one point, holds what no reading explains.

    Raises
    ------
    BadInput
        If the explanation describes no circuits, or compares tables for each left or each right point alone; or if weights are too
        large.
    """
    double = in_double(model).cpu()
    with torch.no_grad():
        circuits = check_circuits(explanation, task.group)
        if circuits is None:
            raise BadInput("the explanation describes no circuits")
        if circuits.alike != "all":
            raise BadInput(
                f"the explanation compares tables for each {circuits.alike} point alone, and the checker those of all pairs"
            )
        inputs, output = torch.stack([double.left(), double.right()]), double.U.detach()
        fitted = [_Fitted.of(c, inputs, output, task) for c in circuits.circuits]
        bits = _bits([inputs.abs().amax((0, 1)).sum(), *(t.abs().max() for f in fitted for t in f.numbers)])
        found = [f.hints(bits) for f in fitted]
        rest = _unexplained(found, inputs, bits)
    return GroupHints(bits, (*found, rest), task.group.identity, task.group.inverse.tolist())


def _bits(sizes: Sequence[Tensor]) -> int:
    """As many as leave all numbers below 2^61."""
    largest = max((float(s) for s in sizes), default=0.0)
    if not largest < 2.0**40:
        raise BadInput(f"it takes numbers below 2^40, and there are weights of {largest:.1e}")
    return min(MOST_BITS, 60 - max(0, math.ceil(math.log2(max(largest, 1.0)))))


def _integers(values: Tensor, bits: int) -> list:
    """The nearest integers over 2^bits."""
    return (values * 2.0**bits).round().to(torch.int64).tolist()


@dataclass(frozen=True)
class _Fitted:
    """Numbers of one circuit with k readings: left, right [k, P], [k, Q]; rows, columns the same; share, mean, slope [k]."""

    circuit: Circuit
    share: Tensor
    left: Tensor
    right: Tensor
    rows: Tensor
    columns: Tensor
    mean: Tensor
    slope: Tensor
    table: Tensor
    gamma: Tensor

    @classmethod
    def of(cls, circuit: Circuit, inputs: Tensor, output: Tensor, task: Groups) -> _Fitted:
        """Inputs at their means over the elements that see a point; tables of what follows, split as in `errors`; gamma a mean."""
        P, Q = circuit.gamma.shape
        sides = ((circuit.left_classes, circuit.b), (circuit.right_classes, circuit.c))
        left, right = (
            side[:, circuit.neurons].T.gather(1, classes[base].flatten(1)).unflatten(1, classes.shape[1:]).mean(2)
            for side, (classes, base) in zip(inputs, sides, strict=True)
        )
        h = torch.relu(left[:, :, None] + right[:, None])
        mean = h.mean((1, 2))
        rows, columns = h.mean(2) - mean[:, None], h.mean(1) - mean[:, None]
        w = h - (rows + mean[:, None])[:, :, None] - columns[:, None]
        table = (circuit.scale[:, None, None] * w).sum(0)
        table = table / table.norm().clamp_min(1e-30)
        slope = (w * table).sum((1, 2))
        written = torch.zeros(P * Q, output.shape[1], dtype=torch.float64).index_add(
            0, circuit.b * Q + circuit.c, (slope * circuit.share)[:, None] * output[circuit.neurons]
        )
        gamma = _invariant(circuit, written.unflatten(0, (P, Q)), task)
        return cls(circuit, circuit.share, left, right, rows, columns, mean, slope, table, gamma)

    @property
    def numbers(self) -> tuple[Tensor, ...]:
        """All tensors that are not empty."""
        found = (self.share, self.left, self.right, self.rows, self.columns, self.mean, self.slope, self.table, self.gamma)
        return tuple(t for t in found if t.numel())

    def hints(self, bits: int) -> CircuitHints:
        """The circuit in integers."""
        c, (P, Q) = self.circuit, self.gamma.shape
        numbers = (self.share, self.left, self.right, self.rows, self.columns, self.mean, self.slope)
        cells: list[list[list[Reading]]] = [[[] for _ in range(Q)] for _ in range(P)]
        places = zip(c.neurons.tolist(), c.b.tolist(), c.c.tolist(), *(_integers(t, bits) for t in numbers), strict=True)
        for neuron, b, k, *found in places:
            cells[b][k].append(Reading(neuron, *found))
        table = _balanced(_integers(self.table, bits))
        return CircuitHints(c.left_image.T.tolist(), c.right_image.T.tolist(), _integers(self.gamma, bits), table, cells)


def _invariant(circuit: Circuit, written: Tensor, task: Groups) -> Tensor:
    """gamma [P, Q] with gamma(g b, g c) = gamma(b, c) and gamma(b, z c) near ``written`` [P, Q, n]: means over orbits of pairs."""
    P, Q = circuit.gamma.shape
    pairs = circuit.left_image[:, None, task.group.inverse] * Q + circuit.right_image  # [P, Q, g]: the number of (g b, g c)
    orbit = pairs.amin(2)
    of = orbit[:, circuit.right_image].flatten()  # [P, Q, z]: the orbit of (b, z c)
    sums = torch.zeros(P * Q, dtype=torch.float64).index_add(0, of, written.flatten())
    return (sums / torch.bincount(of, minlength=P * Q).clamp_min(1))[orbit]


def _balanced(table: list[list[int]]) -> list[list[int]]:
    """A table like this one whose rows and columns sum to 0 exactly: the last column and the last row are changed."""
    rows = [[*row[:-1], -sum(row[:-1])] for row in table[:-1]]
    return [*rows, [-sum(row[q] for row in rows) for q in range(len(table[0]))]]


def _unexplained(found: Sequence[CircuitHints], inputs: Tensor, bits: int) -> CircuitHints:
    """What shares leave of every neuron, seen as one point: its inputs are about the middle of their range."""
    left = [2**bits] * inputs.shape[2]
    for circuit in found:
        for reading in (reading for row in circuit.cells for cell in row for reading in cell):
            left[reading.neuron] -= reading.share
    a, b = (_integers(side, bits) for side in (inputs.amin(1) + inputs.amax(1)) / 2)
    readings = [Reading(i, s, [a[i]], [b[i]], [0], [0], max(0, a[i] + b[i]), 0) for i, s in enumerate(left) if s]
    points = [[0]] * inputs.shape[1]
    return CircuitHints(points, points, [[0]], [[0]], [[readings]])
