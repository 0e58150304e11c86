"""`Judge`: proves a proposal in the sound reading, within limits of length, memory and, if asked for, time."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from statistics import fmean
from typing import Any

import torch
from torch import Tensor, nn

from compact_proofs.core.prove import measure, prove, subject
from compact_proofs.core.strategy import Spec, Strategy
from compact_proofs.errors import BadInput, CompactProofsError, LengthUnknown, TooLarge
from compact_proofs.inputs.task import Task
from compact_proofs.length import TooLong
from compact_proofs.memory import limited_memory
from compact_proofs.search.proposal import Proposal, Result
from compact_proofs.search.space import Space

LARGEST_EXPLANATION = 10**6
"""Numbers in a proposed explanation, at most."""


class TooSlow(CompactProofsError):
    """A proposal took more time than it was allowed."""


class Judge:
    """Runs registered verifiers on proposals; the bound that it reports is a theorem for each model.

    Parameters
    ----------
    models
        Modules with their tasks, whose bounds and lengths are averaged.
    space
        The strategies that may be named.
    max_length
        Proofs that are longer are not run, where their length is known from shapes, and are given up once they are, where it
        depends on what they find.
    seconds
        Time for each model's explanation and proof, if there is to be a limit: a safety net against proposals that nobody vouches
        for, since what is out of time on a busy machine may be in time on a quiet one. Watched in the main thread of a program
        only.
    memory
        Bytes that the program may take in addition while a proposal is judged.
    """

    def __init__(
        self,
        models: Sequence[tuple[nn.Module, Task]],
        space: Space,
        max_length: float,
        seconds: float | None = None,
        memory: int = 4 * 2**30,
    ) -> None:
        self.models, self.space, self.max_length, self.seconds, self.memory = models, space, max_length, seconds, memory

    def __call__(self, proposal: Proposal) -> Result:
        """Judge a proposal; whatever it does wrong is a result, not an error."""
        try:
            strategy = self.space.build(proposal)
            certificates = []
            for model, task in self.models:
                with _limited(self.seconds), limited_memory(self.memory):
                    certificates.append(self._prove(strategy, model, task, proposal))
        except BadInput as e:
            return Result(status="rejected", reason=str(e)[:500])
        except TooLong as e:
            return Result(status="too long", reason=str(e)[:500])
        except TooSlow:
            return Result(status="too slow", reason=f"stopped by the clock, after {self.seconds:g} seconds")
        except TooLarge:
            return Result(status="too large", reason=f"it takes more than {self.memory:,} bytes of memory")
        return Result(
            status="proved",
            bound=fmean(float(c.bound) for c in certificates),
            length=round(fmean(c.length.total for c in certificates)),
            length_by_stage=certificates[0].length.to_json()["by_stage"],
        )

    def _prove(self, strategy: Strategy, model: nn.Module, task: Task, proposal: Proposal) -> Any:
        model = subject(model, task, strategy)
        strategy.applies_to(model, task)
        with suppress(LengthUnknown):
            length = measure(model, task, strategy).total
            if length > self.max_length:
                raise TooLong(f"a proof of {length:,} operations is longer than {self.max_length:,.0f}")
        explanation = None
        if proposal.explanation is not None:
            explanation = read_explanation(proposal.explanation, strategy.specs(model, task))
        return prove(model, task, strategy, explanation=explanation, limit=int(self.max_length))


def read_explanation(given: Mapping[str, Any], specs: Mapping[str, Spec]) -> dict[str, Tensor]:
    """Make tensors of nested lists; `Strategy.accept` checks their shapes and entries.

    Raises
    ------
    BadInput
        For unknown names, and what is not a list of numbers.
    """
    if set(given) != set(specs):
        wanted, there = (", ".join(sorted(names)) or "nothing" for names in (specs, given))
        raise BadInput(f"the explanation must hold {wanted}, not {there}")
    found = {}
    for name, spec in specs.items():
        if sum(1 for _ in _leaves(given[name])) > LARGEST_EXPLANATION:
            raise BadInput(f"the explanation's {name!r} holds more than {LARGEST_EXPLANATION:,} numbers")
        try:
            found[name] = torch.tensor(given[name], dtype=spec.dtype)
        except (TypeError, ValueError, RuntimeError, OverflowError):
            raise BadInput(f"the explanation's {name!r} is no array of {spec.dtype} numbers") from None
    return found


def _leaves(x: Any) -> Iterator[Any]:
    pending = [x]
    while pending:
        item = pending.pop()
        if isinstance(item, list):
            pending.extend(item)
        else:
            yield item


@contextmanager
def _limited(seconds: float | None) -> Iterator[None]:
    """Raise `TooSlow` after some time, if any is given, in the main thread of a program."""
    if seconds is None or threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(*_: Any) -> None:
        raise TooSlow("out of time")

    before = signal.signal(signal.SIGALRM, stop)
    try:
        signal.setitimer(signal.ITIMER_REAL, seconds)
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
