"""`sound()`: no float arithmetic that escapes, and what is left behind on leaving."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from oracle import check, scaled
from torch import Tensor, nn

from compact_proofs.enclosure import Enclosure, enclose, provably, sound
from compact_proofs.errors import BadInput, NoSoundRule
from compact_proofs.length import count

x32 = torch.tensor([0.1, 0.7, -0.3])
whole = torch.tensor([1, 2, 3])
ARITHMETIC: dict[str, Callable[[], Any]] = {
    "add": lambda: x32 + x32,
    "add scalar": lambda: x32 + 1,
    "radd": lambda: 1 - x32,
    "mul": lambda: x32 * 3,
    "div": lambda: x32 / 3,
    "pow": lambda: x32**2,
    "matmul": lambda: x32 @ x32,
    "outer": lambda: torch.outer(x32, x32),
    "linear": lambda: F.linear(x32, x32[None]),
    "exp": lambda: x32.exp(),
    "sum": lambda: x32.sum(),
    "mean": lambda: x32.mean(),
    "cumsum": lambda: x32.cumsum(0),
    "prod": lambda: x32.prod(),
    "norm": lambda: x32.norm(),
    "std": lambda: x32.std(),
    "softmax": lambda: x32.softmax(0),
    "normalize": lambda: F.normalize(x32, dim=0),
    "cosine": lambda: F.cosine_similarity(x32, x32 + 1, dim=0),
    "integers divided": lambda: whole / 3,
    "integer times float": lambda: whole * 0.1,
    "integer root": lambda: whole.sqrt(),
    "integer mean": lambda: whole.mean(dtype=torch.float32),
    "integer sum as float": lambda: whole.sum(dtype=torch.float32),
    "truths divided": lambda: (whole > 1) / 3,
    "truths scaled": lambda: (whole > 1) * 0.1,
    "neg": lambda: -x32,
    "abs": lambda: x32.abs(),
    "meshgrid": lambda: torch.meshgrid(x32, x32, indexing="ij")[0] * 1.0,
    "fresh buffer": lambda: torch.zeros(3).add_(x32),
    "addmm": lambda: torch.addmm(x32, x32[None], torch.ones(3, 3)),
    "vmap": lambda: torch.vmap(lambda y: y * y)(x32),
    "new_full": lambda: x32.new_full((3,), 0.1) * 1.0,
    "autocast": lambda: torch.autocast("cpu", dtype=torch.bfloat16)(F.linear)(x32, x32[None]),
}


@pytest.mark.parametrize("name", ARITHMETIC)
def test_float_arithmetic_gives_enclosures(name: str) -> None:
    with sound():
        result = ARITHMETIC[name]()
    assert isinstance(result, Enclosure)


OTHER = ("rand", "seed", "save", "load", "set_", "compile", "init", "fork", "enable", "use_", "autocast", "channel_shuffle")
"""Functions of the machine or of chance; and one of which torch 2.12 ends the process when it decomposes it for 0 groups."""


@pytest.mark.filterwarnings("ignore")
def test_every_function_gives_enclosures_or_raises() -> None:
    """Whatever torch function is called on floats: an Enclosure, a plain result that moved numbers, or an error."""
    silent = []
    candidates = [getattr(torch, n) for n in dir(torch) if not n.startswith("_") and n.islower()]
    candidates += [getattr(F, n) for n in dir(F) if not n.startswith("_") and n.islower()]
    candidates = [f for f in candidates if callable(f) and getattr(f, "__module__", None) != "typing"]
    x = torch.tensor([[0.1, 0.7, -0.3], [0.2, 0.25, 0.6], [1.1, -2.0, 0.05]], dtype=torch.float32)
    known = {float(v) for v in x.double().flatten()} | {0.3, *range(-5, 6)}
    for f in candidates:
        if any(word in f.__name__ for word in OTHER):
            continue
        for args in ((x,), (x, x), (x, 0), (x, 0.3), (x, x, x), (0.1, 3), (5,), ([x, x],)):
            try:
                with sound():
                    result = f(*args)
            except Exception:
                continue
            for leaf in torch.utils._pytree.tree_iter(result):
                if type(leaf) is Tensor and leaf.is_floating_point():
                    values = {float(v) for v in leaf.double().flatten()}
                    if not values <= known:
                        silent.append((f.__name__, [type(a).__name__ for a in args]))
    assert not silent, silent


def test_plain_comparisons_do_not_round() -> None:
    """float32(0.1) is not 0.1; PyTorch compares in float32 and says that it is."""
    w, wide, big = torch.tensor([0.1]), torch.tensor(1.0 + 2.0**-40, dtype=torch.float64), torch.tensor([2**24 + 1])
    with sound():
        assert not provably(w == 0.1).any()
        assert provably(w > 0.1).all()
        assert provably(torch.tensor([1.0]) < wide).all()
        assert not provably(big == 2.0**24).any()
        assert provably(big > 2.0**24 + 0.5).all()
        with pytest.raises(OverflowError):
            big.clone().eq_(2.0**24)
        with pytest.raises(NoSoundRule):
            torch.isin(big, 2.0**24)
        assert provably(big != big.float() * 0 + 2.0**24).all()
        assert torch.maximum(torch.tensor([1.0]), wide).dtype == torch.float64
        assert int(torch.searchsorted(w, 0.1, right=True)) == 0
        assert provably(
            torch.cat([torch.tensor([1.0], dtype=torch.float16), torch.tensor([2049])]) == torch.tensor([1, 2049])
        ).all()
        assert torch.where(torch.tensor([True]), w, 0.2).dtype == torch.float64
        for f in (
            lambda: w < 2**53 + 1,
            lambda: w < torch.tensor([2**53 + 1]),
            lambda: torch.tensor([2**53 + 1]) < 0.5,
        ):
            with pytest.raises(BadInput):
                f()


def test_nan_proves_nothing() -> None:
    bad = torch.tensor([math.nan])
    with sound():
        for truth in (bad < 1, bad >= 1, bad == bad, bad != bad, ~(bad < 1), torch.sign(bad) > 2, torch.sign(bad) == 0):
            assert not provably(truth).any()
        assert not provably(bad.clamp(0, 1) > 0.5).any()
        assert not provably(torch.stack([bad, bad]).amax(0) + 0 < 1).any()
        with pytest.raises(NoSoundRule):
            torch.argmax(torch.stack([bad, bad]))


def test_integers_become_floats_exactly_or_not_at_all() -> None:
    with sound():
        as_float, as_half = torch.tensor([2**24 + 1]).float() * 1, torch.tensor([2049]).half() * 1
    check("to float", as_float, np.array([(2**24 + 1) << 2148], dtype=object), 2)
    check("to half", as_half, np.array([2049 << 2148], dtype=object), 2)
    with sound():
        assert type(whole.float()) is Tensor
        for f in (
            lambda t: t.double(),
            lambda t: t.float(),
            lambda t: t / 3,
            lambda t: t * 0.5,
            lambda t: t + x32[:1],
            lambda t: t.sqrt(),
            lambda t: torch.maximum(t, x32[:1]),
        ):
            with pytest.raises(BadInput):
                f(torch.tensor([2**53 + 1]))


def test_constants() -> None:
    with sound():
        constants = (
            (torch.full((1,), 0.1), 0.1),
            (torch.full_like(x32[:1], 0.1), 0.1),
            (x32.new_full((1,), 0.1), 0.1),
            (torch.arange(2**24 + 1, 2**24 + 2, dtype=torch.float32), 2.0**24 + 1),
            (torch.zeros(1), 0.0),
            (torch.ones_like(x32[:1], dtype=torch.float16), 1.0),
        )
        for rounded in (
            lambda: torch.linspace(0, 1, 7),
            lambda: torch.arange(0, 1, 0.1),
            lambda: torch.logspace(0, 1, 3),
            lambda: torch.hann_window(5),
            lambda: torch.fft.fftfreq(5),
            lambda: torch.normal(torch.zeros(2), torch.ones(2)),
        ):
            with pytest.raises(NoSoundRule):
                rounded()
        assert type(torch.rand(3)) is Tensor
        assert type(torch.arange(5)) is Tensor
        assert torch.empty(0).shape == (0,)
        nothing = torch.empty(3)
        assert (nothing.lo == -math.inf).all()
        assert (nothing.hi == math.inf).all(), "whatever it holds"
    for constant, value in constants:
        check("constant", constant, scaled(np.array([value])))


def test_plain_tensors_are_not_written() -> None:
    layer = nn.Linear(2, 2)
    before = layer.weight.detach().clone()
    with sound():
        for f in (
            lambda: layer.weight.add_(1),
            lambda: layer.weight.mul_(layer.weight),
            lambda: layer.weight.zero_(),
            lambda: layer.weight.copy_(before),
            lambda: layer.weight.data.relu_(),
            lambda: layer.weight[0].clamp_(0),
            lambda: torch.add(before, before, out=layer.weight.data),
            lambda: torch.cat([before.double()[0], before.double()[1]], out=layer.bias.data),
            lambda: layer.weight.__setitem__(0, 1.0),
        ):
            with pytest.raises(NoSoundRule):
                f()
        index = torch.tensor([0, 1])
        index += 1  # integers are exact, and stay as they are in PyTorch
        assert index.tolist() == [1, 2]
    assert torch.equal(layer.weight, before)


def test_python_values_of_plain_numbers() -> None:
    with sound():
        with pytest.raises(NoSoundRule):
            x32[0].item()
        with pytest.raises(NoSoundRule):
            bool(x32[0])
        assert int(whole[0]) == 1
        assert bool(whole[0] > 0)


def test_custom_operations_are_not_trusted_by_their_name() -> None:
    with torch.library._scoped_library("compact_proofs_test", "DEF") as library:
        library.define("relu(Tensor x) -> Tensor")
        library.impl("relu", lambda x: x * 1.1, "CPU")
        with sound(), pytest.raises(NoSoundRule, match="compact_proofs_test"):
            torch.ops.compact_proofs_test.relu(x32)
        with pytest.raises(NoSoundRule, match="compact_proofs_test"):
            torch.ops.compact_proofs_test.relu(enclose(x32))


# ------------------------------------------------------------------------------------------------ entering and leaving


def test_nested() -> None:
    with sound() as outer, sound():
        y = x32 * 3
        with outer:
            z = y * 3
        y = y + z
    assert isinstance(y, Enclosure)
    assert not isinstance(y.lo, Enclosure)
    assert type(x32 * 3) is Tensor


def test_inside_a_counter() -> None:
    with count(), pytest.raises(RuntimeError, match=r"before count\(\)"), sound():
        pass
    with sound(), count() as counter, sound():
        x32 * 3
    assert counter.length.total == 3


def test_state_is_restored() -> None:
    def state() -> tuple[Any, ...]:
        return (
            torch.is_grad_enabled(),
            torch.backends.mha.get_fastpath_enabled(),
            torch.backends.mkldnn.enabled,
            torch.backends.cuda.flash_sdp_enabled(),
            torch.backends.cuda.mem_efficient_sdp_enabled(),
        )

    torch.backends.mha.set_fastpath_enabled(True)
    before, weight = state(), nn.Parameter(torch.ones(2))
    assert before[:2] == (True, True)
    with sound():
        assert not torch.is_grad_enabled()
        assert not (weight * 2).requires_grad
    assert state() == before
    with pytest.raises(ZeroDivisionError), sound():
        1 / 0  # noqa: B018
    assert state() == before
    with pytest.raises(RuntimeError), count(), sound():
        pass
    assert state() == before
    assert type(weight * 2) is Tensor
    reused = sound()
    for _ in range(2):
        with reused:
            assert isinstance(weight * 2, Enclosure)
        assert type(weight * 2) is Tensor


def test_flushed_subnormals_are_refused() -> None:
    if not torch.set_flush_denormal(True):
        pytest.skip("this machine cannot flush subnormal numbers")
    try:
        with pytest.raises(RuntimeError, match="gradual underflow"), sound():
            pass
    finally:
        torch.set_flush_denormal(False)
    assert type(x32 * 3) is Tensor
    try:
        with pytest.raises(RuntimeError, match="gradual underflow"), sound():
            torch.set_flush_denormal(True)
    finally:
        torch.set_flush_denormal(False)


def test_a_worker_that_flushes_subnormals_is_noticed() -> None:
    """It keeps the state of the thread that made it, when that thread is cured already."""
    program = """
        import torch
        from compact_proofs.enclosure import sound
        torch.set_num_threads(2)
        if not torch.set_flush_denormal(True):
            raise SystemExit("cannot flush")
        torch.ones(10**6, dtype=torch.float64) * 2
        torch.set_flush_denormal(False)
        try:
            with sound():
                print("entered")
        except RuntimeError:
            print("refused")
        torch.set_num_threads(1)
        with sound():
            print("entered with one thread")
    """
    environment = os.environ | {"OMP_NUM_THREADS": "2"}
    result = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, env=environment)
    if "cannot flush" in result.stderr:
        pytest.skip("this machine cannot flush subnormal numbers")
    assert result.stdout.split("\n")[:2] == ["refused", "entered with one thread"], result.stderr


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_compiled_code() -> None:
    """A compiler would take the rules apart: it must not see them."""
    compiled = torch.compile(lambda x: x * 3 + x, backend="eager")
    compiled(x32)
    with sound():
        found = compiled(x32)
    check("compiled", found, 4 * scaled(x32))
    with pytest.raises(NoSoundRule, match=r"torch\.compile"):
        compiled(enclose(x32))
