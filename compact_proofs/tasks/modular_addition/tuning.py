"""Tuning for provability: project a trained network to one with exact structure, train on under that constraint, simplify.

Each step makes **another network**: only the strategies for any weights (`Clusters`, brute force) prove something about the first.
Networks without attention, or with uniform attention over two tokens, are projected to waves, for `Kinks`; the others to planes,
for `Planes`.
`distance` measures how far the function has moved.
"""

from __future__ import annotations

import copy
import time
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from compact_proofs.models.one_layer_mlp import Attention, OneLayerMLP
from compact_proofs.models.weights import in_double
from compact_proofs.options import Natural, Positive, Rate
from compact_proofs.tasks.modular_addition.factors import explain_layer
from compact_proofs.tasks.modular_addition.folding import fold, folded_logits
from compact_proofs.tasks.modular_addition.kinks import margin_bounds
from compact_proofs.tasks.modular_addition.layer import bound_layer
from compact_proofs.tasks.modular_addition.planar import PlanarProjection
from compact_proofs.tasks.modular_addition.projection import Projection, used_frequencies
from compact_proofs.tasks.modular_addition.response import kink_range
from compact_proofs.tasks.modular_addition.task import ModularAddition
from compact_proofs.tasks.modular_addition.training import (
    WARM_UP,
    Architecture,
    GrokkingCurves,
    TrainingConfig,
    train_on,
    uniform_pairs,
)
from compact_proofs.tasks.modular_addition.waves import waves
from compact_proofs.train import TrainingResult, evaluate

FIXED = ("p", "architecture", "d_model", "d_mlp", "n_heads", "train_share")
"""Fields of the recipe that the model decides, or that are the training's."""
LOOKS = 50
"""Steps between two looks at the margins; the weights with the best ones are kept."""


@dataclass(frozen=True, kw_only=True)
class TuningConfig(TrainingConfig):
    """Options of `tune`; the sizes are the model's.

    Parameters
    ----------
    frequencies : int
        Keep at most so many frequencies; 0: all that matter. Of networks that are projected to waves.
    planes : int
        How many planes the neurons read, of networks that are projected to planes.
    train : bool
        Train on after the projection, projecting after every step; otherwise project only.
    canonical : bool
        Finally write the same function with the least weights: neurons of one frequency read and write rank 2. Neurons of one plane
        do already.
    """

    steps: Positive = 300
    learning_rate: Rate = 2e-4
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = 0.1
    frequencies: Natural = 0
    planes: Positive = 8
    train: bool = True
    canonical: bool = True


def config_for(model: OneLayerMLP, **options: Any) -> TuningConfig:
    """Make the options for a model: its sizes, and what is given."""
    c = model.config
    named: dict[Attention, Architecture] = {"none": "mlp", "uniform": "attn", "learned": "learned"}
    sizes = {"p": model.p, "d_model": c.d_model, "d_mlp": c.d_mlp, "n_heads": c.n_heads if c.attention == "learned" else 1}
    return TuningConfig(architecture=named[c.attention], **sizes, **options)


def tune(model: OneLayerMLP, config: TuningConfig) -> TrainingResult[OneLayerMLP]:
    """Project a copy of a model, train it on under the projection, and write it canonically.

    Returns
    -------
    TrainingResult
        The new network in float32. Of the states that the training went through, the one with the largest provable margin is kept.

    Raises
    ------
    BadInput
        If the options mean nothing.
    """
    started = time.perf_counter()
    has_waves = model.config.attention != "learned" and model.config.n_ctx == 2
    project = Projection(model, config.frequencies or None) if has_waves else PlanarProjection(model, config.planes)
    tuned = copy.deepcopy(model).float().requires_grad_(True)
    project(tuned)
    best = (provable_margin(tuned, project), _weights(tuned))

    def after_step(step: int) -> None:
        nonlocal best
        project(tuned)
        if step % LOOKS == 0 or step == config.steps:
            margin = provable_margin(tuned, project)
            if margin > best[0]:
                best = (margin, _weights(tuned))

    def rate(step: int) -> float:
        return min(1.0, step / WARM_UP, 2 * (1 - step / config.steps) + 0.01)

    curves = GrokkingCurves()
    if config.train:
        result = train_on(tuned, config, rate, project=after_step, description="tuning")
        assert isinstance(result.curves, GrokkingCurves)
        curves = result.curves
    tuned.load_state_dict(best[1])
    exact = tuned.double()
    project(exact)
    if config.canonical and isinstance(project, Projection):
        project.canonicalise(exact)
    final = exact.float().requires_grad_(False)
    metrics = evaluate(final, uniform_pairs(config.p), config)
    if not config.train:
        curves.step, curves.loss, curves.accuracy = [0], [round(metrics.loss, 7)], [round(metrics.accuracy, 7)]
    return TrainingResult(final, ModularAddition.name, config, curves, metrics, time.perf_counter() - started)


@torch.no_grad()
def provable_margin(model: OneLayerMLP, project: Projection | PlanarProjection) -> float:
    """An estimate of the smallest margin that the kink proof gives for the canonical form of a projected model.

    Of a planar model, it is the smallest margin itself, of which the plane proof loses little.
    """
    if isinstance(project, PlanarProjection):
        return smallest_margin(model)
    exact = in_double(model)
    project.canonicalise(exact)
    frequencies = used_frequencies(exact)
    zero = torch.zeros((), dtype=torch.float64)
    layer, _ = bound_layer(exact, explain_layer(exact, len(frequencies)), zero, zero, kink_range)
    return 2 * float(margin_bounds(layer, waves(frequencies, model.p)).min())


@torch.no_grad()
def smallest_margin(model: OneLayerMLP) -> float:
    """The smallest margin over all pairs, in the model's own precision."""
    logits, labels = all_logits(model)
    own = logits.gather(1, labels[:, None])
    others = logits.scatter(1, labels[:, None], -torch.inf).amax(1, keepdim=True)
    return float((own - others).min())


@torch.no_grad()
def all_logits(model: OneLayerMLP) -> tuple[Tensor, Tensor]:
    """Logits of all pairs [p^2, p] and their labels."""
    task = ModularAddition.of(model)
    inputs = task.inputs(0, task.size)
    return (model(inputs) if model.config.attention == "learned" else folded_logits(fold(model), inputs)), task.labels(inputs)


def distance(model: OneLayerMLP, tuned: OneLayerMLP) -> float:
    """Root mean square difference of the centred logits over all pairs: how far the tuned function is from the first."""
    difference = all_logits(in_double(tuned))[0] - all_logits(in_double(model))[0]
    return float((difference - difference.mean(-1, keepdim=True)).square().mean().sqrt())


def _weights(model: OneLayerMLP) -> dict[str, Tensor]:
    return {name: w.detach().clone() for name, w in model.state_dict().items()}
