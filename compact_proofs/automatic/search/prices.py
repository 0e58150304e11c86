"""What is worth its operations: to bound a box, to evaluate its inputs one by one, or to leave it out. For searches.

One more certified input is worth `worth` operations, and one that is evaluated costs `each`. So an input that a bound misses is a
loss of the smaller of the two, and a bound that costs more than it saves is not made.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch
from torch import Tensor

from compact_proofs.automatic.bounds.rows import Jobs
from compact_proofs.automatic.boxes.tree import DROP, LIST, PROVE, REST
from compact_proofs.automatic.listing.last_norm import TwoSteps, left_by, quickest
from compact_proofs.automatic.search.nodes import Node
from compact_proofs.certified import LARGEST_MIXED
from compact_proofs.length import count
from compact_proofs.program import Program
from compact_proofs.sequences.boxes import MIXED
from compact_proofs.sequences.task import FiniteTask

EXAMPLES, LABELLED = 2**18, 2**12
"""Inputs, one after the other, from which the price of one is taken; and from which that of a label is."""
DRAWN = 2**9
"""Inputs of all kinds, from which it is seen what zeros save."""
UNSEEN = 1e-9
"""A list of a smaller share of the inputs is not made: no bound shows it."""
LOOK = 3
"""Operations for each row, to tell which inputs of a box it does not prove (`compact_proofs.certified.positive_tables`)."""


@dataclass(frozen=True)
class Prices:
    """Operations.

    Attributes
    ----------
    worth
        What one more certified input is worth.
    each
        What an input costs that is evaluated; infinite if that is more than it is worth, or if none may be.
    tables
        What must be made once before any input is.
    label
        What the label of an input costs.
    most
        How many inputs are evaluated, at most.
    inputs
        How many the task has.
    """

    worth: float
    each: float
    tables: float
    label: float = 0.0
    most: int = 2**24
    inputs: int = 0

    @classmethod
    def of(cls, program: Program, task: FiniteTask, worth: float, most: int) -> Prices:
        """Measure on inputs one after the other, without their numbers: on all, as far as they are at most `EXAMPLES`.

        The share of this that zeros save is measured on others (`DRAWN`), with their numbers.
        """
        middle = max(task.size // 2 - EXAMPLES // 2, 0)
        inputs = task.inputs(middle, middle + EXAMPLES)
        few = inputs[:LABELLED]
        with count() as labelling:
            task.labels(few)
        shapes = copy.deepcopy(program).to("meta")
        with count() as tables:
            listing = quickest(shapes, task.d_vocab)
        label = labelling.length.total / len(few)
        each = listing.price(inputs)
        drawn = torch.randint(0, task.d_vocab, (DRAWN, task.n_ctx), generator=torch.Generator().manual_seed(0))
        if listing.may_have_zeros:
            each *= quickest(program, task.d_vocab).price(drawn) / quickest(program, task.d_vocab, zeros=False).price(drawn)
        if isinstance(listing, TwoSteps):
            each += left_by(program, task.d_vocab, drawn, task.labels(drawn)) * listing.second.price(inputs)
        each += label
        return cls(worth, each if each < worth and most else float("inf"), tables.length.total, label, most, task.size)

    @property
    def missed(self) -> float:
        """What an input costs that a bound does not prove."""
        return min(self.worth, self.each)

    def kinds(self, size: Tensor, share: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
        """The best kind of leaf for boxes that are bounded, int64 [B], and its value [B], without the cost of the bounds.

        Parameters
        ----------
        size, share, rows : [B]
            Inputs, the share of them that is certified, rows that are not proven on the whole box.
        """
        alone = size * share * self.worth
        if self.each == float("inf"):
            return torch.full(size.shape, PROVE), alone
        both = size * self.worth - LOOK * rows * size - size * (1 - share) * self.each
        better = (both > alone) & (size <= LARGEST_MIXED) & (share < 1)
        return torch.where(better, REST, PROVE), torch.where(better, both, alone)

    def without(self, size: Tensor) -> Tensor:
        """The value [B] of boxes that are not bounded."""
        return size * max(self.worth - self.each, 0.0) * (size <= LARGEST_MIXED)

    def decide(self, jobs: Jobs, cost: Tensor, share: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
        """The best kind for each box, int64 [B], and the value of each job [J].

        The boxes of a job are all bounded or none is, since hints that were found for some boxes may not do for fewer.

        Parameters
        ----------
        cost : [J]
            What the bounds of a job cost.
        share, rows : [B]
            As for `kinds`.
        """
        size = jobs.masks.sum(-1).double().prod(-1)
        kind, value = self.kinds(size, share, rows)
        listed = self.without(size)
        total = torch.zeros(len(jobs), dtype=torch.float64)
        bounded, not_bounded = total.index_add(0, jobs.of, value) - cost, total.index_add(0, jobs.of, listed)
        out = not_bounded >= bounded
        return torch.where(out[jobs.of], torch.where(listed > 0, LIST, DROP), kind), torch.maximum(bounded, not_bounded)

    def settle(self, roots: list[Node], outputs: int, mixed: bool = False) -> None:
        """Settle the kinds of all leaves: those that are in no group are listed or left out, and no more is listed than pays.

        Rests of boxes come first, then small boxes; of the last box as many inputs are evaluated as there is room for. Boxes whose
        label is no output are left out, since none of their inputs can be right. If `mixed`, boxes of mixed label are in groups.
        """
        leaves = [leaf for root in roots for leaf in root.leaves()]
        for leaf in leaves:
            if leaf.label >= outputs:
                leaf.kind = DROP
            elif leaf.label == MIXED and not mixed:
                leaf.kind = LIST if float(self.without(torch.tensor(float(leaf.size)))) > 0 else DROP
        rest = sum(leaf.size * (1 - leaf.share) for leaf in leaves if leaf.kind == REST)
        room = self.most - rest
        for leaf in sorted((leaf for leaf in leaves if leaf.kind == LIST), key=lambda leaf: leaf.size):
            if room <= 0:
                leaf.kind = DROP
            room -= leaf.size
        listed = rest + sum(leaf.size for leaf in leaves if leaf.kind == LIST)
        if listed * max(self.worth - self.each, 0.0) <= self.tables or listed < UNSEEN * self.inputs:
            for leaf in leaves:
                leaf.kind = {REST: PROVE, LIST: DROP}.get(leaf.kind, leaf.kind)
