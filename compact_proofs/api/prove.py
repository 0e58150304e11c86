"""`prove`, `trial`, `check` and `brute_force` of a network on its task, with the task's defaults."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from compact_proofs.api.load import pair_of
from compact_proofs.core import check as checking
from compact_proofs.core import exhaustive
from compact_proofs.core import prove as proving
from compact_proofs.core.certificate import Certificate, Run, Trial
from compact_proofs.core.claim import ACCURACY, Score
from compact_proofs.core.strategy import Explanation, Strategy
from compact_proofs.inputs.task import Task
from compact_proofs.shards import shared_by
from compact_proofs.tasks import LoadedModel

Network = nn.Module | LoadedModel
"""A module, a live model of TransformerLens, or what `load` returns, which brings its task."""


def prove(
    model: Network,
    task: Task | None = None,
    strategy: Strategy | None = None,
    *,
    explanation: Explanation | None = None,
    limit: int | None = None,
    jobs: int = 1,
    dask: str | None = None,
) -> Certificate:
    """Prove a lower bound of a network's accuracy (or of the strategy's own score) over all inputs of a task.

    Parameters
    ----------
    model
        A `torch.nn.Module` from inputs [n, ...] to logits [n, outputs], a HookedTransformer or TransformerBridge of TransformerLens
        (read at its last position), or what `load` returns.
    task
        The inputs, all equally likely, and their labels. What `load` returns brings its own.
    strategy
        How to prove it. Unless given, the default of ``compact-proofs prove``: a hand-made strategy where one ships for the network
        and its task, else `Automatic` for tokens, else every input by brute force (`Exhaustive`).
    explanation
        Untrusted tensors that guide the proof, by name. Found by ``strategy.explain`` unless given.
    limit
        Give up (`compact_proofs.length.TooLong`) once the proof takes more operations than this.
    jobs, dask
        Carry out a proof that has parts by so many processes, or by the workers of the Dask scheduler at this address. For several
        calls, and to go on with what was stopped, see `sharing`.

    Returns
    -------
    Certificate
        With the exact bound and the length of the proof, counted from this run.

    Raises
    ------
    BadInput
        If the model computes no function, the strategy does not apply to it, or the explanation has another form than it asks for.
    NoSoundRule
        If the model makes a tensor call that has no sound rule (docs/operations.md lists those that have one).
    TooLarge
        If the proof takes more memory than there is.
    """
    pair = pair_of(model, task)
    chosen = pair.kit.default(pair.model) if strategy is None else strategy
    with shared_by(jobs, dask):
        return proving.prove(pair.model, pair.task, chosen, explanation=explanation, limit=limit)


def trial(
    model: Network,
    task: Task | None = None,
    strategy: Strategy | None = None,
    *,
    explanation: Explanation | None = None,
    limit: int | None = None,
) -> Trial:
    """Run a proof in plain float64: its exact length, and an estimate of its bound, which proves nothing. For exploring, and quick.

    Parameters and errors are those of `prove`.
    """
    pair = pair_of(model, task)
    chosen = pair.kit.default(pair.model) if strategy is None else strategy
    return proving.trial(pair.model, pair.task, chosen, explanation=explanation, limit=limit)


def check(
    certificate: Run | str | Path,
    model: Network,
    task: Task | None = None,
    strategies: dict[str, type[Strategy]] | None = None,
    *,
    jobs: int = 1,
    dask: str | None = None,
) -> Certificate:
    """Verify a certificate's claim about a network by running its strategy again.

    Every field that could mislead must be as recomputed, but for the bound: one below what the strategy proves is accepted, since
    what it claims is a true, weaker theorem. The seconds and the package version are informative and not checked.

    Parameters
    ----------
    certificate
        A certificate or its file.
    model, task
        The network that it is about, from a source that you trust, and the task: as for `prove`.
    strategies
        Known strategies by name; those registered for the task unless given.
    jobs, dask
        As for `prove`.

    Returns
    -------
    Certificate
        As recomputed here: its bound is at least the claimed one.

    Raises
    ------
    CertificateRejected
        With the reason.
    BadInput
        If `model` or `task` is none.
    """
    pair = pair_of(model, task)
    with shared_by(jobs, dask):
        return checking.check(certificate, pair.model, pair.task, strategies)


def brute_force(
    model: Network,
    task: Task | None = None,
    *,
    share: float = 1.0,
    score: Score = ACCURACY,
    batch_size: int = 256,
) -> Certificate:
    """Prove a bound of a network's mean score by evaluating it on every input of a finite task.

    Parameters
    ----------
    model, task
        As for `prove`; every tensor call of the network must have a sound rule (docs/operations.md).
    share
        Evaluate only this share of the inputs (the linear baseline); the others count 0, so `score` must not be negative then.
    score
        Accuracy unless given: `Margin(c)`, `LogLikelihood()`.
    batch_size
        Inputs evaluated at once; larger is faster and takes more memory.

    Raises
    ------
    BadInput
        If the model computes no function of one input (docs/programs.md).
    NoSoundRule
        If the model makes a call without a sound rule; the message names it.
    """
    pair = pair_of(model, task)
    return exhaustive.brute_force(pair.model, pair.task, share=share, score=score, batch_size=batch_size)
