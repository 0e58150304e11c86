"""The length of the compact checker of groups, counted: the checker once more, on numbers that count what is done with them."""

# ruff: noqa: B023  (the functions here are called at once)

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from fractions import Fraction
from math import sqrt

import pytest

from compact_proofs.formal.groups.hints import CircuitHints, GroupHints, group_hints
from compact_proofs.formal.groups.length import brute_force_length, compact_length, enclosed_length
from compact_proofs.models.pair_mlp import PairMLP
from compact_proofs.tasks import load_model
from compact_proofs.tasks.groups.gsets import GSetsLinear
from compact_proofs.tasks.groups.task import Groups


class Counted:
    """An interval of floats, without care for roundings; each operation on it is counted."""

    made = 0

    def __init__(self, low: float, high: float | None = None) -> None:
        self.low, self.high = low, low if high is None else high

    @classmethod
    def of(cls, *ends: float) -> Counted:
        cls.made += 1
        return cls(min(ends), max(ends))

    def __add__(self, other: Counted) -> Counted:
        return self.of(self.low + other.low, self.high + other.high)

    def __sub__(self, other: Counted) -> Counted:
        return self.of(self.low - other.high, self.high - other.low)

    def __mul__(self, other: Counted) -> Counted:
        return self.of(*(a * b for a in (self.low, self.high) for b in (other.low, other.high)))

    def __truediv__(self, other: int) -> Counted:
        return self.of(self.low / other, self.high / other)

    def relu(self) -> Counted:
        return self.of(max(0.0, self.low), max(0.0, self.high))

    def root(self) -> Counted:
        return self.of(sqrt(max(0.0, self.low)), sqrt(max(0.0, self.high)))

    def hull(self, other: Counted) -> Counted:
        return self.of(self.low, self.high, other.low, other.high)

    def positive(self) -> bool:
        Counted.made += 1
        return self.low > 0


def total(terms: Iterable[Counted]) -> Counted:
    found = Counted(0.0)
    for term in terms:
        found = term + found
    return found


def hull(items: Iterable[Counted]) -> Counted:
    first, *others = items
    for item in others:
        first = first.hull(item)
    return first


def spread(items: Iterable[Counted]) -> Counted:
    h = hull(items)
    return h - h


UNIT = Counted(-1.0, 1.0)
Table = list[list[Counted]]


class Part:
    """`part_of` in GroupChecker.v."""

    def __init__(self, n: int, c: CircuitHints, number: Callable[[int], Counted], left: Table, right: Table, output: Table) -> None:
        (P, Q), N = c.points, range(n)
        bs, ks = range(P), range(Q)

        def over(f: Callable[[int, int], Counted]) -> Counted:
            return total(total(f(b, k) for k in ks) for b in bs)

        def read(r):
            s = number(r.share)
            u = [s * output[r.neuron][z] for z in N]
            lists = [[number(x) for x in xs] for xs in (r.seen_left, r.seen_right, r.rows, r.columns)]
            return r.neuron, u, spread(u) * UNIT, *lists, number(r.mean), number(r.slope)

        cells = [[[read(r) for r in cell] for cell in row] for row in c.cells]
        g, v = ([[number(x) for x in row] for row in t] for t in (c.gamma, c.table))
        L, R = c.left_image, c.right_image

        def cell(b: int, k: int, f: Callable[..., Counted]) -> Counted:
            return total(f(*d) for d in cells[b][k])

        by_left = [[[total(cell(b, k, lambda i, u, w, a, a2, r, *_: r[p] * u[z]) for k in ks) for z in N] for p in bs] for b in bs]
        by_right = [
            [[total(cell(b, k, lambda i, u, w, a, a2, r, q, *_: q[p] * u[z]) for b in bs) for z in N] for p in ks] for k in ks
        ]
        apart = [[[cell(b, k, lambda i, u, *d: d[-1] * u[z]) - g[b][R[z][k]] for z in N] for k in ks] for b in bs]
        row = [[total(apart[b][k][z] for k in ks) / Q for z in N] for b in bs]
        column = [[total(apart[b][k][z] - row[b][z] for b in bs) / P for z in N] for k in ks]
        rest = [[[apart[b][k][z] - row[b][z] - column[k][z] for z in N] for k in ks] for b in bs]
        size = over(lambda b, k: v[b][k] * v[b][k]).root()
        noise = UNIT * hull(over(lambda b, k: rest[b][k][z] * rest[b][k][z]).root() * size for z in N)

        def misread(i, u, w, a, a2, r, q, mean, t) -> Counted:
            return w * hull((a[x] + a2[y]).relu() - (mean + r[x] + q[y] + t * v[x][y]) for x, y in itertools.product(bs, ks))

        self.constant = [over(lambda b, k: cell(b, k, lambda i, u, *d: d[-2] * u[z])) for z in N]
        self.left = [[total(by_left[b][L[x][b]][z] for b in bs) for z in N] for x in N]
        self.right = [[total(by_right[k][R[y][k]][z] for k in ks) for z in N] for y in N]
        self.gaps = [over(lambda b, k: (g[b][k] - g[b][R[w][k]]) * v[b][k]) for w in N]
        self.of_x = [over(lambda b, k: cell(b, k, lambda i, u, w, a, *_: w * (left[x][i] - a[L[x][b]]))) for x in N]
        self.of_y = [over(lambda b, k: cell(b, k, lambda i, u, w, a, a2, *_: w * (right[y][i] - a2[R[y][k]]))) for y in N]
        self.fixed = noise - noise + over(lambda b, k: cell(b, k, misread))


def checker(model: PairMLP, hints: GroupHints) -> int:
    """`count_groups` in GroupTheorems.v: how many pairs are proven."""
    n, N = model.order, range(model.order)
    Counted.made = 0

    def number(x: int) -> Counted:
        return Counted.of(float(Fraction(x, 2**hints.bits)))

    left, right, output = ([[Counted.of(x) for x in row] for row in w.tolist()] for w in (model.E_l, model.E_r, model.U))
    constant = [Counted.of(x) for x in model.bias.tolist()]
    zero = Counted(0.0)
    known_x, known_y = ([[zero] * n for _ in N] for _ in range(2))
    gaps, of_x, of_y, fixed = [zero] * n, [zero] * n, [zero] * n, zero
    for p in [Part(n, c, number, left, right, output) for c in hints.circuits]:
        constant = [a + b for a, b in zip(p.constant, constant, strict=True)]
        known_x = [[a + b for a, b in zip(*rows, strict=True)] for rows in zip(p.left, known_x, strict=True)]
        known_y = [[a + b for a, b in zip(*rows, strict=True)] for rows in zip(p.right, known_y, strict=True)]
        gaps, of_x, of_y = (
            [a + b for a, b in zip(*lists, strict=True)] for lists in ((p.gaps, gaps), (p.of_x, of_x), (p.of_y, of_y))
        )
        fixed = p.fixed + fixed
    least = hull(g for w, g in enumerate(gaps) if w != hints.neutral) + spread(constant) + fixed
    xs = [spread(known_x[x]) + of_x[x] for x in N]
    ys = [least + (spread(known_y[y]) + of_y[y]) for y in N]
    return sum((a + b).positive() for a in xs for b in ys)


@pytest.mark.parametrize("name", ["s4-seed-0", "d12-seed-0", pytest.param("a5-seed-1", marks=pytest.mark.slow)])
def test_every_operation_is_counted(name: str):
    loaded = load_model(name)
    model, task = loaded.model, loaded.task
    assert isinstance(model, PairMLP)
    assert isinstance(task, Groups)
    hints = group_hints(model, task, GSetsLinear(exact=False).explain(model, task))
    proven = checker(model, hints)
    assert proven == {"a5-seed-1": 3189}.get(name, task.size)  # what Coq proves
    n, m = model.order, model.width
    assert enclosed_length(n, m, hints) == Counted.made
    assert 13 * compact_length(n, m, hints) < brute_force_length(n, m)
