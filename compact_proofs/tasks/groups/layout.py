"""Where the ideal neurons, points and readings of circuits stand in their lists."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from compact_proofs.length import charge_integers

Points = tuple[list[int], list[int]]
"""The left and the right points of one circuit."""


@dataclass(frozen=True)
class Layout:
    """Where the ideal neurons of circuits and points stand, for sums over them: rows of places, filled up with the place N.

    Attributes
    ----------
    left, right : int [left points, ...], [right points, ...]
        The ideal neurons of every point.
    whole : int [circuits, ...]
        Those of every circuit, b by b.
    left_size, right_size, whole_size
        How many each of these rows has (at least 1).
    left_points, right_points : int [circuits, ...]
        The points of every circuit, filled up with their number.
    of_left, of_right : int
        The circuit of every point (0 for points of none).
    of_neuron : int [N]
        The circuit of every ideal neuron.
    readings : int [N, ...]
        The readings of every ideal neuron, filled up with their number.
    """

    left: Tensor
    right: Tensor
    whole: Tensor
    left_size: Tensor
    right_size: Tensor
    whole_size: Tensor
    left_points: Tensor
    right_points: Tensor
    of_left: Tensor
    of_right: Tensor
    of_neuron: Tensor
    readings: Tensor

    @classmethod
    def of(
        cls,
        circuits: Sequence[Points],
        pairs: Sequence[tuple[int, int]],
        ideal: Sequence[int],
        P: int,
        Q: int,
        device: torch.device,
    ) -> Layout:
        """Lay out P left and Q right points in circuits, their pairs, and readings as these pairs."""
        charge_integers(2 * len(pairs) + P + Q + len(ideal))
        of_left, of_right = [0] * P, [0] * Q
        whole: list[list[int]] = []
        first = 0
        for i, (bs, cs) in enumerate(circuits):
            whole.append(list(range(first, first + len(bs) * len(cs))))
            first += len(whole[-1])
            for of, points in ((of_left, bs), (of_right, cs)):
                for p in points:
                    of[p] = i
        left: list[list[int]] = [[] for _ in range(P)]
        right: list[list[int]] = [[] for _ in range(Q)]
        for j, (b, c) in enumerate(pairs):
            left[b].append(j)
            right[c].append(j)
        readings: list[list[int]] = [[] for _ in pairs]
        for a, j in enumerate(ideal):
            readings[j].append(a)
        N = len(pairs)
        return cls(
            _filled(left, N, device),
            _filled(right, N, device),
            _filled(whole, N, device),
            _sizes(left, device),
            _sizes(right, device),
            _sizes(whole, device),
            _filled([bs for bs, _ in circuits], P, device),
            _filled([cs for _, cs in circuits], Q, device),
            torch.tensor(of_left, device=device),
            torch.tensor(of_right, device=device),
            torch.tensor([i for i, row in enumerate(whole) for _ in row], device=device),
            _filled(readings, len(ideal), device),
        )


def points_of_circuits(left: Sequence[int], right: Sequence[int]) -> list[Points]:
    """The points of every circuit that has left and right ones, from the points' labels."""
    charge_integers(len(left) + len(right))
    of_left: dict[int, list[int]] = {}
    of_right: dict[int, list[int]] = {}
    for points, labels in ((of_left, left), (of_right, right)):
        for p, label in enumerate(labels):
            points.setdefault(label, []).append(p)
    return [(of_left[label], of_right[label]) for label in of_left if label in of_right]


def _filled(rows: Sequence[Sequence[int]], fill: int, device: torch.device) -> Tensor:
    most = max(1, *map(len, rows))
    return torch.tensor([[*row, *[fill] * (most - len(row))] for row in rows], device=device)


def _sizes(rows: Sequence[Sequence[int]], device: torch.device) -> Tensor:
    return torch.tensor([max(1.0, len(row)) for row in rows], dtype=torch.float64, device=device)
