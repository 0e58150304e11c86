"""Exact arithmetic to judge enclosures by: real numbers as integers scaled by powers of two, and Arb for functions.

A real x is held as the integer x 2^1074 in a numpy object array, so that every binary64 number, and every point between two of them
that is sampled, is exact. A product of s such numbers has the scale 2^(1074 s).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable

import numpy as np
import torch
from flint import arb, ctx

from compact_proofs.enclosure import Enclosure

ctx.prec = 300
SHIFT = 1074
MAX = torch.finfo(torch.float64).max
SPECIAL = [
    0.0,
    -0.0,
    2.0**-1074,
    -(2.0**-1074),
    2.0**-1022,
    -(2.0**-1022),
    1.0,
    -1.0,
    1 - 2.0**-53,
    1 + 2.0**-52,
    0.1,
    -0.1,
]
SPECIAL += [2.0**53, 2.0**53 + 2, 1e-300, -1e-160, 1e160, -1e154, 2.0**1023, MAX, -MAX, MAX / 2, 1 / 3, -2 / 3]

TALLY: Counter[str] = Counter()
"""Scalar checks made so far, by the operation's name."""


def scaled(x: np.ndarray | torch.Tensor) -> np.ndarray:
    """Finite floats as integers."""
    x = np.asarray(x, dtype=np.float64)
    out = np.empty(x.shape, dtype=object)
    flat = out.reshape(-1)
    mantissa, exponent = np.frexp(x.reshape(-1))
    whole = (mantissa * 2.0**53).astype(np.int64).tolist()
    for i, (m, e) in enumerate(zip(whole, exponent.tolist(), strict=True)):
        e += SHIFT - 53
        flat[i] = m << e if e >= 0 else m >> -e
    return flat.reshape(x.shape)


def check(name: str, result: Enclosure, exact: np.ndarray, scale: int = 1, divisor: np.ndarray | int = 1) -> None:
    """Assert that ``exact 2^(-1074 scale) / divisor`` (divisor > 0) lies in `result`, entry by entry."""
    assert isinstance(result, Enclosure), f"{name} gave a plain {type(result).__name__}"
    lo, hi = result.lo.numpy(), result.hi.numpy()
    assert not (np.isnan(lo) | np.isnan(hi)).any(), f"{name}: NaN in a bound"
    exact = np.broadcast_to(np.asarray(exact, dtype=object), lo.shape)
    assert exact.shape == lo.shape
    shift = SHIFT * (scale - 1)
    for side, bound in (("lower", lo), ("upper", hi)):
        finite = np.isfinite(bound)
        assert (bound[~finite] == (-math.inf if side == "lower" else math.inf)).all(), f"{name}: wrong infinity"
        at = (scaled(np.where(finite, bound, 0.0)) * (1 << shift)) * divisor
        wrong = finite & (at > exact if side == "lower" else at < exact).astype(bool)
        assert not wrong.any(), f"{name}: false {side} bound {bound[wrong][:3]} at {np.argwhere(wrong)[:3].tolist()}"
    TALLY[name] += 2 * lo.size


def interval(*bounds: tuple[float, float]) -> Enclosure:
    """A vector of intervals."""
    lo, hi = zip(*bounds, strict=True)
    return Enclosure(torch.tensor(lo, dtype=torch.float64), torch.tensor(hi, dtype=torch.float64))


def hostile(rng: np.random.Generator, shape: tuple[int, ...], spread: str = "any") -> np.ndarray:
    """Random binary64 numbers: exponents of all sizes ("any", with special ones), moderate, small, near overflow, 0 and 1."""
    exponents = {
        "any": (-1074, 1023),
        "normal": (-30, 30),
        "tiny": (-1074, -1000),
        "huge": (1015, 1023),
        "near": (0, 1),
    }[spread]
    with np.errstate(over="ignore"):
        x = np.ldexp(rng.integers(2**52, 2**53, shape) * 2.0**-52, rng.integers(*exponents, shape, endpoint=True))
    x = np.where(np.isfinite(x), x, MAX) * rng.choice([-1.0, 1.0], shape)
    special = rng.choice(np.array(SPECIAL), shape)
    return np.where(rng.random(shape) < (0.25 if spread == "any" else 0.0), special, x)


KINDS = ("point", "narrow", "wide", "straddling", "nonnegative", "unbounded", "mixed")


def operand(rng: np.random.Generator, shape: tuple[int, ...], kind: str, spread: str = "any") -> Enclosure:
    """A random Enclosure of a kind; the layout of its bounds in memory is random too."""
    x = hostile(rng, shape, spread)
    if kind == "point":
        return _laid_out(rng, x, None)
    if kind == "narrow":
        lo, hi = x, np.where(x == MAX, MAX, np.nextafter(np.minimum(x, 1e308), np.inf))
        hi = np.maximum(lo, hi)
    elif kind == "straddling":
        lo, hi = -np.abs(x), np.abs(hostile(rng, shape, spread))
    else:
        y = hostile(rng, shape, spread)
        lo, hi = np.minimum(x, y), np.maximum(x, y)
    if kind == "nonnegative":
        lo, hi = np.minimum(np.abs(lo), np.abs(hi)), np.maximum(np.abs(lo), np.abs(hi))
    if kind in ("unbounded", "mixed"):
        lo = np.where(rng.random(shape) < 0.2, -np.inf, lo)
        hi = np.where(rng.random(shape) < 0.2, np.inf, hi)
    if kind == "mixed":
        same = rng.random(shape) < 0.4
        lo, hi = np.where(same, x, lo), np.where(same, x, hi)
    return _laid_out(rng, lo, hi)


def _laid_out(rng: np.random.Generator, lo: np.ndarray, hi: np.ndarray | None) -> Enclosure:
    def tensor(x: np.ndarray) -> torch.Tensor:
        t = torch.from_numpy(np.ascontiguousarray(x).copy())
        choice = rng.integers(4) if t.dim() else 0
        if choice == 1:
            return t.mT.contiguous().mT if t.dim() > 1 else t.repeat_interleave(2)[::2]
        if choice == 2:
            return torch.stack([t, t + 1], -1)[..., 0]
        return t

    first = tensor(lo)
    return Enclosure(first, first if hi is None else tensor(hi))


def inside(rng: np.random.Generator, x: Enclosure) -> np.ndarray:
    """A random real in every entry of x (scaled): an end, a point between (rarely a float), or far beyond on an open side."""
    lo, hi = x.lo.numpy(), x.hi.numpy()
    low, high = scaled(np.where(np.isfinite(lo), lo, 0.0)), scaled(np.where(np.isfinite(hi), hi, 0.0))
    out = np.empty(lo.shape, dtype=object)
    far = [1 << (SHIFT + e) for e in (-1074, -20, 0, 700, 1100)]
    flat = out.reshape(-1)
    pick, fraction = rng.integers(4, size=lo.size).tolist(), rng.integers(2**62, size=lo.size).tolist()
    entries = zip(lo.flat, hi.flat, low.flat, high.flat, pick, fraction, strict=True)
    for i, (a, b, m, n, choice, f) in enumerate(entries):
        if a == -math.inf and b == math.inf:
            flat[i] = (-1) ** choice * far[f % 5]
        elif a == -math.inf:
            flat[i] = n - (far[f % 5] if choice else 0)
        elif b == math.inf:
            flat[i] = m + (far[f % 5] if choice else 0)
        else:
            flat[i] = m if choice == 0 else n if choice == 1 else m + ((n - m) * f >> 62)
    return flat.reshape(lo.shape)


def floats_inside(rng: np.random.Generator, x: Enclosure) -> np.ndarray:
    """A random binary64 number in every entry of a bounded x."""
    lo, hi = x.lo.numpy(), x.hi.numpy()
    t = rng.random(lo.shape)
    return np.choose(rng.integers(3, size=lo.shape), [lo, hi, np.clip(lo * (1 - t) + hi * t, lo, hi)])


def check_arb(name: str, result: Enclosure, values: np.ndarray) -> None:
    """Assert that Arb values lie in `result`; None stands for what is undefined, whose enclosure must be unbounded."""
    lo, hi = result.lo.numpy(), result.hi.numpy()
    assert values.shape == lo.shape, (name, values.shape, lo.shape)
    assert not (np.isnan(lo) | np.isnan(hi)).any(), f"{name}: NaN in a bound"
    for i in np.ndindex(lo.shape):
        v, a, b = values[i], float(lo[i]), float(hi[i])
        if v is None:
            assert (a, b) == (-math.inf, math.inf), f"{name}: bounds {a, b} of what is undefined, at {i}"
        else:
            assert v.is_finite(), f"{name}: the oracle failed at {i}"
            outside = (a > -math.inf and v < arb(a)) or (b < math.inf and v > arb(b))
            assert not outside, f"{name}: {v} not in {a, b} at {i}"
    TALLY[name] += 2 * lo.size


def arbs(x: np.ndarray) -> np.ndarray:
    """Floats as exact Arb numbers."""
    out = np.empty(x.shape, dtype=object)
    for i in np.ndindex(x.shape):
        out[i] = arb(float(x[i]))
    return out


def along_last(f: Callable[[list[arb]], list[arb]], x: np.ndarray) -> np.ndarray:
    """Apply a function of lists along the last axis."""
    rows = [f(list(row)) for row in x.reshape(-1, x.shape[-1])]
    out = np.empty((len(rows), len(rows[0])), dtype=object)
    for i, row in enumerate(rows):
        for j, value in enumerate(row):
            out[i, j] = value
    return out.reshape(*x.shape[:-1], out.shape[1])
