"""Choose the options of the cluster proof for a network: how many clusters and directions its weights need."""

from __future__ import annotations

from fractions import Fraction

from compact_proofs.core.prove import trial
from compact_proofs.models.one_layer_mlp import OneLayerMLP
from compact_proofs.tasks.modular_addition.clusters import Clusters
from compact_proofs.tasks.modular_addition.projection import used_frequencies
from compact_proofs.tasks.modular_addition.task import ModularAddition

ENOUGH = Fraction(99, 100)
"""An estimate with which the first strategy that has it is content."""


def adapted_clusters(model: OneLayerMLP) -> Clusters:
    """The shortest cluster proof, of a few, whose float reading estimates at least `ENOUGH`; else that of the highest estimate.

    A cluster writes two directions, the cosine and the sine of its own frequency, where its neurons answer as one. Where they do
    not ("pizza" networks, whose neurons' phases do not match), they write others too, and those of weaker frequencies matter.
    """
    task, K = ModularAddition.of(model), len(used_frequencies(model))
    best, highest = Clusters(K, 2), Fraction(-1)
    for n, q in ((K, 2), (K, 4), (K + 1, 4), (K + 2, 6)):
        strategy = Clusters(n, q)
        estimate = trial(model, task, strategy).bound
        if estimate > highest:
            best, highest = strategy, estimate
        if highest >= ENOUGH:
            break
    return best
