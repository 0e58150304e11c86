"""Which way to evaluate a list of inputs costs least: with landmarks (`landmarks`), or the quickest without (`last_norm`)."""

from __future__ import annotations

import copy

import torch
from torch import Tensor

from compact_proofs.automatic.listing.landmarks import Near, sample_of
from compact_proofs.automatic.listing.last_norm import TwoSteps, quickest
from compact_proofs.automatic.listing.program import Listing
from compact_proofs.automatic.listing.waist import Waist
from compact_proofs.automatic.reading.owners import structure
from compact_proofs.length import charge_integers
from compact_proofs.program import Program

PRICED = 2**13
"""Inputs of which it is seen what ways cost, one after the other, so that they share what those of the list share."""

HOPED = 0.75
"""Landmarks are not made if they would not pay with such a share of the inputs near one."""


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
        if self._sample(inputs):
            self._with_landmarks()
        else:
            self._without()

    def of(self, inputs: Tensor) -> Listing | TwoSteps | Near:
        """The way for inputs int64 [N, n] in lexicographic order: landmarks are tried on some, and prices decide.

        Both follow from the inputs.
        """
        numbers = self._sample(inputs)
        charge_integers(2 * len(numbers))
        if numbers:
            near = self._with_landmarks()
            share = near.learn(inputs[torch.tensor(numbers, dtype=torch.int64)], len(inputs))
            if landmarks_pay(self.program, self.v, near.waist, share, middle(inputs)):
                return near
        return self._without()

    def _sample(self, inputs: Tensor) -> list[int]:
        """Which inputs landmarks are made from; none where there is little hope that they pay."""
        if self._waist is None:
            return []
        numbers = sample_of(len(inputs), self.program.output.numel(), self.v)
        return numbers if numbers and landmarks_pay(self.program, self.v, self._waist, HOPED, middle(inputs)) else []

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


def landmarks_pay(program: Program, v: int, waist: Waist, share: float, inputs: Tensor) -> bool:
    """Do landmarks cost less than the quickest way without, by shapes, where a share of the inputs is near one?"""
    with structure():
        shapes = copy.deepcopy(program).to("meta")
        return Near(shapes, v, waist, zeros=False).price(inputs, share) < quickest(shapes, v).price(inputs)
