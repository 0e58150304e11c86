"""Where inputs stand in the enumeration of a task: by their digits, or looked up in a list of all inputs."""

from __future__ import annotations

import math
import weakref
from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from compact_proofs.errors import BadInput
from compact_proofs.length import unseen

LARGEST = 2**22
"""Inputs of a task, at most, that are listed to find their numbers."""
BATCH = 2**14
LARGEST_NUMBER = 2**62


class Enumeration(Protocol):
    """What a task says of its inputs here."""

    @property
    def name(self) -> str:
        """What messages call it."""

    @property
    def size(self) -> int:
        """Number of inputs."""

    def inputs(self, start: int, stop: int) -> Tensor:
        """Inputs number `start` to `stop` - 1."""


_LISTS: weakref.WeakKeyDictionary[Enumeration, dict[bytes, int]] = weakref.WeakKeyDictionary()


def digits(numbers: Tensor, bases: Sequence[int], offset: int = 0) -> Tensor:
    """Write ``offset + numbers`` in a mixed base: int64 [k] to int64 [k, len(bases)], the first digit counting most.

    The offset may be any integer of Python, so that sums beyond int64 have digits too.
    Cost: 2 operations for each digit but the first, 3 with an offset.
    """
    found = []
    for base in reversed(bases[1:]):
        if offset:
            numbers = numbers + offset % base
        found.append(numbers % base)
        numbers, offset = numbers // base, offset // base
    return torch.stack([numbers + offset if offset else numbers, *found[::-1]], -1)


def numbered(start: int, stop: int, bases: Sequence[int]) -> Tensor:
    """The digits of the numbers `start` to `stop` - 1 that a mixed base has: int64 [k, len(bases)]. `start` may exceed int64."""
    stop = min(stop, math.prod(bases))
    if stop <= LARGEST_NUMBER:
        return digits(torch.arange(start, stop), bases)
    return digits(torch.arange(stop - start), bases, start)


def sequences(start: int, stop: int, v: int, n: int) -> Tensor:
    """Sequences of n of v tokens number `start` to `stop` - 1 in lexicographic order: int64 [k, n].

    Cost: 2 n operations a sequence, as every token's digit is split off, the first one from a 0.
    """
    return numbered(start, stop, (1, *(v,) * n))[:, 1:]


def lexicographic(inputs: Tensor, v: int) -> Tensor:
    """Number sequences int64 [N, n] of tokens below v in lexicographic order, the inverse of `sequences`: int64 [N].

    Where v^n exceeds 2^62, numbers that do are replaced by others above 2^61. Cost: 2 (n - 1) operations a sequence.
    """
    n = inputs.shape[1]
    number = inputs[:, 0]
    for i in range(1, n):
        if v**n > LARGEST_NUMBER:
            number = number.clamp(max=LARGEST_NUMBER // v)
        number = number * v + inputs[:, i]
    return number


def listed_numbers(task: Enumeration, inputs: Tensor) -> Tensor:
    """Numbers of inputs, int64 [n]; -1 for what is no input of the task.

    Raises
    ------
    BadInput
        If the task has more than 2^22 inputs.
    """
    if task.size > LARGEST:
        raise BadInput(
            f"the task {task.name} has {task.size} inputs, too many to list them; give it a method numbers(inputs), the inverse of "
            "its inputs(start, stop)"
        )
    with unseen("numbers of inputs: addresses"):
        known = _LISTS.get(task)
        if known is None:
            known = {}
            for start in range(0, task.size, BATCH):
                known |= {row: start + i for i, row in enumerate(_rows(task.inputs(start, min(start + BATCH, task.size))))}
            _LISTS[task] = known
        return torch.tensor([known.get(row, -1) for row in _rows(inputs)], dtype=torch.int64)


def _rows(inputs: Tensor) -> list[bytes]:
    return [row.tobytes() for row in inputs.detach().cpu().reshape(len(inputs), -1).contiguous().numpy()]
