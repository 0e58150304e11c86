"""Order statistics of random numbers: which is the second largest, or the median? By recurrent networks.

task           the law and the labels
cones          cones on which the label is known; a network's bounds on cones
cone_tree      `ConeTree`: cones are cut until the network is known on them
search         where to cut
linear_pieces  `LinearPieces`: label cones are divided where the network bends
pieces         the cones on which it is linear
boxes          scaled boxes on which the label is known; linear bounds of a network on boxes
box_tree       `BoxTree`: the part of each box counts on which linear bounds of the margins are positive
box_search     where to split
whole_cones    `WholeCones`: label cones as they are, for networks of whole numbers
symbolic       bounds that see how neurons hang together
descents       estimates of finished trees of cones
box_descents   and of boxes
files          what a file says of the task
specimens      small models that try to break proofs
training       AlgZoo's recipe
by_hand        a network made by hand, for any n: a running largest and second largest
by_pairs       another: all pairs are compared
zoo            the models that ship
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from compact_proofs.core.strategy import Strategy
from compact_proofs.estimates import Constant, Estimator, Sampling
from compact_proofs.laws import Independent, Normal
from compact_proofs.models.scalar_recurrent import ScalarRecurrent
from compact_proofs.tables import Table
from compact_proofs.tasks.kit import TaskKit
from compact_proofs.tasks.order_statistic.box_descents import FinishedBoxes, affordable, box_table
from compact_proofs.tasks.order_statistic.box_tree import BoxTree
from compact_proofs.tasks.order_statistic.cone_tree import ConeTree
from compact_proofs.tasks.order_statistic.descents import FinishedTree, tree_table
from compact_proofs.tasks.order_statistic.files import answer
from compact_proofs.tasks.order_statistic.linear_pieces import LinearPieces
from compact_proofs.tasks.order_statistic.specimens import specimen
from compact_proofs.tasks.order_statistic.task import OrderStatistic
from compact_proofs.tasks.order_statistic.training import OrderStatisticRecipe, train
from compact_proofs.tasks.order_statistic.whole_cones import WholeCones, is_whole
from compact_proofs.tasks.order_statistic.zoo import ZOO

__all__ = ["KIT", "BoxTree", "ConeTree", "LinearPieces", "OrderStatistic", "WholeCones"]

_SIZES = (1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7)
_CANDIDATES = tuple(ConeTree(smallest=size, gain=size / 2, choice=choice) for size in _SIZES for choice in ("first", "relevant"))


def _by_direction(model: ScalarRecurrent) -> bool:
    """Whether only the direction of an input matters, and is uniformly distributed: then cones apply."""
    return not model.config.bias and Independent((model.of_each or Normal(),)).rotation_invariant


def _variants(kind: type[Strategy], model: Any) -> Sequence[Strategy]:
    """Options that matter at the size of a specimen."""
    if kind is not BoxTree and not _by_direction(model):
        return []
    if kind is WholeCones:
        return [WholeCones()] if is_whole(model) else []
    if kind is LinearPieces:
        return [LinearPieces(gain=1e-3), LinearPieces(gain=1e-2, smallest=1e-2, pieces=40, measure="both")]
    if kind is BoxTree:
        return [BoxTree(gain=1e-2) if model.config.d_model % 2 else BoxTree(gain=2e-2, groups=2, cells=3, steps=5)]
    return [ConeTree(smallest=1e-2, gain=1e-2, measure="both"), ConeTree(smallest=1e-3, gain=1e-2, choice="relevant", most=1000)]


def _default(model: ScalarRecurrent) -> Strategy:
    """What takes seconds: trees grow with the dimension."""
    n = model.config.n_ctx
    if not _by_direction(model):
        return BoxTree(gain=1e-5 if n <= 3 else 1e-4)
    if n > 5 and is_whole(model):
        return WholeCones()
    if n > 5:
        return ConeTree(smallest=1e-4, gain=1e-4, measure="both", most=2**13)
    return ConeTree() if n <= 4 else ConeTree(smallest=1e-5, gain=3e-6)


def _tables(model: ScalarRecurrent) -> Sequence[Table]:
    return (*((tree_table(model),) if _by_direction(model) else ()), box_table(model))


def _estimators(model: ScalarRecurrent) -> Sequence[Estimator[Any]]:
    trees = [FinishedTree(size) for size in _SIZES[1::2]] if _by_direction(model) else []
    return (Constant(), *trees, *(FinishedBoxes(size, affordable(model)) for size in _SIZES[1::2]), Sampling())


def _candidates(model: ScalarRecurrent) -> Sequence[Strategy]:
    """Trees from small to large ones, and what is better where it applies."""
    if not _by_direction(model):
        return [BoxTree(gain=gain) for gain in (1e-3, 3e-4, 1e-4, 3e-5, 1e-5)]
    found: list[Strategy] = list(_CANDIDATES)
    if model.config.n_ctx <= 4:
        found += [LinearPieces(gain=gain) for gain in (1e-5, 3e-7, 3e-8)]
    return [*found, WholeCones()] if is_whole(model) else found


KIT = TaskKit(
    name=OrderStatistic.name,
    summary="name the second largest of random numbers, or another order statistic",
    architectures=(ScalarRecurrent,),
    task_of=OrderStatistic.of,
    strategies=(ConeTree, LinearPieces, WholeCones, BoxTree),
    default=_default,
    brute_force=lambda model: None,
    candidates=_candidates,
    always=lambda model: (),
    linear=lambda model: None,
    tables=_tables,
    estimators=_estimators,
    specimen=specimen,
    variants=_variants,
    recipe=OrderStatisticRecipe,
    train=train,
    zoo=ZOO,
    answer=answer,
)
