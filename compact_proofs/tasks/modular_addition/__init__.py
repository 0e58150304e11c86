"""Modular addition: a + b mod p, by a one-layer network with a ReLU MLP.

task          the inputs and their labels
folding       the network as tables, where attention is uniform
waves         cosines and sines of the multiples of pi / p
neuron_order  neurons in the order of their clusters
brute_force   every pair; the linear baseline
attending     the network as tables, where attention depends on the input
parts         what a residual stream is the sum of
networks      the tables as networks on pairs
spans         tables that read the residual stream through few of its directions
directions    any weights and attention: clusters of neurons that write into few directions
clusters      neurons by frequency, the rest by Cauchy-Schwarz
adapting      how many clusters and directions a network needs
kinks         projected networks: every margin by a - b; the published integral
planes        planar networks, any attention: neurons of a plane answer by one angle
reading       what linear maps read of the residual stream
planar        planes that neurons read, and networks projected to them
layer         the MLP's part of it, for every p at once
response      what a frequency's neurons answer, for all angles
search        explanations of any network from its weights
factors       explanations of projected networks
projection    networks with exact structure
tuning        from a trained network to one with exact structure
transplanting the same MLP at another p, and the theorem that it takes along
specimens     small models that try to break proofs
tables        tables and matrices about a model
pictures      the integral and its kinks
training      the recipe
zoo           the models that ship
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from compact_proofs.core.strategy import Strategy
from compact_proofs.dictionaries import Dictionary
from compact_proofs.dictionaries.options import dictionary_candidates, dictionary_variants
from compact_proofs.models.one_layer_mlp import OneLayerMLP
from compact_proofs.tasks.kit import TaskKit, Tuning
from compact_proofs.tasks.modular_addition import training, tuning
from compact_proofs.tasks.modular_addition.adapting import adapted_directions
from compact_proofs.tasks.modular_addition.brute_force import BruteForce, LinearBaseline
from compact_proofs.tasks.modular_addition.clusters import Clusters
from compact_proofs.tasks.modular_addition.directions import Directions
from compact_proofs.tasks.modular_addition.kinks import Kinks, Quadrature
from compact_proofs.tasks.modular_addition.planar import planes_of
from compact_proofs.tasks.modular_addition.planes import Planes
from compact_proofs.tasks.modular_addition.projection import is_projected, used_frequencies
from compact_proofs.tasks.modular_addition.specimens import specimen
from compact_proofs.tasks.modular_addition.tables import heatmaps, tables
from compact_proofs.tasks.modular_addition.task import ModularAddition
from compact_proofs.tasks.modular_addition.zoo import ZOO

if TYPE_CHECKING:
    from compact_proofs.report.section import Section

__all__ = ["KIT", "BruteForce", "Clusters", "Directions", "Kinks", "LinearBaseline", "ModularAddition", "Planes", "Quadrature"]

AFFORDABLE = 2e10
"""Longest brute force, in operations, that a frontier includes by default."""


def _default(model: OneLayerMLP) -> Strategy:
    if model.config.attention != "learned" and is_projected(model):
        return Kinks(len(used_frequencies(model)), fallback="tables")
    planes = planes_of(model)
    if planes:
        return Planes(planes, evaluate=model.p)
    return adapted_directions(model)


def _candidates(model: OneLayerMLP) -> Sequence[Strategy]:
    """Options of the certificates, the most useful first."""
    found: list[Strategy] = [Directions(), *(Directions(n, q, rest=False) for n, q in ((5, 2), (6, 2), (8, 2), (5, 4)))]
    planes = planes_of(model)
    if planes:
        found = [*(Planes(planes, N, n) for N, n in ((64, 0), (64, model.p), (32, 0), (128, 0))), *found]
    if model.config.attention == "learned":
        return [*found, BruteForce(), *dictionary_candidates(model, ModularAddition.of(model))]
    K = len(used_frequencies(model))
    if is_projected(model):
        found += [Kinks(K), Kinks(K, "tables"), Kinks(K, "tables", model.p), Kinks(K, "tables", model.p**2)]
    cheaper = [Clusters(K)]
    cheaper += [Clusters(K, linear="ideal", rest=rest) for rest in ("norms", "sums", "pairs")]
    cheaper += [Clusters(K, rest=rest) for rest in ("norms", "sums")]
    found += [replace(strategy, q=q) for q, strategy in itertools.product((2, 1, 0, 3, 4, 6), cheaper)]
    found += [Clusters(n, q, "exact") for q in (2, 4, 6) for n in (K, K + 2)]
    found += [Clusters(n, q) for q in (1, 2, 4) for n in (K + 2, max(1, K - 1))]
    return [*found, *dictionary_candidates(model, ModularAddition.of(model))]


def _always(model: OneLayerMLP) -> Sequence[Strategy]:
    found: list[Strategy] = [LinearBaseline()]
    if 2 * model.config.d_mlp * model.p**3 <= AFFORDABLE:
        found.append(BruteForce())
    if model.config.attention != "learned":
        found += [Quadrature(len(used_frequencies(model))), Clusters(len(used_frequencies(model)))]
    return found


def _variants(kind: type[Strategy], model: OneLayerMLP) -> Sequence[Strategy]:
    """Options that matter at the size of a specimen."""
    if kind is LinearBaseline:
        return [LinearBaseline(0.3), LinearBaseline(1.0)]
    if kind is BruteForce:
        return [BruteForce()]
    if kind is Directions:
        return [
            Directions(2, 1),
            Directions(3, 2, rest=False, span=3),
            Directions(3, 2, rest=False, rank=3, label="bounded"),
            Directions(2, 1, rank=2, label="bounded", span=2),
        ]
    if kind is Planes:
        return [Planes(3, 16), Planes(2, 5, evaluate=3), Planes(4, 64)]
    if kind is Dictionary:
        return dictionary_variants(model, additive=model.config.attention != "learned")
    if model.config.attention == "learned":
        return []
    if kind is Clusters:
        options: list[Strategy] = [
            Clusters(2, 0),
            Clusters(3, 2, "bounded", "ideal", "norms"),
            Clusters(2, 2, "exact", "ideal", "pairs"),
            Clusters(3, 1, "exact", "exact", "sums"),
            Clusters(3, 1, "bounded", "exact", "sums"),
        ]
    elif kind is Quadrature:
        options = [Quadrature(2)]
    else:
        options = [Kinks(3), Kinks(2, "tables", 5), Kinks(3, "tables"), Kinks(1, "none", 3)]
    first = model.config.d_mlp // 4
    return [options[(first + i) % len(options)] for i in range(min(2, len(options)))]


def _sections(model: OneLayerMLP) -> Sequence[Section]:
    from compact_proofs.dictionaries.pictures import DictionarySection  # which need matplotlib
    from compact_proofs.tasks.modular_addition.pictures import IntegralSection

    if model.config.attention == "learned":
        return []
    return [IntegralSection(model), DictionarySection(model, ModularAddition.of(model))]


KIT = TaskKit(
    name=ModularAddition.name,
    summary="add two numbers modulo p",
    architectures=(OneLayerMLP,),
    task_of=ModularAddition.of,
    strategies=(BruteForce, LinearBaseline, Clusters, Directions, Kinks, Planes, Quadrature, Dictionary),
    default=_default,
    brute_force=lambda model: BruteForce(),
    candidates=_candidates,
    always=_always,
    linear=lambda model: LinearBaseline(),
    specimen=specimen,
    variants=_variants,
    tables=tables,
    heatmaps=heatmaps,
    recipe=training.TrainingConfig,
    train=training.train,
    zoo=ZOO,
    tuning=Tuning(
        recipe=tuning.TuningConfig,
        fixed=tuning.FIXED,
        config=tuning.config_for,
        tune=tuning.tune,
        distance=tuning.distance,
    ),
    sections=_sections,
)
