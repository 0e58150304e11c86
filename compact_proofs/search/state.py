"""`State`: everything that a proposer may see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from compact_proofs.core.pareto import pareto_optimal
from compact_proofs.search.metric import q_metric
from compact_proofs.search.proposal import Proposal, Result
from compact_proofs.search.space import Space

Tried = tuple[Proposal, Result]


@dataclass
class State:
    """Everything that was tried so far, and what is left.

    Attributes
    ----------
    space
        Strategies and values.
    shortest, longest
        The ends of Q's axis.
    tried
        Proposals with their results, in order.
    left
        Evaluations that are left.
    failure
        Why the proposer gave no more proposals, if it failed.
    """

    space: Space
    shortest: float
    longest: float
    tried: list[Tried] = field(default_factory=list)
    left: int = 0
    failure: str | None = None

    @property
    def q(self) -> float:
        """Q of what was proved so far."""
        return self.q_of([result for _, result in self.tried])

    def q_of(self, results: Sequence[Result]) -> float:
        """Q of some results."""
        points = [(r.length, r.bound) for r in results if r.status == "proved"]
        return q_metric(points, self.shortest, self.longest)

    @property
    def frontier(self) -> list[Tried]:
        """The Pareto-optimal proofs, shortest first."""
        proved = [tried for tried in self.tried if tried[1].status == "proved"]
        return pareto_optimal(proved, lambda tried: (tried[1].length, tried[1].bound))
