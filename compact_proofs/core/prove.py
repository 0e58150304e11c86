"""`prove` runs a strategy in the sound reading, `trial` in float64; `measure` gives its length at any size without running it."""

from __future__ import annotations

import copy
import hashlib
import importlib
import json
import time
from contextlib import ExitStack, nullcontext
from fractions import Fraction
from importlib.metadata import version
from typing import TypeVar

import torch
from torch import Tensor, nn

from compact_proofs.certified import Certified, Proven, Region
from compact_proofs.core.arguments import check_strategy, check_subject
from compact_proofs.core.certificate import Certificate, Reading, Run, Trial
from compact_proofs.core.claim import Claim, Unproven
from compact_proofs.core.code import code_sha256
from compact_proofs.core.function import Function
from compact_proofs.core.strategy import Explanation, Strategy, explanation_size
from compact_proofs.enclosure import sound
from compact_proofs.errors import BadInput
from compact_proofs.files.container import explanation_sha256
from compact_proofs.inputs.task import Task
from compact_proofs.length import ProofLength, charge_integers, count
from compact_proofs.memory import limited_memory
from compact_proofs.models.architecture import Architecture
from compact_proofs.models.architectures import architecture_of
from compact_proofs.models.files import weights_sha256
from compact_proofs.program import Program, program_of
from compact_proofs.shards import proof, remembered
from compact_proofs.threads import one_thread

R = TypeVar("R", bound=Run)


def prove(
    model: nn.Module, task: Task, strategy: Strategy, *, explanation: Explanation | None = None, limit: int | None = None
) -> Certificate:
    """Prove a lower bound of a model's accuracy (or of the strategy's own score) on a task: `compact_proofs.prove`, with all given.

    Parameters
    ----------
    model
        Any module that the strategy understands.
    task
        The task: inputs, uniformly distributed or with a law, and their labels.
    strategy
        How to prove it.
    explanation
        Found by ``strategy.explain`` unless given.
    limit
        Give up (`compact_proofs.length.TooLong`) once the proof takes more operations than this.

    Raises
    ------
    BadInput
        If the model computes no function, if the strategy does not apply to it, if the explanation does not have the form that the
        strategy asks for, or if the strategy counts more inputs than there are.
    TooLarge
        If the proof takes more memory than there is, or than `compact_proofs.memory.limited_memory` lets it have.
    """
    return _attempt(Certificate, Claim, model, task, strategy, explanation, limit)


def trial(
    model: nn.Module, task: Task, strategy: Strategy, *, explanation: Explanation | None = None, limit: int | None = None
) -> Trial:
    """Run a proof in plain float64: its exact length, and an estimate of its bound, which proves nothing. For exploring, and quick.

    Parameters and errors are those of `prove`.
    """
    return _attempt(Trial, Unproven, model, task, strategy, explanation, limit)


def _attempt(
    kind: type[R],
    said: type[Claim],
    model: nn.Module,
    task: Task,
    strategy: Strategy,
    explanation: Explanation | None,
    limit: int | None,
) -> R:
    """Run a strategy once, under the reading of a kind of result."""
    check_subject(model, task)
    check_strategy(strategy)
    named, model = model, subject(model, task, strategy)
    strategy.applies_to(model, task)
    function = Function.of(named if architecture_of(named) else model, task)
    if explanation is None:
        explanation = find_explanation(model, task, strategy)
        if not isinstance(model, Program) and weights_sha256(model) != function.weights_sha256:
            raise BadInput(f"{strategy.name}: the search for an explanation changed the model's weights; let it work on a copy")
    strategy.accept(model, task, explanation)
    importlib.import_module("torch._dynamo")  # which torch imports at the first call that it dispatches; no part of the proof

    def about() -> str:
        return _identity(function, task, strategy, explanation)

    def finished() -> tuple[Fraction, ProofLength, float]:
        started = time.perf_counter()
        with proof(about) if kind is Certificate else nullcontext():
            total, length = run(model, task, strategy, explanation, kind.reading, limit)
        return total, length, time.perf_counter() - started

    total, length, seconds = finished() if limit is not None else remembered(about, kind.__name__, finished)
    claim = said(
        task=task.name,
        parameters=task.parameters(),
        score=strategy.score.name,
        score_options=strategy.score.options(),
        numerator=total.numerator,
        denominator=total.denominator * task.total,
        function=function,
    )
    return kind(
        claim=claim,
        strategy=strategy.name,
        strategy_version=strategy.version,
        options=strategy.options(),
        length=length,
        unexplained_dimension=strategy.unexplained_dimension(model, task),
        explanation=dict(explanation),
        seconds=seconds,
    )


def identity(model: nn.Module, task: Task, strategy: Strategy, explanation: Explanation) -> str:
    """A hash of all that a proof depends on: the name under which it, or what is found on the way to it, can be kept.

    Raises
    ------
    BadInput
        If code that is not this package's cannot be named (`code_sha256`).
    """
    return _identity(Function.of(model, task), task, strategy, explanation)


def _identity(function: Function, task: Task, strategy: Strategy, explanation: Explanation) -> str:
    about = [
        function.to_json(),
        [task.name, dict(task.parameters())],
        [strategy.name, strategy.version, strategy.options()],
        explanation_sha256(dict(explanation)),
        [version("compact-proofs"), torch.__version__, code_sha256(strategy, task)],
    ]
    return hashlib.sha256(json.dumps(about, sort_keys=True, default=str).encode()).hexdigest()


def find_explanation(model: nn.Module, task: Task, strategy: Strategy) -> dict[str, Tensor]:
    """Let a strategy that applies find its explanation, which is the same with any number of threads."""
    model = subject(model, task, strategy)
    strategy.applies_to(model, task)

    def found() -> dict[str, Tensor]:
        with one_thread():
            return strategy.explain(model, task)

    return remembered(lambda: identity(model, task, strategy, {}), "explanation", found)


def subject(model: nn.Module, task: Task, strategy: Strategy) -> nn.Module:
    """Return what a strategy's methods are given: the model's program, if the strategy is for any module, else the model.

    Raises
    ------
    BadInput
        If the strategy reads the weights of a network that was changed (hooks, replaced methods, a subclass), so that these weights
        do not say what it computes.
    """
    if strategy.reads_program:
        return program_of(model, task)
    if isinstance(model, Architecture) and architecture_of(model) is None:
        raise BadInput(
            f"{strategy.name}: this {type(model).__name__} was changed (a subclass, a hook, another method or part), so that its "
            "weights do not say what it computes; take the change out, or prove it as a module by brute force"
        )
    return model


def run(
    model: nn.Module, task: Task, strategy: Strategy, explanation: Explanation, reading: Reading, limit: int | None = None
) -> tuple[Fraction, ProofLength]:
    """Run ``strategy.verify`` once under a reading and a counter; return the proven sum of the score, and the length.

    Raises
    ------
    BadInput
        If no sum can be that (`verified`).
    """
    with ExitStack() as stack:
        stack.enter_context(limited_memory())
        if reading == "sound":
            stack.enter_context(sound())
        else:
            stack.enter_context(torch.no_grad())
            model = copy.deepcopy(model).double()
        counter = stack.enter_context(count(limit))
        charge_integers(explanation_size(explanation))
        total = verified(model, task, strategy, explanation).total
    return total, counter.length


def verified(model: nn.Module, task: Task, strategy: Strategy, explanation: Explanation) -> Proven:
    """Return what ``strategy.verify`` proves, counted: the one place where 0 <= size <= task.size is made sure.

    Parameters
    ----------
    model
        As the strategy reads it (`subject`).

    Raises
    ------
    BadInput
        If a set counts fewer inputs than none or more than there are, or a total is not between the score's least and largest sum.
    """
    proven = strategy.verify(model, task, explanation)
    if not isinstance(proven, Proven):
        raise BadInput(
            f"{strategy.name}: verify returned a {type(proven).__name__}; it must return the set of inputs that it proves, such as "
            "compact_proofs.Truth(table), or a compact_proofs.Total"
        )
    if (task.law is not None) != isinstance(proven, Region):
        kind = "measure a region" if task.law is not None else "count inputs"
        raise BadInput(f"{strategy.name}: on {task.name} a proof must {kind}, and verify returned a {type(proven).__name__}")
    if isinstance(proven, Certified):
        possible = strategy.score.most == 1 and 0 <= proven.size <= task.size
    else:
        possible = strategy.score.can_be(proven.total / task.total)
    if not possible:
        raise BadInput(
            f"{strategy} counts {proven.total} of {task.total}, which no sum of the score {strategy.score.name} can be: "
            "report this fault of the strategy"
        )
    return proven


def measure(
    model: nn.Module, task: Task, strategy: Strategy, explanation: Explanation | None = None, limit: int | None = None
) -> ProofLength:
    """Return the length of a strategy's proof from shapes alone, at any size.

    Parameters
    ----------
    model
        A model on the meta device (``AttentionOnlyTransformer(config, device="meta")``) or any other, whose values are ignored.
    task, strategy
        As for `prove`.
    explanation
        One to take integers from (they may decide shapes); `Strategy.blank` unless given.
    limit
        Give up (`compact_proofs.length.TooLong`) once it is longer than this.
    """
    check_subject(model, task)
    check_strategy(strategy)
    with torch.no_grad():
        shapes = copy.deepcopy(subject(model, task, strategy)).double().to("meta")
    if explanation is None:
        explanation = strategy.blank(shapes, task)
    explanation = {name: t.to("meta") if t.is_floating_point() else t for name, t in explanation.items()}
    _, length = run(shapes, task, strategy, explanation, "float", limit)
    return length
