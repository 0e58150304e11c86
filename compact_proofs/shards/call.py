"""One call of `each` in a proof that is shared: parts go out, results come back in their order."""

from __future__ import annotations

import itertools
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any

from compact_proofs.errors import BadInput, WorkersLost
from compact_proofs.length import ProofLength, TooLong, charge_length, count, current_stage, tightest, unseen
from compact_proofs.memory import granted
from compact_proofs.progress import counted
from compact_proofs.shards.crew import Crew, current_crew
from compact_proofs.shards.passing import read_result, written
from compact_proofs.shards.work import Answer, Shard

ALONE = 0.5
"""Seconds that this process may work alone: what is not expected to take longer is not worth sending."""
SHARDS = 16
"""Shards for each worker, so that none waits long for the last one, and little is lost with a worker."""
LONGER = 4
"""So many times as long are the first shards while this process is busy itself."""
MOST_DEATHS = 20
"""A shard at which so many workers died is given up."""
KEPT_EVERY = 1.0
"""Seconds after which what this process has done is kept."""

_proof: ContextVar[Proof | None] = ContextVar("proof", default=None)


@contextmanager
def proof(identity: Callable[[], str]) -> Iterator[None]:
    """What runs inside is the verification of one proof, in the sound reading, whose parts `each` may hand out.

    Parameters
    ----------
    identity
        Names everything that the proof's parts depend on; asked only where parts are kept.
    """
    crew = current_crew()
    if crew is None or (crew.workers is None and crew.kept is None):
        yield
        return
    token = _proof.set(Proof(crew, "" if crew.kept is None else identity()))
    try:
        yield
    finally:
        _proof.reset(token)


def search() -> Proof | None:
    """A search whose parts can be handed out here; None if this process does everything."""
    crew = current_crew()
    return None if crew is None or crew.workers is None else Proof(replace(crew, kept=None), "", proves=False)


def current() -> Proof | None:
    """The proof whose parts can be handed out here; None if there is none, or within one of its parts."""
    return _proof.get()


@dataclass
class Proof:
    """One proof, while it is verified; or a search, of which nothing is counted or kept."""

    crew: Crew
    identity: str
    proves: bool = True
    calls: int = 0

    def each(
        self,
        function: Callable[[Any], Any],
        parts: Sequence[Any],
        what: str,
        possible: Callable[[Any, Any], bool],
        first: Callable[[], None] | None = None,
        at_once: bool = False,
    ) -> Iterator[Any]:
        """What `compact_proofs.shards.each` does, and `compact_proofs.shards.tried`."""
        self.calls += 1
        call = _Call(self, function, parts, possible, f"{self.identity} {self.calls} {len(parts)}", what)
        with counted(len(parts), what) as advance:
            call.advance = advance
            self.crew.not_kept.append(call.keep_own)
            yield from call.results(first, at_once or first is not None)
            self.crew.not_kept.remove(call.keep_own)


class _Call:
    """One call of `each`.

    Parameters
    ----------
    work
        The name under which its finished parts are kept.
    kind
        What the parts are; those of one kind take about as long.
    """

    def __init__(
        self,
        proof: Proof,
        function: Callable[[Any], Any],
        parts: Sequence[Any],
        possible: Callable[[Any, Any], bool],
        work: str,
        kind: str,
    ) -> None:
        self._crew, self._work, self._kind, self._proves = proof.crew, work, kind, proof.proves
        self._function, self._parts, self._possible = function, parts, possible
        self._answers: dict[int, tuple[int, Answer]] = {}
        self._done = self._done_here = 0
        self._own: tuple[int, list[Any], list[ProofLength]] = (0, [], [])  # done here, and not kept yet
        self.advance: Callable[[int, str], None] = lambda done, status: None

    def results(self, first: Callable[[], None] | None, at_once: bool) -> Iterator[Any]:
        """The results in order, each charged when it is its turn, after what is done first."""
        self._read_kept()
        workers = self._crew.workers
        if at_once and not self._answers and len(self._parts) > 1 and workers is not None and workers.ready:
            yield from self._handed_out(0, first)
            return
        if first is not None:
            first()
        begun, at = time.perf_counter(), 0
        while at < len(self._parts):
            if at in self._answers:
                at, results = self._take(at)
                yield from results
            elif self._worth_sending(at, time.perf_counter() - begun):
                yield from self._handed_out(at)
                return
            else:
                until = min((start for start in self._answers if start > at), default=len(self._parts))
                for result in self._here(at, until, begun):
                    at += 1
                    yield result

    def _worth_sending(self, at: int, seconds: float) -> bool:
        """Is a worker ready, and have the parts taken long here, or will those from `at` on, as far as can be told?"""
        left = len(self._parts) - at
        if self._crew.workers is None or left < 2:  # one part is as well done here
            return False
        if self._done_here:
            self._crew.seconds[self._kind] = seconds / self._done_here
        expected = self._crew.seconds.get(self._kind, 0.0) * left
        return max(seconds, expected) >= ALONE and self._crew.workers.ready

    # ---------------------------------------------------------------------------------------------------- in this process

    def _here(self, at: int, until: int, begun: float) -> Iterator[Any]:
        """Do parts in this process, until the workers can go on or what is kept can be taken."""
        self._own, since = (at, [], []), time.perf_counter()
        for part in self._parts[at:until]:
            result, length = self._function_here(part)
            self._done_here += 1
            self._progress(1)
            if length is not None:
                self._own[1].append(result)
                self._own[2].append(length)
            yield result
            now = time.perf_counter()
            at += 1
            if now - since >= KEPT_EVERY:
                self.keep_own()
                self._own, since = (at, [], []), now
            if self._worth_sending(at, now - begun):
                break
        if time.perf_counter() - begun >= KEPT_EVERY:
            self.keep_own()

    def _function_here(self, part: Any) -> tuple[Any, ProofLength | None]:
        """A part's result and, if it is to be kept, its length. Within the part, `each` hands out nothing."""
        token = _proof.set(None)
        try:
            if self._crew.kept is None:
                return self._function(part), None
            with count() as counter:
                result = self._function(part)
            return result, counter.length
        finally:
            _proof.reset(token)

    def keep_own(self) -> None:
        """Keep what this process has done."""
        first, results, lengths = self._own
        self._own = (0, [], [])
        if results:
            self._keep(first, first + len(results), Answer(written(results), _sum(lengths)))

    # ------------------------------------------------------------------------------------------------------ by the workers

    def _handed_out(self, at: int, first: Callable[[], None] | None = None) -> Iterator[Any]:
        """Let the workers do the parts from `at` on; with something to do `first`, they get more at once, to be busy meanwhile."""
        workers = self._crew.workers
        assert workers is not None
        function = written(self._function)
        shared = workers.share(function)
        waiting = deque(self._cut(at, workers.capacity, 0 if first is None else workers.capacity))
        at_work: dict[str, Shard] = {}
        deaths: dict[int, int] = {}
        while at < len(self._parts):
            while waiting and self._crew.free:
                shard = self._shard(*waiting.popleft())
                at_work[shard.key] = shard
                self._crew.submit(shard, shared)
            if first is not None:
                first()
                first = None
            if at in self._answers:
                at, results = self._take(at)
                yield from results
                continue
            for done in workers.wait():
                self._crew.at_work.discard(done.job.key)
                if done.job.key not in at_work:  # of a proof that was given up
                    continue
                shard = at_work.pop(done.job.key)
                if done.lost is not None:
                    deaths[shard.start] = deaths.get(shard.start, 0) + 1
                    if deaths[shard.start] >= MOST_DEATHS:
                        raise WorkersLost(f"{MOST_DEATHS} workers died at the same part of the proof; at last {done.lost}")
                    shared = workers.share(function)
                    waiting.appendleft((shard.start, shard.stop))
                else:
                    self._hear(shard, done.result)

    def _hear(self, shard: Shard, answer: Answer) -> None:
        if isinstance(answer.error, TooLong):
            counter = tightest()
            if counter is not None:
                counter.stop()
        self._answers[shard.start] = shard.stop, answer
        if answer.error is None:
            self._keep(shard.start, shard.stop, answer)
            self._progress(shard.stop - shard.start)

    def _cut(self, at: int, capacity: int, longer: int) -> Iterator[tuple[int, int]]:
        """Divide what is not done from a part on into shards, of which the first `longer` are longer, if there are enough parts."""
        known = sorted((start, stop) for start, (stop, _) in self._answers.items() if start >= at)
        left = len(self._parts) - at - sum(stop - start for start, stop in known)
        step = max(1, left // (SHARDS * capacity))
        steps = itertools.chain([max(1, min(LONGER * step, left // capacity))] * longer, itertools.repeat(step))
        for start, stop in [*known, (len(self._parts), len(self._parts))]:
            while at < start:
                first, at = at, min(at + next(steps), start)
                yield first, at
            at = stop

    def _shard(self, start: int, stop: int) -> Shard:
        parts, counter = written(list(self._parts[start:stop])), tightest()
        limit = None if counter is None else counter.left
        memory = min((most for most in (granted(), self._crew.memory) if most is not None), default=None)
        return Shard(self._crew.key(), start, stop, parts, current_stage(), limit, memory, self._proves)

    # ------------------------------------------------------------------------------------------------------------- answers

    def _take(self, at: int) -> tuple[int, list[Any]]:
        """Charge an answer and read its results, one for each part, each of them possible; return where it ends."""
        stop, answer = self._answers.pop(at)
        if answer.error is not None:
            raise answer.error
        charge_length(answer.length)
        parts, results = self._parts[at:stop], read_result(answer.results)
        if not isinstance(results, list) or len(results) != len(parts):
            raise BadInput("another process gave results of other parts than it was asked for")
        with unseen("whether results are possible, by numbers of inputs"):
            possible = all(map(self._possible, parts, results))
        if not possible:
            raise BadInput("another process gave a result that no part of the proof can have: report this fault")
        return stop, results

    def _progress(self, parts: int) -> None:
        self._done += parts
        self.advance(self._done, "")

    # ------------------------------------------------------------------------------------------------------ what is kept

    def _keep(self, start: int, stop: int, answer: Answer) -> None:
        if self._crew.kept is not None:
            self._crew.kept.keep(self._work, str(start), written([stop, answer.results, answer.by_stage]))

    def _read_kept(self) -> None:
        if self._crew.kept is None:
            return
        reached = 0
        for start, data in sorted((int(step), data) for step, data in self._crew.kept.steps(self._work).items()):
            stop, results, by_stage = read_result(data)
            if reached <= start < stop <= len(self._parts):
                self._answers[start] = stop, Answer(results, by_stage)
                self._progress(stop - start)
                reached = stop


def _sum(lengths: list[ProofLength]) -> dict[str, dict[str, int]]:
    """Add lengths up, stage by stage, in the order in which stages and categories first occur."""
    total: dict[str, dict[str, int]] = {}
    for length in lengths:
        for name, operations in length.by_stage.items():
            stage_ = total.setdefault(name, {})
            for category, n in operations.items():
                stage_[category] = stage_.get(category, 0) + n
    return total
