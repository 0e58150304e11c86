"""Comparisons and their three truth values, conditions, and Python's questions that have no answer."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle import SPECIAL, interval

from compact_proofs.enclosure import Enclosure, count_below, lower, provably, upper
from compact_proofs.enclosure.tensor import Undetermined
from compact_proofs.errors import NoSoundRule, NotProvable

INF = math.inf

COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "lt": lambda a, b: a < b,
    "le": lambda a, b: a <= b,
    "gt": lambda a, b: a > b,
    "ge": lambda a, b: a >= b,
    "eq": lambda a, b: a == b,
    "ne": lambda a, b: a != b,
}


@settings(max_examples=400, deadline=None)
@given(*[st.tuples(*[st.sampled_from([*SPECIAL, INF, -INF, *range(-2, 3)])] * 2)] * 2, st.booleans())
def test_three_valued_truth(a: tuple[float, float], b: tuple[float, float], narrow: bool) -> None:
    """A comparison is surely true if it holds for all pairs of the ends' midpoints and ends, possibly true if for some."""
    p, q = sorted(a), sorted(b)
    if narrow:
        q[1] = q[0]
    x, y = interval((p[0], p[1])), interval((q[0], q[1]))
    inner = [[s[0], min(max(s[0] / 2 + s[1] / 2, s[0]), s[1]), s[1]] for s in (p, q)]
    pairs = [(s, t) for s in inner[0] for t in inner[1] if not math.isnan(s) and not math.isnan(t)]
    for name, holds in COMPARISONS.items():
        c = holds(x, y)
        truths = [holds(s, t) for s, t in pairs]
        surely, possibly = provably(c).item(), not provably(~c).item()
        assert not surely or all(truths), (name, p, q)
        assert possibly or not any(truths), (name, p, q)
        if p[1] < q[0] or p[0] > q[1]:
            assert surely or not possibly, "disjoint intervals are decided"
        assert provably(torch.logical_not(c)).item() == (not possibly)


def test_logic() -> None:
    values = [(False, False), (False, True), (True, True)]
    a = Enclosure(*(torch.tensor([[v[i]] * 3 for v in values]) for i in (0, 1)))
    b = Enclosure(*(torch.tensor([[v[i] for v in values]] * 3) for i in (0, 1)))
    for ours, python in ((torch.bitwise_and, min), (torch.logical_or, max), (lambda p, q: p & q, min)):
        c = ours(a, b)
        for i, p in enumerate(values):
            for j, q in enumerate(values):
                assert (c.lo[i, j].item(), c.hi[i, j].item()) == (python(p[0], q[0]), python(p[1], q[1]))
    row = Enclosure(*(torch.tensor([v[i] for v in values]) for i in (0, 1)))
    assert (row.all().lo.item(), row.all().hi.item()) == (False, False)
    assert (row.any().lo.item(), row.any().hi.item()) == (True, True)
    assert (row[1:].all().lo.item(), row[1:].all().hi.item()) == (False, True)
    assert (row[:2].any(0).lo.item(), row[:2].any(0).hi.item()) == (False, True)
    with pytest.raises(NoSoundRule):
        torch.logical_and(row, interval((-1.0, 1.0)))
    with pytest.raises(NoSoundRule):
        row & torch.tensor([2, 2, 2])
    with pytest.raises(NoSoundRule):
        torch.logical_not(interval((-1.0, 1.0)))
    with pytest.raises(NoSoundRule, match="bitwise_xor"):
        row ^ row


def test_arithmetic_of_conditions() -> None:
    c = interval((-1.0, -1.0), (-1.0, 1.0), (1.0, 1.0)) > Enclosure(torch.zeros(3), torch.zeros(3))
    y = 5.0 * c
    assert y.lo.tolist() == pytest.approx([0, 0, 5])
    assert y.hi.tolist() == pytest.approx([0, 5, 5])
    assert (c.float() + c.double()).dtype == torch.float64
    for f in (lambda: c + c, lambda: c * c, lambda: c - c, lambda: c.sum(), lambda: c.float() & c):
        with pytest.raises((NoSoundRule, RuntimeError)):
            f()
    z = interval((-1.0, 1.0), (0.0, 0.0), (2.0, 3.0)).bool()
    assert (z.lo.tolist(), z.hi.tolist()) == ([False, False, True], [True, False, True])
    assert c.masked_fill(torch.tensor([True, False, False]), True).dtype == torch.bool
    assert torch.where(torch.tensor([True, False, False]), c, ~c).dtype == torch.bool


def test_where_takes_the_hull_of_what_is_undecided() -> None:
    undecided = interval((-1.0, 1.0), (1.0, 1.0), (-1.0, -1.0)) > Enclosure(torch.zeros(3), torch.zeros(3))
    y = torch.where(undecided, torch.tensor(10.0), interval((1.0, 2.0)))
    assert y.lo.tolist() == [1, 10, 1]
    assert y.hi.tolist() == [10, 10, 2]
    y = interval((1.0, 2.0)).expand(3).masked_fill(undecided, -INF)
    assert y.lo.tolist() == [-INF, -INF, 1]
    assert y.hi.tolist() == [2, -INF, 2]


def test_provably() -> None:
    assert provably(True) is True
    assert provably(torch.tensor([True])).item() is True
    x = interval((0.0, 1.0))
    for bad in (x, torch.tensor([1.0]), 3, "x"):
        with pytest.raises(TypeError):
            provably(bad)
    assert lower(x).item() == 0
    assert upper(x).item() == 1
    assert lower(torch.ones(1)) is not None


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.integers(-4, 4), st.integers(0, 3)), min_size=1, max_size=6),
    st.integers(-5, 5),
    st.integers(0, 3),
)
def test_count_below(entries: list[tuple[int, int]], t: int, width: int) -> None:
    """The number counted never exceeds the number of lower bounds below the threshold, whatever the order."""
    x = interval(*[(float(a), float(a + w)) for a, w in entries])
    threshold = interval((float(t), float(t + width)))
    counted = count_below(x.sort().values, threshold).item()
    assert counted <= sum(a + w < t for a, w in entries)
    assert count_below(x, threshold).item() <= counted
    assert count_below(torch.tensor(sorted(float(a) for a, _ in entries)), torch.tensor([float(t)])).item() == sum(
        a < t for a, _ in entries
    )


def test_python_values(x: Enclosure) -> None:
    for f in (
        float,
        int,
        bool,
        complex,
        lambda v: v.item(),
        lambda v: v.tolist(),
        lambda v: v.numpy(),
        np.asarray,
        list(range(9)).__getitem__,
    ):
        with pytest.raises((NotProvable, TypeError)):
            f(x[0])
    for f in (
        lambda: x[0] in x,
        lambda: torch.equal(x, x),
        lambda: torch.allclose(x, x),
        lambda: f"{x[0]:.3f}",
        lambda: torch.tensor([x[0]]),
    ):
        with pytest.raises((NotProvable, NoSoundRule)):
            f()
    with pytest.raises(NotProvable):
        bool(x[0] < 1.2)
    assert bool(x[0] < 2) is True
    assert not (x[0] > 2)
    assert "Enclosure" in repr(x)
    assert "Enclosure" in f"{x.repeat(5)}"


def test_indices_of_an_order(x: Enclosure) -> None:
    orders = [f.indices for f in (x.sort(), x.topk(2), x.max(0), x.min(0), x.cummax(0), x.kthvalue(1))]
    for indices in (*orders, x.argsort()):
        assert isinstance(indices, Undetermined)
        assert "Undetermined" in repr(indices)
        for use in (
            lambda i=indices: torch.arange(9)[i],
            lambda i=indices: i + 1,
            lambda i=indices: int(i.reshape(-1)[0]),
            lambda i=indices: x[i],
            lambda i=indices: bool((i == 0).any()),
            lambda i=indices: F.one_hot(i),
        ):
            with pytest.raises((NoSoundRule, RuntimeError)):
                use()
        for use in (lambda i=indices: i.tolist(), lambda i=indices: i.numpy(), lambda i=indices: int(i)):
            with pytest.raises((NoSoundRule, RuntimeError, TypeError, ValueError)):
                use()
