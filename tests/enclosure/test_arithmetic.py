"""Arithmetic on Enclosures against exact integers: random hostile operands, and the cases that once gave false bounds."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle import KINDS, MAX, SHIFT, TALLY, check, hostile, inside, operand, scaled

from compact_proofs.enclosure import Enclosure, enclose, provably
from compact_proofs.enclosure.rounding import TINY, check_machine
from compact_proofs.errors import BadInput

torch.set_num_threads(1)
SPREADS = ("any", "normal", "tiny", "huge", "near")
ONE = 1 << SHIFT
INF = math.inf


def tensor(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def unbounded(x: Enclosure) -> bool:
    return bool((x.lo == -INF).all() and (x.hi == INF).all())


# ------------------------------------------------------------------------------------------------- elementwise, in bulk

ELEMENTWISE: dict[str, tuple[int, Callable[..., Enclosure], Callable[..., np.ndarray], int]] = {
    "add": (2, lambda a, b: a + b, lambda a, b: a + b, 1),
    "sub": (2, lambda a, b: a - b, lambda a, b: a - b, 1),
    "sub alpha": (2, lambda a, b: torch.sub(a, b, alpha=-3), lambda a, b: a + 3 * b, 1),
    "rsub": (1, lambda a: 1.0 - a, lambda a: ONE - a, 1),
    "mul": (2, lambda a, b: a * b, lambda a, b: a * b, 2),
    "mul scalar": (1, lambda a: a * 0.1, lambda a: a * scaled(np.array(0.1)).item(), 2),
    "neg": (1, lambda a: -a, lambda a: -a, 1),
    "abs": (1, torch.abs, np.abs, 1),
    "square": (1, torch.square, lambda a: a * a, 2),
    "self product": (1, lambda a: a * a, lambda a: a * a, 2),
    "cube": (1, lambda a: a**3, lambda a: a**3, 3),
    "fourth": (1, lambda a: a**4, lambda a: a**4, 4),
    "power 0": (1, lambda a: a**0, lambda a: a * 0 + ONE, 1),
    "addcmul": (3, lambda a, b, c: torch.addcmul(a, b, c, value=0.5), lambda a, b, c: a * 2 * ONE + b * c, 0),
    "maximum": (2, torch.maximum, np.maximum, 1),
    "minimum": (2, torch.minimum, np.minimum, 1),
    "relu": (1, torch.relu, lambda a: np.maximum(a, 0), 1),
    "clamp": (1, lambda a: a.clamp(-1, 0.5), lambda a: np.minimum(np.maximum(a, -ONE), ONE // 2), 1),
    "clamp crossed": (1, lambda a: a.clamp(2, 1), lambda a: a * 0 + ONE, 1),
    "hardtanh": (1, torch.nn.functional.hardtanh, lambda a: np.minimum(np.maximum(a, -ONE), ONE), 1),
    "floor": (1, torch.floor, lambda a: a // ONE * ONE, 1),
    "ceil": (1, torch.ceil, lambda a: -(-a // ONE) * ONE, 1),
    "sign": (1, torch.sign, lambda a: np.sign(a) * ONE, 1),
}


def run_elementwise(name: str, rng: np.random.Generator, kinds: tuple[str, ...], spread: str, n: int) -> None:
    arity, ours, exact, scale = ELEMENTWISE[name]
    xs = [operand(rng, (n // 4, 4), kind, spread) for kind in kinds[:arity]]
    points = [inside(rng, x) for x in xs]
    result = ours(*xs)
    if name == "addcmul":  # a + bc/2 = (2 a 2^1074 + bc) / (2 * 2^2148)
        check(name, result, exact(*points), 2, 2)
    else:
        check(name, result, exact(*points), scale)


@pytest.mark.parametrize("spread", SPREADS)
@pytest.mark.parametrize("name", ELEMENTWISE)
def test_elementwise(name: str, spread: str) -> None:
    rng = np.random.default_rng([*map(ord, name), *map(ord, spread)])
    for kind in KINDS:
        run_elementwise(name, rng, (kind, KINDS[rng.integers(len(KINDS))], "mixed"), spread, 24)


@pytest.mark.parametrize("kinds", [(a, b) for a in KINDS for b in KINDS])
def test_product_and_quotient_of_every_kind(kinds: tuple[str, str]) -> None:
    rng = np.random.default_rng([len(kinds[0]), len(kinds[1])])
    for spread in SPREADS:
        run_elementwise("mul", rng, kinds, spread, 40)
        run_division(rng, kinds, spread, 40)


def run_division(rng: np.random.Generator, kinds: tuple[str, ...], spread: str, n: int) -> None:
    a, b = (operand(rng, (n,), kind, spread) for kind in kinds[:2])
    x, y = inside(rng, a), inside(rng, b)
    result = a / b
    nothing = (b.lo <= 0) & (b.hi >= 0)
    assert unbounded(result[nothing])
    y = np.where(y == 0, 1, y)
    sign = np.sign(y)
    exact = np.where(nothing.numpy(), 0, x * sign)
    check("div", result, exact * ONE, 1, np.abs(y))


finite = st.floats(allow_nan=False, allow_infinity=False)
anything = st.floats(allow_nan=False)


@st.composite
def intervals(draw: st.DrawFn, ends: st.SearchStrategy[float] = anything) -> tuple[float, float]:
    a, b = draw(ends), draw(ends)
    return (a, a) if draw(st.booleans()) else (min(a, b), max(a, b))


def point_in(draw: st.DataObject, lo: float, hi: float) -> Fraction:
    a, b = max(lo, -MAX), min(hi, MAX)
    if a > b:  # an infinite point
        return Fraction(a)
    t = draw.draw(st.fractions(0, 1))
    return Fraction(a) + t * (Fraction(b) - Fraction(a))


def holds(result: Enclosure, value: Fraction) -> bool:
    lo, hi = result.lo.item(), result.hi.item()
    return (lo == -INF or Fraction(lo) <= value) and (hi == INF or value <= Fraction(hi))


@settings(max_examples=300, deadline=None)
@given(intervals(finite), intervals(finite), st.data())
def test_field_operations(a: tuple[float, float], b: tuple[float, float], data: st.DataObject) -> None:
    x, y = (Enclosure(tensor(lo), tensor(hi)) for lo, hi in (a, b))
    s, t = point_in(data, *a), point_in(data, *b)
    assert holds(x + y, s + t)
    assert holds(x - y, s - t)
    assert holds(x * y, s * t)
    assert holds(torch.square(x), s * s)
    assert holds(x.abs(), abs(s))
    assert holds(-x, -s)
    if t:
        assert holds(x / y, s / t)
        assert holds(x / y + x, s / t + s)
    else:
        assert unbounded(x / y)


@settings(max_examples=300, deadline=None)
@given(intervals(), intervals())
def test_extended_reals(a: tuple[float, float], b: tuple[float, float]) -> None:
    """-inf and +inf are values: where an end is infinite, the operation on the ends is enclosed, or undefined and unbounded."""
    x, y = (Enclosure(tensor(lo), tensor(hi)) for lo, hi in (a, b))
    operations: list[Callable[..., torch.Tensor]] = [torch.add, torch.sub, torch.mul, torch.div, torch.maximum]
    for f in operations:
        result = f(x, y)
        for p in a:
            for q in b:
                value = f(tensor(p), tensor(q)).item()
                if math.isnan(value) or (f is torch.div and q == 0):
                    assert unbounded(result), (f.__name__, a, b)
                elif math.isinf(p) or math.isinf(q):
                    assert result.lo.item() <= value <= result.hi.item(), (f.__name__, a, b)


# -------------------------------------------------------------------------------------------------- sums and products


def run_sums(rng: np.random.Generator, kind: str, spread: str, n: int) -> None:
    x = operand(rng, (3, n, 2), kind, spread)
    p = inside(rng, x)
    check("sum", x.sum(1), p.sum(1))
    check("sum", x.sum((0, 2), keepdim=True), p.sum((0, 2), keepdims=True))
    check("sum", x.sum(), p.sum())
    check("mean", x.mean(1), p.sum(1), divisor=n)
    check("mean", x.mean(), p.sum(), divisor=6 * n)
    check("cumsum", x.cumsum(1), p.cumsum(1))
    check("prod", x[:, :4].prod(1), p[:, :4].prod(1), min(n, 4))
    check("amax", x.amax(1), p.max(1))
    check("max", x.max(1).values, p.max(1))
    check("min", x.min(), p.min())
    check("cummax", x.cummax(1).values, np.maximum.accumulate(p, 1))
    check("cummin", x.cummin(1).values, np.minimum.accumulate(p, 1))
    ordered = np.sort(p, 1)
    check("sort", x.sort(1).values, ordered)
    check("sort", x.sort(dim=1, descending=True, stable=True).values, ordered[:, ::-1])
    k = min(n, 3)
    check("topk", x.topk(k, 1, sorted=False).values, ordered[:, ::-1][:, :k])
    check("topk", x.topk(k, 1, largest=False).values, ordered[:, :k])
    check("kthvalue", x.kthvalue(k, 1).values, ordered[:, k - 1])
    check("norm inf", torch.linalg.vector_norm(x, INF, 1), np.abs(p).max(1))
    check("norm 1", torch.linalg.vector_norm(x, 1, 1), np.abs(p).sum(1))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("spread", SPREADS)
def test_sums_and_order(kind: str, spread: str) -> None:
    rng = np.random.default_rng([len(kind), len(spread)])
    for n in (1, 2, 3, 9):
        run_sums(rng, kind, spread, n)


def run_matrix_products(rng: np.random.Generator, kinds: tuple[str, ...], spread: str, n: int) -> None:
    a, b = operand(rng, (2, 3, n), kinds[0], spread), operand(rng, (2, n, 4), kinds[1], spread)
    c = operand(rng, (3, 4), "mixed", spread)
    p, q, r = inside(rng, a), inside(rng, b), inside(rng, c)
    check("bmm", a @ b, np.stack([p[0] @ q[0], p[1] @ q[1]]), 2)
    check("mm", a[0] @ b[1], p[0] @ q[1], 2)
    check("mv", a[0] @ b[0, :, 1], p[0] @ q[0, :, 1], 2)
    check("dot", torch.dot(a[0, 1], b[0, :, 1]), np.asarray((p[0, 1] * q[0, :, 1]).sum(), dtype=object), 2)
    check("addmm", torch.addmm(c, a[0], b[0], beta=-2, alpha=3), -2 * ONE * r + 3 * (p[0] @ q[0]), 2)
    check("baddbmm", torch.baddbmm(c, a, b)[1], r * ONE + p[1] @ q[1], 2)
    check("linear", torch.nn.functional.linear(a, b[0].mT, c[0]), p @ q[0] + r[0] * ONE, 2)
    check("einsum", torch.einsum("bij,bjk->ik", a, b), p[0] @ q[0] + p[1] @ q[1], 2)
    check("outer", torch.outer(a[0, 0], b[0, :, 0]), np.multiply.outer(p[0, 0], q[0, :, 0]), 2)


@pytest.mark.parametrize("kinds", [("point", "point"), ("point", "wide"), ("narrow", "straddling"), ("mixed", "nonnegative")])
@pytest.mark.parametrize("spread", SPREADS)
def test_matrix_products(kinds: tuple[str, str], spread: str) -> None:
    rng = np.random.default_rng([len(kinds[0]), len(kinds[1]), len(spread)])
    for n in (1, 2, 5, 17):
        run_matrix_products(rng, kinds, spread, n)
        run_matrix_products(rng, kinds[::-1], spread, n)


@pytest.mark.parametrize("n", [10, 1000])
@pytest.mark.parametrize("sign", [1, -1])
def test_the_worst_rounding_of_a_running_sum(n: int, sign: int) -> None:
    """Each of n terms of just under half a unit is lost: the computed sum is off by almost n u."""
    x = sign * tensor(1.0, *[2.0**-53 * 0.999] * n)
    exact = scaled(x)
    for y in (enclose(x), Enclosure(x, x.clone()), Enclosure(x, torch.nextafter(x, tensor(INF)))):
        check("worst", y.cumsum(0), exact.cumsum())
        check("worst", y.sum(), np.asarray(exact.sum()))
        check("worst", y.dot(torch.ones(n + 1, dtype=torch.float64)), np.asarray(exact.sum() * ONE), 2)
        cancelled, rest = torch.cat([y, -enclose(x[:1])]), np.append(exact, -exact[0])
        check("worst", cancelled.cumsum(0), rest.cumsum())
        check("worst", cancelled.sum(), np.asarray(rest.sum()))
        check("worst", cancelled.mean(0, keepdim=True), np.array([rest.sum()], dtype=object), divisor=n + 2)
        check("worst", cancelled.dot(torch.ones(n + 2, dtype=torch.float64)), np.asarray(rest.sum() * ONE), 2)


@pytest.mark.parametrize("n", [10, 1000])
def test_the_worst_rounding_of_a_radius(n: int) -> None:
    """The same terms times [-1, 1]: what is lost is the bound's own rounding."""
    x = tensor(1.0, *[2.0**-53 * 0.999] * n)
    signs = Enclosure(-torch.ones(n + 1, dtype=torch.float64), torch.ones(n + 1, dtype=torch.float64))
    most = scaled(x).sum() * ONE
    for product in (enclose(x).dot(signs), signs.dot(enclose(x)), (enclose(x)[None] @ signs)[0], (signs @ x[:, None])[0]):
        check("radius", product, np.asarray(most), 2)
        check("radius", product, np.asarray(-most), 2)


def test_long_sums_against_exact_integers() -> None:
    rng = np.random.default_rng(0)
    for spread in ("near", "normal"):
        x = hostile(rng, (8, 4096), spread)
        check("long", enclose(torch.from_numpy(x)).sum(1), scaled(x).sum(1))
        check("long", enclose(torch.from_numpy(np.abs(x))).sum(1), np.abs(scaled(x)).sum(1))
        y = hostile(rng, (4096, 2), spread)
        check("long", enclose(torch.from_numpy(x)) @ torch.from_numpy(y), scaled(x) @ scaled(y), 2)


# -------------------------------------------------------------------------------- overflow, underflow, nothing, undefined


@pytest.mark.parametrize("order", [(MAX, MAX, -MAX, -MAX), (MAX, -MAX, MAX, -MAX), (-MAX, -MAX, MAX, MAX), (MAX, 1e300, -MAX, 5)])
def test_partial_sums_overflow(order: tuple[float, ...]) -> None:
    x = tensor(*order)
    exact = scaled(x)
    for y in (enclose(x), Enclosure(torch.nextafter(x, tensor(-INF)).clamp(min=-MAX), x)):
        check("overflow", y.sum(), np.asarray(exact.sum()))
        check("overflow", y.cumsum(0), exact.cumsum())
        check("overflow", y @ torch.ones(4, dtype=torch.float64), np.asarray(exact.sum() * ONE), 2)
        check(
            "overflow",
            (y * 1).reshape(1, 4) @ torch.eye(4, 3, dtype=torch.float64),
            exact.reshape(1, 4)[:, :3] * ONE,
            2,
        )


def test_partial_sums_overflow_in_any_order() -> None:
    rng = np.random.default_rng(4)
    for n in (2, 3, 4, 7, 8, 16, 33):
        for _ in range(30):
            x = rng.choice([MAX, -MAX, MAX / 2, -MAX / 2, 1.0], (n, 3))
            y = enclose(torch.from_numpy(x))
            exact, ones = scaled(x), torch.ones(n, dtype=torch.float64)
            check("overflow", y.sum(0), exact.sum(0))
            check("overflow", y.mT @ ones, exact.sum(0) * ONE, 2)
            check("overflow", ones @ y, exact.sum(0) * ONE, 2)
            check("overflow", y[:, 0].dot(ones), np.asarray(exact[:, 0].sum() * ONE), 2)
            check("overflow", y.mT @ Enclosure(ones, ones.clone()), exact.sum(0) * ONE, 2)


def test_a_sum_overflows_where_its_size_does_not() -> None:
    """Strided and contiguous memory are added in different orders, and only one of them crosses the largest number."""
    for n, k, at in ((183, 137, 91), (150, 112, 75), (99, 74, 0)):
        terms = [0.75 * 2.0**971] * n
        terms[at], terms[1] = MAX - k * 2.0**971, -1.0
        x = torch.tensor(terms, dtype=torch.float64)
        strided = torch.stack([x, x], -1)[:, 0]
        for y in (enclose(strided), enclose(-strided), Enclosure(strided, x), Enclosure(x, strided)):
            check("overflow", y.sum(), np.asarray(scaled(y.hi).sum()))


def test_a_sum_that_overflows_by_rounding_only() -> None:
    """The computed running sum reaches +inf, the real one stays below the largest number: [largest, inf] would be false."""
    x = tensor(MAX - 100 * 2.0**971, *[0.75 * 2.0**971] * 101)
    for y in (enclose(x), enclose(-x), Enclosure(x, x.clone()), Enclosure(-x, -x)):
        check("overflow", y.cumsum(0), y.sign().lo.to(torch.int64).numpy() * scaled(x).cumsum())
        check(
            "overflow",
            torch.cat([y, tensor(-1.0)]).cumsum(0)[:-1],
            y.sign().lo.to(torch.int64).numpy() * scaled(x).cumsum(),
        )


def test_undefined_is_unbounded() -> None:
    inf, zero, near = enclose(INF), enclose(0.0), Enclosure(tensor(0.0), tensor(1.0))[0]
    rising = Enclosure(tensor(1.0), tensor(INF))[0]
    for result in (inf - inf, inf * zero, zero / zero, inf / inf, 1 / zero, -1 / near, near * rising, rising / rising):
        assert unbounded(result)
    assert unbounded(torch.stack([inf, -inf]).sum())
    assert unbounded(torch.stack([inf, zero]) @ torch.stack([zero, inf]))
    assert unbounded(torch.stack([inf, zero]).prod())
    assert unbounded(enclose(math.nan) + 1)
    assert unbounded(zero**-1)
    assert unbounded(enclose(torch.zeros(0)).mean())
    assert unbounded(torch.sqrt(enclose(-1.0)))
    assert unbounded(torch.rsqrt(zero))
    for f in (torch.sin, torch.cos):
        assert unbounded(f(inf))
        assert unbounded(f(rising))
    assert unbounded(torch.log(Enclosure(tensor(-1.0), tensor(1.0))))


def test_infinite_factors_in_matrix_products() -> None:
    """0 * inf must not vanish, whichever kernel multiplies."""
    for n in (1, 2, 5, 40):
        zeros, infinities = torch.zeros(n, n, dtype=torch.float64), torch.full((n, n), INF, dtype=torch.float64)
        for a, b in ((zeros, infinities), (infinities, zeros)):
            for x, y in ((enclose(a), b), (Enclosure(a, a + 0.0), b), (enclose(a), Enclosure(b, b + 0.0))):
                assert unbounded(x @ y)
                assert unbounded(x @ y[0])
                assert unbounded(torch.dot(x[0], y[0]))


def test_nothing_to_add() -> None:
    empty = enclose(torch.zeros(3, 0, dtype=torch.float64))
    check("empty", empty.sum(1), np.zeros(3, dtype=object))
    check("empty", empty.sum(), np.array(0, dtype=object))
    check("empty", empty.prod(1), np.full(3, ONE, dtype=object))
    check("empty", empty @ torch.zeros(0, 2, dtype=torch.float64), np.zeros((3, 2), dtype=object))
    for f in (torch.exp, torch.abs, lambda x: x + 1, lambda x: x * x, lambda x: x / x, lambda x: x.cumsum(1)):
        assert f(empty).shape == (3, 0)
    assert (empty.softmax(1) + empty.log_softmax(1)).shape == (3, 0)


def test_zero_dimensional() -> None:
    x = Enclosure(torch.tensor(-1.5), torch.tensor(2.0))
    assert (x.sum().lo.item(), x.sum().hi.item()) == (-1.5, 2)
    assert (x.cumsum(0).lo.item(), x.prod(0).hi.item(), x.amax().hi.item(), x.max().hi.item()) == (-1.5, 2, 2, 2)
    assert x.mean().shape == x.softmax(0).shape == x.logsumexp(0).shape == x.sort().values.shape == ()


def test_underflow_of_products() -> None:
    """Each product underflows to 0, and the sums are as large as n TINY / 2: only the absolute error term covers them."""
    for n in (1, 2, 16, 300):
        a = torch.full((n,), 2.0**-537, dtype=torch.float64)
        b = torch.full((n,), 2.0**-538, dtype=torch.float64)
        for sign in (1, -1):
            exact = np.asarray((scaled(a) * sign * scaled(b)).sum())
            for x in (enclose(a), Enclosure(a, a * (1 + 2.0**-52))):
                check("underflow", torch.dot(x, sign * b), exact, 2)
                check("underflow", x @ (sign * b)[:, None], exact.reshape(1), 2)
                check("underflow", (x[None] @ enclose(sign * b)[:, None]), exact.reshape(1, 1), 2)
                check("underflow", x * b, scaled(a) * scaled(b), 2)


def test_intervals_are_reasonably_narrow() -> None:
    """Soundness by giving up everywhere would pass the tests above."""
    rng = np.random.default_rng(1)
    a, b = (operand(rng, (40, 40), "point", "near") for _ in range(2))
    for result in (a + b, a * b, a / b, a @ b, a.sum(1), a.cumsum(0), a.mean(), a.square(), a[:, :4].prod(1)):
        size = 40 * 4 + 1
        assert float(result.width.max()) < 400 * 2.0**-53 * size
    assert TINY > 0


def test_exact_operands_only() -> None:
    for bad in (
        torch.tensor([2**53 + 1]),
        torch.tensor([2**63 + 1], dtype=torch.uint64),
        torch.tensor([1j]),
        2**53 + 1,
        1j,
        "1",
    ):
        with pytest.raises(BadInput):
            enclose(bad)
        with pytest.raises((BadInput, TypeError)):
            enclose(1.0) + bad
    x = Enclosure(tensor(0.0), tensor(1.0))
    with pytest.raises(BadInput):
        torch.maximum(x, torch.tensor([2**53 + 1]))
    with pytest.raises(BadInput):
        torch.cat([x, torch.tensor([2**53 + 1])])
    with pytest.raises(BadInput):
        x.clamp(max=2**53 + 1)
    assert enclose(torch.tensor([-(2**53), 2**53])).is_point
    for dtype in (torch.float16, torch.bfloat16, torch.float32, torch.int8, torch.int32, torch.uint8):
        weight = torch.tensor([3, 5]).to(dtype)
        check(str(dtype), enclose(weight) / 3, scaled(weight.double()) * 1, 1, 3)
    with pytest.raises(BadInput):
        Enclosure(tensor(1.0), tensor(0.0))
    with pytest.raises(BadInput):
        Enclosure(tensor(math.nan), tensor(0.0))
    with pytest.raises(BadInput):
        Enclosure(x, x)


def test_nan_among_plain_operands_is_an_unknown_number() -> None:
    x = Enclosure(tensor(1.0, 1.0), tensor(2.0, 2.0))
    unknown = tensor(math.nan, 0.0)
    for y in (torch.cat([x, unknown])[2:3], torch.stack([x, unknown])[1, :1], (x + unknown)[:1], (x * unknown)[:1]):
        assert unbounded(y)
    assert torch.maximum(x, unknown).lo.tolist() == [1, 1]
    assert torch.maximum(x, unknown).hi.tolist() == [INF, 2]
    assert not provably(unknown[:1] <= x[:1]).any()


def test_flushed_subnormals_are_noticed() -> None:
    check_machine()
    if not torch.set_flush_denormal(True):
        pytest.skip("this machine cannot flush subnormal numbers")
    try:
        with pytest.raises(RuntimeError, match="flush_denormal"):
            check_machine()
    finally:
        torch.set_flush_denormal(False)


# ---------------------------------------------------------------------------------------------------- the extended run


@pytest.mark.slow
def test_a_million_checks(capsys: pytest.CaptureFixture[str]) -> None:
    TALLY.clear()
    rng = np.random.default_rng(20240)

    def kinds() -> tuple[str, ...]:
        return tuple(KINDS[i] for i in rng.integers(len(KINDS), size=3))

    while TALLY.total() < 2_000_000:
        for spread in SPREADS:
            for name in ELEMENTWISE:
                run_elementwise(name, rng, kinds(), spread, 400)
            run_division(rng, kinds(), spread, 400)
            for _ in range(10):
                run_sums(rng, kinds()[0], spread, int(rng.integers(1, 40)))
                run_matrix_products(rng, kinds(), spread, int(rng.integers(1, 40)))
    with capsys.disabled():
        print(f"\n{TALLY.total():,} scalar checks against exact integers, no violation: {dict(TALLY)}")
