"""How many operations the checker of ``formal/DirectionsChecker.v`` makes, counted in its program; and running the network.

Each operation on enclosures is 1: an addition, a product, a ReLU, a comparison; a number that is read from an integer 1. Tables are
what the definitions take that depend on no input (`Work`), each term of a product being a product and an addition.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from compact_proofs.formal.directions.hints import DirectionHints
from compact_proofs.formal.network.language import Network, Work
from compact_proofs.formal.network.one_layer import layer_of


def compact_length(network: Network, values: Sequence[int], hints: DirectionHints) -> int:
    """Operations of the checker, without those on pairs that are evaluated, for p x q pairs, n outputs and m neurons.

    Cost: that of tables, 6 p q m for the neurons' means, O((p + q) n m) for what they write past the directions, and for each pair
    about (2 d + 9) m + (2 D + 5) n, with d directions in each cluster, D in all.
    """
    (p, q), n, m = values, network.outputs, hints.width
    ways = [len(c.directions) for c in hints.clusters]
    numbers = m + sum(len(c.neurons) * d for c, d in zip(hints.clusters, ways, strict=True)) + sum(ways) * n
    members = sum(2 * len(c.neurons) * d for c, d in zip(hints.clusters, ways, strict=True))
    means = 6 * p * q * m + 2 * (p + q) * m + 2 * p * m
    outputs = n * m + 3 * n * m + n * members + n * m + n * (2 * m + 1)
    known = (p + q) * n * 2 * m
    pair = 2 * m + 2 * m + (2 * m + 1) + members + n + 2 * sum(ways) * n + 2 * n + n + (2 * m + 1) + n - 1
    return numbers + tables_length(network, values) + means + outputs + known + p * q * pair


def tables_length(network: Network, values: Sequence[int]) -> int:
    """Operations for the tables, what neurons read of either token, what they write, and what is written beside them."""
    (p, q), n = values, network.outputs
    layer = layer_of(network.definitions[-1].body)
    assert layer is not None
    each = layer.width * (p + 2 * q) * _operations(Work.of(layer.pre, 2)) + n * (p + 2 * q) * _operations(Work.of(layer.direct, 1))
    scaled = layer.width * (p + 2 * q) + n * q
    return _operations(network.work(once=True)) + each + scaled + n * layer.width * _operations(Work.of(layer.out, 2))


def brute_force_length(network: Network, values: Sequence[int], m: int) -> int:
    """The same tables, and the logits of all pairs: m sums and ReLUs, n sums of m products and n comparisons."""
    n = network.outputs
    return tables_length(network, values) + math.prod(values) * (2 * m + n * (2 * m + 2) + n - 1)


def _operations(work: Work) -> int:
    return 2 * work.products + work.others
