"""Group composition: the product of two elements of a finite group, by a network with one hidden layer.

task          the inputs and their labels
brute_force   every pair; the linear baseline
circuits      what an explanation says of neurons, by G-sets, checked exactly
errors        how far a network is from that
circuit_gaps  what circuits prove, by their symmetry
separable     bounds that are a term of x plus a term of y
margins       lower bounds of a network's margins from its circuits
gsets         ours: irreducible representations as G-sets, in linear cost O(n m), and for every pair
cosets        neurons as functions of cosets
directions    neurons that write into few directions
subspaces     finds these
fitting       numbers of a circuit by least squares
search        finds circuits in weights
specimens     small models that try to break proofs
tables        what the search found, and where proofs lose margin
pictures      which explanation is right; margins against errors
training      the published recipe
zoo           the models that ship
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING

from compact_proofs.algebra.group import Group, from_permutations, group_named
from compact_proofs.core.prove import measure, trial
from compact_proofs.core.strategy import Strategy
from compact_proofs.dictionaries import Dictionary
from compact_proofs.dictionaries.options import dictionary_candidates, dictionary_variants
from compact_proofs.models.pair_mlp import PairMLP
from compact_proofs.tasks.groups import training
from compact_proofs.tasks.groups.brute_force import BruteForce, LinearBaseline
from compact_proofs.tasks.groups.cosets import Cosets
from compact_proofs.tasks.groups.directions import Directions
from compact_proofs.tasks.groups.gsets import GSets, GSetsLinear
from compact_proofs.tasks.groups.specimens import specimen
from compact_proofs.tasks.groups.tables import heatmaps, tables
from compact_proofs.tasks.groups.task import Groups
from compact_proofs.tasks.groups.zoo import ZOO
from compact_proofs.tasks.kit import TaskKit

if TYPE_CHECKING:
    from compact_proofs.report.section import Section

__all__ = [
    "KIT",
    "BruteForce",
    "Cosets",
    "Directions",
    "GSets",
    "GSetsLinear",
    "Group",
    "Groups",
    "LinearBaseline",
    "from_permutations",
    "group_named",
]

_OURS: tuple[Strategy, ...] = (
    GSetsLinear(),
    GSetsLinear(exact=False),
    GSets(),
    GSets(rest=False),
    Directions(),
    *(Directions(clusters, q, rest=False) for clusters, q in ((6, 2), (8, 2), (12, 2), (3, 4), (4, 4))),
)
_COMPARED: tuple[Strategy, ...] = (
    LinearBaseline(),
    Cosets(joint=False),
    Cosets(),
    BruteForce(),
)


def _default(model: PairMLP) -> Strategy:
    """The explanation whose proof is estimated to say most, and of these the shortest: G-sets, cosets, or few directions.

    The last, which explains least, is asked only where neither other is shorter than brute force.
    """
    task = Groups.of(model)
    asked: tuple[Strategy, ...] = (GSets(), Cosets())
    trials = {s: trial(model, task, s) for s in asked}

    def worth(strategy: Strategy) -> tuple[Fraction, int]:
        return trials[strategy].bound, -trials[strategy].length.total

    best = max(trials, key=worth)
    return best if trials[best].length.total < measure(model, task, BruteForce()).total else Directions()


def _variants(kind: type[Strategy], model: PairMLP) -> Sequence[Strategy]:
    """Options that matter at the size of a specimen."""
    if kind is LinearBaseline:
        return [LinearBaseline(0.3), LinearBaseline(1.0)]
    if kind is Dictionary:
        return dictionary_variants(model)
    return [kind(), *(s for s in (*_OURS, *_COMPARED) if type(s) is kind and s != kind())]


def _sections(model: PairMLP) -> Sequence[Section]:
    from compact_proofs.dictionaries.pictures import DictionarySection  # which need matplotlib
    from compact_proofs.tasks.groups.pictures import sections

    return [*sections(model), DictionarySection(model, Groups.of(model), kinds=("pca", "metric-pca"))]


KIT = TaskKit(
    name=Groups.name,
    summary="name the product of two elements of a finite group",
    architectures=(PairMLP,),
    task_of=Groups.of,
    strategies=(BruteForce, LinearBaseline, GSets, GSetsLinear, Cosets, Directions, Dictionary),
    default=_default,
    brute_force=lambda model: BruteForce(),
    candidates=lambda model: (*_OURS, *dictionary_candidates(model, Groups.of(model))),
    always=lambda model: _COMPARED,
    linear=lambda model: LinearBaseline(),
    specimen=specimen,
    variants=_variants,
    tables=tables,
    heatmaps=heatmaps,
    sections=_sections,
    recipe=training.TrainingConfig,
    train=training.train,
    zoo=ZOO,
)
"""The task of group composition."""
