"""`Space`: which options a search tries, read off the strategies that a task offers to the autopilot."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from random import Random as Generator

from compact_proofs.core.strategy import Strategy
from compact_proofs.errors import BadInput
from compact_proofs.search.proposal import Proposal, Value


@dataclass(frozen=True)
class Space:
    """Values of each option of each strategy.

    Attributes
    ----------
    kinds
        Strategies by name.
    values
        For each strategy, each option's values, in order.
    first
        What is worth trying first, in order.
    """

    kinds: Mapping[str, type[Strategy]]
    values: Mapping[str, Mapping[str, tuple[Value, ...]]]
    first: tuple[Proposal, ...] = ()

    @classmethod
    def of(cls, strategies: Iterable[Strategy]) -> Space:
        """Every value that an option has among these strategies, in any combination; the strategies themselves come first.

        Raises
        ------
        BadInput
            For no strategies.
        """
        kinds: dict[str, type[Strategy]] = {}
        seen: dict[str, dict[str, set[Value]]] = {}
        given = list(strategies)
        for s in given:
            kinds[s.name] = type(s)
            for option, value in s.options().items():
                seen.setdefault(s.name, {}).setdefault(option, set()).add(value)
        if not kinds:
            raise BadInput("there is no strategy to search among")
        values = {
            name: {option: tuple(sorted(found, key=lambda v: (str(type(v)), v))) for option, found in seen.get(name, {}).items()}
            for name in kinds
        }
        return cls(kinds, values, tuple(Proposal(strategy=s.name, options=s.options()) for s in given))

    def build(self, proposal: Proposal) -> Strategy:
        """Make the strategy of a proposal.

        Raises
        ------
        BadInput
            For an unknown strategy, option or value.
        """
        kind = self.kinds.get(proposal.strategy)
        if kind is None:
            raise BadInput(f"there is no strategy {proposal.strategy!r}; there are {', '.join(self.kinds)}")
        return kind.from_options(proposal.options)

    def allows(self, proposal: Proposal) -> bool:
        """Whether the options make a strategy."""
        try:
            self.build(proposal)
        except BadInput:
            return False
        return True

    def random(self, generator: Generator) -> Proposal:
        """Draw a proposal whose options make a strategy."""
        while True:
            name = generator.choice(list(self.kinds))
            options = {option: generator.choice(values) for option, values in self.values[name].items()}
            proposal = Proposal(strategy=name, options=options)
            if self.allows(proposal):
                return proposal

    def neighbour(self, proposal: Proposal, generator: Generator) -> Proposal:
        """Move one option or two to a value beside its own; numbers move by one place, words to any other."""
        values = self.values[proposal.strategy]
        movable = [option for option, found in values.items() if len(found) > 1]
        if not movable:
            return self.random(generator)
        while True:
            options = dict(proposal.options)
            for option in generator.sample(movable, min(len(movable), generator.choice((1, 1, 2)))):
                found = values[option]
                at = found.index(options[option]) if options.get(option) in found else 0
                step = generator.choice((-1, 1))
                near = found[max(0, min(len(found) - 1, at + step))]
                options[option] = generator.choice(found) if isinstance(near, str) else near
            moved = Proposal(strategy=proposal.strategy, options=options)
            if self.allows(moved):
                return moved
