"""Activation functions and powers: against exact integers where they are piecewise linear, against Arb elsewhere; and isnan."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from flint import arb
from oracle import KINDS, SHIFT, TALLY, arbs, check, check_arb, floats_inside, inside, interval, operand, scaled

from compact_proofs.enclosure import Enclosure, enclose, provably, sound
from compact_proofs.errors import NoSoundRule

INF = math.inf
ONE = 1 << SHIFT
SPREADS = ("any", "normal", "tiny", "huge", "near")
Numbers = np.ndarray


def exactly(x: float) -> int:
    return int(scaled(np.array(x)).item())


def slope(x: float) -> Callable[[Numbers], Numbers]:
    return lambda a: np.where(a > 0, a * ONE, a * exactly(x))


PIECEWISE: dict[str, tuple[Callable[[torch.Tensor], torch.Tensor], Callable[[Numbers], Numbers], int, int]] = {
    "leaky_relu": (F.leaky_relu, slope(0.01), 2, 1),
    "steep leaky_relu": (lambda x: F.leaky_relu(x, 3.7), slope(3.7), 2, 1),
    "falling leaky_relu": (lambda x: F.leaky_relu(x, -0.3), slope(-0.3), 2, 1),
    "prelu": (lambda x: F.prelu(x, torch.tensor([-1.3], dtype=torch.float64)), slope(-1.3), 2, 1),
    "relu6": (F.relu6, lambda a: np.minimum(np.maximum(a, 0), 6 * ONE), 1, 1),
    "hardsigmoid": (F.hardsigmoid, lambda a: np.minimum(np.maximum(a + 3 * ONE, 0), 6 * ONE), 1, 6),
    "hardswish": (F.hardswish, lambda a: a * np.minimum(np.maximum(a + 3 * ONE, 0), 6 * ONE), 2, 6),
    "hardshrink": (lambda x: F.hardshrink(x, 0.3), lambda a: np.where(np.abs(a) <= exactly(0.3), 0, a), 1, 1),
    "softshrink": (F.softshrink, lambda a: a - np.minimum(np.maximum(a, -ONE // 2), ONE // 2), 1, 1),
    "threshold": (lambda x: F.threshold(x, 0.1, 20.0), lambda a: np.where(a > exactly(0.1), a, 20 * ONE), 1, 1),
    "frac": (torch.frac, lambda a: np.sign(a) * (np.abs(a) % ONE), 1, 1),
    "remainder": (lambda x: x % 0.75, lambda a: a % exactly(0.75), 1, 1),
    "remainder by a negative number": (lambda x: x % -0.75, lambda a: a % exactly(-0.75), 1, 1),
    "softsign": (F.softsign, lambda a: a * ONE, 0, 0),
}


def run_piecewise(name: str, rng: np.random.Generator, kind: str, spread: str, n: int) -> None:
    ours, exact, scale, divisor = PIECEWISE[name]
    x = operand(rng, (n, 3), kind, spread)
    p = inside(rng, x)
    if divisor:
        check(name, ours(x), exact(p), scale, divisor)
    else:  # softsign: x / (1 + |x|)
        check(name, ours(x), exact(p), 1, ONE + np.abs(p))


@pytest.mark.parametrize("spread", SPREADS)
@pytest.mark.parametrize("name", PIECEWISE)
def test_piecewise_linear(name: str, spread: str) -> None:
    rng = np.random.default_rng([*map(ord, name), *map(ord, spread)])
    for kind in KINDS:
        run_piecewise(name, rng, kind, spread, 16)


def test_slopes_of_prelu_may_be_intervals() -> None:
    rng = np.random.default_rng(0)
    for spread in SPREADS:
        for kind in KINDS:
            x, w = operand(rng, (5, 3), kind, spread), operand(rng, (3,), "mixed", spread)
            p, s = inside(rng, x), inside(rng, w)
            check("prelu", F.prelu(x, w), np.where(p > 0, p * ONE, p * s), 2)


def softplus(x: arb, beta: float = 1.0, threshold: float = 20.0) -> arb:
    t = arb(beta) * x
    return x if t > threshold else (t.exp().log1p() if t < 2**40 else t) / arb(beta)


def decay(x: arb) -> arb:
    return x.expm1() if x > -(2**40) else arb(-1)


def log_sigmoid(x: arb) -> arb:
    return x if x < -(2**40) else -(-x).exp().log1p()


def mish(x: arb) -> arb:
    return x * (x.exp().log1p() if x < 2**40 else x).tanh()


SELU = (1.6732632423543772848170429916717, 1.0507009873554804934193349852946)
SMOOTH: dict[str, tuple[Callable[[torch.Tensor], torch.Tensor], Callable[[arb], arb]]] = {
    "elu": (lambda x: F.elu(x, 0.7), lambda x: x if x > 0 else arb(0.7) * decay(x)),
    "falling elu": (lambda x: F.elu(x, -0.7), lambda x: x if x > 0 else arb(-0.7) * decay(x)),
    "celu": (lambda x: F.celu(x, 0.3), lambda x: x if x > 0 else arb(0.3) * decay(x / arb(0.3))),
    "selu": (F.selu, lambda x: arb(SELU[1]) * (x if x > 0 else arb(SELU[0]) * decay(x))),
    "softplus": (F.softplus, softplus),
    "steep softplus": (lambda x: F.softplus(x, 2.5, 3.0), lambda x: softplus(x, 2.5, 3.0)),
    "falling softplus": (lambda x: F.softplus(x, -1.5, 3.0), lambda x: softplus(x, -1.5, 3.0)),
    "mish": (F.mish, mish),
    "logsigmoid": (F.logsigmoid, log_sigmoid),
    "tanhshrink": (F.tanhshrink, lambda x: x - x.tanh()),
    "glu": (lambda x: F.glu(torch.cat([x, x]), 0), lambda x: x / (1 + (-x).exp()) if x > -(2**40) else x * x.exp()),
    "exp2": (torch.exp2, lambda x: (x * arb(2).log()).exp()),
    "2 ** x": (lambda x: 2.0**x, lambda x: (x * arb(2).log()).exp()),
    "log2": (lambda x: x.abs().clamp(min=1e-300).log2(), lambda x: abs(x if abs(x) > 1e-300 else arb(1e-300)).log() / arb(2).log()),
    "log10": (lambda x: x.abs().clamp(min=1e-9).log10(), lambda x: abs(x if abs(x) > 1e-9 else arb(1e-9)).log() / arb(10).log()),
    "power 0.3": (lambda x: x.abs() ** 0.3, lambda x: arb(0) if x == 0 else (arb(0.3) * abs(x).log()).exp()),
    "power -1.7": (lambda x: x.abs().clamp(min=0.01) ** -1.7, lambda x: (arb(-1.7) * max(abs(x), arb(0.01)).log()).exp()),
    "power -0.5": (lambda x: x.abs().clamp(min=0.01) ** -0.5, lambda x: 1 / max(abs(x), arb(0.01)).sqrt()),
    "logaddexp": (lambda x: torch.logaddexp(x, torch.zeros(())), lambda x: (1 + x.exp()).log() if x < 2**40 else x),
}


def run_smooth(name: str, rng: np.random.Generator, kind: str, spread: str, n: int) -> None:
    ours, exact = SMOOTH[name]
    x = operand(rng, (n, 3), kind, spread).clamp(-1e15, 1e15)  # beyond, Arb's exponents grow too large
    check_arb(name, ours(x), np.vectorize(exact, otypes=[object])(arbs(floats_inside(rng, x))))


@pytest.mark.parametrize("spread", SPREADS)
@pytest.mark.parametrize("name", SMOOTH)
def test_smooth(name: str, spread: str) -> None:
    rng = np.random.default_rng([*map(ord, name), *map(ord, spread)])
    for kind in ("point", "narrow", "wide", "straddling", "nonnegative"):
        run_smooth(name, rng, kind, spread, 8)


@pytest.mark.parametrize("name", SMOOTH)
def test_smooth_near_zero_and_narrow(name: str) -> None:
    rng = np.random.default_rng(7)
    x = np.concatenate([rng.normal(size=40) * 4, rng.normal(size=20) * 1e-9, np.linspace(-30.05, 29.95, 61)])
    result = SMOOTH[name][0](enclose(torch.from_numpy(x)))
    check_arb(name, result, np.vectorize(SMOOTH[name][1], otypes=[object])(arbs(x)))
    assert float((result.width / (result.mid.abs() + 1e-3)).max()) < 1e-11


@pytest.mark.parametrize("f", [F.softplus, F.logsigmoid, F.celu, F.hardsigmoid, F.softshrink, lambda x: F.elu(x, 0.5)])
def test_increasing_functions_are_tight_on_wide_intervals(f: Callable[[torch.Tensor], torch.Tensor]) -> None:
    x = interval((-3.0, 2.0), (-900.0, -800.0), (0.25, 5.0))
    result = f(x)
    for end, bound in ((x.lo, result.lo), (x.hi, result.hi)):
        value = f(end)
        assert float(((bound - value).abs() / (value.abs() + 1e-3)).max()) < 1e-12


def test_softplus_jumps_at_its_threshold() -> None:
    """torch's function is x from there on, and log(1 + e^x) before."""
    above, at = F.softplus(enclose(20.5)), F.softplus(enclose(20.0))
    assert above.lo.item() == above.hi.item() == 20.5
    assert at.lo.item() > 20
    around = F.softplus(interval((19.0, 21.0)))
    assert around.hi.item() >= 21
    assert around.lo.item() < 19.0001


def test_powers_of_tensors() -> None:
    rng = np.random.default_rng(2)
    base, exponent = np.abs(rng.normal(size=50)) * 10.0 ** rng.integers(-3, 3, 50), rng.normal(size=50) * 3
    expected = np.array([(e * b.log()).exp() for b, e in zip(arbs(base), arbs(exponent), strict=True)], dtype=object)
    x, y = torch.from_numpy(base), torch.from_numpy(exponent)
    check_arb("pow", enclose(x) ** y, expected)
    check_arb("pow", x ** enclose(y), expected)
    wide = Enclosure(x, x + 1) ** Enclosure(y - 1, y + 1)
    check_arb("pow", wide, expected)
    with sound():
        rotary = 10000.0 ** (-torch.arange(0, 8, 2) / 8)
    check_arb("rotary", rotary, np.array([(arb(10000).log() * arb(-i) / 4).exp() for i in range(4)], dtype=object))


def test_undefined_powers_are_unbounded() -> None:
    for base, exponent in ((-1.0, 0.3), (0.0, -0.3), (0.0, -1.5), (INF, 0.3), (0.0, -0.5), (-2.0, -0.5), (-2.0, 0.5)):
        result = enclose(base) ** exponent
        assert (result.lo.item(), result.hi.item()) == (-INF, INF), (base, exponent)
    assert float((enclose(0.0) ** 0.3).hi) < 1e-90
    uncertain = interval((-1.0, 4.0)) ** 0.3
    assert (uncertain.lo.item(), uncertain.hi.item()) == (-INF, INF)
    squared = interval((-3.0, -2.0)) ** torch.tensor(2)
    assert squared.lo.item() < 4 < 9 < squared.hi.item()
    assert squared.lo.item() > 3.99, "a known whole exponent multiplies"


def run_products(rng: np.random.Generator, kind: str, spread: str) -> None:
    a, b, w = (operand(rng, (4, 3), k, spread) for k in (kind, "mixed", "narrow"))
    p, q, s = (inside(rng, x) for x in (a, b, w))
    check("lerp", torch.lerp(a, b, w), p * ONE + s * (q - p), 2)
    check("lerp", torch.lerp(a, b, 0.25), p * ONE + ONE // 4 * (q - p), 2)
    products = a.cumprod(1)
    for i in range(3):
        check("cumprod", products[:, i], p[:, : i + 1].prod(1), i + 1)
    variance, mean = torch.var_mean(a, 1, correction=0)
    check("var_mean", mean, p.sum(1), 1, 3)
    check("var_mean", variance, ((3 * p - p.sum(1)[:, None]) ** 2).sum(1), 2, 27)


@pytest.mark.parametrize("spread", SPREADS)
def test_products(spread: str) -> None:
    rng = np.random.default_rng(len(spread))
    for kind in KINDS:
        run_products(rng, kind, spread)
    assert enclose(torch.zeros(2, 0)).cumprod(1).shape == (2, 0)
    assert enclose(3.0).cumprod(0).lo == 3


def test_tangent() -> None:
    x = np.linspace(-20, 20, 101)
    check_arb("tan", enclose(torch.from_numpy(x)).tan(), np.array([v.sin() / v.cos() for v in arbs(x)], dtype=object))
    across = interval((1.0, 2.0)).tan()
    assert (across.lo.item(), across.hi.item()) == (-INF, INF)


# ----------------------------------------------------------------------------------------------------------------------- isnan


def test_what_is_defined_is_no_nan() -> None:
    scores = torch.tensor([[1.0, -INF], [2.0, 0.5]], dtype=torch.float64)
    with sound():
        pattern = scores.softmax(-1)
        assert not provably(pattern.isnan()).any()
        assert provably(~pattern.isnan()).all()
        kept = torch.where(pattern.isnan(), torch.zeros_like(pattern), pattern)
    assert torch.equal(kept.lo, pattern.lo)
    assert torch.equal(kept.hi, pattern.hi)
    assert not (interval((1.0, INF)) + 1).isnan().any()


UNDEFINED: dict[str, Callable[[], torch.Tensor]] = {
    "0 / 0": lambda: enclose(0.0) / enclose(0.0),
    "inf - inf": lambda: enclose(INF) - enclose(INF),
    "0 * inf": lambda: enclose(0.0) * INF,
    "log": lambda: enclose(-1.0).log(),
    "sqrt": lambda: enclose(-1.0).sqrt(),
    "softmax of nothing": lambda: enclose(torch.tensor([-INF, -INF])).softmax(0)[0],
    "data": lambda: enclose(math.nan),
    "sum": lambda: enclose(torch.tensor([INF, -INF])).sum(),
    "product of matrices": lambda: enclose(torch.tensor([[INF, 0.0]])) @ torch.tensor([0.0, 1.0], dtype=torch.float64),
    "sin": lambda: enclose(INF).sin(),
    "power": lambda: enclose(-1.0) ** 0.3,
    "variance of one": lambda: enclose(torch.ones(1)).var(),
    "perhaps": lambda: interval((-1.0, 1.0)).log(),
    "empty": lambda: _nothing(),
}


def _nothing() -> torch.Tensor:
    with sound():
        return torch.empty(2)


HIDDEN: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "itself": lambda x: x,
    "clamp": lambda x: x.clamp(0, 1),
    "tanh": lambda x: x.tanh(),
    "sigmoid": lambda x: x.sigmoid() + 1,
    "maximum and minimum": lambda x: torch.minimum(torch.maximum(x, torch.zeros(())), torch.ones(())),
    "stack": lambda x: torch.stack([x, torch.zeros_like(x)]).sigmoid().flatten()[:1],
    "in place": lambda x: (x + 0).tanh_(),
    "sign": lambda x: x.sign(),
    "copy": lambda x: x.clamp(0, 1).clone().detach(),
}


@pytest.mark.parametrize("hide", HIDDEN)
@pytest.mark.parametrize("name", UNDEFINED)
def test_what_may_be_nan_is_undecided_however_it_is_bounded(name: str, hide: str) -> None:
    """clamp(nan, 0, 1) is NaN in torch, and [0, 1] in bounds: where(isnan, 5, x) may be 5."""
    x = HIDDEN[hide](UNDEFINED[name]())
    question = x.isnan()
    assert not provably(question).any()
    assert not provably(~question).any()
    assert float(torch.where(question, 5.0, x).hi.max()) >= 5


def test_isnan_of_plain_data() -> None:
    with sound():
        assert torch.tensor([math.nan, 1.0]).isnan().tolist() == [True, False]
    with pytest.raises(NoSoundRule):
        enclose(1.0).nan_to_num()


@pytest.mark.slow
def test_many_activations(capsys: pytest.CaptureFixture[str]) -> None:
    TALLY.clear()
    rng = np.random.default_rng(5)
    while TALLY.total() < 300_000:
        for name in PIECEWISE:
            run_piecewise(name, rng, str(rng.choice(KINDS)), str(rng.choice(SPREADS)), 100)
        for name in SMOOTH:
            run_smooth(name, rng, str(rng.choice(KINDS[:5])), str(rng.choice(SPREADS)), 20)
        run_products(rng, str(rng.choice(KINDS)), str(rng.choice(SPREADS)))
    with capsys.disabled():
        print(f"\n{TALLY.total():,} scalar checks of activations, no violation: {dict(TALLY)}")
