"""Steps that `listing` carries out for each input: reading a table, or an operation on the results of earlier steps."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from compact_proofs.automatic.listing.kinds import Kinds, Seen, kinds_beside
from compact_proofs.automatic.listing.maps import carried_out, product_of
from compact_proofs.automatic.listing.sums import Sums, folded
from compact_proofs.automatic.listing.values import (
    Dense,
    Mapped,
    Pair,
    Reader,
    Shares,
    Step,
    Table,
    Value,
    View,
    Weighted,
    first_of,
    moves,
    positions_of,
    shape_of,
)
from compact_proofs.automatic.reading.lifted import Lifted, call
from compact_proofs.automatic.reading.owners import structure
from compact_proofs.enclosure.leaves import leaves, map_leaves
from compact_proofs.length import charge_integers

LARGEST_TABLE = 2**24
"""Entries of a table, at most."""
KEPT = 2**26
"""Numbers of kinds of inputs that are kept, at most."""
GATHERED = 2**22
"""Numbers that are gathered at once, at most."""
MOST_INPUTS = 2**13
"""Inputs that are evaluated at once, at most."""


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
        self._width: list[int] = []  # numbers that each step makes
        self._stored: dict[int, Tensor] = {}  # what each step made of the kinds that are kept
        self._rows: dict[frozenset[int], np.ndarray] = {}  # where the kind of some tokens is among them; -1: not yet
        self._common: dict[frozenset[int], np.ndarray] | None = None  # codes of the kinds that `know` stored, rising
        self._decided, self._kept_on = 0, set[frozenset[int]]()
        self._dense: dict[int, Dense] = {}
        self._kept: list[Any] = []  # so that an id stays the name of one value
        self._products: dict[int, tuple[View, Dense]] = {}
        self.sums = Sums(self, v, device)

    @property
    def batch(self) -> int:
        """Inputs that are evaluated at once, so that few numbers are gathered."""
        return max(1, min(MOST_INPUTS, GATHERED // self.widest))

    def run(self, inputs: Tensor, result: Dense, alone: bool = False) -> Tensor:
        """Compute a value [N, *shape] of inputs [N, n], step by step.

        What depends on some positions only is computed once for all inputs that agree there: in this call, and where there is room
        for all (`_kept_sets`) also in others: in every later one, or what `know` found that several calls need; in no others if the
        call is to be `alone`.
        """
        if not len(inputs):
            return torch.zeros(0, *result.shape, dtype=torch.float64, device=self.device)
        kept = set[frozenset[int]]() if alone else self._kept_sets()
        kinds = {on: self._kinds(inputs, on, on in kept) for on in {on for _, on in self._steps}}
        done: list[Tensor] = []
        for number, (step, on) in enumerate(self._steps):
            own = kinds[on]

            def read(value: Dense, new: Tensor = own.new) -> Tensor:
                return done[value.step][kinds[value.on].of[new].to(self.device)]

            before = self._stored.get(number) if on in kept else None
            if before is not None and own.before is not None:
                before = before[own.before.to(self.device)]
            if before is not None and not len(own.new):
                done.append(before)
                continue
            found = step(inputs[own.new].to(self.device), read)
            found = found if before is None else torch.cat([before, found])
            if on in kept and self._common is None:
                self._stored[number] = found
            done.append(found)
        return done[result.step][kinds[result.on].of.to(self.device)]

    def know(self, batches: Iterable[Tensor]) -> None:
        """Compute what several calls of `run` will need, of all inputs that it will be given: batches int64 [N, n], one a call.

        Afterwards `run` changes nothing, so that it can be called on the batches in any order, and in several processes: what
        only one batch needs is computed there. All together cost what `run` by itself costs on the batches in this order, and
        compute the same in whatever order, or process.
        """
        kept = sorted({on for _, on in self._steps} & self._kept_sets(), key=lambda on: (len(on), sorted(on)))
        seen = {on: Seen(self.v ** len(on)) for on in kept}
        for inputs in batches:
            tokens = inputs.numpy()
            for on in kept:
                charge_integers(seen[on].add(self._codes(tokens, on)))
        self._common = {on: seen[on].common for on in kept}
        for number, (step, on) in enumerate(self._steps):
            if on in kept and len(self._common[on]):
                parts = torch.from_numpy(self._tokens(self._common[on], on)).split(self.batch)
                self._stored[number] = torch.cat([step(part.to(self.device), self._reader(part)) for part in parts])

    def _reader(self, inputs: Tensor) -> Reader:
        """What some inputs need of what is known already."""
        tokens = inputs.numpy()

        def read(value: Dense) -> Tensor:
            assert self._common is not None
            place = np.searchsorted(self._common[value.on], self._codes(tokens, value.on))
            return self._stored[value.step][torch.from_numpy(place).to(self.device)]

        return read

    def _codes(self, tokens: np.ndarray, on: frozenset[int]) -> np.ndarray:
        """The tokens at some positions as one number for each input, int64 [N]."""
        code = np.zeros(len(tokens), dtype=np.int64)
        for place, position in enumerate(sorted(on)):
            code += tokens[:, position] * self.v**place
        return code

    def _tokens(self, code: np.ndarray, on: frozenset[int]) -> np.ndarray:
        """Inputs int64 [N, n] that have given tokens at some positions, and 0 elsewhere."""
        tokens = np.zeros((len(code), self.n), dtype=np.int64)
        for place, position in enumerate(sorted(on)):
            tokens[:, position] = code // self.v**place % self.v
        return tokens

    def _kept_sets(self) -> set[frozenset[int]]:
        """Positions so few that values of all their tokens together are kept: the fewest first, as far as `KEPT` numbers reach.

        With a set, all sets within it are kept that some step depends on.
        """
        if len(self._steps) != self._decided:
            self._decided = len(self._steps)
            width: dict[frozenset[int], int] = {}
            for number, (_, on) in enumerate(self._steps):
                width[on] = width.get(on, 0) + self._width[number]
            room, self._kept_on = KEPT, set()
            for on in sorted(width, key=lambda on: (len(on), sorted(on))):
                size = self.v ** len(on) * width[on]
                if len(on) < self.n and size <= room and all(part in self._kept_on for part in width if part < on):
                    room -= size
                    self._kept_on.add(on)
            self._stored.clear()
            self._rows.clear()
            self._common = None
        return self._kept_on

    def _kinds(self, inputs: Tensor, on: frozenset[int], kept: bool) -> Kinds:
        """Divide inputs by the tokens at the positions `on`.

        Cost: where not every input is a kind of its own, an integer operation a token; for kinds that are kept, where a table says
        which are there, an integer operation for each input until all are, unless `know` has paid for it.
        """
        if len(on) == self.n:
            each = torch.arange(len(inputs))
            return Kinds(each, each)
        tokens = inputs.cpu().numpy()
        if not kept:
            charge_integers(len(inputs) * len(on))
            _, chosen, kind = np.unique(tokens[:, sorted(on)], axis=0, return_index=True, return_inverse=True)
            return Kinds(torch.from_numpy(chosen), torch.from_numpy(kind.reshape(-1)))
        code = self._codes(tokens, on)
        if self._common is not None:
            return kinds_beside(self._common[on], code)
        row = self._rows.setdefault(on, np.full(self.v ** len(on), -1))
        there = np.count_nonzero(row >= 0)
        if there < len(row):
            charge_integers(len(inputs))
        missing = np.flatnonzero(row[code] < 0)
        new, first = np.unique(code[missing], return_index=True)
        row[new] = there + np.arange(len(new))
        return Kinds(torch.from_numpy(missing[first]), torch.from_numpy(row[code]))

    def add(self, step: Step, shape: torch.Size, on: frozenset[int]) -> Dense:
        """Add a step that depends on the tokens at the positions `on` only."""
        self.widest = max(self.widest, shape.numel())
        self._steps.append((step, on))
        self._width.append(shape.numel())
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
            if isinstance(x, Shares):
                self._dense[id(x)] = self.sums.shares(x.of, x.entry)
            elif isinstance(x, View):
                self._dense[id(x)] = self._look(x)
            elif isinstance(x, Mapped):
                self._dense[id(x)] = carried_out(x, self)
            else:
                self._dense[id(x)] = self.add(self._gather(x), shape_of(x), positions_of(x))
        return self._dense[id(x)]

    def product(self, m: Mapped) -> Dense:
        """The product that a value is entries of; computed once, whoever reads others of its entries."""
        if id(m.x) not in self._products:
            self._products[id(m.x)] = m.x, product_of(self._look(m.x), m.W, self, m.x.x.zeros)
        return self._products[id(m.x)][1]

    def _look(self, x: View) -> Dense:
        """Entries in other places: free."""
        index = x.index.reshape(-1).to(self.device)
        return self.add(lambda inputs, read: read(x.x).flatten(1)[:, index].reshape(-1, *x.shape), x.shape, x.x.on)

    def _gather(self, x: Any) -> Step:
        """Read the tables of an `Affine`, a `Pair` or a constant at inputs: free, but for sums, and products with shares."""
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
        x = folded(x, self.v, LARGEST_TABLE)
        parts: list[Step] = [self._read_table(t, entry) for t in x.tables]
        alike: dict[tuple[int, int], list[Weighted]] = {}
        for w in x.weighted:
            if isinstance(w.source, Dense):
                parts.append(self._read_weighted(w, w.source))
            else:
                alike.setdefault((id(w.source), id(w.factor)), []).append(w)
        parts += [self.sums.read(own, shape.numel()) for own in alike.values()]

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

    def _read_weighted(self, w: Weighted, source: Dense) -> Step:
        """Entries that the same shares count for are one product of matrices for each input."""
        with structure():
            used = w.used.reshape(len(w.used), -1)
            patterns, group = used.unique(dim=1, return_inverse=True)
            groups = [((group == g).nonzero()[:, 0], patterns[:, g].nonzero()[:, 0]) for g in range(patterns.shape[1])]
            back = torch.cat([entries for entries, _ in groups]).argsort().to(self.device)
            groups = [(entries.to(self.device), shares.to(self.device)) for entries, shares in groups]
            owners, entry = w.owner.to(self.device), w.entry.to(self.device)
        flat = w.tables.reshape(self.v, len(used), -1)
        self.widest = max(self.widest, *(len(shares) * len(entries) for entries, shares in groups))
        parts = [
            (flat[:, shares][:, :, entries], shares, owners[shares], torch.arange(len(shares), device=self.device))
            for entries, shares in groups
        ]

        def weighted(inputs: Tensor, read: Reader) -> Tensor:
            p = read(source).flatten(1)[:, entry]
            found = []
            for tables, shares, owner, number in parts:
                chosen = tables[inputs[:, owner], number]  # [L, shares, entries]
                found.append(torch.bmm(p[:, shares][:, None], chosen)[:, 0])
            return torch.cat(found, 1)[:, back]

        return weighted
