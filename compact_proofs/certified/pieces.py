"""Where a certified set lies: its pieces, for pictures and tables. Nothing here is counted, and no bound depends on it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import singledispatch

import torch
from torch import Tensor

from compact_proofs.certified.base import Certified, Disjoint, Nothing
from compact_proofs.certified.lists import Listed
from compact_proofs.certified.positive import InBox, SumBoxes
from compact_proofs.certified.sets import BoxSet

Piece = tuple[Tensor, list[int]]
"""Some disjoint boxes, bool [B, n, v], and how many members are counted in each."""


@singledispatch
def pieces(found: Certified, d_vocab: int) -> Iterator[Piece]:
    """Divide a set of sequences by the boxes that it was counted in.

    Parameters
    ----------
    found
        A set of sequences of tokens 0 ... v - 1.
    d_vocab
        v.

    Returns
    -------
    Iterator of Piece
        Their boxes are disjoint, and the counts add up to ``found.size``. A listed sequence is a box of its own.

    Raises
    ------
    TypeError
        If the set was not counted in boxes.
    """
    raise TypeError(f"a {type(found).__name__} is not counted in boxes")


@pieces.register
def _(found: Nothing, d_vocab: int) -> Iterator[Piece]:
    yield from ()


@pieces.register
def _(found: Disjoint, d_vocab: int) -> Iterator[Piece]:
    for part in found.parts:
        yield from pieces(part, d_vocab)


@pieces.register
def _(found: BoxSet, d_vocab: int) -> Iterator[Piece]:
    yield found.masks, [math.prod(widths) for widths in found.masks.sum(-1).tolist()]


@pieces.register
def _(found: SumBoxes, d_vocab: int) -> Iterator[Piece]:
    yield found.masks, list(found.counts)


@pieces.register
def _(found: InBox, d_vocab: int) -> Iterator[Piece]:
    yield found.mask[None], [int(found.table.sum())]


@pieces.register
def _(found: Listed, d_vocab: int) -> Iterator[Piece]:
    inputs = found.inputs.unique(dim=0)
    yield torch.nn.functional.one_hot(inputs, d_vocab).bool(), [1] * len(inputs)
