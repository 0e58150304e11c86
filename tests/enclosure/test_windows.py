"""Convolution and pooling against exact integers, by loops over every entry of every window; their shapes are torch's."""

from __future__ import annotations

import itertools
from typing import Any

import flint
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from exact_functions import layer_norm
from flint import arb
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle import SHIFT, arbs, check, check_arb, inside, operand
from torch import nn

from compact_proofs.enclosure import Enclosure, enclose, sound
from compact_proofs.enclosure.tensor import Undetermined
from compact_proofs.errors import NoSoundRule

ONE = 1 << SHIFT
KINDS = ("point", "narrow", "mixed", "straddling")
SPREADS = ("normal", "tiny", "huge", "any", "near")


def convolve(x: np.ndarray, w: np.ndarray, stride: list[int], padding: list[int], dilation: list[int], groups: int) -> np.ndarray:
    """[N, C, *sizes], [M, C / groups, *kernel]: sums of exact products."""
    n = x.ndim - 2
    kernel = w.shape[2:]
    shape = [(x.shape[2 + i] + 2 * padding[i] - dilation[i] * (kernel[i] - 1) - 1) // stride[i] + 1 for i in range(n)]
    out = np.zeros((x.shape[0], w.shape[0], *shape), dtype=object)
    per_in, per_out = w.shape[1], w.shape[0] // groups
    for place in np.ndindex(*shape):
        for tap in np.ndindex(*kernel):
            at = [p * s - q + t * d for p, s, q, t, d in zip(place, stride, padding, tap, dilation, strict=True)]
            if all(0 <= a < size for a, size in zip(at, x.shape[2:], strict=True)):
                for m, c in itertools.product(range(w.shape[0]), range(per_in)):
                    seen = x[(slice(None), m // per_out * per_in + c, *at)]
                    out[(slice(None), m, *place)] += seen * w[(m, c, *tap)]
    return out


def transpose_convolve(
    x: np.ndarray, w: np.ndarray, stride: list[int], padding: list[int], extra: list[int], dilation: list[int], groups: int
) -> np.ndarray:
    """Every entry of x adds a multiple of the kernel: [N, C, *sizes], [C, M / groups, *kernel]."""
    n, kernel = x.ndim - 2, w.shape[2:]
    shape = [(x.shape[2 + i] - 1) * stride[i] - 2 * padding[i] + dilation[i] * (kernel[i] - 1) + extra[i] + 1 for i in range(n)]
    out = np.zeros((x.shape[0], w.shape[1] * groups, *shape), dtype=object)
    per_in = x.shape[1] // groups
    for place in np.ndindex(*x.shape[2:]):
        for tap in np.ndindex(*kernel):
            at = [p * s - q + t * d for p, s, q, t, d in zip(place, stride, padding, tap, dilation, strict=True)]
            if all(0 <= a < size for a, size in zip(at, shape, strict=True)):
                for c, m in itertools.product(range(x.shape[1]), range(w.shape[1])):
                    out[(slice(None), c // per_in * w.shape[1] + m, *at)] += x[(slice(None), c, *place)] * w[(c, m, *tap)]
    return out


@st.composite
def geometries(draw: st.DrawFn) -> dict[str, Any]:
    n = draw(st.integers(1, 2))

    def each(low: int, high: int) -> list[int]:
        return [draw(st.integers(low, high)) for _ in range(n)]

    kernel, dilation, padding = each(1, 3), each(1, 2), each(0, 2)
    sizes = [max(draw(st.integers(1, 4)), d * (k - 1) + 1 - 2 * p) for k, d, p in zip(kernel, dilation, padding, strict=True)]
    stride = each(1, 3)
    return {
        "kernel": kernel,
        "dilation": dilation,
        "padding": padding,
        "sizes": sizes,
        "stride": stride,
        "extra": [draw(st.integers(0, s - 1)) for s in stride],
        "groups": draw(st.integers(1, 2)),
        "seed": draw(st.integers(0, 2**32)),
    }


@settings(max_examples=60, deadline=None)
@given(geometries(), st.sampled_from(KINDS), st.sampled_from(SPREADS))
def test_convolution(g: dict[str, Any], kind: str, spread: str) -> None:
    rng, groups, n = np.random.default_rng(g["seed"]), g["groups"], len(g["kernel"])
    x = operand(rng, (2, 2 * groups, *g["sizes"]), kind, spread)
    w, b = operand(rng, (2 * groups, 2, *g["kernel"]), "narrow", spread), operand(rng, (2 * groups,), "point", spread)
    p, q, r = (inside(rng, t) for t in (x, w, b))
    f = F.conv1d if n == 1 else F.conv2d
    exact = convolve(p, q, g["stride"], g["padding"], g["dilation"], groups)
    result = f(x, w, None, g["stride"], g["padding"], g["dilation"], groups)
    check("convolution", result, exact, 2)
    result = f(x, w, b, g["stride"], g["padding"], g["dilation"], groups)
    check("convolution", result, exact + (r * ONE).reshape(-1, *[1] * n), 2)
    assert result.shape == f(x.lo, w.lo, b.lo, g["stride"], g["padding"], g["dilation"], groups).shape


@settings(max_examples=60, deadline=None)
@given(geometries(), st.sampled_from(KINDS), st.sampled_from(SPREADS))
def test_transposed_convolution(g: dict[str, Any], kind: str, spread: str) -> None:
    rng, groups, n = np.random.default_rng(g["seed"]), g["groups"], len(g["kernel"])
    x = operand(rng, (2, 2 * groups, *g["sizes"]), kind, spread)
    w = operand(rng, (2 * groups, 2, *g["kernel"]), "narrow", spread)
    p, q = inside(rng, x), inside(rng, w)
    f = F.conv_transpose1d if n == 1 else F.conv_transpose2d
    options = g["stride"], g["padding"], g["extra"], groups, g["dilation"]
    try:
        shape = f(x.lo, w.lo, None, *options).shape
    except RuntimeError:  # nothing is left
        return
    result = f(x, w, None, *options)
    assert result.shape == shape
    check("transposed", result, transpose_convolve(p, q, g["stride"], g["padding"], g["extra"], g["dilation"], groups), 2)


def test_convolution_modules() -> None:
    torch.manual_seed(0)
    for module, shape in (
        (nn.Conv1d(3, 2, 3, padding="same"), (2, 3, 7)),
        (nn.Conv2d(3, 2, 2, padding=1, padding_mode="reflect"), (2, 3, 5, 4)),
        (nn.Conv3d(2, 2, 2), (1, 2, 3, 3, 3)),
        (nn.Conv1d(3, 2, 2), (3, 7)),
        (nn.ConvTranspose3d(2, 3, 2, stride=2), (1, 2, 2, 2, 2)),
    ):
        x = torch.randn(shape)
        with sound():
            result = module(x)
        expected = module.double()(x.double())
        assert result.shape == expected.shape
        assert ((result.lo <= expected + 1e-12) & (result.hi >= expected - 1e-12)).all()
        assert float(result.width.max()) < 1e-12


# -------------------------------------------------------------------------------------------------------------------- pooling


def test_every_pooling_against_loops() -> None:
    rng = np.random.default_rng(1)
    for size, k, s, p, d in itertools.product((4, 5, 6), (1, 2, 3), (1, 2, 3), (0, 1), (1, 2)):
        if p > k // 2 or d * (k - 1) >= size + 2 * p:
            continue
        for ceil in (False, True):
            x = operand(rng, (2, size), str(rng.choice(KINDS)), str(rng.choice(SPREADS)))
            exact = inside(rng, x)
            result = F.max_pool1d(x, k, s, p, d, ceil)
            shape = F.max_pool1d(x.lo, k, s, p, d, ceil).shape
            assert result.shape == shape
            windows = [[i * s - p + t * d for t in range(k)] for i in range(shape[-1])]
            inner = [[j for j in w if 0 <= j < size] for w in windows]
            check("max_pool", result, np.stack([exact[:, w].max(1) for w in inner], 1))
            if d > 1:
                continue
            for with_padding in (False, True):
                average = F.avg_pool1d(x, k, s, p, ceil, with_padding)
                assert average.shape == F.avg_pool1d(x.lo, k, s, p, ceil, with_padding).shape
                for i, w in enumerate(inner):
                    terms = min(windows[i][0] + k, size + p) - windows[i][0] if with_padding else len(w)
                    check("avg_pool", average[:, i], exact[:, w].sum(1), 1, terms)
            with_divisor = F.avg_pool2d(x[None, :, None], (1, k), (1, s), (0, p), ceil, divisor_override=7)
            check("avg_pool", with_divisor[0, :, 0], np.stack([exact[:, w].sum(1) for w in inner], 1), 1, 7)


def test_pooling_over_more_axes() -> None:
    rng = np.random.default_rng(2)
    for kind in KINDS:
        x = operand(rng, (1, 2, 4, 5, 6), kind, "normal")
        p = inside(rng, x)
        blocks = p[..., :4, :4, :6].reshape(1, 2, 2, 2, 2, 2, 3, 2)
        check("max_pool3d", F.max_pool3d(x, 2), blocks.max((3, 5, 7)))
        check("avg_pool3d", F.avg_pool3d(x, 2), blocks.sum((3, 5, 7)), 1, 8)
        plane, q = x[:, :, 0], p[:, :, 0]
        check("max_pool2d", F.max_pool2d(plane, (2, 3)), q[..., :4, :6].reshape(1, 2, 2, 2, 2, 3).max((3, 5)))
        check("adaptive", F.adaptive_avg_pool2d(plane, 1), q.sum((2, 3), keepdims=True), 1, 30)
        cuts = {size: [(i * size // 3, -(-(i + 1) * size // 3)) for i in range(3)] for size in (5, 6)}
        average, most = F.adaptive_avg_pool2d(plane, 3), F.adaptive_max_pool2d(plane, 3)
        for (i, (a, b)), (j, (c, d)) in itertools.product(enumerate(cuts[5]), enumerate(cuts[6])):
            part = q[:, :, a:b, c:d]
            check("adaptive", average[:, :, i, j], part.sum((2, 3)), 1, (b - a) * (d - c))
            check("adaptive", most[:, :, i, j], part.max((2, 3)))
        check("adaptive", F.adaptive_avg_pool1d(plane[0], 3)[0, :, 1], q[0, 0, :, 2:4].sum(1), 1, 2)
        check("adaptive", F.adaptive_avg_pool3d(x, (1, 1, 1)), p.sum((2, 3, 4), keepdims=True), 1, 120)


def test_places_of_maxima_are_not_known() -> None:
    x = enclose(torch.randn(1, 2, 4, 4))
    values, places = F.max_pool2d(x, 2, return_indices=True)
    assert isinstance(values, Enclosure)
    assert isinstance(places, Undetermined)
    assert isinstance(F.max_pool1d(x[0], 2, return_indices=True)[1], Undetermined)
    with pytest.raises(NoSoundRule, match="order"):
        places + 1


# ------------------------------------------------------------------------------------------------------------- normalisation


def rows_normalized(x: np.ndarray, eps: float = 1e-5) -> np.ndarray:
    assert eps == 1e-5
    return np.array([layer_norm(list(r)) for r in x.reshape(-1, x.shape[-1])], dtype=object).reshape(x.shape)


def checked(module: nn.Module, x: torch.Tensor, expected: np.ndarray) -> None:
    with sound():
        result = module(x)
    check_arb(type(module).__name__, result, expected)
    assert float(result.width.max()) < 1e-10


@pytest.mark.parametrize("affine", [True, False])
def test_batch_norm_in_eval_mode(affine: bool) -> None:
    torch.manual_seed(1)
    for module, shape in ((nn.BatchNorm1d(3, affine=affine), (4, 3)), (nn.BatchNorm2d(3, affine=affine), (2, 3, 2, 2))):
        module.running_mean.normal_()
        module.running_var.uniform_(0.1, 2)
        for p in module.parameters():
            nn.init.normal_(p)
        x = torch.randn(shape)
        by_channel = (1, 3, *[1] * (len(shape) - 2))

        def channel(t: torch.Tensor, shape: tuple[int, ...] = by_channel) -> np.ndarray:
            return arbs(t.detach().double().numpy()).reshape(shape)

        root = np.vectorize(lambda v: (v + arb(1e-5)).sqrt(), otypes=[object])(channel(module.running_var))
        expected = (arbs(x.double().numpy()) - channel(module.running_mean)) / root
        if affine:
            expected = expected * channel(module.weight) + channel(module.bias)
        checked(module.eval(), x, expected)
        with sound(), pytest.raises(NoSoundRule, match="eval"):
            module.train()(x)


def test_norms_by_the_data() -> None:
    torch.manual_seed(2)
    x = torch.randn(2, 4, 3, 2)
    exact = arbs(x.double().numpy())
    checked(nn.GroupNorm(2, 4, affine=False), x, rows_normalized(exact.reshape(2, 2, 12)).reshape(x.shape))
    checked(nn.InstanceNorm2d(4), x, rows_normalized(exact.reshape(2, 4, 6)).reshape(x.shape))
    by_channel = rows_normalized(exact.transpose(1, 0, 2, 3).reshape(4, 12)).reshape(4, 2, 3, 2).transpose(1, 0, 2, 3)
    checked(nn.BatchNorm2d(4, affine=False, track_running_stats=False), x, by_channel)
    norm = nn.GroupNorm(2, 4)
    nn.init.normal_(norm.weight)
    nn.init.normal_(norm.bias)
    weight, bias = (arbs(p.detach().double().numpy()).reshape(1, 4, 1, 1) for p in (norm.weight, norm.bias))
    checked(norm, x, rows_normalized(exact.reshape(2, 2, 12)).reshape(x.shape) * weight + bias)
    rms = nn.RMSNorm(2, eps=1e-5)
    nn.init.normal_(rms.weight)
    scale = np.vectorize(lambda a, b: ((a * a + b * b) / 2 + arb(1e-5)).sqrt(), otypes=[object])(exact[..., 0], exact[..., 1])
    checked(rms.double(), x.double(), exact / scale[..., None] * arbs(rms.weight.detach().double().numpy()))
    legit = torch.ops.aten._native_batch_norm_legit_no_training(enclose(x), None, None, torch.zeros(4), torch.ones(4), 0.1, 1e-5)[0]
    check_arb("legit", legit, exact / (1 + arb(1e-5)).sqrt())
    no_stats = torch.ops.aten._native_batch_norm_legit.no_stats(enclose(x), None, None, True, 0.1, 1e-5)[0]
    check_arb("legit", no_stats, by_channel)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from(["point", "narrow", "wide", "nonnegative"]), st.sampled_from(SPREADS))
def test_norms_of_intervals(seed: int, kind: str, spread: str) -> None:
    rng = np.random.default_rng(seed)
    x = operand(rng, (2, 2, 3), kind, spread)
    p = np.clip(np.random.default_rng(seed).random(), 0, 1) * (x.hi.numpy() / 2 - x.lo.numpy() / 2) * 2 + x.lo.numpy()
    p = np.clip(np.where(np.isfinite(p), p, x.lo.numpy()), x.lo.numpy(), x.hi.numpy())
    with flint.ctx.workprec(2400):  # equal numbers near 1e308 have deviations from their mean below 1e-5
        expected = rows_normalized(arbs(p))
    check_arb("group norm", F.group_norm(x, 2), expected)
    check_arb("instance norm", F.instance_norm(x), expected)
