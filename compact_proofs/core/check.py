"""`check`: recompute a certificate from the weights, trusting nothing in the file."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from compact_proofs.core.arguments import check_subject
from compact_proofs.core.certificate import Certificate, Run
from compact_proofs.core.function import Function
from compact_proofs.core.prove import prove
from compact_proofs.core.registry import strategies_for
from compact_proofs.core.strategy import Strategy
from compact_proofs.decimals import decimal
from compact_proofs.errors import BadInput, CertificateRejected, TooLarge
from compact_proofs.inputs.task import Task
from compact_proofs.length import TooLong
from compact_proofs.memory import limited_memory
from compact_proofs.shards import nothing_kept


def check(
    certificate: Run | str | Path,
    model: nn.Module,
    task: Task,
    strategies: dict[str, type[Strategy]] | None = None,
) -> Certificate:
    """Verify a certificate's claim for a model and a task by running its strategy again.

    It is `compact_proofs.check`, which says what is compared, for what was loaded already.
    """
    check_subject(model, task)
    prefix = "" if isinstance(certificate, Run) else f"{certificate}: "
    claimed = certificate if isinstance(certificate, Run) else Certificate.load(certificate)

    def reject(reason: str) -> CertificateRejected:
        return CertificateRejected(f"{prefix}{reason}")

    claim = claimed.claim
    if not isinstance(claimed, Certificate):
        raise reject("a float reading proves nothing")
    if (claim.task, dict(claim.parameters)) != (task.name, dict(task.parameters())):
        raise reject(f"it is about {claim.task} {claim.parameters}, not about {task.name} {task.parameters()}")
    try:
        difference = claim.function.differs_from(Function.of(model, task))
    except BadInput as e:
        raise reject(f"this model has no function to compare: {e}") from None
    if difference is not None:
        raise reject(f"it is about {difference}")
    if strategies is None:
        strategies = strategies_for(task)
    kind = strategies.get(claimed.strategy)
    if kind is None:
        raise reject(f"the strategy {claimed.strategy!r} is unknown; known are {', '.join(sorted(strategies))}")
    if claimed.strategy_version != kind.version:
        raise reject(
            f"version {claimed.strategy_version} of the strategy {kind.name} is unknown; this program has version {kind.version}"
        )
    try:
        strategy = kind.from_options(claimed.options)
        missing = sorted(strategy.options().keys() - claimed.options.keys())
        if missing:
            raise reject(f"it does not say what the strategy's option {missing[0]} was")
        with nothing_kept(), limited_memory():
            recomputed = prove(model, task, strategy, explanation=claimed.explanation, limit=claimed.length.total)
    except BadInput as e:
        raise reject(str(e)) from None
    except TooLarge as e:
        raise reject(f"it cannot be checked here: {e}") from None
    except TooLong:
        raise reject(f"the claimed length {claimed.length.total:,} is not that of the proof, which takes more") from None
    now = recomputed.claim
    if (claim.score, claim.score_options) != (now.score, now.score_options):
        raise reject(f"it claims the score {claim.score} {claim.score_options}, but proves {now.score} {now.score_options}")
    if not strategy.score.can_be(claim.bound):
        raise reject(f"it claims {decimal(claim.bound)}, which no mean {claim.score} can be")
    if claim.denominator % task.total:
        raise reject(f"its denominator {claim.denominator} is not a multiple of the number of inputs, {task.total}")
    if now.bound < claim.bound:
        raise reject(f"the claimed bound {claim.numerator}/{claim.denominator} is not proven; {now.numerator}/{now.denominator} is")
    if recomputed.length != claimed.length:
        raise reject(f"the claimed length {claimed.length.total:,} is not that of the proof, {recomputed.length.total:,}")
    if recomputed.unexplained_dimension != claimed.unexplained_dimension:
        raise reject(
            f"the claimed unexplained dimension {claimed.unexplained_dimension} is not that of the strategy, "
            f"{recomputed.unexplained_dimension}"
        )
    return recomputed
