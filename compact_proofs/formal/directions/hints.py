"""Clusters and directions of a certificate, as hints to the checker of ``formal/DirectionsChecker.v``.

None of them is trusted: Coq checks that every neuron is in one cluster, and bounds what the directions leave, whatever they are.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from compact_proofs.directions.network import PairNetwork

MOST_BITS = 48
"""Coordinates and directions are integers over two to this power, or to a smaller one if they would not be exact floats."""
LARGEST_FACTOR = 2**20
"""Neurons are multiplied by whole numbers from 1 to this."""


@dataclass(frozen=True)
class Neuron:
    """`neuron` in ``formal/DirectionsChecker.v``; coordinates are integers over 2^bits."""

    index: int
    factor: int
    coordinates: list[int]


@dataclass(frozen=True)
class Cluster:
    """`cluster` in ``formal/DirectionsChecker.v``; directions are integers over 2^bits."""

    neurons: list[Neuron]
    directions: list[list[int]]


@dataclass(frozen=True)
class DirectionHints:
    """All hints: clusters with numbers over 2^bits, and whether pairs that the bounds do not prove are evaluated."""

    bits: int
    clusters: tuple[Cluster, ...]
    rest: bool

    @property
    def width(self) -> int:
        """How many neurons there are."""
        return sum(len(c.neurons) for c in self.clusters)


def direction_hints(network: PairNetwork, explanation: Mapping[str, Tensor], rest: bool) -> DirectionHints:
    """Write an explanation of `compact_proofs.directions.Directions` as hints, for a network in float64.

    Coordinates are those of the neurons' outputs, less their means, in the directions. Clusters without neurons are left out.
    """
    cluster, V = explanation["cluster"], explanation["directions"].to(torch.float64)
    wanted = 1 / explanation["scale"].abs().clamp(min=1e-300)
    factor = (wanted / wanted.max() * LARGEST_FACTOR).round().clamp(min=1)
    G = (network.G - network.G.mean(1, keepdim=True)) / factor[:, None]
    coordinates = torch.einsum("mn,mqn->mq", G, V[cluster]).nan_to_num()
    largest = max(float(coordinates.abs().max()), float(V.abs().max()), 2.0**-200)
    bits = max(0, min(MOST_BITS, 52 - math.ceil(math.log2(largest))))
    found = []
    for k, directions in enumerate(V):
        members = (cluster == k).nonzero().flatten().tolist()
        if members:
            neurons = [Neuron(i, int(factor[i]), _integers(coordinates[i], bits)) for i in members]
            found.append(Cluster(neurons, [_integers(v, bits) for v in directions]))
    return DirectionHints(bits, tuple(found), rest)


def _integers(values: Tensor, bits: int) -> list[int]:
    """The nearest integers over 2^bits, of those that Coq's machine integers hold."""
    return (values * 2.0**bits).round().clamp(-(2.0**60), 2.0**60).to(torch.int64).tolist()
