"""`sample`: prove a part, sample the rest; `check_confidence`: do it again from the weights, trusting nothing in the file."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

from torch import Tensor, nn

from compact_proofs import certified
from compact_proofs.certified import Certified
from compact_proofs.confidence.nothing import Nothing
from compact_proofs.confidence.others import draw_others
from compact_proofs.confidence.statement import MOST_SAMPLES, Confidence
from compact_proofs.core.arguments import check_strategy, check_subject
from compact_proofs.core.claim import ACCURACY
from compact_proofs.core.function import Function
from compact_proofs.core.prove import find_explanation, subject, verified
from compact_proofs.core.registry import strategies_for
from compact_proofs.core.strategy import Explanation, Strategy, explanation_size
from compact_proofs.draws import Draws
from compact_proofs.enclosure import sound
from compact_proofs.errors import BadInput, CertificateRejected, TooLarge
from compact_proofs.inputs.task import Task
from compact_proofs.laws import LawTask
from compact_proofs.length import ProofLength, TooLong, charge_integers, count, stage
from compact_proofs.memory import limited_memory
from compact_proofs.program import program_of
from compact_proofs.progress import track

BATCH = 1024
"""Samples evaluated at once."""


class NotExact(BadInput):
    """Which inputs a strategy proves is known up to rounding only."""


def sample(
    model: nn.Module,
    task: Task,
    strategy: Strategy | None = None,
    *,
    samples: int,
    delta: Fraction | str = Fraction(1, 10**6),
    tries: int = 1,
    public: str = "",
    explanation: Explanation | None = None,
    limit: int | None = None,
) -> Confidence:
    """Bound a model's accuracy with confidence 1 - delta: a strategy proves a part, the rest is sampled.

    Everything given here must be fixed before the draw is known; ``strategy``, ``samples`` and the others enter the seed.

    Parameters
    ----------
    model, task
        As for `compact_proofs.prove`.
    strategy
        One whose set is exact (`compact_proofs.certified.Certified`); none: every input is left to sampling.
    samples
        Draws from the unproven inputs.
    delta
        Probability that the bound is false: a Fraction or a text such as "1e-6".
    tries
        Statements from which this one may be chosen: each gets delta / tries.
    public
        A text that the prover cannot choose or foresee; see `Confidence`.
    explanation
        Found by ``strategy.explain`` unless given.
    limit
        Give up (`TooLong`) once it takes more operations than this.

    Raises
    ------
    NotExact
        For a strategy whose set is known up to rounding only, and for any but `Nothing` on a task with a law.
    BadInput
        For a delta outside (0, 1), or if nothing is left to sample.
    """
    check_subject(model, task)
    strategy = Nothing() if strategy is None else strategy
    check_strategy(strategy)
    if task.law is not None and not isinstance(strategy, Nothing):
        raise NotExact(f"{task.name} has a law, and inputs outside of what {strategy.name} proves are not drawn from it")
    delta = Fraction(delta)
    if not 0 < delta < 1:
        raise BadInput(f"delta must lie strictly between 0 and 1, not {delta}")
    if not (1 <= samples <= MOST_SAMPLES and 1 <= tries <= MOST_SAMPLES):
        raise BadInput(f"samples and tries must be from 1 to {MOST_SAMPLES:,}, not {samples:,} and {tries:,}")
    function = Function.of(model, task)
    model = subject(model, task, strategy)
    if explanation is None:
        explanation = find_explanation(model, task, strategy)
    strategy.accept(model, task, explanation)
    started = time.perf_counter()
    undrawn = Confidence(
        task=task.name,
        parameters=task.parameters(),
        function=function,
        strategy=strategy.name,
        strategy_version=strategy.version,
        options=strategy.options(),
        explanation=dict(explanation),
        inputs=task.total,
        proven=0,
        samples=samples,
        right=0,
        delta=delta,
        tries=tries,
        public=public,
        length=ProofLength({}),
        seconds=0.0,
    )
    draws = Draws(undrawn.seed)
    with limited_memory(), sound(), count(limit) as counter:
        charge_integers(explanation_size(explanation))
        proven = _proven(strategy, model, task, explanation) if task.law is None else certified.Nothing()
        right = _right(proven, model, task, samples, draws)
    seconds = time.perf_counter() - started
    return dataclasses.replace(undrawn, proven=proven.size, right=right, length=counter.length, seconds=seconds)


def can_be_sampled(model: nn.Module, task: Task, strategy: Strategy, explanation: Explanation) -> bool:
    """Whether the inputs that a proof leaves can be sampled: some are left, and which they are is known (`Certified.exact`).

    The proof is made again to see it.
    """
    with limited_memory(), sound():
        proven = verified(subject(model, task, strategy), task, strategy, explanation)
    return isinstance(proven, Certified) and strategy.score == ACCURACY and proven.exact and proven.size < task.size


def _proven(strategy: Strategy, model: nn.Module, task: Task, explanation: Explanation) -> Certified:
    """The set that a strategy proves, if the others can be sampled."""
    if strategy.score != ACCURACY:
        raise BadInput(f"{strategy} bounds the score {strategy.score.name}, not the accuracy, which is what sampling adds to")
    proven = verified(model, task, strategy, explanation)
    assert isinstance(proven, Certified)  # since its score counts inputs
    if not proven.exact:
        raise NotExact(f"{strategy}: which inputs it proves is known up to rounding only, so that the others cannot be sampled")
    if proven.size == task.size:
        raise BadInput(f"{strategy} proves every input right, so that nothing is left to sample; use `compact-proofs prove`")
    return proven


def _right(proven: Certified, model: nn.Module, task: Task, n: int, draws: Draws) -> int:
    """How many of n draws from the unproven inputs are provably right."""
    inputs = draw_others(proven, task, n, draws)
    evaluate = proven.evaluate or _by_program(model, task)
    right = 0
    for batch in track(inputs.split(BATCH), "samples, in batches"):
        with stage("samples"):
            right += int(evaluate(batch).sum())
    return right


def _by_program(model: nn.Module, task: Task) -> Callable[[Tensor], Tensor]:
    """Evaluate inputs by running the network's program on them."""
    program = program_of(model, task)

    def right(inputs: Tensor) -> Tensor:
        if isinstance(task, LawTask):
            labels, known = task.known_labels(inputs)
            return ACCURACY.correct(program(inputs), labels) & known
        return ACCURACY.correct(program(inputs), task.labels(inputs))

    return right


def check_confidence(
    statement: Confidence | str | Path,
    model: nn.Module,
    task: Task,
    strategies: dict[str, type[Strategy]] | None = None,
) -> Confidence:
    """Make a statement again from the weights and its seed; every field but the seconds must be as recomputed.

    What it says is then true in the sense that it says: unless the draw was unlucky, or chosen (`Confidence.caution`).

    Parameters
    ----------
    statement, model, task, strategies
        As for `compact_proofs.check`.

    Raises
    ------
    CertificateRejected
        With the reason.
    """
    prefix = "" if isinstance(statement, Confidence) else f"{statement}: "
    said = statement if isinstance(statement, Confidence) else Confidence.load(statement)

    def reject(reason: str) -> CertificateRejected:
        return CertificateRejected(f"{prefix}{reason}")

    if (said.task, dict(said.parameters), said.inputs) != (task.name, dict(task.parameters()), task.total):
        raise reject(f"it is about {said.task} {said.parameters}, not about {task.name} {task.parameters()}")
    difference = said.function.differs_from(Function.of(model, task))
    if difference is not None:
        raise reject(f"it is about {difference}")
    if strategies is None:
        strategies = strategies_for(task)
    known: dict[str, type[Strategy]] = {**strategies, Nothing.name: Nothing}
    kind = known.get(said.strategy)
    if kind is None or said.strategy_version != kind.version:
        raise reject(f"version {said.strategy_version} of the strategy {said.strategy!r} is unknown")
    try:
        strategy = kind.from_options(said.options)
        if strategy.options() != said.options:
            raise reject("it does not say what all of the strategy's options were")
        again = sample(
            model,
            task,
            strategy,
            samples=said.samples,
            delta=said.delta,
            tries=said.tries,
            public=said.public,
            explanation=said.explanation,
            limit=said.length.total,
        )
    except BadInput as e:
        raise reject(str(e)) from None
    except TooLarge as e:
        raise reject(f"it cannot be checked here: {e}") from None
    except TooLong:
        raise reject(f"its length {said.length.total:,} is not that of the computation, which takes more") from None
    for name, words in (("proven", "proven inputs"), ("right", "right samples"), ("length", "operations")):
        there, here = getattr(said, name), getattr(again, name)
        if there != here:
            counted = (there.total, here.total) if name == "length" else (there, here)
            raise reject(f"it says {counted[0]:,} {words}, but {counted[1]:,} are found")
    return again
