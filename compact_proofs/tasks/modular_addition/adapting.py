"""Choose the options of a proof by few directions for a network: how many clusters and directions its weights need."""

from __future__ import annotations

from compact_proofs.core.prove import trial
from compact_proofs.models.one_layer_mlp import OneLayerMLP
from compact_proofs.tasks.modular_addition.directions import Directions
from compact_proofs.tasks.modular_addition.task import ModularAddition

TRIED = ((5, 2), (8, 2), (6, 4), (8, 6))
"""Clusters and directions, the cheapest first."""
FEW = 0.1
"""The first whose pairs left over take less than this share of the proof is taken."""


def adapted_directions(model: OneLayerMLP) -> Directions:
    """The shortest proof of the exact accuracy, of a few; pairs that directions do not prove are evaluated, which takes long.

    A cluster writes two directions, the cosine and the sine of its own frequency, where its neurons answer as one. Where they do
    not ("pizza" networks, whose neurons' phases do not match), they write others too, and those of weaker frequencies matter.
    """
    task = ModularAddition.of(model)
    lengths = {}
    for clusters, q in TRIED:
        strategy = Directions(clusters, q)
        length = trial(model, task, strategy).length
        lengths[strategy] = length.total
        if sum(length.by_stage.get("brute force", {}).values()) < FEW * length.total:
            break
    return min(lengths, key=lambda strategy: lengths[strategy])
