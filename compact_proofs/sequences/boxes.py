"""Boxes of sequences: products of sets of tokens, one set for each position."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from compact_proofs.errors import BadInput
from compact_proofs.length import charge_integers

MIXED = -1
"""In place of a label: the label differs between inputs of the box, which count under their own."""


@dataclass(frozen=True)
class Boxes:
    """Sets S_1 x ... x S_n of sequences, with what their label is.

    Attributes
    ----------
    masks : bool [B, n, v]
        ``masks[b, i, t]``: may token t stand at position i?
    labels : int64 [B]
        The label of every input of a box, or `MIXED`.
    """

    masks: Tensor
    labels: Tensor

    def __post_init__(self) -> None:
        if self.masks.dim() != 3 or self.masks.dtype != torch.bool:
            raise BadInput(f"boxes are bool [B, n, v], not {self.masks.dtype} {list(self.masks.shape)}")
        if self.labels.shape != self.masks.shape[:1] or self.labels.dtype != torch.int64:
            raise BadInput(f"labels of {len(self.masks)} boxes are int64 [{len(self.masks)}], not {list(self.labels.shape)}")

    @classmethod
    def everything(cls, n: int, v: int, label: int = MIXED) -> Boxes:
        """The one box of all v^n sequences."""
        return cls(torch.ones(1, n, v, dtype=torch.bool), torch.tensor([label]))

    @classmethod
    def cat(cls, parts: Iterable[Boxes]) -> Boxes:
        """One list of boxes after the other (at least one)."""
        found = list(parts)
        return cls(torch.cat([b.masks for b in found]), torch.cat([b.labels for b in found]))

    def __len__(self) -> int:
        return len(self.masks)

    def __getitem__(self, index: slice | Tensor) -> Boxes:
        return Boxes(self.masks[index], self.labels[index])

    @property
    def n_ctx(self) -> int:
        """n, the length of a sequence."""
        return self.masks.shape[1]

    @property
    def d_vocab(self) -> int:
        """v, the number of tokens."""
        return self.masks.shape[2]

    @property
    def widths(self) -> Tensor:
        """How many tokens each position may hold, int64 [B, n]."""
        return self.masks.sum(-1)

    @property
    def sizes(self) -> list[int]:
        """The exact number of inputs of each box."""
        return [math.prod(widths) for widths in self.widths.tolist()]

    def tokens(self, b: int) -> list[Tensor]:
        """The allowed tokens of box b at each position, ascending."""
        return [position.nonzero()[:, 0] for position in self.masks[b]]

    def inputs(self, b: int) -> Tensor:
        """Every input of box b, int64 [size, n], in lexicographic order. Cost: to read its sets, n v integer operations."""
        return self.inputs_of([b])

    def inputs_of(self, boxes: Sequence[int]) -> Tensor:
        """The `inputs` of some boxes, one box after the other."""
        charge_integers(len(boxes) * self.n_ctx * self.d_vocab)
        masks = self.masks.numpy()
        found = [np.zeros((0, self.n_ctx), dtype=np.int64)]
        for b in boxes:
            grid = np.meshgrid(*(position.nonzero()[0] for position in masks[b]), indexing="ij")
            found.append(np.stack([x.reshape(-1) for x in grid], -1))
        return torch.from_numpy(np.concatenate(found))

    def first_inputs(self, b: int, number: int) -> Tensor:
        """The first of the `inputs` of box b, int64 [number, n]. Cost: as for all of them."""
        charge_integers(self.n_ctx * self.d_vocab)
        rest, columns = np.arange(number), []
        for position in self.masks[b].numpy()[::-1]:
            tokens = position.nonzero()[0]
            columns.append(tokens[rest % len(tokens)])
            rest = rest // len(tokens)
        return torch.from_numpy(np.stack(columns[::-1], -1))

    def member(self, inputs: Tensor) -> Tensor:
        """Which inputs [N, n] belong to which boxes: bool [N, B]."""
        belongs = torch.ones(len(inputs), len(self), dtype=torch.bool)
        for i in range(self.n_ctx):
            belongs &= self.masks[:, i, inputs[:, i]].T
        return belongs
