"""The autopilot: try many strategies in the float reading, which is quick and proves nothing; prove only the promising ones.

How long it looks is bounded by an *effort*, counted in operations, never by a clock: the same call finds the same proofs on a busy
machine as on a quiet one, and with any number of threads.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from torch import Tensor, nn

from compact_proofs.core.certificate import Certificate
from compact_proofs.core.frontier import Frontier
from compact_proofs.core.pareto import pareto_optimal
from compact_proofs.core.prove import measure, prove, subject, trial
from compact_proofs.core.strategy import Strategy
from compact_proofs.errors import BadInput, NotProven
from compact_proofs.inputs.task import Task
from compact_proofs.progress import track
from compact_proofs.search.polish import polish
from compact_proofs.search.proposal import Proposal, Result
from compact_proofs.search.proposers import Evolution
from compact_proofs.search.space import Space
from compact_proofs.search.state import State
from compact_proofs.threads import one_thread


@dataclass(frozen=True)
class Candidate:
    """A strategy with its explanation, and what its float reading estimates.

    Attributes
    ----------
    strategy, explanation
        What to prove with.
    bound
        The estimated bound.
    length
        The proof's length, which every reading has in common.
    """

    strategy: Strategy
    explanation: dict[str, Tensor]
    bound: Fraction
    length: int


OPERATIONS = 16 * 10**9
"""What an effort of 1 buys. On one core of 2020 that is about 20 seconds."""
EACH = 10**7
"""What an estimate costs beside its operations: each is a few hundred calls, whose time is that of so many operations."""
SURVEY = 0.7
"""Share of the effort that goes to the strategies that are given, before options of the best are changed."""
REFINEMENTS = 48
"""Strategies with changed options that are estimated, at most."""


@one_thread()
def explore(model: nn.Module, task: Task, strategies: Iterable[Strategy], effort: float) -> list[Candidate]:
    """Estimate strategies until the effort is spent; return the Pareto-optimal candidates, shortest first.

    A candidate is Pareto-optimal if no other has both a shorter proof and a bound at least as high. Most of the effort goes to the
    strategies that are given, in their order; the rest to `compact_proofs.search.Evolution`, which changes options of the
    Pareto-optimal candidates. Strategies that do not apply to the model are passed over, as are those whose explanations cost more
    than the effort that is left; at least one is estimated.
    """
    given = list(strategies)
    found: list[Candidate] = []
    surveyed = iter(track(given, "estimates"))
    left = effort * OPERATIONS

    def estimate(strategy: Strategy) -> None:
        nonlocal left
        candidate = _estimate(model, task, strategy, left if found else math.inf)
        if candidate:
            left -= EACH + candidate.length + strategy.search_operations(model, task, candidate.length)
            found.append(candidate)

    def survey(until: float) -> None:
        while not found or left > until:
            strategy = next(surveyed, None)
            if strategy is None:
                break
            estimate(strategy)

    survey((1 - SURVEY) * left)
    tried = {str(c.strategy) for c in found}
    space = Space.of(given) if found else Space({}, {})
    for _ in track(range(REFINEMENTS), "refinements") if found else ():
        moved = _moved(_best(found), space, len(tried))
        if left <= 0 or moved is None:
            break
        if str(moved) not in tried:
            tried.add(str(moved))
            estimate(moved)
    survey(0)
    return _best(found)


def _estimate(model: nn.Module, task: Task, strategy: Strategy, left: float) -> Candidate | None:
    """A candidate, unless the strategy does not apply to the model, or its explanation costs more than is left."""
    try:
        model = subject(model, task, strategy)
        strategy.applies_to(model, task)
    except BadInput:
        return None
    if strategy.search_operations(model, task, 1):
        length = measure(model, task, strategy).total
        if strategy.search_operations(model, task, length) > left:
            return None
    estimate = trial(model, task, strategy)
    return Candidate(strategy, estimate.explanation, estimate.bound, estimate.length.total)


def _moved(best: Sequence[Candidate], space: Space, seed: int) -> Strategy | None:
    """A Pareto-optimal strategy with options changed to other values of the space; None if there is no option to change."""
    if all(len(values) < 2 for options in space.values.values() for values in options.values()):
        return None
    parents = [
        (
            Proposal(strategy=c.strategy.name, options=c.strategy.options()),
            Result(status="proved", bound=float(c.bound), length=c.length),
        )
        for c in best
    ]
    state = State(dataclasses.replace(space, first=()), 1, math.inf, parents)  # the first ones were surveyed
    return space.build(Evolution(seed).ask(state)[0])


def _best(candidates: Iterable[Candidate]) -> list[Candidate]:
    return pareto_optimal(candidates, lambda c: (c.length, c.bound))


def best_within(
    model: nn.Module,
    task: Task,
    strategies: Sequence[Strategy],
    effort: float = 1.0,
    max_length: float | None = None,
    min_bound: Fraction | None = None,
    moves: int = 0,
) -> Certificate:
    """Prove the highest bound in at most `max_length` operations, or a bound of at least `min_bound` in the fewest.

    Parameters
    ----------
    model, task
        As for `compact_proofs.prove`.
    strategies
        What is tried.
    effort
        How long is looked; 2 takes twice as long as 1.
    moves
        Small changes of the chosen explanation that are tried, each in a float reading; they are undone if it then fits no more.

    Raises
    ------
    NotProven
        If nothing that was tried fits; the message says what came nearest.
    """
    found = explore(model, task, strategies, effort)
    fitting = [c for c in found if max_length is None or c.length <= max_length]
    if min_bound is None:
        fitting = fitting[::-1]  # the highest bound first
    fitting = [c for c in fitting if min_bound is None or c.bound >= min_bound]
    for c in fitting:
        polished = [polish(model, task, c.strategy, c.explanation, moves=moves)] if moves else []
        for explanation in (*polished, c.explanation):
            certificate = prove(model, task, c.strategy, explanation=explanation)
            short = max_length is None or certificate.length.total <= max_length
            if short and (min_bound is None or certificate.bound >= min_bound):
                return certificate
    if not found:
        raise NotProven("no strategy that was tried proves anything about this model; look longer with --effort")
    nearest = found[-1] if max_length is None else found[0]
    raise NotProven(
        f"nothing that was tried fits; nearest is {nearest.strategy} with an estimated bound of {float(nearest.bound):.6f} "
        f"at length {nearest.length:,}. Look longer with --effort, or relax the budget"
    )


def fill_frontier(
    model: nn.Module,
    task: Task,
    strategies: Sequence[Strategy],
    always: Sequence[Strategy],
    effort: float = 1.0,
    points: int = 16,
    moves: int = 0,
) -> Frontier:
    """Estimate strategies, and prove those that no other beats in both bound and length.

    Parameters
    ----------
    model, task
        As for `compact_proofs.prove`.
    strategies
        What is estimated.
    always
        Strategies that are proved besides, whatever they give.
    effort
        How long is looked; 2 takes twice as long as 1.
    points
        About so many strategies are proved.
    moves
        Small changes of each chosen explanation that are tried, at most: all together they take no more operations than the search.
    """
    chosen = thin(explore(model, task, strategies, effort), points)
    each = effort * OPERATIONS / max(1, len(chosen))
    work: list[tuple[Strategy, dict[str, Tensor] | None]] = [(s, None) for s in dict.fromkeys(always)]
    for c in track(chosen, "explanations polished") if moves else chosen:
        affordable = min(moves, int(each / (EACH + c.length)))
        work.append((c.strategy, polish(model, task, c.strategy, c.explanation, moves=affordable)))
    return Frontier.of(prove(model, task, s, explanation=e) for s, e in track(work, "proofs"))


def thin(candidates: Sequence[Candidate], points: int) -> list[Candidate]:
    """Keep about `points` of a Pareto-optimal list: the ends, and steps of equal worth between them.

    A step is worth the logarithm by which it shortens the uncovered part 1 - bound, plus the one by which it lengthens the proof.
    """
    if len(candidates) <= points:
        return list(candidates)
    worth = [math.log(c.length) - math.log(max(1e-12, 1 - float(c.bound))) for c in candidates]
    step = (worth[-1] - worth[0]) / (points - 1)
    kept = [candidates[0]]
    last = worth[0]
    for c, at in zip(candidates[1:-1], worth[1:-1], strict=True):
        if at >= last + step:
            kept.append(c)
            last = at
    return [*kept, candidates[-1]]
