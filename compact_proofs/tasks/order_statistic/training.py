"""AlgZoo's recipe for networks that name an order statistic, with fewer steps."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from compact_proofs.models.scalar_recurrent import ScalarRecurrent, ScalarRecurrentConfig
from compact_proofs.tasks.order_statistic.task import OrderStatistic
from compact_proofs.train import Recipe, Sampler, Schedule, TrainingResult, evaluate, fit, make_generator


@dataclass(frozen=True, kw_only=True)
class OrderStatisticRecipe(Recipe):
    """Sizes, and AdamW at a learning rate of 0.04 / sqrt(d_model) that rises over a twentieth of the steps and falls hundredfold.

    Parameters
    ----------
    n : int
        How many numbers are read.
    above : int
        How many exceed the answer.
    d_model : int
        Width of the state.
    bias : bool
        Are constants added in each step and to the logits? AlgZoo's networks have none.

    The rest is in `compact_proofs.train.Recipe`. AlgZoo takes 10^6 steps.
    """

    n: int = 3
    above: int = 1
    d_model: int = 4
    bias: bool = False
    steps: int = 12000
    batch_size: int = 1024
    learning_rate: float = 0.04
    weight_decay: float = 1e-3
    evaluation_samples: int = 2**18

    @property
    def task(self) -> OrderStatistic:
        """The task."""
        return OrderStatistic(self.n, self.above)

    def rate(self, step: int) -> float:
        """The factor of the learning rate at a step (from 1): it falls exponentially, to a hundredth by the middle."""
        rise = min(1.0, step / max(1, self.steps // 20))
        return rise * max(0.01, 0.01 ** (2 * step / self.steps)) / math.sqrt(self.d_model)


def sampler(task: OrderStatistic) -> Sampler:
    """Inputs drawn from the task's law, float32 [n, k], and their labels."""

    def sample(generator: torch.Generator, size: int) -> tuple[Tensor, Tensor]:
        x = task.law.sample(size, generator)
        return x, task.labels(x)

    return sample


def initial_network(recipe: OrderStatisticRecipe) -> ScalarRecurrent:
    """Make the untrained float32 network of the seed: all weights uniform within 1 / sqrt(d_model), as PyTorch's layers start."""
    model = ScalarRecurrent(ScalarRecurrentConfig(n_ctx=recipe.n, d_model=recipe.d_model, d_out=recipe.n, bias=recipe.bias))
    model.above = recipe.above
    generator = make_generator(recipe.seed, "init")
    bound = 1 / math.sqrt(recipe.d_model)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.uniform_(-bound, bound, generator=generator)
    return model


class OrderStatisticResult(TrainingResult[ScalarRecurrent]):
    """A trained network whose file says what it is."""

    def metadata(self) -> dict[str, Any]:
        model = self.model
        named = {"architecture": model.architecture, "configuration": model.configuration(), "above": model.above}
        return named | super().metadata()


def train(recipe: OrderStatisticRecipe) -> TrainingResult[ScalarRecurrent]:
    """Train a network by a recipe.

    Raises
    ------
    BadInput
        If the sizes have no meaning, or the training diverges.
    """
    task, model = recipe.task, initial_network(recipe)
    started = time.perf_counter()
    sample = sampler(task)
    curves = fit(model, sample, recipe, Schedule(window=100, rate=recipe.rate), task.name)
    seconds = time.perf_counter() - started
    return OrderStatisticResult(model, OrderStatistic.name, recipe, curves, evaluate(model, sample, recipe), seconds)
