"""Functional assignment against exact integers, and whole programs made functional by torch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle import KINDS, SHIFT, check, inside, interval, operand
from torch import Tensor, nn
from torch.fx.experimental.proxy_tensor import make_fx

from compact_proofs.enclosure import Enclosure, enclose, provably, sound
from compact_proofs.enclosure.reading import plain_kernels
from compact_proofs.errors import NoSoundRule

aten = torch.ops.aten
ONE = 1 << SHIFT
SPREADS = ("any", "normal", "tiny", "huge", "near")
ROWS, COLUMNS = torch.tensor([2, 0]), torch.tensor([1, 1])
MASK = torch.tensor([[True, False], [False, True], [True, True]])
PLACES = torch.tensor([[1, 0], [0, 1]])

Moves = Callable[[Any, Any], Any]


def put(x: np.ndarray, at: Any, values: Any) -> np.ndarray:
    y = x.copy()
    y[at] = values
    return y


def scattered(x: np.ndarray, v: np.ndarray) -> np.ndarray:
    y = x.copy()
    for (i, j), place in np.ndenumerate(PLACES.numpy()):
        y[i, place] = v[i, j]
    return y


ASSIGNMENTS: dict[str, tuple[Moves, Moves]] = {
    "index_put": (lambda x, v: aten.index_put(x, [ROWS], v[:2]), lambda x, v: put(x, [2, 0], v[:2])),
    "index_put of rows": (lambda x, v: aten.index_put(x, [ROWS], v[0]), lambda x, v: put(x, [2, 0], v[0])),
    "index_put of places": (lambda x, v: aten.index_put(x, [ROWS, COLUMNS], v[0]), lambda x, v: put(x, ([2, 0], [1, 1]), v[0])),
    "index_put of columns": (
        lambda x, v: aten.index_put(x, [None, torch.tensor([1])], v[:, :1]),
        lambda x, v: put(x, (slice(None), [1]), v[:, :1]),
    ),
    "index_put by a mask": (
        lambda x, v: aten.index_put(x, [MASK], v.flatten()[:4]),
        lambda x, v: put(x, MASK.numpy(), v.flatten()[:4]),
    ),
    "index_put by a mask of rows": (
        lambda x, v: aten.index_put(x, [MASK[:, 0]], v[0]),
        lambda x, v: put(x, MASK[:, 0].numpy(), v[0]),
    ),
    "index_put of one": (lambda x, v: aten.index_put(x, [MASK], v[0, 0]), lambda x, v: put(x, MASK.numpy(), v[0, 0])),
    "scatter": (lambda x, v: aten.scatter(x, 1, PLACES, v), lambda x, v: scattered(x, v[:2])),
    "scatter of one": (lambda x, v: aten.scatter(x, 1, PLACES, 0.5), lambda x, v: scattered(x, np.full((2, 2), ONE // 2, object))),
    "index_copy": (lambda x, v: aten.index_copy(x, 0, ROWS, v[:2]), lambda x, v: put(x, [2, 0], v[:2])),
    "index_fill": (lambda x, v: aten.index_fill(x, 0, ROWS, v[0, 0]), lambda x, v: put(x, [2, 0], v[0, 0])),
    "index_fill of a number": (lambda x, v: aten.index_fill(x, 0, ROWS, 2.0), lambda x, v: put(x, [2, 0], 2 * ONE)),
    "masked_scatter": (lambda x, v: aten.masked_scatter(x, MASK, v), lambda x, v: put(x, MASK.numpy(), v.flatten()[:4])),
    "slice_scatter": (lambda x, v: aten.slice_scatter(x, v[:1], 0, 1, 2), lambda x, v: put(x, slice(1, 2), v[:1])),
    "select_scatter": (lambda x, v: aten.select_scatter(x, v[:, 0], 1, 1), lambda x, v: put(x, (slice(None), 1), v[:, 0])),
    "diagonal_scatter": (lambda x, v: aten.diagonal_scatter(x, v[0]), lambda x, v: put(x, ([0, 1], [0, 1]), v[0])),
    "copy": (lambda x, v: aten.copy(x, v[0]), lambda x, v: np.broadcast_to(v[0], x.shape)),
    "fill": (lambda x, v: aten.fill(x, v[0, 0]), lambda x, v: np.broadcast_to(v[0, 0], x.shape)),
    "fill with a number": (lambda x, v: aten.fill(x, 0.1), lambda x, v: np.full(x.shape, int(0.1 * 2**60) << (SHIFT - 60), object)),
    "zero": (lambda x, v: aten.zero(x), lambda x, v: x * 0),
    "masked_fill": (lambda x, v: aten.masked_fill(x, MASK, v[0, 0]), lambda x, v: put(x, MASK.numpy(), v[0, 0])),
    "view_copy": (lambda x, v: aten.view_copy(x, [2, 3]), lambda x, v: x.reshape(2, 3)),
    "permute_copy": (lambda x, v: aten.permute_copy(x, [1, 0]), lambda x, v: x.T),
    "expand_copy": (lambda x, v: aten.expand_copy(x, [2, 3, 2]), lambda x, v: np.stack([x, x])),
    "slice_copy": (lambda x, v: aten.slice_copy(x, 0, 1), lambda x, v: x[1:]),
    "unbind_copy": (lambda x, v: aten.unbind_copy(x)[1], lambda x, v: x[1]),
    "lift_fresh_copy": (lambda x, v: aten.lift_fresh_copy(x), lambda x, v: x),
    "im2col": (
        lambda x, v: F.unfold(x[None, None], 2)[0],
        lambda x, v: np.array([x[i : i + 2, j : j + 2].T.reshape(4, order="F") for i in range(2) for j in range(1)], object).T,
    ),
    "nearest": (lambda x, v: F.interpolate(x[None], scale_factor=2)[0], lambda x, v: np.repeat(x, 2, 1)),
    "reflected": (lambda x, v: F.pad(x[None], (1, 0), mode="reflect")[0], lambda x, v: x[:, [1, 0, 1]]),
    "replicated": (lambda x, v: F.pad(x[None], (1, 0), mode="replicate")[0], lambda x, v: x[:, [0, 0, 1]]),
    "pixel_shuffle": (
        lambda x, v: F.pixel_shuffle(x.reshape(1, 1, 6)[:, :, :4].reshape(4, 1, 1), 2)[0],
        lambda x, v: x.flatten()[:4].reshape(2, 2),
    ),
    "scattered minima": (
        lambda x, v: x.scatter_reduce(1, PLACES, v[:2], "amin"),
        lambda x, v: np.concatenate([np.minimum(x[:2], scattered(x, v[:2])[:2]), x[2:]]),
    ),
}


@pytest.mark.parametrize("name", ASSIGNMENTS)
@pytest.mark.parametrize("kind", KINDS)
def test_assignment(name: str, kind: str) -> None:
    rng = np.random.default_rng([*map(ord, name)])
    ours, exact = ASSIGNMENTS[name]
    for spread in SPREADS:
        x, v = operand(rng, (3, 2), kind, spread), operand(rng, (3, 2), "mixed", spread)
        p, q = inside(rng, x), inside(rng, v)
        check(name, ours(x, v), exact(p, q))
    narrow_x, narrow_v = x.lo.float().clamp(-1e30, 1e30), v.lo.float().clamp(-1e30, 1e30)
    with sound():  # whichever of the two is of a narrow type, nothing is rounded to it
        mixed, other = enclose(ours(narrow_x, v)), enclose(ours(x, narrow_v))
    check(name, mixed, exact(inside(rng, enclose(narrow_x)), q))
    check(name, other, exact(p, inside(rng, enclose(narrow_v))))


SUMS: dict[str, tuple[Moves, Moves]] = {
    "index_add": (lambda x, v: x.index_add(0, torch.tensor([1, 1, 0]), v), lambda x, v: _added(x, [1, 1, 0], v)),
    "index_add of columns": (lambda x, v: x.index_add(1, torch.tensor([1, 1]), v), lambda x, v: _added(x.T, [1, 1], v.T).T),
    "index_put": (lambda x, v: aten.index_put(x, [torch.tensor([1, 1, 0])], v, True), lambda x, v: _added(x, [1, 1, 0], v)),
    "scatter_add": (lambda x, v: x.scatter_add(0, torch.tensor([[1, 1], [1, 1], [0, 0]]), v), lambda x, v: _added(x, [1, 1, 0], v)),
    "scatter_reduce": (
        lambda x, v: x.scatter_reduce(0, torch.tensor([[1, 1], [1, 1], [0, 0]]), v, "sum"),
        lambda x, v: _added(x, [1, 1, 0], v),
    ),
}


def _added(x: np.ndarray, at: list[int], v: np.ndarray) -> np.ndarray:
    y = x.copy()
    for place, row in zip(at, v, strict=True):
        y[place] = y[place] + row
    return y


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(sorted(SUMS)), st.integers(0, 2**32), st.sampled_from(KINDS), st.sampled_from(SPREADS))
def test_scattered_sums(name: str, seed: int, kind: str, spread: str) -> None:
    rng = np.random.default_rng(seed)
    x, v = operand(rng, (3, 2), kind, spread), operand(rng, (3, 2), "mixed", spread)
    p, q = inside(rng, x), inside(rng, v)
    check(name, SUMS[name][0](x, v), SUMS[name][1](p, q))
    check("alpha", x.index_add(0, torch.tensor([1, 1, 0]), v, alpha=-3), _added(p, [1, 1, 0], -3 * q))


@pytest.mark.parametrize("sign", [1, -1])
def test_the_worst_rounding_of_a_scattered_sum(sign: int) -> None:
    n = 500
    terms = sign * torch.tensor([1.0, *[2.0**-53 * 0.999] * n], dtype=torch.float64)
    exact = np.array([inside(np.random.default_rng(0), enclose(terms)).sum()], dtype=object)
    zero = enclose(torch.zeros(1, dtype=torch.float64))
    check("worst", zero.index_add(0, torch.zeros(n + 1, dtype=torch.int64), terms), exact)
    check("worst", zero.scatter_add(0, torch.zeros(n + 1, dtype=torch.int64), terms), exact)
    check("worst", aten.index_put(zero, [torch.zeros(n + 1, dtype=torch.int64)], terms, True), exact)


TWICE: dict[str, Callable[[Enclosure], Any]] = {
    "index_put": lambda x: aten.index_put(x, [torch.tensor([1, 1])], x[:2]),
    "index_put expanded": lambda x: aten.index_put(x, [torch.tensor([1, 1])], x[0]),
    "scatter": lambda x: aten.scatter(x, 1, torch.zeros(3, 2, dtype=torch.int64), x),
    "index_copy": lambda x: aten.index_copy(x, 0, torch.tensor([0, 0]), x[:2]),
}


@pytest.mark.parametrize("name", TWICE)
def test_several_numbers_for_one_place_are_refused(name: str) -> None:
    x = interval((1.0, 2.0), (3.0, 4.0)).expand(3, 2).clone()
    with pytest.raises(NoSoundRule, match="one place"):
        TWICE[name](x)


def test_one_number_may_go_to_a_place_twice() -> None:
    x = interval((1.0, 2.0), (3.0, 4.0))
    y = aten.index_put(x, [torch.tensor([1, 1])], enclose(5.0))
    assert y.lo.tolist() == [1, 5]


def test_uncertain_places_are_refused() -> None:
    x = interval((1.0, 2.0), (3.0, 4.0))
    for f in (
        lambda: aten.index_put(x, [x > 1.5], x),
        lambda: aten.index_put(x, [x > 1.5], enclose(1.0), True),
        lambda: aten.masked_scatter(x, x > 1.5, x),
        lambda: aten.scatter(x, 0, x.sort().indices, x),
        lambda: aten.index_add(x, 0, x.sort().indices, x),
        lambda: aten.scatter(x, 0, torch.tensor([0]), x, reduce="add"),
    ):
        with pytest.raises(NoSoundRule):
            f()


def test_one_number_may_be_assigned_by_an_uncertain_mask() -> None:
    x = interval((1.0, 2.0), (3.0, 4.0), (5.0, 6.0))[:, None].expand(3, 2).clone()
    y = aten.index_put(x, [x > 3.5], enclose(1.0))
    assert (y.lo[:, 0].tolist(), y.hi[:, 0].tolist()) == ([1, 1, 1], [2, 4, 1])
    rows = aten.index_put(x, [x[:, 0] > 3.5], enclose(1.0))
    assert torch.equal(rows.hi, y.hi)


def test_truth_values_are_assigned_as_truth_values() -> None:
    x = interval((1.0, 2.0), (3.0, 4.0), (5.0, 6.0))
    c = x > 3.5
    d = aten.index_put(c, [torch.tensor([0])], torch.tensor(True))
    assert d.dtype == torch.bool
    assert (d.lo.tolist(), d.hi.tolist()) == ([True, False, True], [True, True, True])
    e = aten.fill(c, 1)
    assert provably(e).all()
    with pytest.raises(NoSoundRule, match="real numbers"):
        aten.copy(torch.zeros(3, dtype=torch.bool), x - 5.5)


# ------------------------------------------------------------------------------------------------------------ bags of embeddings


@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
def test_embedding_bag(mode: str) -> None:
    rng = np.random.default_rng(3)
    for spread in SPREADS:
        weight = operand(rng, (5, 3), "mixed", spread)
        p = inside(rng, weight)
        bags = [[1, 4, 0], [2], [], [3, 3]]
        indices, offsets = torch.tensor([i for bag in bags for i in bag]), torch.tensor([0, 3, 4, 4])
        result = F.embedding_bag(indices, weight, offsets, mode=mode)
        for row, bag in zip(result, bags, strict=True):
            rows = p[bag]
            exact = np.zeros(3, object) if not bag else rows.max(0) if mode == "max" else rows.sum(0)
            check(mode, row, exact, 1, max(len(bag), 1) if mode == "mean" else 1)
    square = F.embedding_bag(torch.tensor([[0, 1], [2, 0]]), weight, mode=mode, padding_idx=0)
    check(mode, square, p[[1, 2]])
    if mode == "sum":
        scales = operand(rng, (4,), "narrow", "normal")
        s = inside(rng, scales)
        weighted = F.embedding_bag(
            torch.tensor([0, 1, 2, 0]), weight, torch.tensor([0, 1, 4]), None, 2, False, mode, False, scales, True
        )
        check(mode, weighted[1], p[1] * s[1] + p[2] * s[2] + p[0] * s[3], 2)
        check(mode, weighted[0], p[0] * s[0], 2)


# -------------------------------------------------------------------------------------------------- programs made functional


class Assigning(nn.Module):
    """Writes in place in every usual way."""

    def __init__(self) -> None:
        super().__init__()
        self.W = nn.Parameter(torch.randn(4, 3))
        self.register_buffer("mask", torch.ones(3, 3).tril().bool())

    def forward(self, x: Tensor) -> Tensor:
        h = self.W[x] * 1.5
        h[0] = 0.25
        h[1:, 0] += h[0, 1]
        h[:, 2].mul_(3).relu_()
        out = torch.empty(3, 3)
        out.copy_(h @ h.t())
        out.masked_fill_(~self.mask, float("-inf"))
        pattern = out.softmax(-1)
        pattern = torch.where(pattern.isnan(), torch.zeros_like(pattern), pattern)
        z = torch.zeros(3, 3)
        z.diagonal().fill_(2.0)
        z.index_add_(0, torch.tensor([0, 0]), pattern[:2])
        z.scatter_(1, torch.tensor([[2], [1], [0]]), 0.125)
        z[torch.tensor([2, 0])] = pattern[1:]
        z[z > 1e9] = 7.0
        y = torch.full((3,), 0.5)
        y.add_(z.sum(0)).clamp_(max=6).sub_(1).exp_()
        return torch.cat([y.neg_(), h.flatten().tanh_()])


def test_a_program_that_torch_made_functional_runs() -> None:
    torch.manual_seed(0)
    module, x = Assigning().eval(), torch.tensor([3, 1, 1])
    with torch.no_grad(), plain_kernels():
        expected = module(x)
        program = make_fx(torch.func.functionalize(module, remove="mutations_and_views"))(x)
        names = {node.target._schema.name for node in program.graph.nodes if node.op == "call_function"}
    assert not {name for name in names if name.endswith("_")}, "no operation is in place"
    with sound():
        result = program(x)
    assert isinstance(result, Enclosure)
    assert ((result.lo <= expected + 1e-4) & (result.hi >= expected - 1e-4)).all()
    assert float(result.width.max()) < 1e-10
