"""Steps that `listing` carries out for each input: reading a table, or an operation on the results of earlier steps."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from compact_proofs.automatic.lifted import Lifted, call
from compact_proofs.automatic.listed_values import (
    Affine,
    Dense,
    Pair,
    Reader,
    Step,
    Table,
    Value,
    Weighted,
    first_of,
    moves,
    positions_of,
    shape_of,
)
from compact_proofs.automatic.owners import structure
from compact_proofs.enclosure.leaves import leaves, map_leaves
from compact_proofs.length import charge_integers


class Steps:
    """A list of steps, each made of earlier ones.

    Parameters
    ----------
    v
        Number of tokens.
    n
        Number of positions.
    device
        Where the program's constants are; on the meta device, steps have shapes and no numbers.
    """

    def __init__(self, v: int, n: int, device: torch.device) -> None:
        self.v, self.n, self.device = v, n, device
        self.widest = 1
        """Numbers that one input gathers at once, at most."""
        self._steps: list[tuple[Step, frozenset[int]]] = []
        self._dense: dict[int, Dense] = {}
        self._kept: list[Any] = []  # so that an id stays the name of one value

    def run(self, inputs: Tensor, result: Dense) -> Tensor:
        """Compute a value [N, *shape] of inputs [N, n], step by step.

        What depends on some positions only is computed once for all inputs that agree there.
        """
        done: list[Tensor] = []
        kinds = {on: self._kinds(inputs, on) for on in {on for _, on in self._steps}}
        for step, on in self._steps:
            representatives, _ = kinds[on]

            def read(value: Dense, representatives: Tensor = representatives) -> Tensor:
                _, kind = kinds[value.on]
                return done[value.step][kind[representatives].to(self.device)]

            done.append(step(inputs[representatives].to(self.device), read))
        _, kind = kinds[result.on]
        return done[result.step][kind.to(self.device)]

    def _kinds(self, inputs: Tensor, on: frozenset[int]) -> tuple[Tensor, Tensor]:
        """One input of each kind, and the kind of each input; those that agree at the positions `on` are of a kind.

        Cost: an integer operation a token, where not every input is a kind of its own.
        """
        if len(on) == self.n:
            each = torch.arange(len(inputs))
            return each, each
        rows = inputs[:, sorted(on)].cpu().numpy()
        charge_integers(rows.size)
        _, chosen, kind = np.unique(rows, axis=0, return_index=True, return_inverse=True)
        return torch.from_numpy(chosen), torch.from_numpy(kind.reshape(-1))

    def add(self, step: Step, shape: torch.Size, on: frozenset[int]) -> Dense:
        """Add a step that depends on the tokens at the positions `on` only."""
        self.widest = max(self.widest, shape.numel())
        self._steps.append((step, on))
        return Dense(len(self._steps) - 1, shape, on)

    def each(self, target: Any, args: Any, kwargs: Any, shape: torch.Size) -> Dense:
        """Any operation, for each input."""
        args, kwargs = map_leaves(lambda x: self.dense(x) if moves(x) else x, (args, kwargs))

        def apply(inputs: Tensor, read: Reader) -> Tensor:
            a, k = map_leaves(lambda x: Lifted(read(x), "j") if isinstance(x, Dense) else x, (args, kwargs))
            return first_of(call(target, a, k)[0])

        on = frozenset[int]().union(*(x.on for x in leaves((args, kwargs)) if isinstance(x, Dense)))
        return self.add(apply, shape, on)

    def dense(self, x: Value) -> Dense:
        """Any value for each input; computed once, whoever reads it."""
        if isinstance(x, Dense):
            return x
        if id(x) not in self._dense:
            self._kept.append(x)
            self._dense[id(x)] = self.add(self._gather(x), shape_of(x), positions_of(x))
        return self._dense[id(x)]

    def _gather(self, x: Affine | Pair | Tensor) -> Step:
        """Read a value's tables at inputs: free, but for sums over positions, and 2 operations for each share and entry."""
        shape = shape_of(x)
        if isinstance(x, Tensor):
            return lambda inputs, read: x.expand(len(inputs), *x.shape)
        with structure():
            entry = torch.arange(shape.numel(), device=self.device)
            if isinstance(x, Pair):
                one, other = x.first.reshape(-1).to(self.device), x.second.reshape(-1).to(self.device)
        if isinstance(x, Pair):
            pairs = x.data.reshape(self.v, self.v, -1)
            return lambda inputs, read: pairs[inputs[:, one], inputs[:, other], entry].reshape(-1, *shape)
        parts: list[Step] = [self._read_table(t, entry) for t in x.tables]
        parts += [self._read_weighted(w) for w in x.weighted]

        def gather(inputs: Tensor, read: Reader) -> Tensor:
            total = parts[0](inputs, read)
            for part in parts[1:]:
                total = total + part(inputs, read)
            return total.reshape(-1, *shape)

        return gather

    def _read_table(self, t: Table, entry: Tensor) -> Step:
        with structure():
            owner = t.owner.reshape(-1).clamp(min=0).to(self.device)  # an entry without an owner is the same for every token
        data = t.data.reshape(self.v, -1)
        return lambda inputs, read: data[inputs[:, owner], entry]

    def _read_weighted(self, w: Weighted) -> Step:
        """Entries that the same shares count for are one product of matrices for each input."""
        with structure():
            used = w.used.reshape(len(w.used), -1)
            patterns, group = used.unique(dim=1, return_inverse=True)
            groups = [((group == g).nonzero()[:, 0], patterns[:, g].nonzero()[:, 0]) for g in range(patterns.shape[1])]
            back = torch.cat([entries for entries, _ in groups]).argsort().to(self.device)
            groups = [(entries.to(self.device), shares.to(self.device)) for entries, shares in groups]
            owners = w.owner.to(self.device)
        flat = w.tables.reshape(self.v, len(used), -1)
        self.widest = max(self.widest, *(len(shares) * len(entries) for entries, shares in groups))
        parts = [
            (flat[:, shares][:, :, entries], shares, owners[shares], torch.arange(len(shares), device=self.device))
            for entries, shares in groups
        ]

        def weighted(inputs: Tensor, read: Reader) -> Tensor:
            p = read(w.shares).flatten(1)
            found = []
            for tables, shares, owner, number in parts:
                chosen = tables[inputs[:, owner], number]  # [L, shares, entries]
                found.append(torch.bmm(p[:, shares][:, None], chosen)[:, 0])
            return torch.cat(found, 1)[:, back]

        return weighted
