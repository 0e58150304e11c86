"""Inputs near a landmark: whatever the tail of a program makes of vectors near a centre is known once for all of them.

Let r(x) be the vector through which alone an input x reaches the output (`compact_proofs.automatic.listing.waist`), and c a centre
with a radius such that the tail gives the label y the largest logit on all vectors within the radius of c. Then x is right if its
label is y and |r(x) - c| <= radius, whatever x is: 3 operations an entry of r, where the tail takes thousands. Other inputs pay
for the tail.

There is a centre for each label and last token: the mean of r over some inputs with that token to which the tail gives that label.
Any centre is valid; its radius is found by bisection (`Readout.margins`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import gcd

import torch
from torch import Tensor
from torch.fx import Node

from compact_proofs.automatic.listing.around import Around
from compact_proofs.automatic.listing.program import Listing
from compact_proofs.automatic.listing.values import Dense
from compact_proofs.automatic.listing.waist import Waist
from compact_proofs.automatic.reading.owners import structure
from compact_proofs.core.claim import ACCURACY
from compact_proofs.enclosure import lower, provably
from compact_proofs.length import count, stage
from compact_proofs.program import Program

ROUNDS = 8
"""Bisections of a radius between 0 and the length of its centre."""
EACH = 8
"""Inputs for each label and last token, on average, from which centres are made, at most."""
SHARE = 64
"""Of the inputs listed, one in so many is looked at to make centres, at most."""
FEWEST = 256
"""Inputs from which centres are made, at least."""
PILOTS = 8
"""Last tokens for which landmarks are made first, to see whether others would pay."""
MANY = 2**13
"""Inputs for each landmark, from which on radii are found with slopes (`compact_proofs.automatic.listing.around.entrywise`)."""


class ToWaist(Listing):
    """A program made ready to be evaluated up to its waist."""

    def __init__(self, program: Program, v: int, waist: Waist, zeros: bool) -> None:
        self._waist = waist
        super().__init__(program, v, zeros)

    def _read(self) -> Dense:
        return self._steps.dense(self._values(self._waist.before)[self._waist.node])

    def vectors(self, inputs: Tensor, alone: bool = False) -> Tensor:
        """r(x), [N, *shape], of at most `batch` inputs [N, n]; `alone` as for `Listing.right`."""
        return self._steps.run(inputs, self._logits, alone)

    def price(self, inputs: Tensor) -> float:
        """Operations for each of some inputs, to the waist."""
        with count() as counter:
            self.vectors(inputs)
        return counter.length.total / len(inputs)


@dataclass(frozen=True)
class Landmarks:
    """Balls on which the tail gives one output the largest logit.

    Attributes
    ----------
    centre : [L + 1, size]
    squared : [L + 1]
        The square of the radius; negative where nothing is near. Plain numbers.
    place : int64 [outputs, v]
        Which landmark is for an output and a last token; L, of which nothing is near, where there is none.
    """

    centre: Tensor
    squared: Tensor
    place: Tensor

    def near(self, vectors: Tensor, labels: Tensor, last: Tensor) -> Tensor:
        """Which vectors [N, ...] are near the landmark of their labels and last tokens: bool [N]."""
        flat, outputs = vectors.flatten(1), len(self.place)
        at = self.place[labels.clamp(0, outputs - 1), last]
        distance = (flat - self.centre[at]).square().sum(1)
        return provably(distance <= self.squared[at]) & (labels >= 0) & (labels < outputs)


class Near:
    """A listing that tries landmarks before it evaluates the tail. Its tables are made at once; `learn` makes the landmarks.

    Parameters
    ----------
    waist
        Of the program, from `Waist.of`.
    """

    def __init__(self, program: Program, v: int, waist: Waist, zeros: bool = True) -> None:
        self.waist, self.v = waist, v
        self.to_waist = ToWaist(program, v, waist, zeros)
        self._zeros = zeros and self.to_waist.device.type != "meta"
        self.outputs = program.output.numel()
        self.landmarks: Landmarks | None = None

    def _logits(self, vectors: Tensor) -> Tensor:
        return self.waist.logits(vectors, self.constants, self._zeros)

    def constants(self, node: Node) -> Tensor:
        """A constant of the program."""
        return self.to_waist.constant_of(node)

    def learn(self, inputs: Tensor, number: int) -> float:
        """Make landmarks for a list of so many inputs, from the first three quarters of some [S, n].

        Returns
        -------
        float
            The share of the others that is near a landmark.
        """
        batch = self.to_waist.batch
        with stage("landmarks"):
            vectors = torch.cat([self.to_waist.vectors(x, alone=True) for x in inputs.split(batch)])
            told = torch.cat([lower(self._logits(r)) for r in vectors.split(batch)]).argmax(1)
            last = inputs[:, -1].to(told.device)
            key = told * self.v + last
            own = len(key) - len(key) // 4
            with structure():
                found, kind = key[:own].unique(return_inverse=True)
                members = torch.bincount(kind, minlength=len(found)).double()
                place = torch.full((self.outputs * self.v,), len(found), device=key.device)
                place[found] = torch.arange(len(found), device=key.device)
            flat = lower(vectors).flatten(1)
            sums = torch.zeros(len(found), flat.shape[1], dtype=torch.float64, device=key.device).index_add(0, kind, flat[:own])
            centre = lower(sums / members[:, None])
            squared = lower(self._radius(centre, found // self.v, number >= MANY * len(found)).square())
            none = torch.zeros(1, flat.shape[1], dtype=torch.float64, device=key.device)
            squared = lower(torch.cat([torch.where(squared > 0, squared, -1.0), none[:, 0] - 1]))
            self.landmarks = Landmarks(lower(torch.cat([centre, none])), squared, place.reshape(self.outputs, self.v))
            near = self.landmarks.near(vectors[own:], told[own:], last[own:])
            return int(near.sum()) / max(len(near), 1)

    def _radius(self, centre: Tensor, labels: Tensor, slopes: bool) -> Tensor:
        """A radius [L] for each centre, within which its label has the largest logit; 0 where none was found. Plain numbers."""
        high = centre.square().sum(1).sqrt()
        low = torch.zeros_like(high)
        for _ in range(ROUNDS):
            middle = lower((low + high) / 2)
            z = self.waist.around(Around.ball(centre, middle), self.constants, slopes)
            good = provably(self.waist.readout.margins(z, labels, self.constants) > 0).all(1)
            low, high = torch.where(good, middle, low), torch.where(good, high, middle)
        return low

    def right(self, inputs: Tensor, labels: Tensor) -> Tensor:
        """Which of the inputs [N, n] are proven right: bool [N]."""
        assert self.landmarks is not None
        batch = self.to_waist.batch
        parts = []
        with stage("list"):
            for x, y in zip(inputs.split(batch), labels.to(self.to_waist.device).split(batch), strict=True):
                vectors = self.to_waist.vectors(x)
                found = self.landmarks.near(vectors, y, x[:, -1].to(y.device))
                left = (~found).nonzero()[:, 0]
                if len(left):
                    logits = self._logits(vectors[left])
                    found[left] = ACCURACY.correct(logits, y[left])
                parts.append(found)
        return torch.cat(parts) if parts else torch.zeros(0, dtype=torch.bool)

    def know(self, batches: Iterable[Tensor]) -> None:
        """As `Listing.know`."""
        self.to_waist.know(batches)

    def prices(self, inputs: Tensor) -> tuple[float, float]:
        """Operations for each of some inputs that are near a landmark, and for the tail of one that is not; as `Listing.price`."""
        vectors = torch.zeros(1, *self.waist.shape, dtype=torch.float64, device=self.to_waist.device)
        with count() as tail:
            self._logits(vectors)
        return self.to_waist.price(inputs) + 3 * self.waist.size, tail.length.total


def pilots(inputs: Tensor) -> Tensor:
    """Of some inputs [N, n], those with at most `PILOTS` of the last tokens that occur."""
    with structure():
        tokens = inputs[:, -1].unique()
        return inputs[torch.isin(inputs[:, -1], tokens[:: -(-len(tokens) // PILOTS)])]


def sample_of(n: int, outputs: int, v: int) -> list[int]:
    """Which of n inputs landmarks are made from: none where that would be fewer than `FEWEST`.

    They are spread by steps of about .618 n, so that inputs in lexicographic order have any last tokens.
    """
    size = min(n // SHARE, EACH * outputs * v)
    if size < FEWEST:
        return []
    step = int(0.6180339887 * n)
    while gcd(step, n) != 1:
        step += 1
    return [k * step % n for k in range(size)]
