"""The explanation of an automatic proof: four lists of numbers, sound whatever they hold."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from compact_proofs.automatic.boxes import tree
from compact_proofs.core.strategy import Explanation, Spec

MOST_NODES = 2**22
MOST_NUMBERS = 2**26


def specs(n: int, v: int) -> dict[str, Spec]:
    """What the lists must look like; they may have any length.

    roots
        1: the split trees divide boxes of mixed label, one for each last token; otherwise boxes of constant label.
    tree
        The nodes of the split trees (`compact_proofs.automatic.boxes.tree`).
    group
        For each leaf that is proven, in preorder, a number: leaves of one label that end in one token and have one number are
        bounded together.
    choices
        Whole numbers, and
    numbers
        real numbers, in the order in which the proof reads them.
    """
    return {
        "roots": Spec((1,), (0, 1), fewer=True),
        "tree": tree.spec(n, v, MOST_NODES),
        "group": Spec((MOST_NUMBERS,), (0, 2**31 - 1), fewer=True),
        "choices": Spec((MOST_NUMBERS,), (0, 2**31 - 1), fewer=True),
        "numbers": Spec((MOST_NUMBERS,), None, fewer=True),
    }


@dataclass
class Reader:
    """Reads a list from left to right; past its end there are zeros."""

    values: Tensor
    at: int = 0

    def take(self, *shape: int) -> Tensor:
        """The next numbers, in a shape."""
        size = torch.Size(shape).numel()
        part = self.values[self.at : self.at + size]
        self.at += size
        if len(part) < size:
            part = torch.cat([part, part.new_zeros(size - len(part))])
        return part.reshape(shape)

    def rest(self, rows: int) -> Tensor:
        """All that is left as [rows, columns], columns as many as there are for every row."""
        columns = max(len(self.values) - self.at, 0) // max(rows, 1)
        return self.take(rows, columns)


def of(parts: dict[str, Tensor]) -> Explanation:
    """The lists as an explanation, on the CPU."""
    return {name: t.detach().cpu() for name, t in parts.items()}
