"""In-place operations, views and copies: no Enclosure changes behind another's back."""

from __future__ import annotations

import copy
import io
import math
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from oracle import check, interval

from compact_proofs.enclosure import Enclosure, enclose
from compact_proofs.errors import BadInput, NoSoundRule, NotProvable

INF = math.inf


def test_in_place_on_what_nobody_shares(x: Enclosure) -> None:
    y = x + 0.5
    z = y
    y += 1
    y.mul_(2).clamp_(max=9).neg_()
    assert z is y
    check("in place", y, np.array([-5 << 1074, -7 << 1074, -9 << 1074], dtype=object))  # -min(2 (x + 1.5), 9)
    c = x > 2
    c.logical_not_()
    assert c.lo.tolist() == [True, False, False]
    w = x + 0
    w.squeeze_().unsqueeze_(0).t_()
    assert w.shape == (3, 1)
    w.transpose_(0, 1)
    assert w.shape == (1, 3)
    check("in place", w * 2, np.array([[2 << 1074, 4 << 1074, 6 << 1074]], dtype=object))


VIEWS: dict[str, Callable[[Enclosure], Any]] = {
    "select": lambda x: x[0],
    "slice": lambda x: x[1:],
    "view": lambda x: x.view(3, 1),
    "reshape": lambda x: x.reshape(1, 3),
    "expand": lambda x: x.expand(2, 3),
    "unbind": lambda x: x.unbind(0),
    "split": lambda x: x.split(1),
    "detach": lambda x: x.detach(),
    "transpose": lambda x: x[:, None].mT,
    "unfold": lambda x: x.unfold(0, 2, 1),
    "diagonal": lambda x: x[:, None].diagonal(),
    "data": lambda x: x.data,
    "copy": copy.copy,
    "float": lambda x: x.float(),
    "double": lambda x: x.double(),
    "half": lambda x: x.half(),
    "to": lambda x: x.to(torch.float32),
    "to the same": lambda x: x.to(torch.float64),
    "to like": lambda x: x.to(torch.zeros(1)),
    "to, not blocking": lambda x: x.to(torch.float64, True),
    "type": lambda x: x.type(torch.float64),
    "type_as": lambda x: x.type_as(torch.zeros(1)),
    "cpu": lambda x: x.cpu(),
    "contiguous": lambda x: x.contiguous(),
    "contiguous transposed": lambda x: x[:, None].expand(3, 2).t().contiguous(),
    "reshape of strides": lambda x: x[:, None].expand(3, 2).t().reshape(-1),
    "flatten of strides": lambda x: x[:, None].expand(3, 2).t().flatten(),
}
"""What is a view in PyTorch, and what may be one, depending on types and strides: nobody can rely on either."""


@pytest.mark.parametrize("name", VIEWS)
def test_in_place_with_living_views_raises(name: str) -> None:
    x = interval((1.0, 1.5), (2.0, 4.0), (3.0, 5.0))
    view = VIEWS[name](x)
    with pytest.raises(NoSoundRule, match="shares memory"):
        x.add_(1)
    first = view[0] if isinstance(view, (tuple, list)) else view
    with pytest.raises(NoSoundRule, match="shares memory"):
        first.mul_(2)
    assert x.lo.tolist() == [1, 2, 3]
    del view, first


COPIES: dict[str, Callable[[Enclosure], Enclosure]] = {
    "abs": torch.abs,
    "clone": torch.clone,
    "sum of one": lambda x: x[:1].sum(0),
    "prod of one": lambda x: x[:1].prod(0),
    "cumsum": lambda x: x.cumsum(0),
    "softmax of nothing": lambda x: x[:0].softmax(0),
    "to": lambda x: x.to(torch.float64, copy=True),
    "deepcopy": copy.deepcopy,
    "vector norm of one": lambda x: torch.linalg.vector_norm(x[:1], 1, 0),
    "maximum": lambda x: torch.maximum(x, x),
    "clamp": lambda x: x.clamp(min=-INF),
    "where": lambda x: torch.where(torch.tensor(True), x, x),
    "pow": lambda x: x**1,
    "mean of one": lambda x: x[:1].mean(0),
    "sort": lambda x: x.sort().values,
    "repeat": lambda x: x.repeat(1),
    "expand and clone": lambda x: x.expand(2, 3).clone(),
}


@pytest.mark.parametrize("name", COPIES)
def test_a_copy_is_not_changed_with_its_source(name: str) -> None:
    for nonnegative in (True, False):
        x = interval((1.0 if nonnegative else -1.0, 1.5), (2.0, 4.0), (3.0, 5.0))
        y = COPIES[name](x)
        before = y.lo.clone()
        source = x.lo.clone()
        y += 1
        assert torch.equal(x.lo, source), "changing the copy changed its source"
        assert (y.lo >= before).all()


@pytest.mark.parametrize("name", ["sum", "cumsum", "prod", "mean", "abs", "amax", "max", "clone", "relu", "softmax", "logsumexp"])
def test_a_result_of_one_number_is_not_that_number(name: str) -> None:
    for x in (enclose(2.0), interval((1.0, 2.0))[0].clone()):
        before = x.lo.item(), x.hi.item()
        y = getattr(x, name)(*([0] if name in ("cumsum", "softmax", "logsumexp") else []))
        y += 1
        assert (x.lo.item(), x.hi.item()) == before


def test_a_conversion_may_be_changed_when_its_source_is_gone() -> None:
    y = interval((1.0, 1.5), (2.0, 4.0)) + 0
    y = y.float()
    y += 1
    z = (y > 2.75).float()  # a truth value became a number: never a view
    z.neg_()
    assert z.lo.tolist() == z.hi.tolist() == [0, -1]


NO_MEMORY: dict[str, Callable[[Enclosure], Any]] = {
    "share_memory_": lambda x: x.share_memory_(),
    "is_shared": lambda x: x.is_shared(),
    "apply_": lambda x: x.apply_(lambda v: v),
    "map_": lambda x: x.map_(x, lambda v, w: v),
    "map2_": lambda x: x.map2_(x, x, lambda u, v, w: u),
    "resize_": lambda x: x.resize_(5),
    "resize_as_": lambda x: x.resize_as_(torch.zeros(7)),
    "set_": lambda x: x.set_(torch.zeros(3, dtype=torch.float64)),
    "storage": lambda x: x.storage(),
    "untyped_storage": lambda x: x.untyped_storage(),
    "data_ptr": lambda x: x.data_ptr(),
    "dlpack": lambda x: np.from_dlpack(x),
    "pin_memory": lambda x: x.pin_memory(),
    "new": lambda x: x.new(3),
    "pickle": lambda x: pickle.dumps(x),
    "save": lambda x: torch.save(x, io.BytesIO()),
    "data": lambda x: setattr(x, "data", torch.zeros(3)),
}


@pytest.mark.parametrize("name", NO_MEMORY)
def test_an_enclosure_has_no_memory_of_its_own(name: str, x: Enclosure) -> None:
    for y in (x, x > 2):
        with pytest.raises(NoSoundRule, match=r"\.lo and \.hi"):
            NO_MEMORY[name](y)


@pytest.mark.parametrize("convert", [np.asarray, np.array, lambda x: np.add(x, 1), lambda x: x.numpy(force=True)])
def test_an_enclosure_is_no_array(convert: Callable[[Any], Any], x: Enclosure) -> None:
    with pytest.raises(NotProvable, match=r"\.lo and \.hi"):
        convert(x)


def test_in_place_refuses_another_kind_or_shape() -> None:
    for f in (lambda x: x.lt_(3), lambda x: x.squeeze().add_(torch.zeros(2, 3)), lambda x: (x > 2).mul_(2.0)):
        with pytest.raises((NoSoundRule, RuntimeError)):
            f(interval((1.0, 1.5), (2.0, 4.0), (3.0, 5.0)) + 0)


def test_plain_memory_is_never_written(x: Enclosure) -> None:
    plain = torch.tensor([1.0, 2.0], dtype=torch.float64)
    e = enclose(plain)
    e += 1
    e.neg_()
    assert plain.tolist() == [1, 2]
    with pytest.raises(NoSoundRule):
        plain += e
    with pytest.raises(BadInput):
        enclose([0.1, 0.2])
