"""Tuning for provability: train a network on while the bounds of automatic proofs are improved by gradient.

The result is **another network**, whose distance from the first is measured. It serves any network that automatic proofs can read:
several heads, norms, MLPs. Where bounds say nothing and inputs are listed, fewer hidden neurons that are not 0 make lists shorter
(`compact_proofs.tasks.finite.sparsity`).
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Tensor

from compact_proofs.automatic.search.penalty import BoundPenalty
from compact_proofs.models.networks import Network
from compact_proofs.options import Positive, Rate
from compact_proofs.sequences.task import FiniteTask
from compact_proofs.tasks.finite.files import label_of, task_of
from compact_proofs.tasks.finite.sparsity import activity
from compact_proofs.tasks.finite.training import LARGEST_GRADIENT, FiniteResult, uniform, varied
from compact_proofs.train import Recipe, Schedule, evaluate, fit, function_distance, make_generator


@dataclass(frozen=True, kw_only=True)
class TuningRecipe(Recipe):
    """Options of `tune`.

    Parameters
    ----------
    strength : float
        Weight of the failure of bounds beside the cross-entropy; at 0 no bounds are made.
    sparsity : float
        Weight of what keeps hidden ReLU neurons from being 0, which makes lists of inputs longer.
    boxes : int
        Pairs of a label and a last token whose bounds are improved in each step.

    The rest is in `compact_proofs.train.Recipe`.
    """

    strength: Annotated[float, Field(ge=0)] = 0.3
    sparsity: Annotated[float, Field(ge=0)] = 0.0
    boxes: Positive = 48
    steps: Positive = 300
    batch_size: Positive = 512
    learning_rate: Rate = 3e-4
    betas: tuple[float, float] = (0.9, 0.99)
    weight_decay: float = 0.0
    evaluation_samples: Positive = 2**16


def config_for(model: Network, **options: Any) -> TuningRecipe:
    """The options for a model: those that are given."""
    return TuningRecipe(**options)


def tune(model: Network, recipe: TuningRecipe) -> FiniteResult:
    """Tune a copy of a network so that automatic proofs of it lose less.

    Each step adds to the cross-entropy the failure of bounds on boxes drawn anew (`BoundPenalty`) and the activity of hidden
    neurons on sequences drawn anew, by their weights; the learning rate falls linearly to a tenth.

    Raises
    ------
    BadInput
        If the network does not know its label function, has no boxes of one label or no hidden ReLU neurons where these are asked
        for, or the training diverges.
    """
    task, started = task_of(model), time.perf_counter()
    tuned = copy.deepcopy(model).float().requires_grad_(True)
    penalties: list[Callable[[], Tensor]] = []
    if recipe.strength:
        fails = BoundPenalty(tuned, task, recipe.boxes, make_generator(recipe.seed, "boxes"))
        penalties.append(lambda: recipe.strength * fails())
    if recipe.sparsity:
        draw, generator = uniform(task), make_generator(recipe.seed, "hidden")
        penalties.append(lambda: recipe.sparsity * activity(tuned, lambda number: draw(generator, number)[0]))
    schedule = Schedule(
        penalty=lambda step: sum((penalty() for penalty in penalties), torch.zeros(())),
        rate=lambda step: 1 - 0.9 * step / recipe.steps,
        clip=LARGEST_GRADIENT,
    )
    curves = fit(tuned, varied(task, label_of(model)), recipe, schedule, "tuning")
    tuned.requires_grad_(False)
    final = evaluate(tuned, uniform(task), recipe)
    return FiniteResult(tuned, FiniteTask.name, recipe, curves, final, time.perf_counter() - started)


def distance(model: Network, tuned: Network, sequences: int = 2**14, seed: int = 0) -> float:
    """Root mean square difference of the centred logits on uniform sequences: how far the tuned function is from the first."""
    tokens, _ = uniform(task_of(model))(torch.Generator().manual_seed(seed), sequences)
    return function_distance(model, tuned, tokens)
