"""The networks for lagged induction of the zoo: trained by cross-entropy alone, then tuned for provability."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from compact_proofs.models.attention_stack import AttentionStack
from compact_proofs.tasks.lagged_induction.finetuning import config_for, finetune
from compact_proofs.tasks.lagged_induction.training import TrainingConfig, train
from compact_proofs.train import TrainingResult


def tune(config: TrainingConfig) -> TrainingResult[AttentionStack]:
    """Train a network, and tune it."""
    model = train(config).model
    return finetune(model, config_for(model))


ZOO: dict[str, Callable[[], TrainingResult[AttentionStack]]] = {
    "lagged-induction-8-tuned": partial(tune, TrainingConfig()),
}
