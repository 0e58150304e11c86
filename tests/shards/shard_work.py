"""Strategies whose parts are logged, interrupt, kill their process or lie; a program that proves until it is killed."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

import compact_proofs as cp
from compact_proofs.core.enumeration import Enumeration, Evaluation
from compact_proofs.core.exhaustive import Exhaustive
from compact_proofs.shards import call

PATIENCE = 120
"""Seconds to wait for another process."""

TASK = cp.FiniteTask(3, 8, lambda x: x.amax(1))


def wait_until(true: Callable[[], Any]) -> None:
    """Wait until something is so; it must become so in time."""
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)


def is_alive(process: int) -> bool:
    """Is a process running (and not merely waiting for its parent to notice its end)?"""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


class Network(nn.Module):
    """Names the largest of three tokens, most often."""

    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.W = nn.Parameter(torch.diag(torch.arange(8.0)) + torch.rand(8, 8, generator=generator))

    def forward(self, x: Tensor) -> Tensor:
        return self.W[x].sum(1)


@dataclass(frozen=True)
class Logged(Exhaustive):
    """Brute force whose every part leaves a line in a file, with the number of its process."""

    log: str = ""
    name: ClassVar[str] = "logged"

    def __post_init__(self) -> None:
        assert self.batch_size == 4, "parts of the tests below"

    def evaluation(self, model: nn.Module, task: cp.Task) -> Evaluation[int]:
        found = super().evaluation(model, task)

        def right(start: int) -> Generator[Tensor, None, None]:
            with Path(self.log).open("a") as log:
                log.write(f"{start // 4} {os.getpid()}\n")
            if "SHARD_SLOW" in os.environ:
                time.sleep(0.1)
            self.at(start // 4)
            yield from found.right(start)

        return Evaluation(right, found.parts, found.inputs, found.what)

    def at(self, part: int) -> None:
        """Do something at a part."""

    def lines(self) -> list[tuple[int, int]]:
        """The parts that were begun, with their processes."""
        return [(int(part), int(process)) for part, process in map(str.split, Path(self.log).read_text().splitlines())]


@dataclass(frozen=True)
class Deadly(Logged):
    """Its parts kill their process until it has happened so often, wherever they come to."""

    times: int = 5
    name: ClassVar[str] = "deadly"

    def at(self, part: int) -> None:
        if part % 11 == 10 and len(self.lines()) and self.deaths() < self.times and os.getpid() != int(os.environ["SHARD_PARENT"]):
            with Path(self.log + ".deaths").open("a") as log:
                log.write("x")
            os.kill(os.getpid(), signal.SIGKILL)

    def deaths(self) -> int:
        """How often it has happened."""
        return Path(self.log + ".deaths").stat().st_size if Path(self.log + ".deaths").exists() else 0


@dataclass(frozen=True)
class Interrupted(Logged):
    """Ctrl-C comes at a part, once."""

    name: ClassVar[str] = "interrupted"

    def at(self, part: int) -> None:
        if part == 70 and not Path(self.log + ".interrupted").exists():
            Path(self.log + ".interrupted").touch()
            raise KeyboardInterrupt


@dataclass(frozen=True)
class Nested(Enumeration[nn.Module]):
    """Its parts have parts, which stay with them."""

    name: ClassVar[str] = "nested"
    summary: ClassVar[str] = "parts of parts"

    def evaluation(self, model: nn.Module, task: cp.Task) -> Evaluation[int]:
        def right(part: int) -> Generator[Tensor, None, None]:
            for size in cp_each(part):
                with cp.stage(f"of {size}"):
                    yield torch.ones(size, dtype=torch.bool)

        return Evaluation(right, range(1, 9), lambda part: part, "parts")


@dataclass(frozen=True)
class Busy(cp.Strategy):
    """Something is done before any result is taken, by the asking process."""

    parts: int = 40
    log: str = ""
    name: ClassVar[str] = "busy"
    summary: ClassVar[str] = "something first"

    def verify(self, model: nn.Module, task: cp.Task, explanation: Any) -> cp.Truth:
        from compact_proofs.shards import each

        made: list[Tensor] = []

        def first() -> None:
            with cp.stage("first"):
                made.append(torch.ones(3) + 1)
            self.note("first")

        def part(number: int) -> Tensor:
            self.note(str(number))
            with cp.stage("parts"):
                return cp.provably(torch.arange(8) + number > 0)

        for _ in each(part, range(self.parts), "parts", first=first):
            assert made
        return cp.Truth(torch.zeros(8, 8, 8, dtype=torch.bool))

    def note(self, what: str) -> None:
        if self.log:
            with Path(self.log).open("a") as log:
                log.write(f"{what} {os.getpid()}\n")

    def lines(self) -> dict[str, int]:
        """What was done, and by which process."""
        return {what: int(process) for what, process in map(str.split, Path(self.log).read_text().splitlines())}


def cp_each(part: int) -> Any:
    """``each`` within a part."""
    from compact_proofs.shards import each

    return each(lambda one: one, [1] * part, "parts of a part")


if __name__ == "__main__":
    call.ALONE = 0
    strategy = Logged(batch_size=4, log=sys.argv[2])
    with cp.sharing(2, resume=sys.argv[1]):
        cp.prove(Network(), TASK, strategy)
