"""`prove` runs a strategy under one of the readings; `measure` gives its length at any size without running it."""

from __future__ import annotations

import copy
import time
from contextlib import ExitStack
from typing import Literal

import torch
from torch import nn

from compact_proofs.certificate import Certificate
from compact_proofs.claim import ACCURACY, Claim, Task
from compact_proofs.enclosure import sound
from compact_proofs.length import ProofLength, charge_integers, count
from compact_proofs.models.files import weights_sha256
from compact_proofs.strategy import Explanation, Strategy, explanation_size

Reading = Literal["sound", "float"]


def prove(
    model: nn.Module,
    task: Task,
    strategy: Strategy,
    *,
    explanation: Explanation | None = None,
    reading: Reading = "sound",
) -> Certificate:
    """Prove a lower bound of a model's accuracy on a task.

    Parameters
    ----------
    model
        Any module that the strategy understands.
    task
        The task; its inputs are uniformly distributed.
    strategy
        How to prove it.
    explanation
        Found by ``strategy.explain(model)`` unless given.
    reading
        "sound": on Enclosures, a theorem. "float": on plain float64 tensors, an estimate, for exploring.

    Returns
    -------
    Certificate
        With the exact bound and the length of the proof, counted from this run.

    Raises
    ------
    BadInput
        If the explanation does not have the form that the strategy asks for.
    """
    if explanation is None:
        explanation = strategy.explain(model)
    strategy.accept(model, explanation)
    started = time.perf_counter()
    numerator, length = run(model, strategy, explanation, reading)
    seconds = time.perf_counter() - started
    claim = Claim(task.name, task.parameters(), ACCURACY.name, {}, numerator, task.size, weights_sha256(model))
    return Certificate(
        claim=claim,
        strategy=strategy.name,
        strategy_version=strategy.version,
        options=strategy.options(),
        length=length,
        unexplained_dimension=strategy.unexplained_dimension(model),
        explanation=dict(explanation),
        reading=reading,
        seconds=seconds,
    )


def run(model: nn.Module, strategy: Strategy, explanation: Explanation, reading: Reading) -> tuple[int, ProofLength]:
    """Run ``strategy.verify`` once under a reading and a counter; return its count and its length."""
    with ExitStack() as stack:
        if reading == "sound":
            stack.enter_context(sound())
        else:
            stack.enter_context(torch.no_grad())
            model = copy.deepcopy(model).double()
        counter = stack.enter_context(count())
        charge_integers(explanation_size(explanation))
        numerator = strategy.verify(model, explanation)
    return numerator, counter.length


def measure(model: nn.Module, strategy: Strategy) -> ProofLength:
    """Return the length of a strategy's proof from shapes alone, at any size.

    Parameters
    ----------
    model
        A model on the meta device (``AttentionOnlyTransformer(config, device="meta")``) or any other, whose values are ignored.
    strategy
        The strategy; its explanation is taken as `Strategy.blank`.
    """
    with torch.no_grad():
        shapes = copy.deepcopy(model).double().to("meta")
    _, length = run(shapes, strategy, strategy.blank(shapes), "float")
    return length
