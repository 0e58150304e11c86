"""Kinds of inputs: those that agree at some positions share what depends on the tokens there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class Kinds:
    """The kinds of some inputs, numbered: first those that are known from before, then those that must be computed.

    Attributes
    ----------
    new : int64 [M]
        The number of one input of each kind that must be computed.
    of : int64 [N]
        The kind of each input.
    before : int64 [K], optional
        Which of the kinds that are stored come first; None: all of them.
    """

    new: Tensor
    of: Tensor
    before: Tensor | None = None


def kinds_beside(common: np.ndarray, code: np.ndarray) -> Kinds:
    """Divide inputs into kinds, some of which are stored.

    Parameters
    ----------
    common : int64 [C]
        The codes of the kinds that are stored, rising.
    code : int64 [N]
        The code of each input.
    """
    found, first, kind = np.unique(code, return_index=True, return_inverse=True)
    place = np.searchsorted(common, found)
    known = place < len(common)
    known[known] = common[place[known]] == found[known]
    if known.all():
        return Kinds(torch.zeros(0, dtype=torch.int64), torch.from_numpy(place[kind]))
    number = np.where(known, known.cumsum(), known.sum() + (~known).cumsum()) - 1
    return Kinds(torch.from_numpy(first[~known]), torch.from_numpy(number[kind]), torch.from_numpy(place[known]))


class Seen:
    """Which kinds occur in several batches of inputs.

    Parameters
    ----------
    number
        Of kinds that there can be; their codes are 0 ... number - 1.
    """

    def __init__(self, number: int) -> None:
        self._last = np.full(number, -1, dtype=np.int32)  # the last batch in which each kind occurred
        self._several = np.zeros(number, dtype=bool)
        self._batches = self._there = 0

    def add(self, code: np.ndarray) -> int:
        """Look at one more batch, codes int64 [N]. Cost: an integer operation for each input, until all kinds have occurred."""
        cost = 0 if self._there == len(self._last) else len(code)
        last = self._last[code]
        self._several[code[(last >= 0) & (last < self._batches)]] = True
        self._there += len(np.unique(code[last < 0]))
        self._last[code] = self._batches
        self._batches += 1
        return cost

    @property
    def common(self) -> np.ndarray:
        """The codes of the kinds that occurred in two batches or more, rising."""
        return np.flatnonzero(self._several)
