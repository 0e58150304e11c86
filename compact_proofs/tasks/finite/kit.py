"""What finite tasks offer to the rest of the program."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from compact_proofs.automatic.shared import Shared
from compact_proofs.models.recurrent import Recurrent
from compact_proofs.models.transformer import Transformer
from compact_proofs.strategy import Strategy
from compact_proofs.tasks.finite.files import task_of
from compact_proofs.tasks.finite.specimens import specimen
from compact_proofs.tasks.finite.task import FiniteTask
from compact_proofs.tasks.finite.training import FiniteRecipe, train
from compact_proofs.tasks.finite.zoo import ZOO
from compact_proofs.tasks.kit import TaskKit


def _shared(model: Any) -> Strategy:
    return Shared()


def _variants(kind: type[Strategy], model: Any) -> Sequence[Strategy]:
    return [kind()]


KIT = TaskKit(
    name=FiniteTask.name,
    summary="say what a label function says of a sequence of tokens",
    architectures=(Transformer, Recurrent),
    task_of=task_of,
    strategies=(Shared,),
    default=_shared,
    brute_force=_shared,
    candidates=lambda model: [Shared()],
    always=lambda model: [Shared()],
    linear=_shared,
    specimen=specimen,
    variants=_variants,
    studies=lambda model: (),
    heatmaps=lambda model: (),
    recipe=FiniteRecipe,
    train=train,
    zoo=ZOO,
)
