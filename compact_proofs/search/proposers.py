"""Proposers: random search, and evolution from the given strategies and the Pareto-optimal ones."""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from compact_proofs.search.proposal import Proposal
from compact_proofs.search.state import State, Tried


class Proposer(ABC):
    """Asked for proposals, told results. Untrusted: what it proposes is data, judged by running registered verifiers."""

    name: ClassVar[str]
    FIRST: ClassVar[int] = 12
    """How many of what is worth trying first are tried, by those that read `Space.first`."""

    @abstractmethod
    def ask(self, state: State) -> list[Proposal]:
        """Propose something; an empty list ends the search."""

    def tell(self, tried: Sequence[Tried]) -> None:
        """Learn the results of the last proposals; some need not."""
        return


class Random(Proposer):
    """Any strategy with any values of its options."""

    name: ClassVar[str] = "random"

    def __init__(self, seed: int = 0) -> None:
        self.generator = random.Random(seed)

    def ask(self, state: State) -> list[Proposal]:
        return [state.space.random(self.generator)]


class Evolution(Random):
    """What is worth trying first; then neighbours of the frontier's proofs, and now and then something fresh."""

    name: ClassVar[str] = "evolution"
    FRESH = 0.1

    def ask(self, state: State) -> list[Proposal]:
        known = {p.key for p, _ in state.tried}
        untried = [p for p in state.space.first[: self.FIRST] if p.key not in known]
        if untried:
            return untried[:1]
        frontier = [p for p, _ in state.frontier if p.strategy in state.space.values]
        if not frontier or self.generator.random() < self.FRESH:
            return super().ask(state)
        return [state.space.neighbour(self.generator.choice(frontier), self.generator)]
