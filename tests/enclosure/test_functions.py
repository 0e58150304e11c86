"""Softmax and its kin, layer norm, GELU, SiLU, standard deviations and attention against Arb with 300 bits."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from exact_functions import Row, attention, gelu, layer_norm, logsumexp, silu, softmax, tanh_gelu, total, variance
from flint import arb
from oracle import TALLY, along_last, arbs, check_arb, floats_inside, operand
from torch.nn.attention import SDPBackend, sdpa_kernel

from compact_proofs.enclosure import Enclosure, enclose

INF = math.inf
KINDS = ("point", "narrow", "wide", "straddling", "nonnegative")
SPREADS = ("any", "normal", "tiny", "huge", "near")


FUNCTIONS: dict[str, tuple[Callable[[torch.Tensor], torch.Tensor], Callable[[Row], Row]]] = {
    "softmax": (lambda x: x.softmax(-1), softmax),
    "log_softmax": (lambda x: x.log_softmax(-1), lambda row: [x - logsumexp(row)[0] for x in row]),
    "logsumexp": (lambda x: x.logsumexp(-1, keepdim=True), logsumexp),
    "std": (lambda x: x.std(-1, keepdim=True), lambda row: [variance(row, 1).sqrt()]),
    "var": (lambda x: x.var(-1, keepdim=True, correction=0), lambda row: [variance(row, 0)]),
    "norm": (lambda x: x.norm(dim=-1, keepdim=True), lambda row: [total([x * x for x in row]).sqrt()]),
    "layer_norm": (lambda x: F.layer_norm(x, x.shape[-1:]), layer_norm),
    "gelu": (F.gelu, lambda row: [gelu(x) for x in row]),
    "tanh gelu": (lambda x: F.gelu(x, approximate="tanh"), lambda row: [tanh_gelu(x) for x in row]),
    "silu": (F.silu, lambda row: [silu(x) for x in row]),
}


def run(name: str, rng: np.random.Generator, kind: str, spread: str, shape: tuple[int, ...]) -> None:
    ours, exact = FUNCTIONS[name]
    x = operand(rng, shape, kind, spread)
    if name in ("gelu", "tanh gelu", "silu"):  # beyond, Arb's exponents grow too large
        x = x.clamp(-1e15, 1e15)
    check_arb(name, ours(x), along_last(exact, arbs(floats_inside(rng, x))))


@pytest.mark.parametrize("spread", SPREADS)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions(name: str, spread: str) -> None:
    rng = np.random.default_rng([*map(ord, name), *map(ord, spread)])
    for kind in KINDS:
        run(name, rng, kind, spread, (3, 4))
        run(name, rng, kind, spread, (2, 2))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_near_ties_are_sound_and_narrow(name: str) -> None:
    rng = np.random.default_rng(7)
    x = rng.normal(size=(20, 6)) * rng.choice([0.1, 1, 5], size=(20, 1))
    result = FUNCTIONS[name][0](enclose(torch.from_numpy(x)))
    check_arb(name, result, along_last(FUNCTIONS[name][1], arbs(x)))
    assert float((result.width / (result.mid.abs() + 1e-3)).max()) < 1e-11
    x = np.tile(rng.normal(size=(20, 1)), 6) + rng.integers(-1, 2, size=(20, 6)) * 2.0**-52
    check_arb(name, FUNCTIONS[name][0](enclose(torch.from_numpy(x))), along_last(FUNCTIONS[name][1], arbs(x)))


def unbounded(x: Enclosure) -> bool:
    return bool((x.lo == -INF).all() and (x.hi == INF).all())


def test_masked_softmax() -> None:
    x = torch.tensor([[0.0, -INF, 1.0], [-INF, -INF, -INF], [0.0, INF, 1.0]], dtype=torch.float64)
    for y in (enclose(x), enclose(x) + enclose(0.0), Enclosure(x, x.clone())):
        s, shifted = y.softmax(-1), enclose(y).log_softmax(-1)
        assert float(s.hi[0, 1]) < 1e-300
        assert s.lo[0, 1] == 0
        expected = np.array([[1 / (1 + arb(1).exp()), 1 / (1 + arb(-1).exp())]], dtype=object)
        check_arb("masked", s[:1, ::2], expected)
        assert unbounded(s[1:]), "a softmax of nothing, or of an infinite score, is undefined"
        assert shifted.lo[0, 1] == -INF
        assert unbounded(shifted[1:2])
    half_known = Enclosure(torch.tensor([-INF, -INF]), torch.tensor([3.0, -INF]))
    assert unbounded(half_known.softmax(0)), "both may be masked"
    one_known = Enclosure(torch.tensor([-INF, 1.0]), torch.tensor([3.0, 1.0])).softmax(0)
    assert one_known.lo[0] == 0
    assert one_known.hi[1] <= 1


@pytest.mark.parametrize("correction", [0, 1, 2, 3, 0.3])
def test_corrections_of_variances(correction: float) -> None:
    x = torch.tensor([[1.0, 2.0], [0.1, 0.7]], dtype=torch.float64)
    result = enclose(x).var(-1, correction=correction)
    if correction >= 2:
        assert unbounded(result), "no degrees of freedom are left"
        assert unbounded(enclose(x).std(-1, correction=correction))
    else:
        row = [[variance(list(r), 0) * 2 / (2 - arb(correction))] for r in arbs(x.numpy())]
        check_arb("var", result[:, None], np.array(row, dtype=object))
    assert unbounded(enclose(x)[:, :1].std(-1))
    assert unbounded(enclose(torch.tensor(1.0)).var())


def test_layer_norm_with_weights_and_without_variance() -> None:
    rng = np.random.default_rng(3)
    x, w, b = rng.normal(size=(5, 4)), rng.normal(size=4), rng.normal(size=4)
    result = F.layer_norm(enclose(torch.from_numpy(x)), (4,), torch.from_numpy(w), torch.from_numpy(b))
    exact = along_last(layer_norm, arbs(x)) * arbs(w) + arbs(b)
    check_arb("layer_norm", result, exact)
    same = enclose(torch.ones(2, 3, dtype=torch.float64))
    assert unbounded(F.layer_norm(same, (3,), eps=0.0))
    for shape in ((), (2,), (3, 2)):
        with pytest.raises(RuntimeError):
            F.layer_norm(same, shape)


@pytest.mark.parametrize("d", [3, 4, 64])
@pytest.mark.parametrize("mask", ["none", "causal", "bool", "float"])
def test_attention(d: int, mask: str) -> None:
    rng = np.random.default_rng(d)
    n = 4
    q, k, v = (rng.normal(size=(n, d)) * rng.choice([0.3, 3]) for _ in range(3))
    allowed = np.ones((n, n), dtype=bool) if mask == "none" else np.tril(np.ones((n, n), dtype=bool))
    options: dict[str, object] = {"is_causal": True} if mask == "causal" else {}
    if mask == "bool":
        options["attn_mask"] = torch.from_numpy(allowed)
    if mask == "float":
        options["attn_mask"] = torch.where(torch.from_numpy(allowed), 0.0, -INF).double()
    tensors = [torch.from_numpy(x)[None, None] for x in (q, k, v)]
    with sdpa_kernel(SDPBackend.MATH):
        result = F.scaled_dot_product_attention(*map(enclose, tensors), **options)  # type: ignore[arg-type]
    check_arb("attention", result[0, 0], attention(arbs(q), arbs(k), arbs(v), allowed))
    assert float(result.width.max()) < 1e-10


@pytest.mark.slow
def test_many_functions(capsys: pytest.CaptureFixture[str]) -> None:
    TALLY.clear()
    rng = np.random.default_rng(99)
    while TALLY.total() < 100_000:
        for name in FUNCTIONS:
            run(name, rng, str(rng.choice(KINDS)), str(rng.choice(SPREADS)), (20, int(rng.integers(2, 12))))
    with capsys.disabled():
        print(f"\n{TALLY.total():,} scalar checks against Arb, no violation: {dict(TALLY)}")
