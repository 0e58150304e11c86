"""The rule table: operations that move and choose numbers, and everything that must raise instead of guessing."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from oracle import KINDS, check, inside, operand

from compact_proofs.enclosure import Enclosure, lower
from compact_proofs.enclosure.rules import CREATION, EXACT, ON_BOOLS, REFUSED, RULES
from compact_proofs.errors import NoSoundRule

INF = math.inf

INDEX = np.array([[0, 2, 1], [2, 2, 0]])
MASK = np.array([[True, False, True], [False, True, True]])
MOVES: dict[str, tuple[Callable[[torch.Tensor], torch.Tensor], Callable[[np.ndarray], np.ndarray]]] = {
    "transpose": (lambda x: x.mT, lambda x: x.swapaxes(-1, -2)),
    "view": (lambda x: x.contiguous().view(-1), lambda x: x.reshape(-1)),
    "reshape": (lambda x: x.mT.reshape(2, 3), lambda x: x.T.reshape(2, 3)),
    "expand": (lambda x: x[:, :1].expand(2, 4).clone(), lambda x: np.repeat(x[:, :1], 4, 1)),
    "cat": (lambda x: torch.cat([x, x.flip(0)], 1), lambda x: np.concatenate([x, x[::-1]], 1)),
    "stack": (lambda x: torch.stack([x, x.roll(1, 0)]), lambda x: np.stack([x, np.roll(x, 1, 0)])),
    "slice": (lambda x: x[:, 1:][::2], lambda x: x[:, 1:][::2]),
    "index": (lambda x: x[torch.tensor([1, 0, 1])], lambda x: x[[1, 0, 1]]),
    "mask": (lambda x: x[torch.from_numpy(MASK)], lambda x: x[MASK]),
    "masked_select": (lambda x: x.masked_select(torch.from_numpy(MASK)), lambda x: x[MASK]),
    "gather": (lambda x: x.gather(1, torch.from_numpy(INDEX)), lambda x: np.take_along_axis(x, INDEX, 1)),
    "take": (lambda x: x.take(torch.tensor([5, 0])), lambda x: x.reshape(-1)[[5, 0]]),
    "index_select": (lambda x: x.index_select(1, torch.tensor([2, 2])), lambda x: x[:, [2, 2]]),
    "embedding": (lambda x: F.embedding(torch.tensor([[1], [0]]), x, padding_idx=0), lambda x: x[[[1], [0]]]),
    "split": (lambda x: x.split([1, 2], 1)[1], lambda x: x[:, 1:]),
    "chunk": (lambda x: x.chunk(3, 1)[2], lambda x: x[:, 2:]),
    "unbind": (lambda x: x.unbind(1)[1], lambda x: x[:, 1]),
    "tril": (lambda x: x.tril(), lambda x: np.where(np.tri(2, 3, dtype=bool), x, 0)),
    "diagonal": (lambda x: x.diagonal(), lambda x: x.diagonal()),
    "diag_embed": (lambda x: x[0].diag_embed(), lambda x: np.where(np.eye(3, dtype=bool), x[0], 0)),
    "pad": (lambda x: F.pad(x, (0, 1)), lambda x: np.pad(x, ((0, 0), (0, 1)), constant_values=0)),
    "unfold": (lambda x: x.unfold(1, 2, 1), lambda x: np.stack([x[:, :2], x[:, 1:]], 1)),
    "repeat": (lambda x: x.repeat(2, 1), lambda x: np.concatenate([x, x])),
    "where": (
        lambda x: torch.where(torch.from_numpy(MASK), x, -x),
        lambda x: np.where(MASK, x, -x),
    ),
    "masked_fill": (lambda x: x.masked_fill(torch.from_numpy(MASK), 0), lambda x: np.where(MASK, 0, x)),
    "scatter_reduce": (
        lambda x: x.scatter_reduce(1, torch.from_numpy(INDEX), x, "amax"),
        lambda x: _scatter_max(x),
    ),
    "to": (lambda x: x.to(torch.float16).float(), lambda x: x),
    "deepcopy": (lambda x: copy.deepcopy(x), lambda x: x),
    "squeeze": (lambda x: x[:, None].squeeze(1).unsqueeze(0)[0], lambda x: x),
    "vector times matrix": (lambda x: x[0] @ torch.eye(3, dtype=torch.float64), lambda x: x[0]),
}


def _scatter_max(x: np.ndarray) -> np.ndarray:
    out = x.copy()
    for i in range(2):
        for j in range(3):
            out[i, INDEX[i, j]] = max(out[i, INDEX[i, j]], x[i, j])
    return out


@pytest.mark.parametrize("name", MOVES)
@pytest.mark.parametrize("kind", KINDS)
def test_moves(name: str, kind: str) -> None:
    rng = np.random.default_rng(5)
    for _ in range(4):
        x = operand(rng, (2, 3), kind)
        check(name, MOVES[name][0](x), MOVES[name][1](inside(rng, x)))


def test_views_whose_bounds_have_different_layouts() -> None:
    lo = torch.arange(6.0, dtype=torch.float64).reshape(2, 3)
    x = Enclosure(lo, (lo.T + 0.5).contiguous().T)
    y = x.view(3, 2)
    assert torch.equal(y.hi, y.lo + 0.5)
    with pytest.raises(NoSoundRule, match="as_strided"):
        x.as_strided((2,), (1,))
    with pytest.raises(NoSoundRule, match="view"):
        x.view(torch.int64)


def test_mixed_types_do_not_round(x: Enclosure) -> None:
    """One number of a narrow type must not pull the others down to it."""
    third = torch.tensor([1 / 3], dtype=torch.float64)
    for narrow in (torch.float16, torch.float32, torch.int64, torch.int8):
        joined = torch.cat([x, torch.tensor([3], dtype=narrow), third])
        assert joined.lo.tolist() == [1, 2, 3, 3, 1 / 3]
    assert torch.maximum(x, torch.tensor(7)).lo.tolist() == [7, 7, 7]


def test_unsorted_top_values_stay_matched() -> None:
    """Unsorted, PyTorch may list the bounds of one place in different orders."""
    torch.manual_seed(0)
    for _ in range(50):
        centre, width = torch.randn(40, dtype=torch.float64), torch.rand(40, dtype=torch.float64)
        values = Enclosure(centre - width, centre + width).topk(17, sorted=False).values
        assert (values.lo <= values.hi).all()
        assert torch.equal(values.lo, (centre - width).topk(17).values)


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("fft", lambda x: torch.fft.fft(x)),
        ("svd", lambda x: torch.linalg.svd(x.expand(3, 3))),
        ("argmax", lambda x: x.argmax()),
        ("nan_to_num", lambda x: x.nan_to_num()),
        ("searchsorted", lambda x: torch.searchsorted(x, x)),
        ("median", lambda x: x.median()),
        ("round", lambda x: torch.round(x, decimals=2)),
        ("sum", lambda x: x.sum(dtype=torch.int64)),
        ("mean", lambda x: (x > 2).mean(dtype=torch.float64)),
        ("int64", lambda x: x.long()),
        ("complex", lambda x: x.to(torch.complex128)),
        ("bernoulli", lambda x: torch.bernoulli(x)),
        ("scatter_reduce", lambda x: x.scatter_reduce(0, torch.tensor([0]), x[:1], "prod")),
        ("resize_", lambda x: torch.ops.aten.resize_(x, [5])),
        ("rrelu", lambda x: F.rrelu(x, training=True)),
        ("logcumsumexp", lambda x: x.logcumsumexp(0)),
        ("cdist", lambda x: torch.cdist(x[None], x[None])),
        ("constant_pad_nd", lambda x: F.pad(x, (1, 0), value=math.nan)),
        ("index", lambda x: x[x > 2]),
        ("masked_select", lambda x: x.masked_select(x > 2)),
        ("order 3", lambda x: torch.linalg.vector_norm(x, 3)),
        ("add.out", lambda x: torch.add(x, x, out=torch.zeros(3, dtype=torch.float64))),
        ("maximum.out", lambda x: torch.maximum(x, x, out=torch.zeros(3, dtype=torch.float64))),
        ("cat.out", lambda x: torch.cat([x], out=torch.zeros(3, dtype=torch.float64))),
    ],
)
def test_no_rule_names_the_operation(x: Enclosure, name: str, call: Callable[[Enclosure], Any]) -> None:
    with pytest.raises(NoSoundRule, match=name):
        call(x)


@pytest.mark.parametrize(
    "assign",
    [
        lambda x: x.__setitem__(0, 1.0),
        lambda x: x.__setitem__(slice(0, 2), x[1:]),
        lambda x: x.__setitem__(torch.tensor([0]), 1.0),
        lambda x: x.__setitem__(torch.tensor([True, False, True]), x[:2]),
        lambda x: x.copy_(x + 1),
        lambda x: x.fill_(1.0),
        lambda x: x.zero_(),
        lambda x: torch.zeros(3).copy_(x),
        lambda x: torch.zeros(3).__setitem__(0, x[0]),
        lambda x: x.index_put_((torch.tensor([0]),), x[1]),
        lambda x: x.scatter_(0, torch.tensor([0]), 1.0),
    ],
)
def test_assignment_says_what_to_do_instead(x: Enclosure, assign: Callable[[Enclosure], Any]) -> None:
    with pytest.raises(NoSoundRule, match=r"torch\.where"):
        assign(x)


def test_assignment_of_a_number_by_a_mask_is_followed_or_refused(x: Enclosure) -> None:
    """From torch 2.15 on it is a call of masked_fill_, which has a rule."""
    expected = torch.where(torch.tensor([True, False, True]), 1.0, lower(x))
    try:
        x[torch.tensor([True, False, True])] = 1.0
    except NoSoundRule as refused:
        assert "torch.where" in str(refused)  # noqa: PT017  (either is right)
    else:
        assert torch.equal(lower(x), expected)


def test_rules_do_not_overlap() -> None:
    assert not RULES.keys() & (EXACT | CREATION | ON_BOOLS | REFUSED.keys())
    assert not EXACT & (CREATION | ON_BOOLS | REFUSED.keys())
    for name in (*RULES, *EXACT, *CREATION, *ON_BOOLS, *REFUSED):
        assert hasattr(torch.ops.aten, name), f"aten has no {name}"
