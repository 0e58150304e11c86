"""Choose the options of a proof by few directions for a network: how many clusters and directions its weights need."""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor

from compact_proofs.core.prove import find_explanation, trial
from compact_proofs.models.one_layer_mlp import OneLayerMLP
from compact_proofs.tasks.modular_addition.directions import Directions
from compact_proofs.tasks.modular_addition.task import ModularAddition

TRIED = ((5, 2), (8, 2), (6, 4), (8, 6))
"""Clusters and directions, the cheapest first."""
RANK = 12
"""Of the neurons' means by operand: they are waves of the frequencies that the network uses, and of twice those."""
SPANS = (16, 20, 24, 32)
"""Directions of the residual stream, the cheapest first; where all of them are too few, it is read exactly."""
FEW, HARDLY_ANY = 0.1, 0.01
"""The first clusters, and the first span, are taken whose pairs left over take less than this share of the proof."""


def adapted_directions(model: OneLayerMLP) -> Directions:
    """The shortest proof of the exact accuracy, of a few; pairs that directions do not prove are evaluated, which takes long.

    A cluster writes two directions, the cosine and the sine of its own frequency, where its neurons answer as one. Where they do
    not ("pizza" networks, whose neurons' phases do not match), they write others too, and those of weaker frequencies matter.
    """
    task, lengths = ModularAddition.of(model), dict[Directions, int]()

    def left_over(strategy: Directions, explanation: dict[str, Tensor]) -> float:
        length = trial(model, task, strategy, explanation=explanation).length
        lengths[strategy] = length.total
        return sum(length.by_stage.get("brute force", {}).values()) / length.total

    def shortest() -> Directions:
        return min(lengths, key=lambda strategy: lengths[strategy])

    explanations = {}
    for clusters, q in TRIED:
        strategy = Directions(clusters, q, rank=RANK, label="bounded")
        explanations[strategy] = find_explanation(model, task, strategy)
        if left_over(strategy, explanations[strategy]) < FEW:
            break
    found = shortest()
    for span in SPANS:
        strategy = replace(found, span=span)
        if left_over(strategy, explanations[found] | strategy.explain_span(model)) < HARDLY_ANY:
            break
    return shortest()
