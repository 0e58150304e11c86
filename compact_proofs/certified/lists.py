"""Sets of inputs that are known one by one: evaluated in an order, or written down."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from compact_proofs.certified.base import Certified, Disjoint
from compact_proofs.certified.sets import whole
from compact_proofs.length import charge_integers
from compact_proofs.results import result_class

PACKED = 2**20
"""Truth values that are put into bits at once, a multiple of 8."""


@result_class
@dataclass(frozen=True)
class Answers:
    """Which inputs are right, of some that follow one another in an order.

    Attributes
    ----------
    number
        How many inputs were evaluated.
    size
        How many of them are right.
    bits : uint8 array
        One bit for each.
    """

    number: int
    size: int
    bits: np.ndarray

    @classmethod
    def of(cls, batches: Iterable[Tensor]) -> Answers:
        """Count truth values bool [k], batch after batch: an addition each, in the stage in which the batch is given."""
        size, found = 0, [np.zeros(0, dtype=bool)]
        for right in batches:
            size += whole(right.sum())
            if not right.is_meta:
                found.append(right.cpu().numpy())
        values = np.concatenate(found)
        return cls(len(values), size, np.packbits(values))

    @property
    def values(self) -> np.ndarray:
        """The truth values: bool [number]."""
        return np.unpackbits(self.bits, count=self.number).astype(bool)

    @property
    def consistent(self) -> bool:
        """Are there as many bits as inputs, and as many of them set as are counted?"""
        return len(self.bits) == -(-self.number // 8) and int(self.values.sum()) == self.size


class Evaluated(Certified):
    """The inputs that were found right, of those that were evaluated: the first ones of an order.

    Parameters
    ----------
    parts
        Which inputs are right, part after part in the order.
    places
        Where inputs [N, ...] stand in the order, int64 [N]; any negative or larger number for those that were not evaluated.

    Notes
    -----
    `size` and `member` read the same truth values. They are kept as bits: an eighth of a byte for each input.
    """

    def __init__(self, parts: Iterable[Answers], places: Callable[[Tensor], Tensor]) -> None:
        self._places, self._size, self._number = places, 0, 0
        bits, waiting, ready = [], [], 0
        for part in parts:
            self._size += part.size
            self._number += part.number
            waiting.append(part.values)
            ready += part.number
            if ready >= PACKED:
                values = np.concatenate(waiting)
                full = len(values) // 8 * 8
                bits.append(np.packbits(values[:full]))
                waiting, ready = [values[full:]], len(values) - full
        self._bits = np.concatenate([*bits, np.packbits(np.concatenate(waiting))]) if waiting else np.zeros(0, dtype=np.uint8)

    @property
    def size(self) -> int:
        return self._size

    def member(self, inputs: Tensor) -> Tensor:
        charge_integers(len(inputs))
        place = self._places(inputs).cpu().numpy()
        known = (place >= 0) & (place < self._number)
        at = place[known]
        right = np.zeros(len(place), dtype=bool)
        right[known] = self._bits[at // 8] >> (7 - at % 8).astype(np.uint8) & 1
        return torch.from_numpy(right).to(inputs.device)


@dataclass(frozen=True)
class Listed(Certified):
    """Sequences that are written down, each counted once however often it stands there.

    Attributes
    ----------
    inputs : int64 [N, n]
        The list. Telling its entries apart costs n integer operations each.
    """

    inputs: Tensor

    @cached_property
    def _rows(self) -> np.ndarray:
        """The entries as words of bytes, rising, each once."""
        charge_integers(self.inputs.numel())
        return words_of(self.inputs)

    @cached_property
    def size(self) -> int:
        return len(self._rows)

    def member(self, inputs: Tensor) -> Tensor:
        return torch.from_numpy(are_among(inputs, self._rows)).to(inputs.device)


def words_of(inputs: Tensor) -> np.ndarray:
    """Different sequences among int64 [N, n], each as one word of bytes, in rising order."""
    return np.unique(_as_words(inputs))


def are_among(inputs: Tensor, words: np.ndarray) -> np.ndarray:
    """Which of the sequences int64 [N, n] are among `words_of` others: bool [N]."""
    asked = _as_words(inputs)
    if not len(words):
        return np.zeros(len(asked), dtype=bool)
    found: np.ndarray = words[np.searchsorted(words, asked).clip(max=len(words) - 1)] == asked
    return found


def _as_words(inputs: Tensor) -> np.ndarray:
    rows = inputs.to(torch.int64).cpu().contiguous().numpy()
    return rows.view(np.dtype((np.void, rows.dtype.itemsize * rows.shape[1])))[:, 0]


@dataclass(frozen=True)
class ListedNumbers(Certified):
    """Inputs that are listed by their numbers.

    Attributes
    ----------
    numbers : int64 [N]
        The list.
    chosen : bool [N]
        Which entries count; no number is chosen twice. Counting them takes N integer operations.
    number_of
        The numbers of inputs: int64 [k] for inputs [k, ...].
    """

    numbers: Tensor
    chosen: Tensor
    number_of: Callable[[Tensor], Tensor]

    @cached_property
    def size(self) -> int:
        return whole(self.chosen.sum())

    def member(self, inputs: Tensor) -> Tensor:
        return torch.isin(self.number_of(inputs), self.numbers[self.chosen])


def with_list(
    base: Certified,
    inputs: Tensor,
    number_of: Callable[[Tensor], Tensor],
    right: Callable[[Tensor], Tensor],
    numbers: Tensor | None = None,
) -> Certified:
    """Return the union of a set and of the listed inputs that are right; each input is counted once.

    Parameters
    ----------
    base
        The set.
    inputs : int64 [N, n]
        The list.
    number_of
        From inputs to their numbers: an input has one, and no two share it (`Task.numbers`).
    right
        Which inputs [N, n] are provably right: bool [N].
    numbers : int64 [N], optional
        The numbers of the list, where they are known.

    Notes
    -----
    *Proof.* An entry counts if its number is larger than every number before it, if it is right, and if it is certainly not among
    the inputs that the size of `base` counts (`Certified.excludes`). So no input counts twice.

    *Cost.* That of the numbers, of `excludes` and of `right`, and about 6 integer operations an entry.
    """
    if not len(inputs):
        return base
    given = number_of(inputs) if numbers is None else numbers
    first = torch.ones(1, dtype=torch.bool, device=given.device)
    new = torch.cat([first, given[1:] > torch.cummax(given, 0).values[:-1]])
    return Disjoint((base, ListedNumbers(given, new & base.excludes(inputs) & right(inputs), number_of)))
