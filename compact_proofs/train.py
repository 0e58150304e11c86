"""Training a classifier on a task that can be sampled: the loop, its curves, its reproducibility.

What is particular to a task (how to sample it, how to initialise the model, which recipe) stays in the task's folder;
see ``compact_proofs/tasks/max_of_k/training.py`` for a use of everything here.
"""

from __future__ import annotations

import copy
import hashlib
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import torch
from torch import Tensor, nn

from compact_proofs.core.options import Natural, Options, Positive, Rate
from compact_proofs.errors import BadInput
from compact_proofs.models.files import save_model, weights_sha256

if TYPE_CHECKING:
    from rich.progress import Progress

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


def fit(
    model: nn.Module,
    sample: Sampler,
    recipe: Recipe,
    *,
    window: int = 10,
    progress: bool = False,
    description: str = "training",
    penalty: Callable[[int], Tensor] | None = None,
    after_step: Callable[[int], None] | None = None,
    rate: Callable[[int], float] | None = None,
    clip: float | None = None,
    optimizer: torch.optim.Optimizer | None = None,
    stop: Callable[[int], bool] | None = None,
) -> Curves:
    """Train `model` in place on fresh samples by the recipe.

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
    window : int
        Steps per point of the curves.
    progress : bool
        Show a progress bar on standard error.
    description : str
        Text of the bar.
    penalty, after_step, rate
        For each step (from 1): a term added to the loss, something to do with the new weights (a projection), and a factor of the
        learning rate.
    clip : float, optional
        Largest norm of a gradient; longer ones are scaled down to it.
    optimizer
        Of the model's parameters; AdamW by the recipe unless given.
    stop
        Asked after each step (from 1) whether to stop there.

    Raises
    ------
    BadInput
        If the loss stops being a finite number.
    """
    generator = make_generator(recipe.seed, "data")
    if optimizer is None:
        optimizer = torch.optim.AdamW(
            model.parameters(), lr=recipe.learning_rate, betas=recipe.betas, weight_decay=recipe.weight_decay
        )
    curves = Curves()
    losses: list[float] = []
    accuracies: list[float] = []
    with _one_thread(), _progress_bar(progress) as bar:
        bar_id = bar.add_task(description, total=recipe.steps, status="")
        for step in range(1, recipe.steps + 1):
            inputs, labels = sample(generator, recipe.batch_size)
            logits = model(inputs).double()
            loss = nn.functional.cross_entropy(logits, labels)
            if rate is not None:
                for group in optimizer.param_groups:
                    group["lr"] = recipe.learning_rate * rate(step)
            optimizer.zero_grad()
            (loss if penalty is None else loss + penalty(step)).backward()
            if clip is not None:
                nn.utils.clip_grad_norm_(model.parameters(), clip)
            optimizer.step()
            if after_step is not None:
                after_step(step)

            losses.append(loss.item())
            accuracies.append(_accuracy(logits.detach(), labels))
            if not math.isfinite(losses[-1]):
                raise BadInput(f"the training loss is {losses[-1]} at step {step}: try a smaller learning rate")
            stopping = stop is not None and stop(step)
            if step % window == 0 or step == recipe.steps or stopping:
                curves.step.append(step)
                curves.loss.append(round(sum(losses) / len(losses), 7))
                curves.accuracy.append(round(sum(accuracies) / len(accuracies), 7))
                status = f"loss {curves.loss[-1]:.4f}  accuracy {curves.accuracy[-1]:.4f}"
                bar.update(bar_id, completed=step, status=status)
                losses.clear()
                accuracies.clear()
            if stopping:
                break
    return curves


def evaluate(model: nn.Module, sample: Sampler, recipe: Recipe, batch_size: int = 2**14) -> Metrics:
    """Measure a copy of `model` in float64 on ``recipe.evaluation_samples`` fresh samples of a stream of their own."""
    generator = make_generator(recipe.seed, "evaluation")
    exact = copy.deepcopy(model).double()
    loss, correct, remaining = 0.0, 0.0, recipe.evaluation_samples
    with torch.no_grad(), _one_thread():
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
    *,
    window: int = 10,
    progress: bool = False,
    description: str = "training",
) -> TrainingResult[Model]:
    """`fit` an initialised model, `evaluate` it and put the story together; arguments as in `fit`."""
    start = time.perf_counter()
    curves = fit(model, sample, config, window=window, progress=progress, description=description)
    seconds = time.perf_counter() - start
    return TrainingResult(model, task, config, curves, evaluate(model, sample, config), seconds)


def _accuracy(logits: Tensor, labels: Tensor) -> float:
    """Share of rows whose label beats every other class; a tie and a NaN count as wrong."""
    own = logits.gather(-1, labels.unsqueeze(-1))
    return ((logits >= own).sum(-1) == 1).double().mean().item()


@contextmanager
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _progress_bar(enabled: bool) -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[status]}"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        disable=not enabled,
    )
