"""Enclosures of elementary functions against Arb at 240 bits, on inputs chosen to hurt."""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable
from fractions import Fraction

import flint
import numpy as np
import pytest
import torch
from flint import arb
from hypothesis import given, settings
from hypothesis import strategies as st

from compact_proofs.enclosure import approximation, elementary
from compact_proofs.enclosure.approximation import above, below, polynomial, power_series
from compact_proofs.enclosure.rounding import TINY, UNIT_ROUNDOFF
from compact_proofs.enclosure.trigonometric import LARGEST_ARGUMENT

MAX = torch.finfo(torch.float64).max
SMALLEST_NORMAL = 2.0**-1022
LN2, PI = math.log(2), math.pi

REFERENCE: dict[str, Callable[[arb], arb]] = {
    "exp": lambda x: x.exp(),
    "expm1": lambda x: x.expm1(),
    "log": lambda x: x.log(),
    "log1p": lambda x: x.log1p(),
    "tanh": lambda x: x.tanh(),
    "sigmoid": lambda x: 1 / (1 + (-x).exp()),
    "erf": lambda x: x.erf(),
    "sin": lambda x: x.sin(),
    "cos": lambda x: x.cos(),
    "sqrt": lambda x: x.sqrt(),
}
DOMAIN_START = {"log": 0.0, "log1p": -1.0, "sqrt": 0.0}
RANGE = {"exp": (0, math.inf), "expm1": (-1, math.inf), "sigmoid": (0, 1), "sqrt": (0, math.inf)} | dict.fromkeys(
    ("tanh", "erf", "sin", "cos"), (-1, 1)
)
every_function = pytest.mark.parametrize("name", REFERENCE)


@pytest.fixture(autouse=True)
def _precision():
    with flint.ctx.workprec(240):
        yield


def neighbours(x: np.ndarray, steps: int = 2) -> np.ndarray:
    """The numbers themselves and the next few on either side of each, as far as finite."""
    found, down, up = [x], x, x
    with np.errstate(over="ignore"):
        for _ in range(steps):
            down, up = np.nextafter(down, -np.inf), np.nextafter(up, np.inf)
            found += [down, up]
    together = np.concatenate(found)
    return together[np.isfinite(together)]


def boundaries(name: str) -> np.ndarray:
    """Inputs where an implementation changes its mind: reduction boundaries, zeros, poles, over- and underflow."""
    k = np.arange(-1100.0, 1100.0)
    powers = 2.0 ** np.arange(-1074.0, 1024.0)
    common = np.concatenate([powers, -powers, [0.0, -0.0, MAX, -MAX, 1.0, -1.0, 1e-300, 3 * TINY, 0.5, 0.75]])
    own = {
        "exp": np.concatenate([k * LN2, (k + 0.5) * LN2, [709.782712893384, -708.3964185322641, -745.1332191019411]]),
        "expm1": np.concatenate([k * LN2, (k + 0.5) * LN2, [709.25, 709.782712893384, -708.0, -745.133]]),
        "log": np.concatenate([powers[:-1] * math.sqrt(2), 1 + k * 2.0**-52, 1 + k * 2.0**-20]),
        "log1p": np.concatenate([powers[:-1] * math.sqrt(2) - 1, powers - 1, k * 2.0**-60, -1 - k * 2.0**-53]),
        "tanh": np.concatenate([k * LN2 / 2, (k + 0.5) * LN2 / 2, [20.0, 19.0615, -19.0615]]),
        "sigmoid": np.concatenate([k * LN2, (k + 0.5) * LN2, [40.0, 36.7, -708.396, -745.133]]),
        "erf": np.concatenate([k / 64, k / 16, [6.0, 5.8635, 5.9215872]]),
        "sin": np.concatenate([k * PI / 2, (k + 0.5) * PI / 2, k * 303 * PI / 2, k * PI, [2.0**20, -(2.0**20)]]),
        "sqrt": np.concatenate([k**2, 2 * k**2]),
    }
    own["cos"] = own["sin"]
    return neighbours(np.concatenate([common, own[name]]))


def random_inputs(rng: np.random.Generator, count: int) -> np.ndarray:
    """Random bit patterns, sizes spread over the usual exponents, and ordinary numbers."""
    bits = rng.integers(-(2**63), 2**63 - 1, count // 4, dtype=np.int64).view(np.float64)
    spread = rng.standard_normal(count // 4) * 2.0 ** rng.integers(-60, 12, count // 4)
    ordinary = rng.standard_normal(count // 4) * 4
    wide = rng.uniform(-800, 800, count - 3 * (count // 4))
    return np.concatenate([bits[np.isfinite(bits)], spread, ordinary, wide])


def generator(name: str, purpose: str) -> np.random.Generator:
    return np.random.default_rng(zlib.crc32(f"{name} {purpose}".encode()))


def in_domain(name: str, x: np.ndarray) -> np.ndarray:
    return x[x > DOMAIN_START.get(name, -math.inf)]


def inputs(name: str, count: int) -> np.ndarray:
    """All boundary inputs (a random selection if there are too many) and random ones, in the domain."""
    rng = generator(name, "points")
    special = rng.permutation(np.unique(in_domain(name, boundaries(name))))[: count // 2]
    ordinary = np.array([])
    while len(special) + len(ordinary) < count:
        ordinary = np.append(ordinary, in_domain(name, random_inputs(rng, count)))
    return np.concatenate([special, ordinary])[:count]


def enclose(name: str, lo: np.ndarray, hi: np.ndarray) -> tuple[list[float], list[float]]:
    lower, upper = getattr(elementary, name)(torch.from_numpy(lo), torch.from_numpy(hi))
    assert lower.dtype == upper.dtype == torch.float64
    return lower.tolist(), upper.tolist()


def violations(name: str, x: np.ndarray, lower: list[float], upper: list[float]) -> list[tuple[float, float, float]]:
    """The triples (x, lower, upper) where f(x) is certainly outside the bounds, or these are not bounds at all.

    Arb encloses f(x) in a ball of relative radius about 2^-240; "certainly outside" leaves out no more than that.
    """
    f = REFERENCE[name]
    wrong = []
    for point, low, high in zip(x.tolist(), lower, upper, strict=True):
        value = f(arb(point))
        enclosed = low < math.inf and high > -math.inf and low <= high  # also excludes NaN
        if not enclosed or arb(low) > value or arb(high) < value:
            wrong.append((point, low, high))
    return wrong


def loose(name: str, x: np.ndarray, lower: list[float], upper: list[float]) -> list[tuple[float, float, float]]:
    """The triples whose relative width exceeds 2^-48, apart from 16 TINY, overflow and the documented exceptions."""
    low, high = np.array(lower), np.array(upper)
    allowed = 2.0**-48 * np.minimum(abs(low), abs(high)) + 16 * TINY
    if name in ("sin", "cos"):
        allowed += np.where(abs(x) <= LARGEST_ARGUMENT, abs(x) * 2.0**-111, 2.0)
    finite = np.isfinite(low) & np.isfinite(high)
    return [(x[i], lower[i], upper[i]) for i in np.flatnonzero(finite & ~(high - low <= allowed))]


def check_points(name: str, count: int) -> None:
    x = inputs(name, count)
    assert len(x) == count
    lo = torch.from_numpy(x)
    # The same tensor twice and two equal ones are treated differently.
    for hi, part in ((lo, slice(0, None, 2)), (lo.clone(), slice(1, None, 2))):
        lower, upper = (bound.tolist() for bound in getattr(elementary, name)(lo, hi))
        assert violations(name, x[part], lower[part], upper[part]) == []
        assert loose(name, x, lower, upper) == []
        if name in RANGE:
            assert min(lower) >= RANGE[name][0]
            assert max(upper) <= RANGE[name][1]


def intervals(name: str, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Intervals of every width between one step and everything, some of them unbounded."""
    rng = generator(name, "intervals")
    ends = inputs(name, 2 * count)
    rng.shuffle(ends)
    a, b = ends[:count].copy(), ends[count:]
    near = rng.random(count) < 0.7
    # Blocks of narrow intervals take the shorter way through exp.
    near[: count // 3] = True
    relative = rng.random(count) * 2.0 ** rng.integers(-53, 3, count)
    with np.errstate(over="ignore"):
        narrow = a + abs(a) * relative + rng.choice([0, TINY, 1e-3], count)
    narrow[: count // 3] = np.minimum(narrow[: count // 3], a[: count // 3] + 0.06)
    b = np.where(near & np.isfinite(narrow), narrow, b)
    lo, hi = np.minimum(a, b), np.maximum(a, b)
    lo[-20:-10], hi[-10:] = DOMAIN_START.get(name, -math.inf), math.inf
    return lo, hi


def inside(rng: np.random.Generator, lo: np.ndarray, hi: np.ndarray) -> np.ndarray:
    """A real point of each interval: an end, or between them (linearly, or with a random exponent)."""
    low, high = np.clip(lo, -MAX, MAX), np.clip(hi, -MAX, MAX)
    part = np.where(rng.random(len(lo)) < 0.5, rng.random(len(lo)), 2.0 ** -rng.integers(0, 60, len(lo)).astype(float))
    between = np.clip(low * (1 - part) + high * part, low, high)
    choice = rng.integers(0, 4, len(lo))
    return np.where(choice == 0, low, np.where(choice == 1, high, between))


def check_intervals(name: str, count: int) -> None:
    lo, hi = intervals(name, count)
    third = count // 3
    parts = [enclose(name, lo[:third], hi[:third]), enclose(name, lo[third:], hi[third:])]
    lower, upper = (first + second for first, second in zip(*parts, strict=True))
    x = inside(generator(name, "inside"), lo, hi)
    real = x > DOMAIN_START.get(name, -math.inf)
    pick = [[bound[i] for i in np.flatnonzero(real)] for bound in (lower, upper)]
    assert violations(name, x[real], *pick) == []


@every_function
def test_points(name):
    check_points(name, 30_000)


@every_function
def test_intervals(name):
    check_intervals(name, 20_000)


@pytest.mark.slow
@every_function
def test_many_points(name):
    check_points(name, 1_000_000)


@pytest.mark.slow
@every_function
def test_many_intervals(name):
    check_intervals(name, 500_000)


@every_function
@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_any_interval(name, data):
    start = DOMAIN_START.get(name)
    number = st.floats(min_value=start, exclude_min=start is not None, allow_nan=False, allow_infinity=False)
    lo, x, hi = sorted(data.draw(st.tuples(number, number, number)))
    low, high = enclose(name, np.array([lo]), np.array([hi]))
    assert violations(name, np.array([lo, x, hi]), low * 3, high * 3) == []


def bounds(name: str, lo: float, hi: float | None = None) -> tuple[float, float]:
    lower, upper = enclose(name, np.array([lo]), np.array([lo if hi is None else hi]))
    return lower[0], upper[0]


def test_infinite_bounds():
    inf = math.inf
    low, high = bounds("exp", -inf)
    assert low == 0
    assert high <= 1e-300
    assert bounds("exp", -inf, inf) == (0, inf)
    assert bounds("exp", inf)[1] == inf
    assert MAX / 2 < bounds("exp", 1000.0)[0] < inf
    assert bounds("expm1", -inf, inf) == (-1, inf)
    assert bounds("tanh", -inf, inf) == (-1, 1)
    assert bounds("erf", -inf, inf) == (-1, 1)
    assert bounds("sigmoid", -inf, inf) == (0, 1)
    assert bounds("sin", -inf, 0.0) == (-1, 1)
    assert bounds("cos", inf) == (-1, 1)
    assert bounds("log", 0.0, inf) == (-inf, inf)
    assert bounds("log", inf)[0] < inf
    assert bounds("sqrt", 0.0, inf) == (0, inf)


def test_outside_the_domain():
    inf = math.inf
    assert bounds("log", -1.0, 5.0) == (-inf, inf)
    assert bounds("log", -TINY, 5.0) == (-inf, inf)
    low, high = bounds("log", 0.0, 5.0)
    assert low == -inf
    assert high == pytest.approx(math.log(5))
    assert bounds("log", -0.0, 5.0) == (low, high)
    assert bounds("log", 0.0)[0] == -inf
    assert bounds("log1p", -1.5, 0.0) == (-inf, inf)
    assert bounds("log1p", -1.0, 0.0)[0] == -inf
    assert bounds("sqrt", -TINY, 4.0) == (-inf, inf)


def test_overflow_and_underflow():
    edge = 709.782712893384
    assert bounds("exp", np.nextafter(edge, 1000))[1] == math.inf
    assert 0 < bounds("exp", -745.0)[1] <= 16 * TINY
    assert bounds("exp", -740.0)[0] > 0
    assert bounds("sigmoid", -740.0)[0] > 0
    assert bounds("expm1", 709.0)[1] < math.inf


@pytest.mark.parametrize("name", ["sin", "cos"])
def test_extrema(name):
    """Bounds reach +-1 exactly if an extremum is in the interval, for intervals away from it by 2^-20 at least."""
    rng = generator(name, "extrema")
    lo = rng.uniform(-1e4, 1e4, 20_000)
    hi = lo + rng.choice([0.1, 1.0, 4.0, 7.0], len(lo)) * rng.random(len(lo))
    lower, upper = (np.array(bound) for bound in enclose(name, lo, hi))
    for bound, sign in ((lower, -1.0), (upper, 1.0)):
        phase = {"sin": 0.25, "cos": 0.0}[name] + (0.5 if sign < 0 else 0.0)
        turns = (lo / (2 * PI) - phase, hi / (2 * PI) - phase)
        meets = np.floor(turns[1]) >= np.ceil(turns[0])
        clear = np.minimum(*(abs(t - np.round(t)) for t in turns)) > 2.0**-20
        assert (bound[meets] == sign).all()
        assert (bound[clear & ~meets] != sign).all()
        assert clear.sum() > 10_000


def test_narrow_intervals_of_exp_are_tight():
    rng = generator("exp", "narrow")
    lo = rng.uniform(-5, 5, 5_000)
    width = 2.0 ** rng.uniform(-50, -4, 5_000)
    lower, upper = (np.array(bound) for bound in enclose("exp", lo, lo + width))
    assert (upper / lower <= np.exp(width) * (1 + 0.03 * width**2 + 2.0**-46)).all()


@every_function
def test_shapes(name):
    f = getattr(elementary, name)
    x = torch.linspace(0.25, 3.0, 12, dtype=torch.float64).view(3, 4)
    flat_lower, flat_upper = f(x.reshape(-1), x.reshape(-1) + 1.0)
    for a in (x.T, x[:, ::2], x[1, 2], x[:0], x[None, :1].expand(5, 1, 4), torch.empty(0, 3, dtype=torch.float64)):
        before = a.clone()
        lower, upper = f(a, a + 1.0)
        assert lower.shape == upper.shape == a.shape
        assert torch.equal(a, before)
    lower, upper = f(x, x + 1.0)
    assert torch.allclose(lower.reshape(-1), flat_lower, rtol=1e-14)
    assert torch.allclose(upper.reshape(-1), flat_upper, rtol=1e-14)


@every_function
def test_results_are_new_tensors(name):
    x = torch.linspace(0.25, 3.0, 12, dtype=torch.float64)
    before = x.clone()
    lower, upper = getattr(elementary, name)(x, x)
    kept = upper.clone()
    lower.zero_()
    assert torch.equal(upper, kept)
    upper.zero_()
    assert torch.equal(x, before)


@every_function
def test_blocks(name, monkeypatch):
    """Many entries are treated in blocks, with the same result up to the last bits."""
    f = getattr(elementary, name)
    x = torch.linspace(0.25, 3.0, 1001, dtype=torch.float64).expand(3, 1001)
    whole = f(x, x + 1.0)
    monkeypatch.setattr(approximation, "BLOCK", 100)
    for bound, expected in zip(f(x, x + 1.0), whole, strict=True):
        assert bound.shape == x.shape
        assert torch.allclose(bound, expected, rtol=1e-14)
    lower, upper = f(x, x)
    assert bool((lower <= upper).all())


@every_function
def test_shapes_without_data(name):
    x = torch.empty(3, 4, dtype=torch.float64, device="meta")
    lower, upper = getattr(elementary, name)(x, x.clone())
    assert lower.shape == upper.shape == (3, 4)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@every_function
def test_on_a_gpu(name):
    x = inputs(name, 8_000)
    lower, upper = getattr(elementary, name)(torch.from_numpy(x).cuda(), torch.from_numpy(x.copy()).cuda())
    assert violations(name, x, lower.tolist(), upper.tolist()) == []
    assert loose(name, x, lower.tolist(), upper.tolist()) == []


def test_constants():
    def ball(x: Fraction) -> arb:
        return arb(x.numerator) / x.denominator

    error = ball(approximation.CONSTANT_ERROR)
    assert abs(ball(approximation.LN2) - arb.const_log2()) < error
    assert abs(ball(approximation.PI_RATIONAL) - arb.pi()) < error
    for x in (Fraction(0), Fraction(1, 64), Fraction(36), Fraction(40)):
        assert abs(ball(approximation.exp_rational(x)) - (-ball(x)).exp()) < error
    assert arb(elementary.PI[0]) < arb.pi() < arb(elementary.PI[1])


@settings(max_examples=500)
@given(
    y=st.floats(-MAX, MAX) | st.floats(-4 * SMALLEST_NORMAL, 4 * SMALLEST_NORMAL),
    units=st.floats(0, 2.0**12),
)
def test_bounds_from_an_error(y, units):
    """`below` and `above` enclose every f with |y - f| <= error |f| + 2 TINY, in exact arithmetic."""
    error = units * UNIT_ROUNDOFF
    value, e, slack = torch.tensor([y], dtype=torch.float64), Fraction(error), 2 * Fraction(TINY)
    lower, upper = below(value, error).item(), above(value, error).item()
    smallest, largest = Fraction(y) - slack, Fraction(y) + slack
    assert lower == -math.inf or Fraction(lower) <= min(smallest / (1 + e), smallest / (1 - e))
    assert upper == math.inf or Fraction(upper) >= max(largest / (1 + e), largest / (1 - e))


@pytest.mark.parametrize("degree", [3, 6, 9, 12])
def test_proven_errors_of_polynomials(degree):
    """The bound holds for e^x on [-1/2, 1], and is not far from the errors that occur."""
    series = power_series(lambda n: Fraction(1, math.factorial(n)), Fraction(1))
    approximate, error = polynomial(*series, Fraction(-1, 2), Fraction(1), degree)
    x = torch.linspace(-0.5, 1.0, 2001, dtype=torch.float64)
    values = zip(approximate(x).tolist(), x.tolist(), strict=True)
    worst = max(float(abs(arb(value) - arb(point).exp()).upper()) for value, point in values)
    assert worst <= error
    assert error <= 20 * worst


def test_a_claimed_error_is_compared():
    approximation.confirm(Fraction(1, 3), 0.5)
    with pytest.raises(AssertionError, match="exceeds"):
        approximation.confirm(Fraction(2, 3), 0.5)


def test_square_roots_do_not_trust_the_library(monkeypatch):
    """Whatever torch.sqrt answers, the enclosure holds; right answers give narrow ones, at every size and in every lane."""
    generator = torch.Generator().manual_seed(0)
    exponents = torch.randint(-1074, 1024, (20_000,), generator=generator).double()
    x = (1 + torch.rand(20_000, generator=generator, dtype=torch.float64)) * torch.exp2(exponents)
    x = torch.cat([x, torch.tensor([0.0, TINY, 2.0**-1022, 2.0**-500, 1.0, 4.0, MAX])])
    x = x[x.isfinite()]

    def holds(lo: torch.Tensor, hi: torch.Tensor) -> bool:
        return all(
            Fraction(a) ** 2 <= Fraction(v) and (b == math.inf or Fraction(b) ** 2 >= Fraction(v))
            for a, b, v in zip(lo.tolist(), hi.tolist(), x.tolist(), strict=True)
        )

    lo, hi = elementary.sqrt(x, x)
    assert holds(lo, hi)
    assert bool((hi <= lo * (1 + 2.0**-49)).all())
    true_root = torch.sqrt
    for wrong in (1 + 2.0**-50, 1 - 2.0**-50, 2.0, 0.0, math.inf, math.nan):
        monkeypatch.setattr(torch, "sqrt", lambda t, wrong=wrong: true_root(t) * wrong)
        assert holds(*elementary.sqrt(x, x))
