"""Integers in the sound reading: never another number than real arithmetic gives, and otherwise what torch gives."""

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
from torch import Tensor

from compact_proofs.enclosure import Enclosure, provably, sound
from compact_proofs.errors import CompactProofsError, IntegerOverflow, NoSoundRule

aten = torch.ops.aten
LEAST = torch.tensor([-(2**63)])
large, small = torch.tensor([2**62, 2**40]), torch.tensor([100, 3], dtype=torch.int8)
index, whole, big = torch.tensor([0, 0]), torch.tensor([1, 2, 3]), torch.tensor(300)
ones = torch.ones(300, dtype=torch.int8)
zeros = torch.zeros(300, dtype=torch.int64)
one_place = torch.zeros(1, dtype=torch.int8)


def unsigned(*values: int) -> Tensor:
    return torch.tensor(values, dtype=torch.uint8)


WRAPPING: dict[str, Callable[[], Any]] = {
    "add": lambda: large + large,
    "mul": lambda: large * large,
    "sum": lambda: (large + 2**61).sum(),
    "pow": lambda: large**2,
    "square": lambda: large.square(),
    "prod": lambda: large.prod(),
    "cumprod": lambda: torch.full((70,), 2).cumprod(0),
    "cumsum": lambda: torch.full((3,), 2**62).cumsum(0),
    "matmul": lambda: large[:, None] @ large[None],
    "addmv": lambda: torch.addmv(large, large.expand(2, 2), large),
    "addmm": lambda: torch.addmm(large, large.expand(2, 2), large.expand(2, 2)),
    "addcmul": lambda: torch.addcmul(whole, torch.full((3,), 2**40), torch.full((3,), 2**40)),
    "einsum": lambda: torch.einsum("i,j->ij", large, large),
    "index_add": lambda: torch.zeros(1, dtype=torch.int64).index_add(0, index, large + 2**61),
    "scatter_add": lambda: one_place.scatter_add(0, zeros, ones),
    "scatter_reduce": lambda: one_place.scatter_reduce(0, zeros, ones, "sum"),
    "index_put": lambda: one_place.index_put((zeros,), ones, accumulate=True),
    "put": lambda: one_place.put(zeros, ones, accumulate=True),
    "in place": lambda: large.clone().mul_(4),
    "out": lambda: torch.add(large, large, out=torch.zeros(2, dtype=torch.int64)),
    "narrow out": lambda: torch.add(large, 0, out=torch.zeros(2, dtype=torch.int8)),
    "narrow sum": lambda: small + small,
    "narrow in place": lambda: small.clone().add_(100),
    "32 bits": lambda: torch.tensor([2**31 - 1], dtype=torch.int32) + 1,
    "sum in 32 bits": lambda: torch.full((3,), 2**30, dtype=torch.int32).sum(dtype=torch.int32),
    "sum in 8 bits": lambda: torch.ones(300, dtype=torch.bool).sum(dtype=torch.int8),
    "narrowed": lambda: torch.ones(256, dtype=torch.bool).sum().to(torch.int8),
    "narrowed by type": lambda: large.type(torch.int32),
    "narrowed by copy_": lambda: small.clone().copy_(large),
    "narrowed by copy": lambda: aten.copy(small, large),
    "narrowed by fill_": lambda: small.clone().fill_(big),
    "narrowed by setitem": lambda: small.clone().__setitem__(0, big),
    "narrowed by a scatter of slices": lambda: aten.slice_scatter(small, large, 0, 0, 2),
    "made unsigned": lambda: torch.tensor([-1]).to(torch.uint8),
    "made signed": lambda: unsigned(200).to(torch.int8),
    "unsigned": lambda: unsigned(3) - unsigned(5),
    "unsigned negation": lambda: -unsigned(3),
    "a 0-d tensor takes the other's type": lambda: small + big,
    "a 0-d maximum": lambda: torch.maximum(small, big),
    "a number takes the tensor's type": lambda: small * 300,
    "a comparison with a number": lambda: small < 300,
    "a comparison with a 0-d tensor": lambda: small < big,
    "isin": lambda: torch.isin(small, 356),
    "where": lambda: torch.where(small > 50, big, small),
    "arange": lambda: torch.arange(0, 300, 100, dtype=torch.int8),
    "neg": lambda: -LEAST,
    "narrow neg": lambda: -torch.tensor([-128], dtype=torch.int8),
    "abs": lambda: LEAST.abs(),
    "floor_divide": lambda: LEAST // -1,
    "div": lambda: torch.div(torch.tensor([-128], dtype=torch.int8), -1, rounding_mode="trunc"),
    "cancelled products": lambda: torch.tensor([2**62, -(2**62), 1]) @ torch.tensor([2**62, 2**62, 2**62 + 1]),
    "compared as floats": lambda: torch.tensor([2**24 + 1]).eq_(2.0**24),
}


@pytest.mark.parametrize("name", WRAPPING)
def test_what_would_wrap_around_raises(name: str) -> None:
    with sound(), pytest.raises((OverflowError, NoSoundRule)):
        WRAPPING[name]()


def test_a_proof_of_wrapped_counts_is_refused() -> None:
    """256 failures are none in eight bits."""
    wrong = torch.ones(256, dtype=torch.bool)
    with sound(), pytest.raises(OverflowError, match="int8"):
        torch.tensor(256) - (wrong.sum()).to(torch.int8)


@pytest.mark.parametrize("shift", [lambda: small << 3, lambda: whole.bitwise_left_shift(1), lambda: torch.gcd(LEAST, LEAST)])
def test_without_a_real_counterpart_it_is_refused(shift: Callable[[], Any]) -> None:
    with sound(), pytest.raises(NoSoundRule, match="real numbers"):
        shift()


RIGHT: dict[str, Callable[[], Any]] = {
    "wider": lambda: small.to(torch.int64) + 100,
    "count": lambda: (whole > 1).sum(),
    "narrow sum": lambda: small.sum(),
    "or": lambda: (whole > 1) + (whole > 2),
    "index_add": lambda: torch.zeros(1, dtype=torch.int64).index_add(0, index, whole[:2]),
    "index_put": lambda: one_place.index_put((zeros[:100],), ones[:100], accumulate=True),
    "assignment": lambda: whole.index_put((index[:1],), big),
    "cumprod": lambda: torch.full((62,), 2).cumprod(0),
    "products near the end": lambda: large[:1] * 1 + (2**62 - 1),
    "divided": lambda: torch.tensor([7, -7]) // 2 + torch.tensor([7, -7]) % torch.tensor([3, -3]),
    "remainder of the least": lambda: LEAST % -1,
    "shifted down": lambda: whole >> 1,
    "bits": lambda: (whole ^ 3) & ~whole | 8,
    "one_hot": lambda: F.one_hot(whole),
    "histogram": lambda: torch.bincount(whole),
    "unique": lambda: torch.unique(whole.flip(0)),
    "kron": lambda: whole.kron(whole),
    "matrix power": lambda: torch.linalg.matrix_power(2 * torch.eye(2, dtype=torch.int64), 3),
    "sorted": lambda: whole.flip(0).argsort(),
    "repeated": lambda: whole.repeat_interleave(whole),
    "mixed": lambda: torch.cat([small, whole]) + torch.stack([whole[0], whole[1], whole[0], whole[1], whole[2]]),
    "mixed with truths": lambda: small * (small > 50),
    "searched": lambda: torch.searchsorted(whole, big),
    "mean of a segment": lambda: whole.scatter_reduce(0, index, torch.tensor([4, 4]), "mean", include_self=False),
}


@pytest.mark.parametrize("name", RIGHT)
def test_what_is_right_stays_as_torch_gives_it(name: str) -> None:
    expected = RIGHT[name]()
    with sound():
        result = RIGHT[name]()
    assert type(result) is Tensor
    assert result.dtype == expected.dtype
    assert torch.equal(result, expected)


def test_a_mean_of_integers_that_is_cut_off_is_refused() -> None:
    with sound(), pytest.raises(OverflowError):
        whole.scatter_reduce(0, index, torch.tensor([4, 5]), "mean", include_self=False)


FRACTIONS: dict[str, Callable[[], Any]] = {
    "masked_fill": lambda: whole.masked_fill(whole > 1, 0.5),
    "pad": lambda: F.pad(whole, (0, 1), value=1.5),
    "full_like": lambda: torch.full_like(whole, 2.5),
    "new_full": lambda: whole.new_full((2,), -2.5),
    "fill_": lambda: whole.clone().fill_(0.5),
    "fill": lambda: aten.fill(whole, 0.5),
    "index_fill": lambda: whole.index_fill(0, index, 0.5),
    "scatter": lambda: whole.scatter(0, index, 0.5),
    "setitem": lambda: _assigned(whole, 0.5),
    "masked truths": lambda: (whole > 1).masked_fill(whole > 2, 0.5),
    "padded truths": lambda: F.pad(whole > 1, (0, 1), value=0.5),
}


def _assigned(x: Tensor, value: float) -> Tensor:
    y = x.clone()
    y[1] = value
    return y


@pytest.mark.parametrize("name", FRACTIONS)
def test_integers_given_fractions_are_what_torch_makes_of_them(name: str) -> None:
    expected = FRACTIONS[name]()
    with sound():
        result = FRACTIONS[name]()
    assert result.dtype == expected.dtype
    assert torch.equal(result, expected)


@pytest.mark.parametrize(
    "f",
    [
        lambda u: whole.masked_fill(u > 2, 0.5),
        lambda u: whole.masked_fill(whole > 1, torch.tensor(0.5)),
        lambda u: aten.index_put(whole, [index[:1]], u[:1]),
        lambda u: aten.select_scatter(whole, u[0], 0, 0),
        lambda u: aten.slice_scatter(whole, u, 0, 0, 3),
        lambda u: aten.scatter(whole, 0, index[:1], u[:1]),
        lambda u: aten.copy(whole, u),
        lambda u: aten.masked_scatter(whole, whole > 1, u),
        lambda u: aten.fill(whole, u[0]),
        lambda u: aten.select_scatter(whole, torch.tensor(0.5), 0, 0),
        lambda u: aten.copy(whole, torch.tensor(0.5)),
    ],
)
def test_a_real_number_does_not_become_an_integer(f: Callable[[Enclosure], Any]) -> None:
    x = torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)
    u = Enclosure(x, x + 0.5)
    with sound(), pytest.raises((NoSoundRule, RuntimeError), match=r"real numbers|dtype"):
        f(u)


def test_real_numbers_among_integers_where_torch_promotes() -> None:
    with sound():
        assert provably(whole.clamp(max=1.5) == torch.tensor([1.0, 1.5, 1.5])).all()
        assert provably(torch.where(whole > 1, whole, 0.5) == torch.tensor([0.5, 2.0, 3.0])).all()


OPERATIONS: list[tuple[str, Callable[[Any, Any], Any]]] = [
    ("add", lambda a, b: a + b),
    ("sub", lambda a, b: a - b),
    ("mul", lambda a, b: a * b),
    ("neg", lambda a, b: -a),
    ("abs", lambda a, b: abs(a)),
    ("combined", lambda a, b: a * b + a - b),
    ("maximum", lambda a, b: a if type(a) is int and a > b else b if type(a) is int else torch.maximum(a, b)),
    ("less", lambda a, b: a < b),
]


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(OPERATIONS), st.sampled_from([torch.int8, torch.uint8, torch.int16, torch.int32, torch.int64]), st.data())
def test_arithmetic_is_pythons_or_raises(operation: tuple[str, Callable[[Any, Any], Any]], dtype: torch.dtype, data: Any) -> None:
    room = torch.iinfo(dtype)
    near = [room.min, room.min + 1, room.max, room.max - 1, room.max // 2, room.max // 2 + 1, math.isqrt(room.max), 0, 1, 2, 3]
    numbers = st.one_of(st.sampled_from(near), st.integers(room.min, room.max))
    a, b = data.draw(numbers), data.draw(numbers)
    x, y = torch.tensor([a], dtype=dtype), torch.tensor([b], dtype=dtype)
    y = y[0] if data.draw(st.booleans()) else y
    with sound():
        try:
            result = operation[1](x, y)
        except OverflowError:
            return
    assert result.item() == operation[1](a, b)


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 40), st.sampled_from([torch.int8, torch.int32, torch.int64]))
def test_sums_and_products_of_matrices_are_pythons_or_raise(seed: int, n: int, dtype: torch.dtype) -> None:
    rng = np.random.default_rng(seed)
    room = torch.iinfo(dtype)
    size = int(2 ** rng.uniform(0, room.bits - 1)) - 1
    a, b = (rng.integers(-size - 1, size, (3, n), endpoint=True) for _ in range(2))
    exact_a, exact_b = a.astype(object), b.astype(object)
    x, y = torch.from_numpy(a).to(dtype), torch.from_numpy(b).to(dtype)
    calls: list[tuple[Callable[[], Tensor], Any]] = [
        (lambda: x.sum(1), exact_a.sum(1)),
        (lambda: x.cumsum(1), exact_a.cumsum(1)),
        (lambda: x @ y.T, exact_a @ exact_b.T),
        (lambda: x.prod(1), exact_a.prod(1)),
        (lambda: torch.zeros(3, 1, dtype=dtype).scatter_add(1, torch.zeros(3, n, dtype=torch.int64), x), exact_a.sum(1)[:, None]),
        (lambda: (x * y).sum(1, dtype=torch.int64), (exact_a * exact_b).sum(1)),
    ]
    for call, exact in calls:
        with sound():
            try:
                result = call()
            except OverflowError:
                continue
        assert result.tolist() == exact.tolist()


@pytest.mark.parametrize(
    "wraps",
    [
        lambda: torch.full((2,), -1, dtype=torch.uint8),
        lambda: torch.full_like(torch.zeros(2, dtype=torch.uint8), -3),
        lambda: torch.zeros(2, dtype=torch.uint8).new_full((2,), -1),
        lambda: unsigned(200).view(torch.int8),
        lambda: torch.tensor([256]).view(torch.uint8),
    ],
)
def test_constants_and_bits_do_not_wrap(wraps: Callable[[], Tensor]) -> None:
    with sound(), pytest.raises(CompactProofsError):
        wraps()


def test_constants_that_fit_are_made() -> None:
    with sound():
        assert torch.full((2,), -1, dtype=torch.int8).tolist() == [-1, -1]
        assert torch.full((2,), 2.5, dtype=torch.int64).tolist() == [2, 2]
        assert torch.full((2,), 2, dtype=torch.bool).tolist() == [True, True]


def test_an_overflow_is_one_of_our_errors() -> None:
    assert issubclass(IntegerOverflow, (CompactProofsError, OverflowError))
    with sound(), pytest.raises(IntegerOverflow, match="int8"):
        _ = small * small
