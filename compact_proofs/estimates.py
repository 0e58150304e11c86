"""`estimate`: an estimate of a model's accuracy, with its cost. It proves nothing and is never turned into a bound."""

from __future__ import annotations

import math
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any, ClassVar, Generic, TypeVar

import torch
from torch import Tensor, nn

from compact_proofs.core.claim import margins
from compact_proofs.draws import Draws
from compact_proofs.errors import BadInput
from compact_proofs.inputs.task import Task
from compact_proofs.length import ProofLength, count, stage
from compact_proofs.models.weights import in_double
from compact_proofs.options import Options, Positive

Model = TypeVar("Model", bound=nn.Module)


@dataclass(frozen=True)
class Estimate:
    """A guess of the share of a task's inputs that a model gets right.

    It may be too high or too low. It is a float, no fraction: there is no numerator, no certificate, no file.

    Attributes
    ----------
    value
        The guess.
    cost
        Operations that it took.
    estimator, options
        How it was made.
    seconds
        Wall time.
    """

    value: float
    cost: ProofLength
    estimator: str
    options: dict[str, Any]
    seconds: float

    def __str__(self) -> str:
        return f"{self.estimator}: about {self.value:.6f} (an estimate, proves nothing), {self.cost.total:,} operations"

    def to_json(self, true_accuracy: float | None = None) -> dict[str, Any]:
        """The object printed by ``--json``."""
        return {
            "estimator": self.estimator,
            "options": self.options,
            "estimate": self.value,
            "true_accuracy": true_accuracy,
            "cost": self.cost.to_json(),
            "seconds": self.seconds,
        }


@dataclass(frozen=True)
class Estimator(Options, ABC, Generic[Model]):
    """A way to guess. Subclasses are frozen dataclasses whose fields are the options.

    An estimator gets no explanation. Whatever it uses about the model it computes itself, and these operations are part of its
    cost: a hint that came free could contain the accuracy itself.
    """

    summary: ClassVar[str]

    @abstractmethod
    def value(self, model: Model, task: Task) -> Tensor:
        """Return the guess, []: ordinary PyTorch on float64, counted."""


def estimate(model: nn.Module, task: Task, estimator: Estimator[Any]) -> Estimate:
    """Guess a model's accuracy on plain float64 tensors, and count what it takes.

    Raises
    ------
    BadInput
        If the guess is not a number.
    """
    copied = in_double(model)
    started = time.perf_counter()
    with torch.no_grad(), count() as counter:
        guess = estimator.value(copied, task)
    seconds = time.perf_counter() - started
    value = float(guess)
    if not math.isfinite(value):
        raise BadInput(f"{estimator} finds no number for this model ({value})")
    return Estimate(value, counter.length, estimator.name, estimator.options(), seconds)


@dataclass(frozen=True)
class Constant(Estimator[nn.Module]):
    """The same for every model: what an estimate must beat."""

    accuracy: float = 1.0

    name: ClassVar[str] = "constant"
    summary: ClassVar[str] = "the same for every model; costs nothing"

    def value(self, model: nn.Module, task: Task) -> Tensor:
        return torch.full((), self.accuracy, dtype=torch.float64)


@dataclass(frozen=True)
class Sampling(Estimator[nn.Module]):
    """The share that is right among random inputs."""

    samples: Positive = 1000
    seed: int = 0

    name: ClassVar[str] = "sampling"
    summary: ClassVar[str] = "the model on random inputs"

    def value(self, model: nn.Module, task: Task) -> Tensor:
        with stage("drawing"):
            inputs = task.draw(self.samples, Draws(f"estimate {self.seed}".encode()))
        with stage("samples"):
            right = self._right(model, task, inputs)
            return right.to(torch.float64).mean()

    def _right(self, model: nn.Module, task: Task, inputs: Tensor) -> Tensor:
        return (margins(model(inputs), task.labels(inputs)) > 0).all(-1)


def noise_of_product(*factors: Tensor) -> Tensor:
    """Guess the standard deviation of the entries of a product of matrices, as if their entries were independent noise.

    The squares of the entries of F_1 ... F_n then add up: an entry has the variance ``prod |F_i|^2 / (all outer and inner
    sizes)``, as if each factor's squared norm were spread evenly over its entries. For remainders in which no structure was
    found; where there is some, it is too low.

    Returns
    -------
    Tensor, []
        One number. Cost: two operations for each entry of each factor.
    """
    variance = torch.ones((), dtype=torch.float64, device=factors[0].device)
    sizes = factors[0].shape[0] * math.prod(F.shape[1] for F in factors)
    for F in factors:
        variance = variance * (F * F).sum()
    return torch.sqrt(variance / sizes)


def expected_range(n: int) -> float:
    """Guess the mean range of n independent standard normals: twice Blom's approximation of their largest."""
    return 2 * NormalDist().inv_cdf((n - 0.375) / (n + 0.25))
