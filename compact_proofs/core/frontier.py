"""`Frontier`: proofs of one model and the Pareto-optimal among them, which no other proof beats in both bound and length."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from compact_proofs.core.certificate import Certificate
from compact_proofs.core.pareto import pareto_optimal
from compact_proofs.core.views import show


@dataclass(frozen=True, repr=False)
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

    def __repr__(self) -> str:
        lines = (f"{'*' if c in self.best else ' '} {c}" for c in self.certificates)
        return "\n".join(["<Frontier (* where no other proof is both shorter and better)", *lines]) + ">"

    @property
    def best(self) -> tuple[Certificate, ...]:
        """The Pareto-optimal certificates: sound, with a higher bound than every shorter one."""
        sound = [c for c in self.certificates if c.reading == "sound"]
        return tuple(pareto_optimal(sound, lambda c: (c.length.total, c.bound)))

    def to_json(self, accuracy: float | None = None) -> list[dict[str, Any]]:
        """The objects printed by ``--json``; `accuracy` is the true one, where it is known."""
        return [c.to_json(accuracy) | {"on_frontier": c in self.best} for c in self.certificates]

    def report(self, folder: str | Path, *, accuracy: float | None = None, baseline: tuple[float, float] | None = None) -> Path:
        """Write a report about these proofs, ``index.html`` and pictures, into a folder.

        Parameters
        ----------
        folder
            Made if it is missing; its name is the report's title.
        accuracy
            The true accuracy, where it is known.
        baseline
            The linear baseline, from `linear_baseline`.

        Raises
        ------
        BadInput
            If there is no certificate, they are of different models, or the folder cannot be written.
        """
        return Path(show(self, "report", folder, accuracy=accuracy, baseline=baseline))

    def _repr_html_(self) -> str:
        """Picture and table, for notebooks."""
        return str(show(self, "html"))

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


def distinguishing_options(one: Optioned, among: Iterable[Optioned]) -> dict[str, Any]:
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
