"""The memory of a proof: a limit, enforced by the operating system before the memory is taken; and what is kept when it is freed.

A file that comes in names options, and sizes follow from options: a certificate of a kilobyte can ask for a table of a terabyte.
Nobody can read off its options which arrays a verifier makes, of torch, of numpy or of Python's integers; but all of them are made
of the process's address space, which the system bounds (on Linux; elsewhere nothing is bounded).
"""

from __future__ import annotations

import ctypes
import resource
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path

from compact_proofs.errors import TooLarge

USUAL = 8 * 2**30
"""Bytes that a proof may take unless told otherwise, if there are so many."""
SHARE = 0.75
"""Of the memory that is available, what a proof may take unless told otherwise."""

_limit: ContextVar[int | None] = ContextVar("limit", default=None)


@contextmanager
def limited_memory(most: int | None = None) -> Iterator[None]:
    """Let what runs inside take at most so many bytes in addition to what the program has.

    The limit is of the whole process, and is lifted at the end. Within another limit the smaller one holds.

    Parameters
    ----------
    most
        Bytes. Unless given, what the limit around this one says, or `USUAL`, or `SHARE` of what is available if that is less.

    Raises
    ------
    TooLarge
        In place of the error of an allocation that was refused.
    """
    around = _limit.get()
    if most is None:
        most = usual() if around is None else around
    most = most if around is None else min(most, around)
    token = _limit.set(most)
    bound = _address_space() + most
    _bounds.enter(bound)
    try:
        yield
    except (MemoryError, RuntimeError) as e:
        if not refused(e):
            raise
        _forget(e)
        raise TooLarge(
            f"it takes more than {most / 2**30:.3g} GiB of memory in addition to what the program has "
            "(--max-memory, compact_proofs.memory.limited_memory)"
        ) from None
    finally:
        _bounds.leave(bound)
        _limit.reset(token)


def usual(processes: int = 1) -> int:
    """Bytes that each of some processes of this machine may take unless told otherwise."""
    return min(USUAL, round(SHARE * available() / processes))


def granted() -> int | None:
    """Bytes that what runs here may take, by the `limited_memory` around it; None outside of one."""
    return _limit.get()


class _Bounds:
    """The bounds of the process's address space that hold at the moment, in whichever threads; the smallest is the system's."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: list[int] = []
        self._before = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)

    def enter(self, bound: int) -> None:
        with self._lock:
            if not self._held:
                self._before = resource.getrlimit(resource.RLIMIT_AS)
            self._held.append(bound)
            self._set()

    def leave(self, bound: int) -> None:
        with self._lock:
            self._held.remove(bound)
            self._set()

    def _set(self) -> None:
        soft, hard = self._before
        bounds = [b for b in (*self._held, soft) if b != resource.RLIM_INFINITY]
        if hard != resource.RLIM_INFINITY:
            bounds.append(hard)
        with suppress(ValueError, OSError):  # where a system has no such limit
            resource.setrlimit(resource.RLIMIT_AS, (min(bounds) if self._held else soft, hard))


_bounds = _Bounds()


KEPT = 2**30
"""Bytes that `keep_freed_memory` lets a process keep."""
TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3
"""Names of parameters of glibc's `mallopt` (malloc.h)."""


def keep_freed_memory() -> bool:
    """Let this process keep up to `KEPT` bytes of what it frees for what it takes next; False where the C library cannot.

    A proof makes a table of some megabytes at almost every operation. By itself the C library gives each back to the system and
    asks for the next, whose pages the system fills with zeros: up to a third of a proof's time. The setting is that of the whole
    process: it is made by programs (the command line, worker processes), never by importing the package.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):  # a system with another C library
        return False
    return bool(mallopt(MMAP_THRESHOLD, KEPT)) and bool(mallopt(TRIM_THRESHOLD, KEPT))


def available() -> int:
    """Bytes of memory that can be taken without swapping: of the machine, or of the container if it has less."""
    found = []
    with suppress(OSError, LookupError, ValueError):
        lines = Path("/proc/meminfo").read_text().splitlines()
        found.append(1024 * next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable:")))
    with suppress(OSError, ValueError):
        group = Path("/sys/fs/cgroup")
        found.append(int((group / "memory.max").read_text()) - int((group / "memory.current").read_text()))
    return max(0, min(found, default=2**40))


def refused(error: BaseException) -> bool:
    """Is this what an allocation that was refused raises?"""
    torch = sys.modules.get("torch")  # whose errors exist only where it has been imported
    return isinstance(error, (MemoryError, *([] if torch is None else [torch.OutOfMemoryError]))) or "allocate memory" in str(error)


def _forget(error: BaseException | None) -> None:
    """Free what the calls that ended with this error still hold, so that whoever handles the refusal has memory to do it."""
    while error is not None:
        traceback.clear_frames(error.__traceback__)
        error = error.__context__


def _address_space() -> int:
    """Bytes of address space that this process has already; 0 where the system does not say."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    except OSError:
        return 0
