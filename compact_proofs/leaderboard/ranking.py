"""What an entrant's certificates about a model are worth together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from compact_proofs.core.frontier import Frontier, linear_baseline
from compact_proofs.core.prove import prove
from compact_proofs.leaderboard.entries import Entry
from compact_proofs.search.metric import q_metric
from compact_proofs.tasks import LoadedModel, load_model

LENGTHS = (10**5, 10**6, 10**7, 10**8, 10**9)
"""Lengths at which bounds are compared."""

BOUNDS = (0.5, 0.9, 0.99, 0.999, 1.0)
"""Bounds at which lengths are compared."""


@dataclass(frozen=True)
class Place:
    """An entrant's place on a model.

    Attributes
    ----------
    model, entrant
        Names.
    q
        Mean of the best bound of at most a length, over lengths from reading the weights to brute force on a logarithmic axis
        (`compact_proofs.search.q_metric`); None where brute force on a share finds no input right.
    bounds
        The best bound of at most each of `LENGTHS`; 0 where there is none.
    lengths
        The least length of at least each of `BOUNDS`; None where there is none.
    frontier
        The certificates.
    own_code
        Whether any was checked by a strategy that the entrant brought.
    """

    model: str
    entrant: str
    q: float | None
    bounds: Mapping[int, float]
    lengths: Mapping[float, int | None]
    frontier: Frontier
    own_code: bool

    def to_json(self) -> dict[str, Any]:
        """As one row, with a column for each length and each bound."""
        return {
            "model": self.model,
            "entrant": self.entrant,
            "q": self.q,
            **{f"bound_at_{length}": bound for length, bound in self.bounds.items()},
            **{f"length_at_{bound:g}": length for bound, length in self.lengths.items()},
            "certificates": len(self.frontier.certificates),
            "own_code": self.own_code,
        }


def rank(entries: Iterable[Entry]) -> list[Place]:
    """Rank the entrants on each model that has accepted certificates: by Q, then by the best bound, then by its length."""
    found: dict[str, dict[str, list[Entry]]] = {}
    for entry in entries:
        if entry.certificate is not None and entry.model is not None:
            found.setdefault(entry.model, {}).setdefault(entry.entrant, []).append(entry)
    places: list[Place] = []
    for model, entrants in found.items():
        ends = _ends(load_model(model))
        here = [_place(model, entrant, own, ends) for entrant, own in entrants.items()]
        places += sorted(here, key=_key)
    return places


def _key(place: Place) -> tuple[float, float, int]:
    best = place.frontier.highest
    return -(place.q or 0), -float(best.bound) if best else 0.0, best.length.total if best else 0


def _ends(loaded: LoadedModel) -> tuple[int, int] | None:
    """Where Q's axis starts, reading the weights, and ends, brute force as extended from a measured share."""
    share = loaded.kit.linear(loaded.model)
    if share is None:
        return None
    line = linear_baseline(prove(loaded.model, loaded.task, share))
    shortest = sum(p.numel() for p in loaded.model.parameters())
    return (shortest, round(line[0])) if line is not None and line[0] > shortest else None


def _place(model: str, entrant: str, entries: list[Entry], ends: tuple[int, int] | None) -> Place:
    certificates = [e.certificate for e in entries if e.certificate is not None]
    points = [(c.length.total, c.bound) for c in certificates]
    return Place(
        model=model,
        entrant=entrant,
        q=None if ends is None else q_metric([(length, float(bound)) for length, bound in points], *ends),
        bounds={most: float(max((bound for length, bound in points if length <= most), default=0)) for most in LENGTHS},
        lengths={least: min((length for length, bound in points if bound >= least), default=None) for least in BOUNDS},
        frontier=Frontier.of(certificates),
        own_code=any(e.own_code for e in entries),
    )
