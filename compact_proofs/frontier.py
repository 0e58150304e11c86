"""`Frontier`: the proofs of one model that no other beats in both bound and length, beside the linear baseline."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Protocol

from compact_proofs.certificate import Certificate


@dataclass(frozen=True)
class Frontier:
    """Certificates of one model, ordered by length.

    Attributes
    ----------
    certificates
        All of them, shortest first.
    """

    certificates: tuple[Certificate, ...]

    @classmethod
    def of(cls, certificates: Iterable[Certificate]) -> Frontier:
        """Order certificates by length, equal lengths by falling bound."""
        return cls(tuple(sorted(certificates, key=lambda c: (c.length.total, -c.bound))))

    @property
    def best(self) -> tuple[Certificate, ...]:
        """The Pareto frontier: sound certificates with a higher bound than every shorter one."""
        found: list[Certificate] = []
        highest = Fraction(0)
        for c in self.certificates:
            if c.reading == "sound" and c.bound > highest:
                found.append(c)
                highest = c.bound
        return tuple(found)

    @property
    def highest(self) -> Certificate | None:
        """The certificate with the best bound (the shortest of them), or None if every bound is 0."""
        return self.best[-1] if self.best else None


class Optioned(Protocol):
    """What is by a strategy with options: a certificate, a line of a report."""

    @property
    def strategy(self) -> str: ...
    @property
    def options(self) -> Mapping[str, Any]: ...


def telling_options(one: Optioned, among: Iterable[Optioned]) -> dict[str, Any]:
    """Those of a proof's options that tell it from others by the same strategy."""
    alike = [other.options for other in among if other.strategy == one.strategy]
    return {key: value for key, value in one.options.items() if any(other.get(key) != value for other in alike)}


def linear_baseline(measured: Certificate, accuracy: float = 1.0) -> tuple[float, float] | None:
    """Extend brute force on a share of the inputs to all of them.

    Parameters
    ----------
    measured
        A proof by brute force on a share of the inputs.
    accuracy
        The bound where the line ends: the true accuracy, or 1.

    Returns
    -------
    length, bound
        The end of the straight line from (0, 0) through the measured proof; None if that proof's bound is 0.
    """
    bound = float(measured.bound)
    return (measured.length.total * accuracy / bound, accuracy) if bound > 0 else None
