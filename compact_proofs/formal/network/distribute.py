"""A network with tables in it, in place of products that can be made beforehand: faster for Coq to run.

A sum over k of (a[t[0], k] + b[k]) W[k, j] is a table at t[0] plus another table. Definitions that are sums are written out where
they are read, and sums are distributed over them; a sum of products of two constants becomes a definition of its own, made once.
Coq repeats these steps (``formal/Distribute.v``, whose names are used here) and compares: nothing of this is trusted.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from compact_proofs.formal.network.language import Definition, Index, Network, Scalar, axis, fixed, read

LARGEST_TABLE = 2**21
"""Entries of a table beyond which it is not made."""

LARGEST_BODY = 2000
"""Parts of an expression beyond which it is not written out."""

WORTH = 0.75
"""Share of the work that may be left if a program with tables is to be used."""


@dataclass(frozen=True)
class Distributed:
    """A network with tables.

    Attributes
    ----------
    network
        The network: tables and other constants first.
    kept
        For each definition of the original, which one of the network's it is; None if it is written out.
    """

    network: Network
    kept: tuple[int | None, ...]


def distribute(network: Network, inputs: int, seconds: Callable[[Network], float]) -> Distributed | None:
    """Write out definitions, one after the other, as long as running the network on that many inputs takes Coq less time.

    Returns None if that does not win enough (`WORTH`).
    """
    start = seconds(network)
    best, least, written = None, start, frozenset[int]()
    for d in range(network.constants, len(network.definitions) - 1):
        found = _Pass(network, written | {d}).run()
        if found is not None and (time := seconds(found.network)) < least:
            best, least, written = found, time, written | {d}
    return best if least < WORTH * start else None


def every_constant_tabulated(network: Network) -> Distributed | None:
    """Write out all definitions that depend on the input but the last, however long that runs; None if it grows too large."""
    return _Pass(network, frozenset(range(network.constants, len(network.definitions) - 1))).run()


@dataclass(frozen=True)
class _Image:
    """What a tensor of the network is in the one with tables: a tensor, by its number, or an expression."""

    body: Scalar | int


_TABLE = 10**9
"""Added to numbers of definitions until the number of tables is known; of tables themselves, twice."""


class _Pass:
    """One attempt, with certain definitions written out."""

    def __init__(self, network: Network, written: frozenset[int]) -> None:
        self.network, self.written = network, written
        self.constants: list[Definition] = []
        """Tables, and definitions that do not depend on the input."""
        self.tables: dict[Scalar, int] = {}
        self.others: list[Definition] = []
        self.images = [_Image(i) for i in range(len(network.weights))]

    def run(self) -> Distributed | None:
        """The network, or None if an expression grows too large."""
        kept: list[tuple[bool, int] | None] = []
        for i, d in enumerate(self.network.definitions):
            body = self.rewrite(len(d.shape), d.body)
            if _size(body) > LARGEST_BODY:
                return None
            if i in self.written:
                self.images.append(_Image(body))
                kept.append(None)
                continue
            constant = i < self.network.constants
            into, offset = (self.constants, 2 * _TABLE) if constant else (self.others, _TABLE)
            self.images.append(_Image(offset + len(into)))
            kept.append((constant, len(into)))
            into.append(replace(d, body=body))
        return self._numbered(kept)

    def _numbered(self, kept: list[tuple[bool, int] | None]) -> Distributed:
        first, count = len(self.network.weights), len(self.constants)

        def number_of(x: int) -> int:
            if x >= 2 * _TABLE:
                return first + x - 2 * _TABLE
            return first + count + x - _TABLE if x >= _TABLE else x

        def renumbered(e: Scalar) -> Scalar:
            args = (number_of(e.args[0]), e.args[1]) if e.head == "Read" else e.args  # type: ignore[arg-type]
            return Scalar(e.head, tuple(renumbered(a) if isinstance(a, Scalar) else a for a in args))

        definitions = tuple(replace(d, body=renumbered(d.body)) for d in (*self.constants, *self.others))
        network = replace(self.network, definitions=definitions, constants=count)
        return Distributed(network, tuple(None if k is None else k[1] + (0 if k[0] else count) for k in kept))

    def shape(self, tensor: int) -> tuple[int, ...]:
        """Of a constant tensor."""
        return self.constants[tensor - 2 * _TABLE].shape if tensor >= 2 * _TABLE else self.network.weights[tensor].shape

    def rewrite(self, depth: int, e: Scalar) -> Scalar:
        """An expression of the network in terms of the one with tables."""
        if e.head == "Read":
            tensor, places = e.args
            image = self.images[tensor].body  # type: ignore[index]
            return read(image, list(places)) if isinstance(image, int) else substitute(image, places, depth)  # type: ignore[arg-type]
        if e.head == "Sum":
            n, body = e.args
            return self.sum_of(n, depth, self.rewrite(depth + 1, body))  # type: ignore[arg-type]
        return Scalar(e.head, tuple(self.rewrite(depth, a) if isinstance(a, Scalar) else a for a in e.args))

    def sum_of(self, n: int, depth: int, e: Scalar) -> Scalar:
        """The sum over the axis behind `depth` others."""
        if e.head == "Times":
            a, b = e.parts()
            for factor, other in ((b, a), (a, b)):
                if _is_constant(factor):
                    return _Push(self, n, depth, factor).push(depth + 1, other)
        return Scalar("Sum", (n, e))

    def table(self, body: Scalar, shape: tuple[int, ...]) -> int | None:
        """The number of the table with this body; None if there is none."""
        if body not in self.tables:
            if math.prod(shape) > LARGEST_TABLE:
                return None
            self.tables[body] = 2 * _TABLE + len(self.constants)
            self.constants.append(Definition("table", shape, body))
        return self.tables[body]


@dataclass(frozen=True)
class _Push:
    """A sum over axis r of a product with a constant entry."""

    to: _Pass
    n: int
    r: int
    factor: Scalar

    def push(self, depth: int, e: Scalar) -> Scalar:
        """The sum, where `depth` axes are in use with axis r, which disappears."""
        r = self.r
        if e.head in ("Plus", "Minus"):
            return Scalar(e.head, tuple(self.push(depth, a) for a in e.parts()))
        if e.head in ("Times", "Over"):
            a, b = e.parts()
            if not depends(r, b) and (e.head == "Over" or depends(r, a)):
                return Scalar(e.head, (self.push(depth, a), self._dropped(depth, b)))
            if e.head == "Times" and not depends(r, a):
                return Scalar("Times", (self._dropped(depth, a), self.push(depth, b)))
        elif e.head == "Sum":
            n, body = e.args
            return Scalar("Sum", (n, self.push(depth + 1, body)))  # type: ignore[arg-type]
        elif e.head == "Read":
            found = self._tabulated(depth, e)
            if found is not None:
                return found
        rotated = [*map(axis, range(r)), axis(depth - 1), *map(axis, range(r, depth - 1))]
        places = [*map(axis, range(r)), axis(depth - 1)]
        return Scalar("Sum", (self.n, Scalar("Times", (substitute(e, rotated, depth), substitute(self.factor, places, depth)))))

    def _dropped(self, depth: int, e: Scalar) -> Scalar:
        return substitute(e, self._without(depth), depth - 1)

    def _without(self, depth: int) -> list[Index]:
        return [*map(axis, range(self.r)), fixed(0), *map(axis, range(self.r, depth - 1))]

    def _tabulated(self, depth: int, e: Scalar) -> Scalar | None:
        x, w = e.args[0], self.factor.args[0]
        left: tuple[Index, ...] = e.args[1]  # type: ignore[assignment]
        right: tuple[Index, ...] = self.factor.args[1]  # type: ignore[assignment]
        if not _is_constant(e) or any(i.mentions(self.r) and not _summable(self.r, i) for i in (*left, *right)):
            return None
        first, second = ([i for i in places if not i.mentions(self.r)] for places in (right, left))
        a, k = len(first), len(first) + len(second)
        factors = (read(x, self._pattern(k, a, left)), read(w, self._pattern(k, 0, right)))  # type: ignore[arg-type]
        body = Scalar("Sum", (self.n, Scalar("Times", factors)))
        sizes = [
            n
            for tensor, places in ((w, right), (x, left))
            for i, n in zip(places, self.to.shape(tensor), strict=True)  # type: ignore[arg-type]
            if not i.mentions(self.r)
        ]
        table = self.to.table(body, tuple(sizes))
        if table is None:
            return None
        return read(table, [*first, *(_at_places(i, self._without(depth), depth - 1) for i in second)])

    def _pattern(self, k: int, c: int, places: Sequence[Index]) -> list[Index]:
        found = []
        for i in places:
            if i.mentions(self.r):
                found.append(_at_places(i, [*[fixed(0)] * self.r, axis(k)], k + 1))
            else:
                found.append(axis(c))
                c += 1
        return found


def _is_constant(e: Scalar) -> bool:
    """Is it an entry of a weight, or of a definition that does not depend on the input?"""
    return e.head == "Read" and not _TABLE <= e.args[0] < 2 * _TABLE  # type: ignore[operator]


def _summable(r: int, i: Index) -> bool:
    """Can a table be summed over axis r at this place, which no other axis and no token may have a say in?"""
    return _only(r, i) and not i.reads_tokens()


def _only(r: int, i: Index) -> bool:
    if i.head == "Axis":
        return i.args[0] == r
    return all(_only(r, a) for a in i.args if isinstance(a, Index))


def depends(r: int, e: Scalar) -> bool:
    """Does an expression mention axis r?"""
    if e.head == "Read":
        return any(i.mentions(r) for i in e.args[1])  # type: ignore[union-attr]
    return any(depends(r, a) for a in e.parts())


def _at_places(i: Index, s: Sequence[Index], d: int) -> Index:
    if i.head == "Axis":
        (k,) = i.args
        assert isinstance(k, int)
        return s[k] if k < len(s) else axis(k - len(s) + d)
    return Index(i.head, tuple(_at_places(a, s, d) if isinstance(a, Index) else a for a in i.args))


def substitute(e: Scalar, s: Sequence[Index], d: int) -> Scalar:
    """Put the places `s` for the first axes; further ones follow on the `d` axes that those places may mention."""
    if e.head == "Read":
        return read(e.args[0], [_at_places(i, s, d) for i in e.args[1]])  # type: ignore[arg-type, union-attr]
    return Scalar(e.head, tuple(substitute(a, s, d) if isinstance(a, Scalar) else a for a in e.args))


def _size(e: Scalar) -> int:
    return 1 + sum(map(_size, e.parts()))
