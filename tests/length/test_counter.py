"""Proof length: every formula against counts by hand, and the same length under every reading."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from compact_proofs.core.prove import measure, prove, trial
from compact_proofs.enclosure import Enclosure, count_below, provably, sound
from compact_proofs.enclosure.rules import CREATION, EXACT, ON_BOOLS, RULES
from compact_proofs.length import NoCost, ProofLength, address_table, charge_integers, count, stage
from compact_proofs.length.costs import CATEGORIES, COSTS, FREE
from compact_proofs.models.attention_only import AttentionOnlyConfig, AttentionOnlyTransformer
from compact_proofs.tasks.max_of_k import Additive, BruteForce, Cubic, MaxOfK

a, b = torch.rand(3, 4, dtype=torch.float64) + 1, torch.rand(3, 4, dtype=torch.float64) + 1
c, d = torch.rand(4, 5, dtype=torch.float64), torch.rand(3, 5, dtype=torch.float64)
batch = torch.rand(2, 3, 4, dtype=torch.float64)
i = torch.arange(12).reshape(3, 4)
t = i > 5
column = i % 3

# by hand, n = 12 entries in 3 rows of 4
FORMULAS: dict[str, tuple[Callable[[], Any], dict[str, int]]] = {
    "a + b": (lambda: a + b, {"add": 12}),
    "a - 1": (lambda: a - 1, {"add": 12}),
    "1 - a": (lambda: 1 - a, {"add": 12}),
    "-a": (lambda: -a, {"add": 12}),
    "broadcast": (lambda: a[:, :, None] + c, {"add": 60}),
    "in place": (lambda: a.clone().add_(b), {"add": 12}),
    "a * b": (lambda: a * b, {"mul": 12}),
    "square": (lambda: a.square(), {"mul": 12}),
    "a / b": (lambda: a / b, {"div": 12}),
    "reciprocal": (lambda: a.reciprocal(), {"div": 12}),
    "addcmul": (lambda: torch.addcmul(a, a, b), {"add": 12, "mul": 12}),
    "addcdiv": (lambda: torch.addcdiv(a, a, b), {"add": 12, "div": 12}),
    "exp": (lambda: a.exp(), {"exp": 12}),
    "log": (lambda: a.log(), {"exp": 12}),
    "sqrt": (lambda: a.sqrt(), {"exp": 12}),
    "tanh": (lambda: a.tanh(), {"exp": 12}),
    "sin": (lambda: a.sin(), {"exp": 12}),
    "rsqrt": (lambda: a.rsqrt(), {"exp": 12, "div": 12}),
    "sigmoid": (lambda: a.sigmoid(), {"exp": 12, "add": 12, "div": 12}),
    "silu": (lambda: F.silu(a), {"exp": 12, "add": 12, "div": 12, "mul": 12}),
    "gelu": (lambda: F.gelu(a), {"exp": 12, "add": 12, "mul": 36}),
    "cube": (lambda: a**3, {"mul": 24}),
    "eighth": (lambda: a**8, {"mul": 36}),
    "inverse square": (lambda: a**-2, {"mul": 12, "div": 12}),
    "root as power": (lambda: a**0.5, {"exp": 12}),
    "abs": (lambda: a.abs(), {"compare": 12}),
    "relu": (lambda: a.relu(), {"compare": 12}),
    "clamp": (lambda: a.clamp(0, 1), {"compare": 24}),
    "clamp above": (lambda: a.clamp(max=1), {"compare": 12}),
    "hardtanh": (lambda: F.hardtanh(a), {"compare": 24}),
    "a < b": (lambda: a < b, {"compare": 12}),
    "maximum": (lambda: torch.maximum(a, b), {"compare": 12}),
    "max of two": (lambda: torch.max(a, b), {"compare": 12}),
    "max": (lambda: a.max(), {"compare": 11}),
    "max by row": (lambda: a.max(1), {"compare": 9}),
    "amax": (lambda: a.amax(0), {"compare": 8}),
    "argmax": (lambda: a.argmax(1), {"compare": 9}),
    "cummax": (lambda: a.cummax(1), {"compare": 9}),
    "sum": (lambda: a.sum(), {"add": 11}),
    "sum by row": (lambda: a.sum(1), {"add": 9}),
    "sum of nothing": (lambda: a[:, :0].sum(1), {}),
    "mean": (lambda: a.mean(1), {"add": 9, "div": 3}),
    "prod": (lambda: a.prod(1), {"mul": 9}),
    "cumsum": (lambda: a.cumsum(1), {"add": 9}),
    "cumsum of nothing": (lambda: a[:0].cumsum(0), {}),
    "mm": (lambda: a @ c, {"matmul": 2 * 3 * 4 * 5}),
    "mv": (lambda: a @ b[0], {"matmul": 2 * 3 * 4}),
    "vector times matrix": (lambda: b[0] @ c, {"matmul": 2 * 4 * 5}),
    "dot": (lambda: a[0] @ b[0], {"matmul": 2 * 4}),
    "bmm": (lambda: batch @ batch.mT, {"matmul": 2 * 2 * 3 * 4 * 3}),
    "addmm": (lambda: torch.addmm(d, a, c), {"matmul": 120, "add": 15}),
    "linear": (lambda: F.linear(a, c.T, d[0]), {"matmul": 120, "add": 15}),
    "einsum": (lambda: torch.einsum("ij,jk->ik", a, c), {"matmul": 120}),
    "sort": (lambda: a.sort(1), {"compare": 12 * 2}),
    "sort of columns": (lambda: a.sort(0), {"compare": 12 * 2}),
    "stable sort of columns": (lambda: torch.cat([a, a]).sort(stable=True, dim=0), {"compare": 24 * 3}),
    "sort of one": (lambda: a[0, :1].sort(), {}),
    "argsort": (lambda: a.argsort(1), {"compare": 24}),
    "topk": (lambda: a.topk(3, 1), {"compare": 12 * 2}),
    "searchsorted": (lambda: torch.searchsorted(a[0].sort().values, b), {"compare": 4 * 2 + 12 * 3}),
    "softmax": (lambda: a.softmax(1), {"compare": 9, "add": 12 + 9, "exp": 12, "div": 12}),
    "log_softmax": (lambda: a.log_softmax(1), {"compare": 9, "add": 12 + 9 + 12, "exp": 15}),
    "logsumexp": (lambda: a.logsumexp(1), {"compare": 9, "add": 12 + 9 + 3, "exp": 15}),
    "layer_norm": (lambda: F.layer_norm(a, (4,)), {"add": 9 + 12 + 9 + 3 + 12, "mul": 36, "div": 9, "exp": 3}),
    "var": (lambda: a.var(1), {"add": 9 + 12 + 9, "mul": 12, "div": 6}),
    "std": (lambda: a.std(1), {"add": 30, "mul": 12, "div": 6, "exp": 3}),
    "norm": (lambda: a.norm(dim=1), {"mul": 12, "add": 9, "exp": 3}),
    "norm 1": (lambda: torch.linalg.vector_norm(a, 1, 1), {"compare": 12, "add": 9}),
    "norm inf": (lambda: torch.linalg.vector_norm(a, float("inf"), 1), {"compare": 12 + 9}),
    "scatter_reduce": (lambda: a.scatter_reduce(1, column, b, "amax"), {"compare": 12}),
    "integers": (lambda: i + i * 2, {"integer": 24}),
    "integer sum": (lambda: i.sum(), {"integer": 11}),
    "integer comparison": (lambda: i > 3, {"integer": 12}),
    "integer sort": (lambda: i.sort(1), {"integer": 24}),
    "integer matrices": (lambda: i @ i.T, {"integer": 2 * 3 * 4 * 3}),
    "logic": (lambda: t & ~t, {"integer": 24}),
    "all": (lambda: t.all(), {"integer": 11}),
    "count of truths": (lambda: t.sum(1), {"integer": 9}),
    "index_add": (lambda: torch.zeros(3, dtype=torch.int64).index_add(0, column[0], i[1]), {"integer": 4}),
    "bincount": (lambda: torch.bincount(i[0]), {"integer": 4}),
    "nonzero": (lambda: t.nonzero(), {"integer": 12}),
    "integers divided": (lambda: i / 3, {"div": 12}),
    "nothing to do": (lambda: torch.where(t, a, b).T.reshape(-1)[i].flip(0).to(torch.float32), {}),
    "constants": (lambda: torch.zeros(3) if torch.arange(5) is None else torch.ones(2).new_full((3,), 0.5), {}),
    "masked": (lambda: a.masked_fill(t, 0.0), {}),
}


@pytest.mark.parametrize("name", FORMULAS)
def test_formulas(name: str) -> None:
    program, expected = FORMULAS[name]
    with count() as counter:
        program()
    assert counter.length.by_category == expected


def test_attention_is_counted_as_matrices_and_a_softmax() -> None:
    q = torch.rand(1, 2, 3, 4, dtype=torch.float64)
    with count() as counter:
        F.scaled_dot_product_attention(q, q, q)
    heads, n, width = 2, 3, 4
    assert counter.length.by_category == {
        "mul": 2 * heads * n * width,  # the scale, split between queries and keys
        "matmul": 2 * (2 * heads * n * n * width),
        "compare": heads * n * (n - 1),
        "add": heads * n * (2 * n - 1),
        "exp": heads * n * n,
        "div": heads * n * n,
    }


# --------------------------------------------------------------------------------------- the same under every reading

MODULES: list[tuple[nn.Module, tuple[int, ...]]] = [
    (nn.Linear(4, 3), (2, 5, 4)),
    (nn.Sequential(nn.Linear(4, 8), nn.GELU(), nn.Linear(8, 3), nn.LayerNorm(3)), (5, 4)),
    (nn.TransformerEncoderLayer(4, 2, 8, batch_first=True).eval(), (2, 5, 4)),
    (nn.RNN(4, 3), (5, 2, 4)),
    (nn.LSTM(4, 3), (5, 2, 4)),
    (nn.GRU(4, 3), (5, 2, 4)),
]


def lengths(program: Callable[[Any], Any], *shape: int) -> list[ProofLength]:
    """The program's length on float, Enclosure and meta tensors."""
    x = torch.rand(shape, dtype=torch.float64) + 1
    enclosed = Enclosure(x, x + 2.0**-30)
    result = []
    with torch.no_grad(), count() as counter:
        program(x)
    result.append(counter.length)
    with sound(), count() as counter:
        program(enclosed)
    result.append(counter.length)
    with torch.no_grad(), count() as counter:
        program(x.to("meta"))
    result.append(counter.length)
    return result


@pytest.mark.parametrize("module", MODULES, ids=lambda pair: type(pair[0]).__name__)
def test_modules_cost_the_same_under_every_reading(module: tuple[nn.Module, tuple[int, ...]]) -> None:
    layer, shape = module
    layers = {device: copy.deepcopy(layer).double().to(device) for device in ("cpu", "meta")}
    in_float, enclosed, on_meta = lengths(lambda x: layers[x.device.type](x), *shape)
    assert in_float.total > 0
    assert in_float == enclosed == on_meta


def verifier(x: Tensor) -> Tensor:
    with stage("scores"):
        s = (x @ x.mT / 2).softmax(-1)
        far = s.cumsum(-1).sort(-1).values
    with stage("counting"):
        near = count_below(far, x[..., :1] * far[..., :2])
        return near.sum() + provably((s.amax(-1) < far[..., 0]) & (s.std(-1) < 2.0)).sum()


def test_a_verifier_costs_the_same_under_every_reading() -> None:
    in_float, enclosed, on_meta = lengths(verifier, 6, 5)
    assert in_float == enclosed == on_meta
    assert set(in_float.by_stage) == {"scores", "counting"}


STRATEGIES = [Cubic(), Additive(), Additive(groups=1, window=2), BruteForce()]


@pytest.mark.parametrize("strategy", STRATEGIES, ids=str)
def test_strategies_cost_the_same_under_every_reading(strategy: Any) -> None:
    torch.manual_seed(0)
    model = AttentionOnlyTransformer(AttentionOnlyConfig(d_vocab=6, n_ctx=3, d_model=5, d_head=4))
    for p in model.parameters():
        nn.init.normal_(p)
    task = MaxOfK.of(model)
    explanation = strategy.explain(model, task)
    enclosed = prove(model, task, strategy, explanation=explanation)
    in_float = trial(model, task, strategy, explanation=explanation)
    assert enclosed.length.total > 0
    assert enclosed.length == in_float.length == measure(model, task, strategy, explanation)


# ---------------------------------------------------------------------------------------------------- the counter itself


def test_stages_and_totals() -> None:
    with count() as counter:
        a + b
        with stage("one"):
            a * b
            with stage("two"):
                (i + 1).sum()
            a.exp()
        with pytest.raises(ZeroDivisionError), stage("three"):
            1 / 0  # noqa: B018
        a + b
    length = counter.length
    assert length.by_stage == {"other": {"add": 24}, "one": {"mul": 12, "exp": 12}, "two": {"integer": 23}}
    assert (length.flops, length.int_ops, length.total) == (48, 23, 71)
    shown = length.to_json()
    assert shown["by_stage"] == {"other": 24, "one": 24, "two": 23}
    assert shown["flops"] + shown["int_ops"] == shown["total"]
    assert set(length.by_category) <= set(CATEGORIES)
    a + b
    assert counter.length == length, "nothing is counted after leaving"


def test_nested_counters_both_count() -> None:
    with count() as outer:
        a + b
        with count() as inner:
            a * b
            charge_integers(5)
        with pytest.raises(ZeroDivisionError), count():
            1 / 0  # noqa: B018
        charge_integers(2)
    charge_integers(100)
    assert inner.length.by_category == {"mul": 12, "integer": 5}
    assert outer.length.by_category == {"add": 12, "mul": 12, "integer": 7}


def test_charges() -> None:
    with count() as counter, stage("reading"):
        charge_integers(7)
        charge_integers(0)
        with pytest.raises(ValueError, match="negative"):
            charge_integers(-1)
    assert counter.length.by_stage == {"reading": {"integer": 7}}


def test_unknown_operations_are_errors() -> None:
    with count(), pytest.raises(NoCost, match="fft"):
        torch.fft.fft(a)
    with count(), pytest.raises(NoCost, match="svd"):
        torch.linalg.svd(a)
    with torch.library._scoped_library("compact_proofs_cost_test", "DEF") as library:
        library.define("view(Tensor x) -> Tensor")
        library.impl("view", lambda x: x * 2, "CPU")
        with count(), pytest.raises(NoCost, match="compact_proofs_cost_test"):
            torch.ops.compact_proofs_cost_test.view(a)


def test_every_operation_with_a_sound_rule_has_a_cost() -> None:
    assert {*RULES, *EXACT, *CREATION, *ON_BOOLS} <= COSTS.keys() | FREE
    assert not COSTS.keys() & FREE


def test_enclosures_outside_sound_are_counted_once() -> None:
    x = Enclosure(a, a + 1)
    with count() as counter:
        (x @ c).softmax(-1)
    assert counter.length.by_category["matmul"] == 120


# ------------------------------------------------------------------------------------------------------ address tables


def test_address_tables_are_free_and_take_sizes_only() -> None:
    calls = []

    @address_table
    def pairs(n: int, m: int) -> tuple[Tensor, Tensor]:
        """All pairs."""
        calls.append((n, m))
        return torch.arange(n).repeat_interleave(m) * 1, torch.arange(m).repeat(n)

    with sound(), count() as counter:
        first, second = pairs(3, 2)
        pairs(3, 2)
    assert counter.length.total == 0
    assert calls == [(3, 2)]
    assert first.tolist() == [0, 0, 1, 1, 2, 2]
    assert second.tolist() == [0, 1, 0, 1, 0, 1]
    assert pairs.__doc__ == "All pairs."
    assert pairs(3, 2, device="meta")[0].is_meta
    for bad in (torch.tensor(3), 3.0, "3", None, [3]):
        with pytest.raises(TypeError, match="integers only"):
            pairs(bad, 2)


def test_a_written_address_table_is_noticed() -> None:
    @address_table
    def table(n: int) -> Tensor:
        return torch.arange(n)

    with torch.inference_mode():
        table(4)[1:] += 1
    table(5)
    table(3).view(-1)[0] = 7
    with pytest.raises(RuntimeError, match="wrote into"):
        table(3)
