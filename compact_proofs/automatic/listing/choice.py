"""Which way to evaluate a list of inputs costs least: with landmarks (`landmarks`), or the quickest without (`last_norm`)."""

from __future__ import annotations

import copy

import torch
from torch import Tensor

from compact_proofs.automatic.listing.landmarks import Near, pilots, sample_of
from compact_proofs.automatic.listing.last_norm import TwoSteps, quickest
from compact_proofs.automatic.listing.program import Listing
from compact_proofs.automatic.listing.waist import Waist
from compact_proofs.automatic.reading.owners import structure
from compact_proofs.length import charge_integers
from compact_proofs.program import Program

PRICED = 2**13
"""Inputs of which it is seen what ways cost, one after the other, so that they share what those of the list share."""

HOPED = 0.75
"""Landmarks are not made if more than such a share of the inputs must be near one before they pay."""


class Choice:
    """Chooses how inputs of a program are listed, when it is known which they are.

    Parameters
    ----------
    v
        Number of tokens.
    """

    def __init__(self, program: Program, v: int) -> None:
        self.program, self.v = program, v
        self._waist = Waist.of(program)
        self._near: Near | None = None
        self._other: Listing | TwoSteps | None = None

    def prepare(self, inputs: Tensor) -> None:
        """Make the tables that a list with such inputs needs, as far as it can be told."""
        if self._sample(inputs)[0]:
            self._with_landmarks()
        else:
            self._without()

    def of(self, inputs: Tensor) -> Listing | TwoSteps | Near:
        """The way for inputs int64 [N, n] in lexicographic order: landmarks are tried on some, and prices decide.

        Both follow from the inputs.
        """
        numbers, least = self._sample(inputs)
        charge_integers(2 * len(numbers))
        if numbers:
            near = self._with_landmarks()
            sample = inputs[torch.tensor(numbers, dtype=torch.int64)]
            few = pilots(sample)
            hopeless = len(few) < len(sample) and near.learn(few, len(inputs) * len(few) // len(sample)) < least
            if not hopeless and near.learn(sample, len(inputs)) >= least:
                return near
        return self._without()

    def _sample(self, inputs: Tensor) -> tuple[list[int], float]:
        """Which inputs landmarks are made from, none where there is little hope that they pay; and what share must be near one."""
        if self._waist is None or not (numbers := sample_of(len(inputs), self.program.output.numel(), self.v)):
            return [], 1.0
        least = least_share(self.program, self.v, self._waist, middle(inputs))
        return numbers if least <= HOPED else [], least

    def _with_landmarks(self) -> Near:
        if self._near is None:
            assert self._waist is not None
            self._near = Near(self.program, self.v, self._waist)
        return self._near

    def _without(self) -> Listing | TwoSteps:
        if self._other is None:
            self._other = quickest(self.program, self.v)
        return self._other


def middle(inputs: Tensor) -> Tensor:
    """`PRICED` inputs in the middle of some."""
    start = max(len(inputs) - PRICED, 0) // 2
    return inputs[start : start + PRICED]


def least_share(program: Program, v: int, waist: Waist, inputs: Tensor) -> float:
    """The share of inputs near a landmark from which on landmarks cost less than the quickest way without, by shapes."""
    with structure():
        shapes = copy.deepcopy(program).to("meta")
        all_near, tail = Near(shapes, v, waist, zeros=False).prices(inputs)
        return (all_near + tail - quickest(shapes, v).price(inputs)) / tail
