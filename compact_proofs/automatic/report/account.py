"""What became of each box of an automatic proof: how many of its inputs are proven. For people to read; no bound depends on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from compact_proofs.automatic.boxes.roots import divided_by
from compact_proofs.automatic.boxes.tree import DROP, LIST, PROVE, REST, Leaves, expand
from compact_proofs.certified import Certified
from compact_proofs.certified.pieces import pieces
from compact_proofs.core.strategy import Explanation
from compact_proofs.sequences.boxes import MIXED
from compact_proofs.sequences.task import FiniteTask

DONE = {
    DROP: "given up",
    PROVE: "bounded as a whole",
    LIST: "evaluated one by one",
    REST: "bounded, the rest evaluated one by one",
}
"""What is done with a leaf, in words."""
CHUNK = 2**12
"""Boxes that are looked up at once."""


@dataclass(frozen=True)
class Account:
    """The leaves of an automatic proof, and what is proven in each.

    Attributes
    ----------
    leaves
        The boxes, in the order of the explanation.
    proven : list of int
        Inputs of each that are counted.
    bounded : list of int
        Those of them that bounds prove; the others were evaluated one by one.
    """

    leaves: Leaves
    proven: list[int]
    bounded: list[int]

    @classmethod
    def of(cls, task: FiniteTask, explanation: Explanation, found: Certified) -> Account:
        """Look up in which leaf of the explanation each piece of the certified set lies.

        Every piece lies in one leaf, since the boxes of a proof are parts of leaves; its first input says in which.
        """
        leaves = expand(divided_by(explanation, task), explanation["tree"])
        proven, bounded = [0] * len(leaves.boxes), [0] * len(leaves.boxes)
        one_by_one = [kind in (LIST, REST) for kind in leaves.kind.tolist()]
        for masks, counts in pieces(found, task.d_vocab):
            leaf = [leaves.boxes.member(part.to(torch.int8).argmax(-1)).to(torch.int8).argmax(1) for part in masks.split(CHUNK)]
            single = (masks.sum((-1, -2)) == task.n_ctx).tolist()
            for i, number, alone in zip(torch.cat(leaf).tolist(), counts, single, strict=True):
                proven[i] += number
                bounded[i] += 0 if alone and one_by_one[i] else number
        return cls(leaves, proven, bounded)

    @cached_property
    def sizes(self) -> list[int]:
        """Inputs of each leaf."""
        return self.leaves.boxes.sizes

    @cached_property
    def lost(self) -> list[int]:
        """Inputs of each leaf that are not proven."""
        return [size - proven for size, proven in zip(self.sizes, self.proven, strict=True)]

    def done(self, leaf: int) -> str:
        """What the proof does with a leaf, in words."""
        return DONE[int(self.leaves.kind[leaf])]

    def label(self, leaf: int) -> int | None:
        """The label of every input of a leaf, or None if it differs."""
        label = int(self.leaves.boxes.labels[leaf])
        return None if label == MIXED else label

    def worst(self, number: int) -> Sequence[int]:
        """The leaves that lose most, at most `number` of them."""
        return _highest(self.lost, number)

    def largest(self, number: int) -> Sequence[int]:
        """The leaves of which bounds prove most, at most `number` of them; what is evaluated one by one says nothing of a box."""
        return _highest(self.bounded, number)

    def by_label_and_last_token(self, outputs: int) -> tuple[Tensor, Tensor]:
        """Inputs lost, and inputs in all: float64 [labels, last tokens].

        Over the leaves of one label; those of several last tokens share their inputs evenly among them.
        """
        boxes = self.leaves.boxes
        v = boxes.d_vocab
        lost, size = torch.zeros(outputs, v, dtype=torch.float64), torch.zeros(outputs, v, dtype=torch.float64)
        last = boxes.masks[:, -1].double()
        share = last / last.sum(1, keepdim=True)
        known = (boxes.labels >= 0) & (boxes.labels < outputs)
        for target, values in ((lost, self.lost), (size, self.sizes)):
            target.index_add_(0, boxes.labels[known], share[known] * torch.tensor(values, dtype=torch.float64)[known, None])
        return lost, size


def _highest(values: Sequence[int], number: int) -> Sequence[int]:
    """Places of the highest values that are not 0, highest first; of equals the first."""
    return [i for i in sorted(range(len(values)), key=lambda i: -values[i])[:number] if values[i]]
