"""`Component`: an MLP on a finite set of inputs, by the activations that enter it and its weights. Models describe theirs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from compact_proofs.errors import BadInput
from compact_proofs.length import unseen


@dataclass(frozen=True)
class Component:
    """``logits = relu(X W + b) G + X U + c`` on N inputs, exactly, with ``X = sum_t tables[t][places[t]]``.

    A set of activations without structure is one table of N rows, with ``places = (arange(N),)``. Where each token adds to the
    activations, as embeddings do, there is a table for each position, and ``X`` times a matrix costs what the tables cost.

    Attributes
    ----------
    tables : of [n_t, d]
        Activations that enter the MLP, in parts.
    places : of int64 [N]
        For each input, a row of each table: index tables made from the inputs alone.
    W : [d, n] or None
        What the neurons read; None: they read the activations themselves (n = d).
    b : [n] or None
        The neurons' biases.
    G : [n, C]
        What the neurons write to the logits.
    U : [d, C] or None
        What passes the MLP by.
    c : [C] or None
        A constant.
    """

    tables: Sequence[Tensor]
    places: Sequence[Tensor]
    W: Tensor | None
    b: Tensor | None
    G: Tensor
    U: Tensor | None
    c: Tensor | None

    @property
    def size(self) -> int:
        """N, the number of inputs."""
        return len(self.places[0])

    @property
    def width(self) -> int:
        """d, the width of the activations."""
        return self.tables[0].shape[1]

    @property
    def neurons(self) -> int:
        """n."""
        return self.G.shape[0]

    @property
    def outputs(self) -> int:
        """C."""
        return self.G.shape[1]

    @property
    def rows(self) -> int:
        """Rows of all tables together."""
        return sum(len(table) for table in self.tables)

    def tokens(self) -> tuple[list[int], int]:
        """Where each table starts in a list of all rows, and how many these are; a table that stands twice is listed once."""
        starts: list[int] = []
        total = 0
        for i, table in enumerate(self.tables):
            twin = next((j for j in range(i) if self.tables[j] is table), None)
            starts.append(total if twin is None else starts[twin])
            total += len(table) if twin is None else 0
        return starts, total

    def read(self, rows: Tensor) -> Tensor:
        """What the neurons read of activations [k, d], without their biases: [k, n]; 2 k d n operations if there is a W."""
        return rows if self.W is None else rows @ self.W

    def gather(self, tables: Sequence[Tensor], rows: slice = slice(None)) -> Tensor:
        """Add up tables [n_t, m] at the inputs' places: [N, m] or those rows of it; (T - 1) N m operations."""
        return reduce(add, (t[p[rows].to(t.device)] for t, p in zip(tables, self.places, strict=True)))

    def activations(self, rows: slice = slice(None)) -> Tensor:
        """X [N, d], or some rows of it."""
        return self.gather(self.tables, rows)


@runtime_checkable
class HasComponent(Protocol):
    """A module that ends in an MLP: for all that `compact_proofs.dictionaries` proves, this is all that it must have."""

    def component(self, inputs: Tensor) -> Component:
        """Return the MLP on these inputs [N, ...]: ordinary tensor calls on the parameters, trusted and counted like a verifier."""
        ...


def checked_places(inputs: Tensor, sizes: Sequence[int]) -> tuple[Tensor, ...]:
    """The columns of inputs [N, T], each a place below its size; what they hold is data of the statement, and free.

    Raises
    ------
    BadInput
        If the inputs are not such.
    """
    with unseen("a check of inputs, which are data of the statement"):
        fits = inputs.dim() == 2 and inputs.shape[1] == len(sizes) and not inputs.is_floating_point()
        if not fits or (len(inputs) and bool(((inputs < 0) | (inputs >= torch.tensor(sizes))).any())):
            raise BadInput(f"inputs of shape {list(inputs.shape)}: this model reads {len(sizes)} tokens, below {list(sizes)}")
        return tuple(inputs.unbind(1))
