"""What finite tasks offer to the rest of the program."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from compact_proofs.automatic.shared import Shared
from compact_proofs.automatic.strategy import Automatic, usual
from compact_proofs.core.exhaustive import Exhaustive
from compact_proofs.core.strategy import Strategy
from compact_proofs.models.files import weights_sha256
from compact_proofs.models.recurrent import Recurrent
from compact_proofs.models.transformer import Transformer
from compact_proofs.sequences.task import FiniteTask
from compact_proofs.tasks.finite import tuning
from compact_proofs.tasks.finite.files import answer, task_of
from compact_proofs.tasks.finite.specimens import specimen
from compact_proofs.tasks.finite.training import FiniteRecipe, train
from compact_proofs.tasks.finite.zoo import ZOO
from compact_proofs.tasks.kit import TaskKit, Tuning
from compact_proofs.tasks.universal import boxes_account, boxes_sections, ladder, sampled, share_of


def _shared(model: Any) -> Strategy:
    return Shared()


def _default(model: Any) -> Strategy:
    """Automatic proofs say little of states that pass through several layers or steps; there the inputs are listed."""
    deep = isinstance(model, Recurrent) or model.config.n_layers > 1
    return Shared() if deep else usual(task_of(model))


def _share(model: Any) -> Strategy:
    return share_of(task_of(model))


def _variants(kind: type[Strategy], model: Any) -> Sequence[Strategy]:
    if kind is Automatic:
        some = [Automatic(), Automatic(worth=1000), Automatic(hard=1, families=2, kept=2, worth=100, cuts=0)]
        left_out = int(weights_sha256(model)[:8], 16) % len(some)  # each takes a search
        return [strategy for i, strategy in enumerate(some) if i != left_out]
    if kind is Shared:
        return [Shared(), Shared(zeros=True)]
    return [Exhaustive(share=0.3)] if kind is Exhaustive else [kind()]


KIT = TaskKit(
    name=FiniteTask.name,
    summary="say what a label function says of a sequence of tokens",
    architectures=(Transformer, Recurrent),
    task_of=task_of,
    strategies=(Automatic, Shared, Exhaustive),
    default=_default,
    brute_force=_shared,
    candidates=lambda model: ladder(task_of(model)),
    always=lambda model: [_share(model)],
    linear=_share,
    specimen=specimen,
    variants=_variants,
    accounts=lambda model: boxes_account(model, task_of(model)),
    sections=lambda model: boxes_sections(model, task_of(model)),
    estimators=sampled,
    recipe=FiniteRecipe,
    train=train,
    zoo=ZOO,
    answer=answer,
    tuning=Tuning(
        recipe=tuning.TuningRecipe,
        fixed=(),
        config=tuning.config_for,
        tune=tuning.tune,
        distance=tuning.distance,
    ),
)
