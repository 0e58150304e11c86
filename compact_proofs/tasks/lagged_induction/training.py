"""Training recipe for lagged induction, at any size and seed: that of induction, with more layers and a wider residual stream."""

from __future__ import annotations

from dataclasses import dataclass

from compact_proofs.models.attention_stack import AttentionStack, AttentionStackConfig
from compact_proofs.options import Positive
from compact_proofs.tasks.induction import training as induction
from compact_proofs.tasks.lagged_induction.task import LaggedInduction
from compact_proofs.train import Sampler, TrainingResult, train_model


@dataclass(frozen=True, kw_only=True)
class TrainingConfig(induction.TrainingConfig):
    """The sizes of a network with the recipe.

    Parameters
    ----------
    n_layers : int
        Layers: the answer is n_layers - 1 places behind the query's first occurrence.

    The rest is in `compact_proofs.tasks.induction.training.TrainingConfig`.

    Raises
    ------
    BadInput
        If an option has no meaning.
    """

    n_ctx: int = 8
    d_model: int = 64
    n_layers: int = 3
    steps: Positive = 3000
    evaluation_samples: Positive = 2**16

    @property
    def sizes(self) -> AttentionStackConfig:
        """The sizes of the network."""
        return AttentionStackConfig(self.d_vocab, self.n_ctx, self.d_model, self.d_head, self.n_layers)

    @property
    def task(self) -> LaggedInduction:
        """The task."""
        return LaggedInduction(self.d_vocab, self.n_ctx, self.n_layers - 1)


def uniform_inputs(task: LaggedInduction) -> Sampler:
    """Sample uniform inputs of a task, int64 [k, n_ctx], with their labels, int64 [k]."""
    return induction.uniform_inputs(task.n_ctx, task.d_vocab, task.lag)


def train(config: TrainingConfig) -> TrainingResult[AttentionStack]:
    """Train a network by cross-entropy alone. Nothing makes it copy twice: it may look two places back at once.

    Raises
    ------
    BadInput
        If the training diverges.
    """
    task = config.task
    description = f"{task.name}, {task.n_ctx} places, {task.d_vocab} tokens, lag {task.lag}, seed {config.seed}"
    return train_model(induction.initial_model(config), task.name, uniform_inputs(task), config, description=description)
