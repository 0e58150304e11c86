"""What a worker does: some parts of a proof, in the sound reading, each operation counted; or of a search, in plain numbers."""

from __future__ import annotations

import hashlib
import importlib
import pickle
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import torch

from compact_proofs.enclosure import sound
from compact_proofs.errors import CompactProofsError
from compact_proofs.length import ProofLength, count, stage
from compact_proofs.memory import keep_freed_memory, limited_memory
from compact_proofs.shards.passing import read_function, written
from compact_proofs.workers import one_at_a_time


@dataclass(frozen=True)
class Shard:
    """Some consecutive parts of a proof or a search, as a worker gets them.

    Attributes
    ----------
    key
        Names the shard among all that are at work.
    start, stop
        The numbers of its parts.
    parts
        The parts, written.
    stage
        The stage of the proof in which the parts begin.
    limit
        Operations that may be made.
    memory
        Bytes that may be taken in addition to what the worker has.
    proves
        False for parts of a search, in which nothing is proven or counted.
    """

    key: str
    start: int
    stop: int
    parts: bytes
    stage: str
    limit: int | None
    memory: int | None
    proves: bool = True


@dataclass(frozen=True)
class Answer:
    """What became of a shard.

    Attributes
    ----------
    results
        One for each part, written together.
    by_stage
        The operations that were made (`ProofLength.by_stage`).
    error
        What was raised, and then nothing else counts.
    """

    results: bytes = b""
    by_stage: dict[str, dict[str, int]] | None = None
    error: Exception | None = None

    @property
    def length(self) -> ProofLength:
        """The operations that were made."""
        return ProofLength(self.by_stage or {})


def prepare() -> None:
    """Import what a proof needs before there is one, with what torch imports at the first call that it dispatches."""
    keep_freed_memory()
    for module in ("torch._dynamo", "cloudpickle", "compact_proofs.core.prove", "compact_proofs.automatic.strategy"):
        importlib.import_module(module)


def work(shard: Shard, function: bytes) -> Answer:
    """Do a shard on one thread, by a function that was written by `compact_proofs.shards.passing.written`."""
    with one_at_a_time:
        torch.set_num_threads(1)
        try:
            return _done(shard, function)
        except Exception as e:
            kind = CompactProofsError if isinstance(e, CompactProofsError) else RuntimeError
            return Answer(error=e if _can_be_sent(e) else kind(f"{type(e).__name__}: {e}"))


def _done(shard: Shard, function: bytes) -> Answer:
    called, parts = _function(hashlib.sha256(function).digest(), function), pickle.loads(shard.parts)
    with ExitStack() as context:
        context.enter_context(limited_memory(shard.memory))
        if not shard.proves:
            context.enter_context(torch.no_grad())
            return Answer(written([called(part) for part in parts]))
        context.enter_context(sound())
        counter = context.enter_context(count(shard.limit))
        context.enter_context(stage(shard.stage))
        results = [called(part) for part in parts]
    return Answer(written(results), counter.length.by_stage)


class _Last:
    """The function that was read last: shards of one proof share it."""

    digest = b""
    function: Callable[[Any], Any] | None = None


def _function(digest: bytes, written_: bytes) -> Callable[[Any], Any]:
    if _Last.digest != digest or _Last.function is None:
        _Last.digest, _Last.function = digest, read_function(written_)
    return _Last.function


def _can_be_sent(error: Exception) -> bool:
    """Can an error be written and read again? Some take other arguments than those that they keep."""
    try:
        return isinstance(pickle.loads(pickle.dumps(error)), Exception)
    except Exception:
        return False
