"""Training a classifier on a task that can be sampled: the loop, its curves, its reproducibility.

What is particular to a task (how to sample it, how to initialise the model, which recipe) stays in the task's folder;
see ``compact_proofs/tasks/max_of_k/training.py`` for a use of everything here.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor, nn

from compact_proofs.errors import BadInput
from compact_proofs.models.files import save_model, weights_sha256
from compact_proofs.models.weights import in_double
from compact_proofs.options import Natural, Options, Positive, Rate
from compact_proofs.progress import counted
from compact_proofs.threads import one_thread

Sampler = Callable[[torch.Generator, int], tuple[Tensor, Tensor]]
"""``sample(generator, n)`` gives n inputs [n, ...] and their labels, int64 [n]."""

Model = TypeVar("Model", bound=nn.Module)


@dataclass(frozen=True, kw_only=True)
class Recipe(Options):
    """AdamW on cross-entropy at a constant learning rate; a task's configuration adds its sizes.

    Parameters
    ----------
    seed : int
        Of the initialisation and of the data; the same seed on the same machine gives the same bits.
    steps : int
        Number of batches.
    batch_size : int
        Fresh samples per batch.
    learning_rate : float
        Constant.
    betas : (float, float)
        Of Adam's two running means.
    weight_decay : float
        Decoupled, on every parameter.
    evaluation_samples : int
        Fresh samples on which the trained model is measured.

    Raises
    ------
    BadInput
        If an option has no meaning.
    """

    seed: Natural = 0
    steps: Positive = 3000
    batch_size: Positive = 128
    learning_rate: Rate = 1e-3
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = 0.01
    evaluation_samples: Positive = 2**18


@dataclass(frozen=True)
class Metrics:
    """Loss and accuracy on a sample.

    Parameters
    ----------
    loss : float
        Mean cross-entropy, in nats.
    accuracy : float
        Share of inputs whose label has a larger logit than every other class; a tie is wrong.
    samples : int
        Number of inputs.
    """

    loss: float
    accuracy: float
    samples: int


@dataclass
class Curves:
    """Loss and accuracy on the training batches, averaged over consecutive windows of steps.

    Parameters
    ----------
    step : list of int
        The last step (from 1) of each window.
    loss, accuracy : list of float
        Means over the window, of batches that the weights had not seen.
    """

    step: list[int] = field(default_factory=list)
    loss: list[float] = field(default_factory=list)
    accuracy: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class TrainingResult(Generic[Model]):
    """A trained model with the story of its training.

    Parameters
    ----------
    model : nn.Module
        With the weights of the last step, however good the steps before it were.
    task : str
        The task's name.
    config : Recipe
        The recipe with the task's sizes.
    curves : Curves
        Of the training.
    final : Metrics
        Of the trained model, on fresh samples, evaluated in float64.
    seconds : float
        Wall clock time of the training steps.
    """

    model: Model
    task: str
    config: Recipe
    curves: Curves
    final: Metrics
    seconds: float

    def metadata(self) -> dict[str, Any]:
        """Everything but the weights, ready for JSON."""
        return {
            "task": self.task,
            "config": asdict(self.config),
            "final": asdict(self.final),
            "last_training_window": {"loss": self.curves.loss[-1], "accuracy": self.curves.accuracy[-1]},
            "weights_sha256": weights_sha256(self.model),
            "versions": {"compact_proofs": version("compact-proofs"), "torch": torch.__version__},
            "training_seconds": round(self.seconds, 2),
            "curves": asdict(self.curves),
        }

    def save(self, path: str | Path) -> None:
        """Write ``path`` (.safetensors) and the readable ``.json`` beside it; see `models.files.save_model`."""
        save_model(self.model, path, self.metadata())


def make_generator(seed: int, purpose: str) -> torch.Generator:
    """Make a CPU generator for one purpose ("init", "data", ...) of one seed; purposes do not share a stream."""
    digest = hashlib.sha256(f"{purpose}/{seed}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:4], "little"))


POINTS = 200
"""Points of the curves, at most, unless a schedule says otherwise."""


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """What a training does besides plain steps of AdamW by its recipe. Steps are numbered from 1.

    Parameters
    ----------
    window : int, optional
        Steps for each point of the curves; as many as make `POINTS` points, and at least 10, unless given.
    penalty, after_step, rate
        For each step: a term added to the loss, something to do with the new weights (a projection), and a factor of the learning
        rate.
    clip : float, optional
        Largest norm of a gradient; longer ones are scaled down to it.
    optimizer
        Of the model's parameters; AdamW by the recipe unless given.
    stop
        Asked after each step whether to stop there.
    """

    window: int | None = None
    penalty: Callable[[int], Tensor] | None = None
    after_step: Callable[[int], None] | None = None
    rate: Callable[[int], float] | None = None
    clip: float | None = None
    optimizer: torch.optim.Optimizer | None = None
    stop: Callable[[int], bool] | None = None


PLAIN = Schedule()


def normal_weights(model: Model, seed: int, deviation: Callable[[str, Tensor], float | None]) -> Model:
    """Draw the weights of an untrained model from N(0, deviation^2), in the order of their definition; return the model.

    Parameters
    ----------
    deviation
        From a weight's name and the weight; None for what stays as it is.
    """
    generator = make_generator(seed, "init")
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            scale = deviation(name, parameter)
            if scale is not None:
                parameter.normal_(0.0, scale, generator=generator)
    return model


def uniform_tokens(n: int, v: int, label: Callable[[Tensor], Tensor]) -> Sampler:
    """Sample i.i.d. uniform sequences of n of v tokens, int64 [k, n], with their labels."""

    def sample(generator: torch.Generator, k: int) -> tuple[Tensor, Tensor]:
        tokens = torch.randint(0, v, (k, n), generator=generator)
        return tokens, label(tokens)

    return sample


def from_list(inputs: Tensor, labels: Tensor) -> Sampler:
    """Sample without replacement from a list of inputs: all of it if so many are asked for."""

    def sample(generator: torch.Generator, k: int) -> tuple[Tensor, Tensor]:
        if k >= len(inputs):
            return inputs, labels
        chosen = torch.randperm(len(inputs), generator=generator)[:k]
        return inputs[chosen], labels[chosen]

    return sample


def fit(model: nn.Module, sample: Sampler, recipe: Recipe, schedule: Schedule = PLAIN, description: str = "training") -> Curves:
    """Train `model` in place on fresh samples by the recipe; a bar shows the steps (`compact_proofs.progress`).

    The loss is the cross-entropy of the logits in float64, whatever the dtype of the weights. The steps run on one
    thread (the models are small), so the bits depend on the machine and on the seed, and not on the number of cores.

    Parameters
    ----------
    model : nn.Module
        ``model(inputs) -> logits [n, classes]``.
    sample : Sampler
        Of the training distribution.
    recipe : Recipe
        Steps, batch size, optimiser, and the seed of the data.
    schedule : Schedule
        What is done besides.
    description : str
        Text of the bar.

    Raises
    ------
    BadInput
        If the loss stops being a finite number.
    """
    generator, do = make_generator(recipe.seed, "data"), schedule
    window = do.window or max(10, math.ceil(recipe.steps / POINTS))
    optimizer = do.optimizer
    if optimizer is None:
        optimizer = torch.optim.AdamW(
            model.parameters(), lr=recipe.learning_rate, betas=recipe.betas, weight_decay=recipe.weight_decay
        )
    curves = Curves()
    losses: list[float] = []
    accuracies: list[float] = []
    with one_thread(), counted(recipe.steps, description) as show:
        for step in range(1, recipe.steps + 1):
            inputs, labels = sample(generator, recipe.batch_size)
            logits = model(inputs).double()
            loss = nn.functional.cross_entropy(logits, labels)
            if do.rate is not None:
                for group in optimizer.param_groups:
                    group["lr"] = recipe.learning_rate * do.rate(step)
            optimizer.zero_grad()
            (loss if do.penalty is None else loss + do.penalty(step)).backward()
            if do.clip is not None:
                nn.utils.clip_grad_norm_(model.parameters(), do.clip)
            optimizer.step()
            if do.after_step is not None:
                do.after_step(step)

            losses.append(loss.item())
            accuracies.append(_accuracy(logits.detach(), labels))
            if not math.isfinite(losses[-1]):
                raise BadInput(f"the training loss is {losses[-1]} at step {step}: try a smaller learning rate")
            stopping = do.stop is not None and do.stop(step)
            if step % window == 0 or step == recipe.steps or stopping:
                curves.step.append(step)
                curves.loss.append(round(sum(losses) / len(losses), 7))
                curves.accuracy.append(round(sum(accuracies) / len(accuracies), 7))
                show(step, f"loss {curves.loss[-1]:.4f}  accuracy {curves.accuracy[-1]:.4f}")
                losses.clear()
                accuracies.clear()
            if stopping:
                break
    return curves


def evaluate(model: nn.Module, sample: Sampler, recipe: Recipe, batch_size: int = 2**14) -> Metrics:
    """Measure a copy of `model` in float64 on ``recipe.evaluation_samples`` fresh samples of a stream of their own."""
    generator = make_generator(recipe.seed, "evaluation")
    exact = in_double(model)
    loss, correct, remaining = 0.0, 0.0, recipe.evaluation_samples
    with torch.no_grad(), one_thread():
        while remaining:
            n = min(batch_size, remaining)
            inputs, labels = sample(generator, n)
            logits = exact(inputs)
            loss += n * nn.functional.cross_entropy(logits, labels).item()
            correct += n * _accuracy(logits, labels)
            remaining -= n
    total = recipe.evaluation_samples
    return Metrics(loss / total, round(correct) / total, total)


def train_model(
    model: Model,
    task: str,
    sample: Sampler,
    config: Recipe,
    schedule: Schedule = PLAIN,
    *,
    description: str = "training",
    finish: Callable[[Model], Model] | None = None,
    measured: Sampler | None = None,
) -> TrainingResult[Model]:
    """`fit` an initialised model, `evaluate` it and put the story together; arguments as in `fit`, and others.

    Parameters
    ----------
    task
        The task's name.
    finish
        Makes the final model from the trained one.
    measured
        Samples on which the final model is measured; those of the training unless given.
    """
    start = time.perf_counter()
    curves = fit(model, sample, config, schedule, description)
    final = model if finish is None else finish(model)
    seconds = time.perf_counter() - start
    return TrainingResult(final, task, config, curves, evaluate(final, measured or sample, config), seconds)


def function_distance(model: nn.Module, other: nn.Module, inputs: Tensor) -> float:
    """Root mean square difference of two models' centred logits on some inputs, in float64: how far apart their functions are."""
    with torch.no_grad():
        difference = in_double(other)(inputs) - in_double(model)(inputs)
        return float((difference - difference.mean(-1, keepdim=True)).square().mean().sqrt())


def _accuracy(logits: Tensor, labels: Tensor) -> float:
    """Share of rows whose label beats every other class; a tie and a NaN count as wrong."""
    own = logits.gather(-1, labels.unsqueeze(-1))
    return ((logits >= own).sum(-1) == 1).double().mean().item()
