"""The rule table: moving, choosing, comparing and converting; and everything that must raise instead of guessing."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle import KINDS, SPECIAL, check, inside, operand

from compact_proofs.enclosure import Enclosure, count_below, enclose, lower, provably, upper
from compact_proofs.enclosure.rules import CREATION, EXACT, ON_BOOLS, REFUSED, RULES
from compact_proofs.enclosure.tensor import Undetermined
from compact_proofs.errors import BadInput, NoSoundRule, NotProvable

INF = math.inf


def interval(*bounds: tuple[float, float]) -> Enclosure:
    lo, hi = zip(*bounds, strict=True)
    return Enclosure(torch.tensor(lo, dtype=torch.float64), torch.tensor(hi, dtype=torch.float64))


@pytest.fixture
def x() -> Enclosure:
    return interval((1.0, 1.5), (2.0, 4.0), (3.0, 5.0))


# ------------------------------------------------------------------------------------------ moving and choosing numbers

INDEX = np.array([[0, 2, 1], [2, 2, 0]])
MASK = np.array([[True, False, True], [False, True, True]])
MOVES: dict[str, tuple[Callable[[torch.Tensor], torch.Tensor], Callable[[np.ndarray], np.ndarray]]] = {
    "transpose": (lambda x: x.mT, lambda x: x.swapaxes(-1, -2)),
    "view": (lambda x: x.contiguous().view(-1), lambda x: x.reshape(-1)),
    "reshape": (lambda x: x.mT.reshape(2, 3), lambda x: x.T.reshape(2, 3)),
    "expand": (lambda x: x[:, :1].expand(2, 4).clone(), lambda x: np.repeat(x[:, :1], 4, 1)),
    "cat": (lambda x: torch.cat([x, x.flip(0)], 1), lambda x: np.concatenate([x, x[::-1]], 1)),
    "stack": (lambda x: torch.stack([x, x.roll(1, 0)]), lambda x: np.stack([x, np.roll(x, 1, 0)])),
    "slice": (lambda x: x[:, 1:][::2], lambda x: x[:, 1:][::2]),
    "index": (lambda x: x[torch.tensor([1, 0, 1])], lambda x: x[[1, 0, 1]]),
    "mask": (lambda x: x[torch.from_numpy(MASK)], lambda x: x[MASK]),
    "masked_select": (lambda x: x.masked_select(torch.from_numpy(MASK)), lambda x: x[MASK]),
    "gather": (lambda x: x.gather(1, torch.from_numpy(INDEX)), lambda x: np.take_along_axis(x, INDEX, 1)),
    "take": (lambda x: x.take(torch.tensor([5, 0])), lambda x: x.reshape(-1)[[5, 0]]),
    "index_select": (lambda x: x.index_select(1, torch.tensor([2, 2])), lambda x: x[:, [2, 2]]),
    "embedding": (lambda x: F.embedding(torch.tensor([[1], [0]]), x, padding_idx=0), lambda x: x[[[1], [0]]]),
    "split": (lambda x: x.split([1, 2], 1)[1], lambda x: x[:, 1:]),
    "chunk": (lambda x: x.chunk(3, 1)[2], lambda x: x[:, 2:]),
    "unbind": (lambda x: x.unbind(1)[1], lambda x: x[:, 1]),
    "tril": (lambda x: x.tril(), lambda x: np.where(np.tri(2, 3, dtype=bool), x, 0)),
    "diagonal": (lambda x: x.diagonal(), lambda x: x.diagonal()),
    "diag_embed": (lambda x: x[0].diag_embed(), lambda x: np.where(np.eye(3, dtype=bool), x[0], 0)),
    "pad": (lambda x: F.pad(x, (0, 1)), lambda x: np.pad(x, ((0, 0), (0, 1)), constant_values=0)),
    "unfold": (lambda x: x.unfold(1, 2, 1), lambda x: np.stack([x[:, :2], x[:, 1:]], 1)),
    "repeat": (lambda x: x.repeat(2, 1), lambda x: np.concatenate([x, x])),
    "where": (
        lambda x: torch.where(torch.from_numpy(MASK), x, -x),
        lambda x: np.where(MASK, x, -x),
    ),
    "masked_fill": (lambda x: x.masked_fill(torch.from_numpy(MASK), 0), lambda x: np.where(MASK, 0, x)),
    "scatter_reduce": (
        lambda x: x.scatter_reduce(1, torch.from_numpy(INDEX), x, "amax"),
        lambda x: _scatter_max(x),
    ),
    "to": (lambda x: x.to(torch.float16).float(), lambda x: x),
    "deepcopy": (lambda x: copy.deepcopy(x), lambda x: x),
    "squeeze": (lambda x: x[:, None].squeeze(1).unsqueeze(0)[0], lambda x: x),
    "vector times matrix": (lambda x: x[0] @ torch.eye(3, dtype=torch.float64), lambda x: x[0]),
}


def _scatter_max(x: np.ndarray) -> np.ndarray:
    out = x.copy()
    for i in range(2):
        for j in range(3):
            out[i, INDEX[i, j]] = max(out[i, INDEX[i, j]], x[i, j])
    return out


@pytest.mark.parametrize("name", MOVES)
@pytest.mark.parametrize("kind", KINDS)
def test_moves(name: str, kind: str) -> None:
    rng = np.random.default_rng(5)
    for _ in range(4):
        x = operand(rng, (2, 3), kind)
        check(name, MOVES[name][0](x), MOVES[name][1](inside(rng, x)))


def test_views_whose_bounds_have_different_layouts() -> None:
    lo = torch.arange(6.0, dtype=torch.float64).reshape(2, 3)
    x = Enclosure(lo, (lo.T + 0.5).contiguous().T)
    y = x.view(3, 2)
    assert torch.equal(y.hi, y.lo + 0.5)
    with pytest.raises(NoSoundRule, match="as_strided"):
        x.as_strided((2,), (1,))
    with pytest.raises(NoSoundRule, match="view"):
        x.view(torch.int64)


def test_mixed_types_do_not_round(x: Enclosure) -> None:
    """One number of a narrow type must not pull the others down to it."""
    third = torch.tensor([1 / 3], dtype=torch.float64)
    for narrow in (torch.float16, torch.float32, torch.int64, torch.int8):
        joined = torch.cat([x, torch.tensor([3], dtype=narrow), third])
        assert joined.lo.tolist() == [1, 2, 3, 3, 1 / 3]
    assert torch.maximum(x, torch.tensor(7)).lo.tolist() == [7, 7, 7]


# --------------------------------------------------------------------------------------------------------- comparisons

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


# ------------------------------------------------------------------------------------------------ what has no answer


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


def test_unsorted_top_values_stay_matched() -> None:
    """Unsorted, PyTorch may list the bounds of one place in different orders."""
    torch.manual_seed(0)
    for _ in range(50):
        centre, width = torch.randn(40, dtype=torch.float64), torch.rand(40, dtype=torch.float64)
        values = Enclosure(centre - width, centre + width).topk(17, sorted=False).values
        assert (values.lo <= values.hi).all()
        assert torch.equal(values.lo, (centre - width).topk(17).values)


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("fft", lambda x: torch.fft.fft(x)),
        ("svd", lambda x: torch.linalg.svd(x.expand(3, 3))),
        ("argmax", lambda x: x.argmax()),
        ("cumprod", lambda x: x.cumprod(0)),
        ("remainder", lambda x: x % 2),
        ("nan_to_num", lambda x: x.nan_to_num()),
        ("scatter_add", lambda x: x.scatter_add(0, torch.tensor([0]), x[:1])),
        ("index_add", lambda x: x.index_add(0, torch.tensor([0]), x[:1])),
        ("searchsorted", lambda x: torch.searchsorted(x, x)),
        ("median", lambda x: x.median()),
        ("var_mean", lambda x: torch.var_mean(x)),
        ("round", lambda x: torch.round(x, decimals=2)),
        ("pow", lambda x: x**0.3),
        ("pow", lambda x: x**x),
        ("pow", lambda x: 2**x),
        ("pow", lambda x: x**math.inf),
        ("sum", lambda x: x.sum(dtype=torch.int64)),
        ("mean", lambda x: (x > 2).mean(dtype=torch.float64)),
        ("int64", lambda x: x.long()),
        ("complex", lambda x: x.to(torch.complex128)),
        ("bernoulli", lambda x: torch.bernoulli(x)),
        ("isnan", lambda x: x.quantile(0.3)),
        ("scatter_reduce", lambda x: x.scatter_reduce(0, torch.tensor([0]), x[:1], "sum")),
        ("constant_pad_nd", lambda x: F.pad(x, (1, 0), value=math.nan)),
        ("index", lambda x: x[x > 2]),
        ("masked_select", lambda x: x.masked_select(x > 2)),
        ("order 3", lambda x: torch.linalg.vector_norm(x, 3)),
        ("add.out", lambda x: torch.add(x, x, out=torch.zeros(3, dtype=torch.float64))),
        ("maximum.out", lambda x: torch.maximum(x, x, out=torch.zeros(3, dtype=torch.float64))),
        ("cat.out", lambda x: torch.cat([x], out=torch.zeros(3, dtype=torch.float64))),
        ("empty_like", lambda x: torch.empty_like(x)),
        ("leaky_relu", lambda x: F.leaky_relu(x)),
        ("isnan", lambda x: x.isnan()),
    ],
)
def test_no_rule_names_the_operation(x: Enclosure, name: str, call: Callable[[Enclosure], Any]) -> None:
    with pytest.raises(NoSoundRule, match=name):
        call(x)


@pytest.mark.parametrize(
    "assign",
    [
        lambda x: x.__setitem__(0, 1.0),
        lambda x: x.__setitem__(slice(0, 2), x[1:]),
        lambda x: x.__setitem__(torch.tensor([0]), 1.0),
        lambda x: x.__setitem__(torch.tensor([True, False, True]), 1.0),
        lambda x: x.copy_(x + 1),
        lambda x: x.fill_(1.0),
        lambda x: x.zero_(),
        lambda x: torch.zeros(3).copy_(x),
        lambda x: torch.zeros(3).__setitem__(0, x[0]),
        lambda x: x.index_put((torch.tensor([0]),), x[1]),
        lambda x: x.scatter(0, torch.tensor([0]), 1.0),
    ],
)
def test_assignment_says_what_to_do_instead(x: Enclosure, assign: Callable[[Enclosure], Any]) -> None:
    with pytest.raises(NoSoundRule, match=r"torch\.where"):
        assign(x)


def test_rules_do_not_overlap() -> None:
    assert not RULES.keys() & (EXACT | CREATION | ON_BOOLS | REFUSED.keys())
    assert not EXACT & (CREATION | ON_BOOLS | REFUSED.keys())
    for name in (*RULES, *EXACT, *CREATION, *ON_BOOLS, *REFUSED):
        assert hasattr(torch.ops.aten, name), f"aten has no {name}"


# ---------------------------------------------------------------------------------------------------- in place, aliases


def test_in_place_on_what_nobody_shares(x: Enclosure) -> None:
    y = x + 0.5
    z = y
    y += 1
    y.mul_(2).clamp_(max=9).neg_()
    assert z is y
    check("in place", y, np.array([-5 << 1074, -7 << 1074, -9 << 1074], dtype=object))  # -min(2 (x + 1.5), 9)
    c = x > 2
    c.logical_not_()
    assert c.lo.tolist() == [True, False, False]
    w = x + 0
    w.squeeze_().unsqueeze_(0).t_()
    assert w.shape == (3, 1)
    w.transpose_(0, 1)
    assert w.shape == (1, 3)
    check("in place", w * 2, np.array([[2 << 1074, 4 << 1074, 6 << 1074]], dtype=object))


VIEWS: dict[str, Callable[[Enclosure], Any]] = {
    "select": lambda x: x[0],
    "slice": lambda x: x[1:],
    "view": lambda x: x.view(3, 1),
    "reshape": lambda x: x.reshape(1, 3),
    "expand": lambda x: x.expand(2, 3),
    "unbind": lambda x: x.unbind(0),
    "split": lambda x: x.split(1),
    "detach": lambda x: x.detach(),
    "transpose": lambda x: x[:, None].mT,
    "unfold": lambda x: x.unfold(0, 2, 1),
    "diagonal": lambda x: x[:, None].diagonal(),
}


@pytest.mark.parametrize("name", VIEWS)
def test_in_place_with_living_views_raises(name: str) -> None:
    x = interval((1.0, 1.5), (2.0, 4.0), (3.0, 5.0))
    view = VIEWS[name](x)
    with pytest.raises(NoSoundRule, match="shares memory"):
        x.add_(1)
    first = view[0] if isinstance(view, (tuple, list)) else view
    with pytest.raises(NoSoundRule, match="shares memory"):
        first.mul_(2)
    assert x.lo.tolist() == [1, 2, 3]
    del view, first


COPIES: dict[str, Callable[[Enclosure], Enclosure]] = {
    "abs": torch.abs,
    "clone": torch.clone,
    "sum of one": lambda x: x[:1].sum(0),
    "prod of one": lambda x: x[:1].prod(0),
    "cumsum": lambda x: x.cumsum(0),
    "softmax of nothing": lambda x: x[:0].softmax(0),
    "to": lambda x: x.to(torch.float64, copy=True),
    "float": lambda x: x.float(),
    "deepcopy": copy.deepcopy,
    "copy": copy.copy,
    "vector norm of one": lambda x: torch.linalg.vector_norm(x[:1], 1, 0),
    "maximum": lambda x: torch.maximum(x, x),
    "clamp": lambda x: x.clamp(min=-INF),
    "where": lambda x: torch.where(torch.tensor(True), x, x),
    "pow": lambda x: x**1,
    "mean of one": lambda x: x[:1].mean(0),
    "sort": lambda x: x.sort().values,
    "repeat": lambda x: x.repeat(1),
    "expand and clone": lambda x: x.expand(2, 3).clone(),
}


@pytest.mark.parametrize("name", COPIES)
def test_a_copy_is_not_changed_with_its_source(name: str) -> None:
    for nonnegative in (True, False):
        x = interval((1.0 if nonnegative else -1.0, 1.5), (2.0, 4.0), (3.0, 5.0))
        y = COPIES[name](x)
        before = y.lo.clone()
        source = x.lo.clone()
        y += 1
        assert torch.equal(x.lo, source), "changing the copy changed its source"
        assert (y.lo >= before).all()


@pytest.mark.parametrize("name", ["sum", "cumsum", "prod", "mean", "abs", "amax", "max", "clone", "float", "relu", "softmax", "logsumexp"])
def test_a_result_of_one_number_is_not_that_number(name: str) -> None:
    for x in (enclose(2.0), interval((1.0, 2.0))[0].clone()):
        before = x.lo.item(), x.hi.item()
        y = getattr(x, name)(*([0] if name in ("cumsum", "softmax", "logsumexp") else []))
        y += 1
        assert (x.lo.item(), x.hi.item()) == before


def test_in_place_refuses_another_kind_or_shape() -> None:
    for f in (lambda x: x.lt_(3), lambda x: x.squeeze().add_(torch.zeros(2, 3)), lambda x: (x > 2).mul_(2.0)):
        with pytest.raises((NoSoundRule, RuntimeError)):
            f(interval((1.0, 1.5), (2.0, 4.0), (3.0, 5.0)) + 0)


def test_plain_memory_is_never_written(x: Enclosure) -> None:
    plain = torch.tensor([1.0, 2.0], dtype=torch.float64)
    e = enclose(plain)
    e += 1
    e.neg_()
    assert plain.tolist() == [1, 2]
    with pytest.raises(NoSoundRule):
        plain += e
    with pytest.raises(BadInput):
        enclose([0.1, 0.2])
