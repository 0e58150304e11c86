"""Laws on R^n: independent coordinates, each with a law of its own, or a uniformly distributed direction."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor

from compact_proofs.draws import Draws
from compact_proofs.enclosure import pi
from compact_proofs.errors import BadInput
from compact_proofs.laws.quantiles import normal_quantiles, uniform_digits, uniform_quantiles


class OneDimensional(ABC):
    """A law of one real number."""

    @property
    @abstractmethod
    def words(self) -> str:
        """What it is called in statements; equal for equal laws only."""

    @abstractmethod
    def sample(self, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
        """Draw independent numbers, float64, as exactly as float64 can: for training and for looking, not for proofs."""

    @abstractmethod
    def draw(self, shape: tuple[int, ...], draws: Draws) -> Tensor:
        """Draw independent numbers that have the law exactly, and are enclosed in the sound reading."""

    @property
    def log_concave_in_logarithm(self) -> bool:
        """Are f(e^z) and f(-e^z) log-concave functions of z, for the density f? Then scaled boxes can be measured."""
        return False

    def distribution(self, x: Tensor) -> Tensor:
        """P[X <= x], if the law says it."""
        raise BadInput(f"the law {self.words} does not say its distribution function (OneDimensional.distribution)")

    def density(self, x: Tensor) -> Tensor:
        """The density at numbers that are exactly known or enclosed, if the law says it."""
        raise BadInput(f"the law {self.words} does not say its density (OneDimensional.density)")

    def quantile(self, probability: Tensor) -> Tensor:
        """About the number that X is below with a probability, plain float64, if the law says it: for looking, not for proofs."""
        raise BadInput(f"the law {self.words} does not say its quantiles (OneDimensional.quantile)")


@dataclass(frozen=True)
class Normal(OneDimensional):
    """The normal law.

    Attributes
    ----------
    mean, deviation
        Its mean and its standard deviation, which is positive.
    """

    mean: float = 0.0
    deviation: float = 1.0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.mean) and 0 < self.deviation < math.inf):
            raise BadInput(f"a normal law has a mean and a positive deviation, not {self.mean} and {self.deviation}")

    @property
    def words(self) -> str:
        standard = (self.mean, self.deviation) == (0, 1)
        return "standard normal" if standard else f"normal with mean {self.mean} and standard deviation {self.deviation}"

    def sample(self, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
        return self.mean + self.deviation * torch.randn(shape, dtype=torch.float64, generator=generator)

    def draw(self, shape: tuple[int, ...], draws: Draws) -> Tensor:
        x = normal_quantiles(uniform_digits(shape, draws))
        return x if (self.mean, self.deviation) == (0, 1) else self.mean + self.deviation * x

    @property
    def log_concave_in_logarithm(self) -> bool:
        """With mean 0: the logarithm of f(+-e^z) is -e^(2 z) / (2 deviation^2) and a constant."""
        return self.mean == 0

    def distribution(self, x: Tensor) -> Tensor:
        """(1 + erf((x - mean) / (deviation sqrt 2))) / 2."""
        root = torch.full((), 2.0, dtype=torch.float64, device=x.device).sqrt()
        return (1 + torch.erf((x - self.mean) / (self.deviation * root))) / 2

    def density(self, x: Tensor) -> Tensor:
        """exp(-((x - mean) / deviation)^2 / 2) / (deviation sqrt(2 pi))."""
        return (-((x - self.mean) / self.deviation).square() / 2).exp() / (self.deviation * (2 * pi(x.device)).sqrt())

    def quantile(self, probability: Tensor) -> Tensor:
        return self.mean + self.deviation * torch.special.ndtri(probability)


@dataclass(frozen=True)
class Uniform(OneDimensional):
    """The uniform law on an interval.

    Attributes
    ----------
    low, high
        Its ends, low < high.
    """

    low: float = 0.0
    high: float = 1.0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            raise BadInput(f"a uniform law is on an interval from low to high, not from {self.low} to {self.high}")

    @property
    def words(self) -> str:
        return f"uniform between {self.low} and {self.high}"

    def sample(self, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
        return self.low + (self.high - self.low) * torch.rand(shape, dtype=torch.float64, generator=generator)

    def draw(self, shape: tuple[int, ...], draws: Draws) -> Tensor:
        """low (1 - U) + high U."""
        u = uniform_quantiles(uniform_digits(shape, draws))
        return self.low * (1 - u) + self.high * u

    @property
    def log_concave_in_logarithm(self) -> bool:
        """The logarithm of f(+-e^z) is a constant on an interval of z, and -inf elsewhere."""
        return True

    def distribution(self, x: Tensor) -> Tensor:
        """(x - low) / (high - low), from 0 to 1."""
        low = torch.full((), self.low, dtype=torch.float64, device=x.device)
        return ((x - low) / (self.high - low)).clamp(0, 1)

    def density(self, x: Tensor) -> Tensor:
        """1 / (high - low) between the ends."""
        low = torch.full((), self.low, dtype=torch.float64, device=x.device)
        return torch.where((x >= self.low) & (x <= self.high), 1 / (self.high - low), 0.0)

    def quantile(self, probability: Tensor) -> Tensor:
        return self.low + (self.high - self.low) * probability


class Law(ABC):
    """A law on R^n."""

    @property
    @abstractmethod
    def n(self) -> int:
        """The number of coordinates."""

    @property
    @abstractmethod
    def words(self) -> str:
        """What follows "x with" in statements; equal for equal laws only."""

    @property
    @abstractmethod
    def rotation_invariant(self) -> bool:
        """Does every rotation keep the law? Then the direction x / |x| is uniformly distributed."""

    @abstractmethod
    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """Draw independent inputs, float64 [count, n], as exactly as float64 can: for training and for looking, not for proofs."""

    @abstractmethod
    def draw(self, count: int, draws: Draws) -> Tensor:
        """Draw independent inputs [count, n] that have the law exactly, and are enclosed in the sound reading."""


@dataclass(frozen=True)
class Independent(Law):
    """Independent coordinates.

    Attributes
    ----------
    coordinates
        The law of each.
    """

    coordinates: tuple[OneDimensional, ...]

    def __post_init__(self) -> None:
        if not self.coordinates:
            raise BadInput("a law needs at least one coordinate")

    @property
    def n(self) -> int:
        return len(self.coordinates)

    @property
    def words(self) -> str:
        kinds = [x.words for x in self.coordinates]
        return f"{self.n} independent coordinates, {f'each {kinds[0]}' if len(set(kinds)) == 1 else ', '.join(kinds)}"

    @property
    def rotation_invariant(self) -> bool:
        """Normal coordinates of mean 0 and one deviation: the density depends on |x| only."""
        first = self.coordinates[0]
        return isinstance(first, Normal) and first.mean == 0 and all(x == first for x in self.coordinates)

    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        return torch.stack([x.sample((count,), generator) for x in self.coordinates], 1)

    def draw(self, count: int, draws: Draws) -> Tensor:
        return torch.stack([x.draw((count,), draws) for x in self.coordinates], 1)


@dataclass(frozen=True)
class UniformDirection(Law):
    """The uniform law on the unit sphere: of the direction of every rotation-invariant law that gives 0 no probability.

    Attributes
    ----------
    dimension
        The number of coordinates.
    """

    dimension: int

    def __post_init__(self) -> None:
        if self.dimension < 1:
            raise BadInput(f"a direction has at least one coordinate, not {self.dimension}")

    @property
    def n(self) -> int:
        return self.dimension

    @property
    def words(self) -> str:
        return f"a direction that is uniformly distributed in {self.n} dimensions"

    @property
    def rotation_invariant(self) -> bool:
        return True

    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        return torch.nn.functional.normalize(torch.randn((count, self.n), dtype=torch.float64, generator=generator), dim=1)

    def draw(self, count: int, draws: Draws) -> Tensor:
        """The direction of independent standard normal numbers."""
        x = Normal().draw((count, self.dimension), draws)
        return x / x.square().sum(1, keepdim=True).sqrt()


def standard_normal(n: int) -> Independent:
    """n independent standard normal coordinates."""
    return Independent((Normal(),) * n)
