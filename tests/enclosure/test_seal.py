"""What the readings cannot see is refused while a proof runs or is counted, and works as ever outside."""

from __future__ import annotations

import pickle
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from compact_proofs.enclosure import Enclosure, enclose, sound
from compact_proofs.enclosure.seal import sealed
from compact_proofs.errors import NoSoundRule
from compact_proofs.length import count, unseen

x = torch.tensor([0.5, 0.25])
READERS: dict[str, Callable[[Tensor], Any]] = {
    "tolist": lambda t: t.tolist(),
    "numpy": lambda t: t.numpy(),
    "asarray": lambda t: np.asarray(t),
    "ufunc": lambda t: np.exp(t),
    "dlpack": lambda t: np.from_dlpack(t),
    "apply_": lambda t: t.clone().apply_(lambda v: v + 1),
    "map_": lambda t: t.clone().map_(t, lambda v, w: v + w),
    "of a weight": lambda t: nn.Parameter(t).detach().numpy(),
    "a pointer": lambda t: t.data_ptr(),
    "memory": lambda t: t.storage(),
    "pickled": lambda t: pickle.dumps(t),
    "in half precision": lambda t: t.half().tolist(),
}


@pytest.mark.parametrize("name", READERS)
def test_real_numbers_do_not_leave_torch(name: str) -> None:
    READERS[name](x)
    with sound(), pytest.raises(NoSoundRule):
        READERS[name](x)
    with count(), pytest.raises(NoSoundRule, match="counted"):
        READERS[name](x)
    with pytest.raises(ZeroDivisionError), sealed(), sealed():
        1 / 0  # noqa: B018
    READERS[name](x)


def test_integers_and_truth_values_may_be_read() -> None:
    whole = torch.tensor([3, 4])
    with sound(), count():
        assert whole.tolist() == [3, 4]
        assert (whole > 3).numpy().tolist() == [False, True]
        assert int(whole.sum()) == 7


def test_outside_is_torch_as_it_was() -> None:
    methods = {name: getattr(Tensor, name) for name in ("tolist", "numpy", "__array__", "__dlpack__", "apply_", "__repr__", "data")}
    own, start = dict(vars(Tensor)), threading.Thread.start
    with sound(), count(), sealed():
        assert Tensor.tolist is not methods["tolist"]
        assert repr(x) == "tensor([0.5000, 0.2500])", "a tensor may be printed"
    assert {name: getattr(Tensor, name) for name in methods} == methods
    assert dict(vars(Tensor)) == own
    assert threading.Thread.start is start


def test_another_thread_is_not_concerned() -> None:
    inside, done = threading.Event(), threading.Event()
    seen: list[Any] = []

    def other() -> None:
        inside.wait(10)
        seen.append(x.tolist())
        weight = nn.Parameter(torch.zeros(2))
        weight.data = x
        seen.append(weight.tolist())
        done.set()

    thread = threading.Thread(target=other)
    thread.start()
    with sound():
        inside.set()
        assert done.wait(10)
    thread.join()
    assert seen == [[0.5, 0.25], [0.5, 0.25]]


@pytest.mark.parametrize("value", [lambda: enclose(x), lambda: x, lambda: x + 1])
def test_data_is_not_exchanged(value: Callable[[], Tensor]) -> None:
    """An Enclosure as the data of a plain weight would end the process."""
    weight = nn.Parameter(torch.zeros(2))
    with sound(), pytest.raises(NoSoundRule, match="data"):
        weight.data = value()
    weight.data = x.clone()
    assert weight.tolist() == [0.5, 0.25]
    assert torch.equal(weight.data, x)


def test_threads_of_a_proof_make_no_tensor_calls() -> None:
    def work(t: Tensor) -> Tensor:
        return t * 3

    for context in (sound, count):
        with context(), ThreadPoolExecutor(1) as pool:
            assert pool.submit(lambda: 1 + 1).result(10) == 2, "such as a progress bar"
            with pytest.raises(NoSoundRule, match="thread"):
                pool.submit(work, x).result(10)
    with ThreadPoolExecutor(1) as pool:
        assert torch.equal(pool.submit(work, x).result(10), x * 3)


def test_unseen_is_outside() -> None:
    with sound(), count() as counter:
        with unseen("a test"):
            y = x * 3
            assert type(y) is Tensor
            assert y.tolist() == [1.5, 0.75]
        assert isinstance(x * 3, Enclosure)
        with pytest.raises(NoSoundRule):
            x.tolist()
    assert counter.length.total == 2
    with pytest.raises(ValueError, match="reason"), unseen(""):
        pass
