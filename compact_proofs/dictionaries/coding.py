"""What codes say of each input: what its neurons read of the dictionary, and how far its activations are from it.

Two ways to give codes: a list for each input, or a list for each row of each of the component's tables, of which an input's code is
the sum. The second is for tokens that add to the activations, and costs next to nothing for each input.
"""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from compact_proofs.dictionaries.codes import Reads, combined
from compact_proofs.models.component import Component


@dataclass(frozen=True)
class Features:
    """A dictionary as the neurons see it.

    Attributes
    ----------
    decoder : [L, d]
    offset : [d]
    reads : [L, n]
        What each feature adds to each neuron.
    start : [n]
        What the offset and the biases add.
    writes, constant : [L, C] and [C], or None
        What each feature, and the start, add to the logits by the neurons' linear half, if that half is of the features alone.
    """

    decoder: Tensor
    offset: Tensor
    reads: Tensor
    start: Tensor
    writes: Tensor | None
    constant: Tensor | None

    @classmethod
    def of(cls, c: Component, decoder: Tensor, offset: Tensor, half: Tensor | None = None) -> Features:
        """Multiply the dictionary by W, and by the halved outputs if they are given: 2 L n (d + C) operations."""
        start, reads = c.read(offset[None]).squeeze(0), c.read(decoder)
        start = start if c.b is None else start + c.b
        written = (None, None) if half is None else (reads @ half, start @ half)
        return cls(decoder, offset, reads, start, *written)


class Coding(ABC):
    """Codes of all inputs."""

    @abstractmethod
    def neurons(self, rows: slice) -> Tensor:
        """What neurons read of the features that they follow, h^ [N, n], of some inputs."""

    @abstractmethod
    def written(self, rows: slice) -> Tensor:
        """The features' `constant`, and z times their `writes`: [N, C]."""

    @abstractmethod
    def residual(self, rows: slice) -> tuple[Tensor, Tensor]:
        """Of the residual r = x - offset - z D: ``r V^T`` [N, s] and ``|r|^2`` [N]."""

    @abstractmethod
    def interaction(self, rows: slice) -> tuple[Tensor, Tensor] | None:
        """Of the reads that are not followed: ``sum_j |z_j| al_j`` and ``z T z^T``, [N] each; None if all are followed."""


def shifted(c: Component, offset: Tensor) -> list[Tensor]:
    """The component's tables, with the offset taken off (in the last)."""
    return [*c.tables[:-1], c.tables[-1] - offset]


class SumSquares:
    """``|sum_t rows_t[place_t]|^2``, from the inner products of all rows of the tables.

    Cost: 2 d for each pair of rows of two tables, then T^2 operations for each input.
    """

    def __init__(self, tables: Sequence[Tensor], places: Sequence[Tensor]) -> None:
        self.places = [p.to(tables[0].device) for p in places]
        self.own = [t.square().sum(1) for t in tables]
        self.pairs = [(i, j, 2 * tables[i] @ tables[j].T) for i, j in itertools.combinations(range(len(tables)), 2)]

    def __call__(self, rows: slice) -> Tensor:
        """The squares [N] of some inputs."""
        places = [p[rows] for p in self.places]
        found = self.own[0][places[0]]
        for own, place in zip(self.own[1:], places[1:], strict=True):
            found = found + own[place]
        for i, j, product in self.pairs:
            found = found + product[places[i], places[j]]
        return found


class InputCodes(Coding):
    """A code for each input.

    With x~ = x - offset, ``r V^T = x~ V^T - z (D V^T)`` and ``|r|^2 = |x~|^2 - 2 x~ . z D + z D D^T z^T``: what depends on x~ alone
    is found by the tables, so an input costs 2 k (s + k) and lower terms beside the 2 k n of its neurons.
    """

    def __init__(
        self,
        c: Component,
        features: Features,
        index: Tensor,
        value: Tensor,
        V: Tensor | None,
        reads: list[Reads] | None = None,
        dropped: tuple[Tensor, Tensor] | None = None,
    ) -> None:
        self.features, self.reads, self.dropped = features, reads, dropped
        self.index, self.value = index, value.to(features.decoder.device)
        if V is None:
            return
        D = features.decoder
        self.component = replace(c, tables=shifted(c, features.offset))
        self.turned = [table @ V.T for table in self.component.tables]
        self.along, self.gram = D @ V.T, D @ D.T
        self.squares = SumSquares(self.component.tables, c.places)
        few = sum(len(t) for t in c.tables) * len(D) < c.size * index.shape[1]
        self.products = [table @ D.T for table in self.component.tables] if few else None

    def neurons(self, rows: slice) -> Tensor:
        f = self.features
        return combined(f.start, f.reads, self.index[rows], self.value[rows], self.reads)

    def written(self, rows: slice) -> Tensor:
        f = self.features
        assert f.writes is not None
        assert f.constant is not None
        return combined(f.constant, f.writes, self.index[rows], self.value[rows])

    def residual(self, rows: slice) -> tuple[Tensor, Tensor]:
        index, value = self._codes(rows)
        q = self.component.gather(self.turned, rows)
        for j, z in zip(index.unbind(1), value.unbind(1), strict=True):
            q = q - z[:, None] * self.along[j]
        if self.products is None:
            x = self.component.activations(rows)
            aligned = torch.stack([(x * self.features.decoder[j]).sum(1) for j in index.unbind(1)], 1)
        else:
            pairs = zip(self.products, self.component.places, strict=True)
            parts = [product[p[rows].to(index.device)[:, None], index] for product, p in pairs]
            aligned = torch.stack(parts).sum(0)
        return q, self.squares(rows) + (value * (_bilinear(self.gram, index, value) - 2 * aligned)).sum(1)

    def interaction(self, rows: slice) -> tuple[Tensor, Tensor] | None:
        if self.dropped is None:
            return None
        index, value = self._codes(rows)
        alone, T = self.dropped
        return (value.abs() * alone[index]).sum(1), (value * _bilinear(T, index, value)).sum(1)

    def _codes(self, rows: slice) -> tuple[Tensor, Tensor]:
        value = self.value[rows]
        return self.index[rows].to(value.device), value


def _bilinear(M: Tensor, index: Tensor, value: Tensor) -> Tensor:
    """``(M z)`` at the entries of each code: [N, k], about 2 k^2 operations for each."""
    return (M[index[:, :, None], index[:, None, :]] * value[:, None, :]).sum(2)


class TokenCodes(Coding):
    """A code for each row of each table; an input has the sum of those at its places, and so has everything linear in the code.

    All is tabulated: 2 k (n + d) for each row; an input then costs n + s and lower terms for each further table.
    """

    def __init__(self, c: Component, features: Features, index: Tensor, value: Tensor, V: Tensor | None) -> None:
        self.component, f, sizes = c, features, [len(t) for t in c.tables]
        codes = list(zip(index.split(sizes), value.to(f.decoder.device).split(sizes), strict=True))

        def tabulated(constant: Tensor, rows: Tensor) -> list[Tensor]:
            """Each token's code times `rows`; the constant is the last table's."""
            zeros = [torch.zeros_like(constant)] * (len(sizes) - 1)
            return [combined(start, rows, i, z) for start, (i, z) in zip([*zeros, constant], codes, strict=True)]

        self.read = tabulated(f.start, f.reads)
        if f.writes is not None and f.constant is not None:
            self.write = tabulated(f.constant, f.writes)
        if V is not None:
            rests = [table - explained for table, explained in zip(c.tables, tabulated(f.offset, f.decoder), strict=True)]
            self.turned = [rest @ V.T for rest in rests]
            self.squares = SumSquares(rests, c.places)

    def neurons(self, rows: slice) -> Tensor:
        return self.component.gather(self.read, rows)

    def written(self, rows: slice) -> Tensor:
        return self.component.gather(self.write, rows)

    def residual(self, rows: slice) -> tuple[Tensor, Tensor]:
        return self.component.gather(self.turned, rows), self.squares(rows)

    def interaction(self, rows: slice) -> None:
        return None
