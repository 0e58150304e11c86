"""Products of averages: scores of a second layer, and norms, from sums of tables of four tokens at most.

With a = sum_p c_p N_p and b = sum_q d_q M_q as in `compact_proofs.automatic.listing.sums`, N_p = sum_i X_i a sum over positions i
of vectors that depend on x_f and x_i, M_q = sum_j Y_j one of vectors that depend on x_g and x_j,

    a.b = sum_{p, q} c_p d_q (N_p.M_q),
    N_p.M_q = sum_{i < j} S_ij - (m - 2) sum_i S_i + (m - 1) (m - 2) / 2 S,      i, j among the m positions outside F = {f, g},

where S, S_i, S_ij = (sum of X over F; F and i; F, i and j) . (the sum of Y likewise). Proof: the product of X_i and Y_j, i != j,
is in S_ij alone. What has one position i outside F is in m - 1 of the S_ij and in S_i. What has none is in all m (m - 1) / 2 of
the S_ij, all m of the S_i and S, and m (m - 1) / 2 - m (m - 2) + (m - 1) (m - 2) / 2 = 1. Each S is computed once for each choice
of its tokens.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import combinations

import torch
from torch import Tensor

from compact_proofs.automatic.listing.sums import Sums, Tables, Terms, folded, reading, terms_of
from compact_proofs.automatic.listing.values import Affine, Dense, Reader, Softmaxes, shape_of
from compact_proofs.automatic.reading.owners import structure


@dataclass(frozen=True)
class _Vectors:
    """The terms of vectors that averages make up.

    Attributes
    ----------
    source
        Where shares come from.
    terms
        Those of all vectors.
    of : list of list of (int, int64 [E])
        For each vector, its terms, and where in the term's tables its entries are.
    """

    source: Softmaxes
    terms: Terms
    of: list[list[tuple[int, Tensor]]]

    def first(self, vector: int) -> int:
        """The own position of the softmaxes of a vector; -1 if there are several."""
        found = {int(self.terms.key[p, 2]) for p, _ in self.of[vector]}
        return found.pop() if len(found) == 1 else -1

    def tables(self, vectors: list[int], v: int) -> Tables:
        """For each position, what the terms of some vectors get from it: [v, v, vectors, terms, E]."""
        positions = {i for x in vectors for p, _ in self.of[x] for i in self.terms.tables[p]}
        found = {}
        for i in positions:
            rows = []
            for x in vectors:
                parts = []
                for p, at in self.of[x]:
                    table = self.terms.tables[p].get(i)
                    if table is None:
                        table = torch.zeros(
                            v, v, len(self.terms.entries[p]), dtype=torch.float64, device=self.source.weights.device
                        )
                    parts.append(table[:, :, at.to(table.device)])
                rows.append(torch.stack(parts, 2))
            found[i] = torch.stack(rows, 2)
        return found


def product(a: Affine, b: Affine, sums: Sums, shape: torch.Size, n: int, largest: int) -> Dense | None:
    """``a @ b`` for averages by softmaxes, rows of `a` and columns of `b` each with one own position; None if that costs more.

    The alternative is to read both for each input and to multiply.
    """
    v, (M, E), K = sums.v, shape_of(a)[-2:], shape[-1]
    B = math.prod(shape[:-2])
    dense = reading(a.weighted, [w.used for w in a.weighted], n) + reading(b.weighted, [w.used for w in b.weighted], n)
    with structure():
        rows = torch.arange(B * M * E).reshape(B * M, E)
        columns = torch.arange(B * E * K).reshape(B, E, K).transpose(1, 2).reshape(B * K, E)
    left, right = _vectors(folded(a, v, largest), rows, v), _vectors(folded(b, v, largest), columns, v)
    if left is None or right is None:
        return None
    classes: dict[tuple[int, int, int, int], list[tuple[int, int]]] = {}
    for x in range(B * M):
        for y in range(x // M * K, (x // M + 1) * K):
            classes.setdefault((left.first(x), right.first(y), len(left.of[x]), len(right.of[y])), []).append((x, y))
    price = 0.0
    for (f, g, hx, hy), pairs in classes.items():
        others = n - len({f, g})
        if min(f, g) < 0 or v**2 * len(pairs) * max(hx, hy) * E > largest:
            return None
        made = math.comb(others, 2)
        each = 2 * E * made / v ** max(others - 2, 0)
        price += len(pairs) * hx * hy * (2 + max(made, 1) + each)
    if price > dense + 2 * B * M * E * K:
        return None
    return _multiplied(left, right, classes, sums, shape, n)


def _vectors(x: Affine, entries: Tensor, v: int) -> _Vectors | None:
    """The terms of vectors with these entries, int64 [vectors, E]. None if `x` is more than averages of one source."""
    if x.tables or not x.weighted or any(w.factor is not None or w.source is not x.weighted[0].source for w in x.weighted):
        return None
    source = x.weighted[0].source
    if not isinstance(source, Softmaxes):
        return None
    terms = terms_of(list(x.weighted), v)
    with structure():
        of: list[list[tuple[int, Tensor]]] = [[] for _ in entries]
        for p, own in enumerate(terms.entries):
            place = torch.full((int(entries.max()) + 1,), -1)
            place[own] = torch.arange(len(own))
            for number, vector in enumerate(place[entries]):
                if bool((vector >= 0).all()):
                    of[number].append((p, vector))
                elif bool((vector >= 0).any()):
                    return None
    return _Vectors(source, terms, of) if all(of) else None


class _Totals:
    """Sums of tables over some positions, each a step that others may read."""

    def __init__(self, tables: Tables, first: int, sums: Sums) -> None:
        self.tables, self.first, self.sums = tables, first, sums
        self.size = next(iter(tables.values())).shape[2:]
        self._made: dict[tuple[int, ...], Dense] = {}

    def over(self, positions: tuple[int, ...]) -> Dense:
        """The sum over positions, made of the one over all but the last."""
        own = tuple(sorted(set(positions) & self.tables.keys(), key=lambda i: (i != self.first, i)))
        if own not in self._made:
            before = self.over(own[:-1]) if len(own) > 1 else None

            def step(inputs: Tensor, read: Reader) -> Tensor:
                if not own:
                    return torch.zeros(len(inputs), *self.size, dtype=torch.float64, device=self.sums.device)
                last = self.at(own[-1], inputs)
                return last if before is None else read(before) + last

            self._made[own] = self.sums.add(step, self.size, frozenset([self.first, *own]))
        return self._made[own]

    def at(self, position: int, inputs: Tensor) -> Tensor:
        """The table of a position."""
        return self.tables[position][inputs[:, self.first], inputs[:, position]]


def _multiplied(
    left: _Vectors,
    right: _Vectors,
    classes: dict[tuple[int, int, int, int], list[tuple[int, int]]],
    sums: Sums,
    shape: torch.Size,
    n: int,
) -> Dense:
    inverse = sums.inverse(left.source), sums.inverse(right.source)
    parts: list[tuple[list[Dense], Tensor, Tensor]] = []
    order: list[int] = []
    K = shape[-1]
    rows = {key: tuple(x for x, _ in pairs) for key, pairs in classes.items()}
    lefts = {xs: _Totals(left.tables(list(xs), sums.v), f, sums) for (f, *_), xs in rows.items()}
    for key, pairs in classes.items():
        own = rows[key]
        totals = _Totals(right.tables([y for _, y in pairs], sums.v), key[1], sums)
        found = _brackets(lefts[own], totals, list(rows.values()).count(own) > 1, sums)
        with structure():
            both = [
                [(int(left.terms.key[p, 0]), int(right.terms.key[q, 0])) for p, _ in left.of[x] for q, _ in right.of[y]]
                for x, y in pairs
            ]
            groups, at = torch.tensor(both).flatten(0, 1).unique(dim=0, return_inverse=True)
        parts.append((found, groups.to(sums.device), at.reshape(len(pairs), -1).to(sums.device)))
        order += [x * K + y % K for x, y in pairs]
    with structure():
        back = torch.tensor(order).argsort().to(sums.device)

    def step(inputs: Tensor, read: Reader) -> Tensor:
        c, d = (read(value) for value in inverse)
        results = []
        for found, groups, at in parts:
            total = read(found[0])
            for more in found[1:]:
                total = total + read(more)
            factor = (c[:, groups[:, 0]] * d[:, groups[:, 1]])[:, at]  # [N, R, hx hy]
            size = factor.shape[:2].numel()
            results.append(torch.bmm(factor.reshape(size, 1, -1), total.reshape(size, -1, 1)).reshape(factor.shape[:2]))
        return torch.cat(results, 1)[:, back].reshape(-1, *shape)

    on = frozenset[int]().union(*(d.on for d in inverse), *(d.on for found, _, _ in parts for d in found))
    return sums.add(step, shape, on)


def _brackets(X: _Totals, Y: _Totals, shared: bool, sums: Sums) -> list[Dense]:
    """Values [R, hx, hy] whose sum is N.M for each pair of vectors and of their terms: see the module's docstring.

    Parameters
    ----------
    shared
        Others read sums of X too, so that even those over F and two positions are steps of their own.
    """
    F = tuple(sorted({X.first, Y.first}))
    others = sorted((X.tables.keys() | Y.tables.keys()) - set(F))
    m = len(others)

    def dots(beside: tuple[int, ...]) -> Dense:
        """S, S_i or S_ij."""
        shape = torch.Size([*X.size[:2], Y.size[1]])
        few = (*F, *beside[:1])
        x, y = X.over((*F, *beside) if shared else few), Y.over(few)

        def step(inputs: Tensor, read: Reader) -> Tensor:
            one, other = read(x), read(y)
            for i in beside[1:]:
                one = one + X.at(i, inputs) if i in X.tables and not shared else one
                other = other + Y.at(i, inputs) if i in Y.tables else other
            return torch.bmm(one.flatten(0, 1), other.flatten(0, 1).mT).reshape(-1, *shape)

        return sums.add(step, shape, x.on | y.on | frozenset([*F, *beside]))

    def less(value: Dense, terms: list[tuple[float, Dense]]) -> Dense:
        if not terms:
            return value

        def step(inputs: Tensor, read: Reader) -> Tensor:
            found = read(value)
            for factor, term in terms:
                found = found + factor * read(term)
            return found

        return sums.add(step, value.shape, value.on.union(*(d.on for _, d in terms)))

    if m < 2:
        return [dots(tuple(others))]
    single = {i: dots((i,)) for i in others} if m > 2 else {}
    found = []
    for i, j in combinations(others, 2):
        own: list[tuple[float, Dense]] = []
        if m > 2 and i == others[0]:  # each S_i is taken off once, and S added once
            own = [(2.0 - m, single[k]) for k in ((i, j) if j == others[1] else (j,))]
            own += [(math.comb(m - 1, 2), dots(()))] if j == others[1] else []
        found.append(less(dots((i, j)), own))
    return found
