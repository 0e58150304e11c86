"""Lagged induction: name what followed the last token's earlier occurrence some places later, by a chain of copying layers.

task           the inputs and their labels
deep_circuit   the circuit certificate for chains of any depth, for tuned networks
specimens      small networks that try to break proofs, by construction among others
training       the recipe
finetuning     a network with short proofs, from a trained one
zoo            the networks that ship
"""

from __future__ import annotations

from collections.abc import Sequence

from compact_proofs.automatic.shared import Shared
from compact_proofs.core.strategy import Strategy
from compact_proofs.models.attention_stack import AttentionStack
from compact_proofs.tasks.kit import TaskKit, Tuning
from compact_proofs.tasks.lagged_induction import finetuning, training
from compact_proofs.tasks.lagged_induction.deep_circuit import DeepCircuit
from compact_proofs.tasks.lagged_induction.specimens import specimen
from compact_proofs.tasks.lagged_induction.task import LaggedInduction
from compact_proofs.tasks.lagged_induction.zoo import ZOO
from compact_proofs.tasks.universal import share_of

__all__ = ["KIT", "DeepCircuit", "LaggedInduction"]


def _share(model: AttentionStack) -> Strategy:
    return share_of(LaggedInduction.of(model))


def _variants(kind: type[Strategy], model: AttentionStack) -> Sequence[Strategy]:
    return [kind()]


KIT = TaskKit(
    name=LaggedInduction.name,
    summary="name what followed the last token's earlier occurrence some places later",
    architectures=(AttentionStack,),
    task_of=LaggedInduction.of,
    strategies=(DeepCircuit,),
    default=lambda model: DeepCircuit(),
    brute_force=lambda model: Shared(),
    always=lambda model: [_share(model)],
    linear=_share,
    specimen=specimen,
    variants=_variants,
    recipe=training.TrainingConfig,
    train=training.train,
    zoo=ZOO,
    tuning=Tuning(
        recipe=finetuning.FinetuningConfig,
        fixed=("n_ctx", "d_vocab", "d_model", "d_head", "n_layers"),
        config=finetuning.config_for,
        tune=finetuning.finetune,
        distance=finetuning.distance,
    ),
)
