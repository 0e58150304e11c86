"""Averages of tables, read for listed inputs from sums that many inputs share.

A softmax of scores of pairs has shares w_s[x_f, x_s] / D, with f its own position. An entry that is a sum of shares times tables is

    sum over terms p of coefficient_p N_p,      N_p = sum_s w_s[x_f, x_s] T_s[x_s or x_f],      coefficient_p = factor / D,

one term for each softmax and factor. N_p and D are sums of tables of two tokens each; those of two other positions at a time make a
table of three tokens, kept by `compact_proofs.automatic.listing.steps`, so that an input pays about an addition and a product for
each entry and term, instead of a product for each share. A product of two such entries is

    sum over terms p, q of coefficient_p coefficient_q (N_p N_q),      N_p N_q = sum over i, j of tables of x_f, x_i, x_g, x_j

and is divided likewise by the pairs of positions beside f and g (`product`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from compact_proofs.automatic.listing.values import Affine, Dense, Reader, Softmaxes, Step, Table, Weighted, shape_of
from compact_proofs.automatic.reading.owners import structure

AT_ONCE = 2
"""Positions, beside a softmax's own, of which sums are kept."""

Tables = dict[int, Tensor]
"""For each position, numbers [v, v, W] that depend on a first position's token and on its token."""


def reading(weighted: Sequence[Weighted], used: Sequence[Tensor], n: int) -> int:
    """Operations to read entries of shares times tables for one input, if the shares of each count for `used`, bool [S, *shape]."""
    total = 0
    alike: dict[tuple[int, int], list[tuple[Weighted, Tensor]]] = {}
    for w, u in zip(weighted, used, strict=True):
        if isinstance(w.source, Dense):
            total += 2 * int(u.sum())
        else:
            alike.setdefault((id(w.source), id(w.factor)), []).append((w, u.reshape(len(u), -1)))
    for pairs in alike.values():
        with structure():
            key, number = torch.cat([_terms_of(w)[0] for w, _ in pairs]).unique(dim=0, return_inverse=True)
            counts = torch.cat([u for _, u in pairs]).to(torch.int64)
            terms = torch.zeros(len(key), counts.shape[1], dtype=torch.int64).index_add(0, number, counts)
            total += int((terms > 0).sum()) * (1 + len(chunks(range(n - 1))))
    return total


def fits(w: Weighted, used: Tensor, v: int, largest: int) -> bool:
    """Whether the tables of pairs that reading needs have at most so many entries, if the shares count for `used`."""
    return isinstance(w.source, Dense) or v**2 * int(used.sum()) <= largest


def chunks(positions: Iterable[int]) -> list[list[int]]:
    """Positions in parts of at most `AT_ONCE`; one empty part if there is none."""
    ordered = sorted(positions)
    return [ordered[i : i + AT_ONCE] for i in range(0, len(ordered), AT_ONCE)] or [[]]


def _terms_of(w: Weighted) -> tuple[Tensor, Tensor]:
    """For each share its term's softmax, factor (-1: none) and own position, int64 [S, 3]; and the position that it reads."""
    none = torch.full_like(w.owner, -1)
    if isinstance(w.source, Softmaxes):
        own, other, group = w.source.first[w.entry], w.source.second[w.entry], w.source.group[w.entry]
    else:
        own, other, group = w.owner, w.owner, none
    return torch.stack([group, none if w.by is None else w.by, own], 1), other


@dataclass(frozen=True)
class Terms:
    """The terms of some shares times tables that have one source and one factor.

    Attributes
    ----------
    key : int64 [P, 3]
        Softmax, factor and own position of each.
    entries : list of int64 [E_p]
        For which entries each counts.
    tables : list of Tables
        Its numerator at these entries: numbers [v, v, E_p] for each position.
    """

    key: Tensor
    entries: list[Tensor]
    tables: list[Tables]


def terms_of(weighted: list[Weighted], v: int) -> Terms:
    """Put shares together by their terms, and make the tables of pairs: v^2 products for each share and entry."""
    with structure():
        parts = [_terms_of(w) for w in weighted]
        key, number = torch.cat([k for k, _ in parts]).unique(dim=0, return_inverse=True)
        numbers = number.split([len(k) for k, _ in parts])
        used = [w.used.reshape(len(w.used), -1) for w in weighted]
    entries: list[Tensor] = []
    tables: list[Tables] = []
    kept: list[int] = []
    for p in range(len(key)):
        with structure():
            members = [(numbers[i] == p).nonzero()[:, 0] for i in range(len(weighted))]
            own = torch.stack([u[m].any(0) for u, m in zip(used, members, strict=True)]).any(0).nonzero()[:, 0]
        found: Tables = {}
        for w, (_, other), u, member in zip(weighted, parts, used, members, strict=True):
            flat = w.tables.reshape(v, len(u), -1)
            for s in member.tolist():
                with structure():
                    if not bool(u[s].any()):
                        continue
                values = flat[:, s][:, own.to(flat.device)]
                if isinstance(w.source, Softmaxes):
                    at_other = int(w.owner[s]) == int(other[s])
                    table = w.source.weights[:, :, w.entry[s], None] * (values[None] if at_other else values[:, None])
                else:
                    table = values[None].expand(v, *values.shape)
                position = int(other[s])
                found[position] = found[position] + table if position in found else table
        if found:
            entries.append(own)
            tables.append(found)
            kept.append(p)
    return Terms(key[kept], entries, tables)


class Sums:
    """Makes steps that add tables up, and reads averages with them.

    Parameters
    ----------
    steps
        What new steps are added to: `add(step, shape, on)` of `compact_proofs.automatic.listing.steps.Steps`.
    """

    def __init__(self, steps: object, v: int, device: torch.device) -> None:
        self.add, self.v, self.device = steps.add, v, device  # type: ignore[attr-defined]
        self._inverse: dict[int, tuple[Softmaxes, Dense]] = {}

    def added(self, first: int, tables: Tables) -> list[Dense]:
        """Values [W] whose sum is that of tables over the tokens at their positions, each of few positions."""
        found = []
        for number, part in enumerate(chunks(i for i in tables if i != first)):
            read = [first, *part] if number == 0 and first in tables else part
            own = [(i, tables[i]) for i in read if i in tables]
            if own:
                found.append(self.add(_total(first, own), torch.Size([own[0][1].shape[2]]), frozenset([first, *part])))
        return found

    def inverse(self, of: Softmaxes) -> Dense:
        """1 / D of every softmax."""
        if id(of) not in self._inverse:
            with structure():
                groups = int(of.group.max()) + 1
                own = torch.zeros(groups, dtype=torch.int64).scatter(0, of.group, of.first).tolist()
                members = [(of.group == g).nonzero()[:, 0].tolist() for g in range(groups)]
            parts = []
            for g in range(groups):
                tables: Tables = {}
                for s in members[g]:
                    o, w = int(of.second[s]), of.weights[:, :, s, None]
                    tables[o] = tables[o] + w if o in tables else w
                parts.append(self.added(own[g], tables))

            def step(inputs: Tensor, read: Reader) -> Tensor:
                return 1 / torch.cat([_sum(read, own) for own in parts], 1)

            on = frozenset[int]().union(*(d.on for own in parts for d in own))
            self._inverse[id(of)] = of, self.add(step, torch.Size([groups]), on)
        return self._inverse[id(of)][1]

    def shares(self, of: Softmaxes, entry: Tensor) -> Dense:
        """Shares themselves, of the shape of `entry`: a product for each."""
        inverse, flat = self.inverse(of), entry.reshape(-1)
        with structure():
            first, second, group = (t[flat].to(self.device) for t in (of.first, of.second, of.group))

        def step(inputs: Tensor, read: Reader) -> Tensor:
            w = of.weights[inputs[:, first], inputs[:, second], flat.to(self.device)]
            return (w * read(inverse)[:, group]).reshape(-1, *entry.shape)

        return self.add(step, entry.shape, inverse.on)

    def coefficients(self, terms: Terms, source: Softmaxes | None, factor: Dense | None) -> Dense:
        """Factor / D of each term [P]: a product where there are both."""
        inverse = None if source is None else self.inverse(source)
        group, by = (terms.key[:, i].to(self.device) for i in (0, 1))

        def step(inputs: Tensor, read: Reader) -> Tensor:
            if factor is None:
                assert inverse is not None
                return read(inverse)[:, group]
            own = read(factor).flatten(1)[:, by]
            return own if inverse is None else own * read(inverse)[:, group]

        on = frozenset[int]().union(*(d.on for d in (inverse, factor) if d is not None))
        return self.add(step, torch.Size([len(group)]), on)

    def read(self, weighted: list[Weighted], size: int) -> Step:
        """A step that gives entries [N, size] of shares times tables which have one source, no `Dense` one, and one factor."""
        source = weighted[0].source
        assert not isinstance(source, Dense)
        terms = terms_of(weighted, self.v)
        coefficient = self.coefficients(terms, source, weighted[0].factor)
        numerators: list[list[Dense]] = []
        with structure():
            at = torch.zeros(len(terms.entries), size, dtype=torch.int64)
            counts = torch.zeros(at.shape, dtype=torch.bool)
            column = 0
        for first in sorted(set(terms.key[:, 2].tolist())):
            with structure():
                own = (terms.key[:, 2] == first).nonzero()[:, 0].tolist()
                for p in own:
                    counts[p, terms.entries[p]] = True
                    at[p, terms.entries[p]] = column + torch.arange(len(terms.entries[p]))
                    column += len(terms.entries[p])
            numerators.append(
                self.added(first, _side_by_side([terms.tables[p] for p in own], [len(terms.entries[p]) for p in own]))
            )
        with structure():
            patterns, group = counts.unique(dim=1, return_inverse=True)
            found = [((group == g).nonzero()[:, 0], patterns[:, g].nonzero()[:, 0]) for g in range(patterns.shape[1])]
            back = torch.cat([entries for entries, _ in found]).argsort().to(self.device)
            groups = [(ps.to(self.device), at[ps][:, entries].to(self.device)) for entries, ps in found]

        def step(inputs: Tensor, read: Reader) -> Tensor:
            sums = torch.cat([_sum(read, parts) for parts in numerators], 1)
            c = read(coefficient)
            parts = []
            for ps, columns in groups:
                if len(ps):
                    parts.append(torch.bmm(c[:, None, ps], sums[:, columns])[:, 0])
                else:
                    parts.append(torch.zeros(len(inputs), columns.shape[1], dtype=torch.float64, device=self.device))
            return torch.cat(parts, 1)[:, back]

        return step


def _total(first: int, tables: list[tuple[int, Tensor]]) -> Step:
    def step(inputs: Tensor, read: Reader) -> Tensor:
        total = None
        for i, table in tables:
            part = table[inputs[:, first], inputs[:, i]]
            total = part if total is None else total + part
        return total  # type: ignore[return-value]

    return step


def _sum(read: Reader, parts: list[Dense]) -> Tensor:
    total = read(parts[0])
    for part in parts[1:]:
        total = total + read(part)
    return total


def _side_by_side(tables: list[Tables], widths: list[int]) -> Tables:
    """Tables of several terms as one; zeros where a term has none."""
    found: Tables = {}
    for position in sorted({i for t in tables for i in t}):
        v = next(t[position] for t in tables if position in t).shape[:2]
        parts = [
            t[position].expand(*v, width) if position in t else torch.zeros(*v, width, dtype=torch.float64)
            for t, width in zip(tables, widths, strict=True)
        ]
        found[position] = torch.cat([p.to(next(iter(tables[0].values())).device) for p in parts], 2)
    return found


def folded(x: Affine, v: int, largest: int) -> Affine:
    """The same value with tables made part of averages, as far as that saves a reading.

    The shares of a softmax add up to 1. So a table of the softmax's own position, or of none, may be multiplied by each of them.
    """
    for w in x.weighted:
        if isinstance(w.source, Softmaxes) and w.factor is None:
            break
    else:
        return x
    of, shape = w.source, shape_of(x)
    with structure():
        S = len(of.group)
        counts = torch.zeros(int(of.group.max()) + 1, *shape, dtype=torch.bool)  # [groups, *shape]
        for s, g in enumerate(of.group[w.entry].tolist()):
            counts[g] |= w.used[s]
        own = torch.zeros(len(counts), dtype=torch.int64).scatter(0, of.group, of.first).reshape(-1, *[1] * len(shape))
        if v * S * shape.numel() > largest:
            return x
    tables, weighted = [], list(x.weighted)
    for t in x.tables:
        with structure():
            fit = counts & ((own == t.owner) | (t.owner < 0))
            some, chosen = fit.any(0), fit.to(torch.int8).argmax(0)
            group = of.group.reshape(-1, *[1] * len(shape))
            used = (group == chosen) & some
            on_device = used.to(t.data.device)
        if bool(some.any()):
            spread = torch.where(on_device, t.data[:, None], 0.0)
            weighted.append(Weighted(of, torch.arange(S), of.first, spread, used))
        if not bool(some.all()):
            with structure():
                owner = torch.where(some, -1, t.owner)
            tables.append(Table(torch.where(some.to(t.data.device), 0.0, t.data), owner))
    return Affine(tuple(tables), tuple(weighted))
