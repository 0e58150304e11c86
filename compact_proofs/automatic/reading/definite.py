"""Which entries are provably real numbers whatever the tokens are, so that none is NaN.

TransformerLens guards every softmax by ``where(isnan(share), 0, share)``, for queries that may attend to nothing. A softmax is a
real number if each of its scores is one or is -inf, as masked ones are, and one of them is a real number: then its exponential is
positive, and the sum of all is positive and finite. An entry is *low* here if it is a real number or -inf.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from compact_proofs.automatic.reading.blocks import Averages, Block, Norm, Opaque, Sums, Unary
from compact_proofs.automatic.reading.owners import STRUCTURAL, structure
from compact_proofs.automatic.reading.values import Form, Shares
from compact_proofs.enclosure import provably
from compact_proofs.enclosure.leaves import leaves
from compact_proofs.enclosure.table import words

TOTAL = STRUCTURAL | words(
    "add sub rsub mul neg abs square exp tanh sigmoid erf sin cos silu gelu relu clamp clamp_min clamp_max maximum minimum "
    "amax amin mm bmm addmm mv dot sum mean cumsum"
)
"""Operations whose result is a real number wherever their arguments are."""

Status = tuple[Tensor, Tensor]
"""Is an entry real, and is it low? Truth values."""


class Definite:
    """What is known of the symbols of some blocks.

    Parameters
    ----------
    blocks
        A list that may grow.
    context
        The position whose token is known.

    Attributes
    ----------
    scores : dict of [Q, n, K, groups]
        Of each block of averages, the scores of its softmaxes.
    """

    def __init__(self, blocks: list[Block], context: int) -> None:
        self.blocks, self.context = blocks, context
        self.scores: dict[int, Tensor] = {}
        self._known: dict[int, Status] = {}

    def is_real(self, x: Any) -> bool:
        """Is every entry of shares or of a form provably a real number? False for values of other types, which have no need of it.

        Cost: three comparisons for each score of shares; two for each constant and coefficient that the value depends on.
        """
        if isinstance(x, Shares):
            return self._softmax(x.scores) and (x.factor is None or _all(status(x.factor)[0]))
        return isinstance(x, Form) and _all(self.form(x)[0])

    def _softmax(self, scores: Tensor) -> bool:
        real, low = status(scores)
        with structure():
            n, v = scores.shape[1:3]
            meant = torch.ones(v, n, v, 1, dtype=torch.bool)
            meant[:, self.context] = torch.eye(v, dtype=torch.bool)[..., None]  # a row of the context means something at t = q only
            return bool((low | ~meant).all()) and bool((real | ~meant).all(2).any(1).all())

    def form(self, x: Form) -> Status:
        """Of each entry: real if the constant and every symbol that it depends on are; low if they are, and none is subtracted."""
        real, low = status(x.constant)
        if x.axes:
            real, low = real.all(0), low.all(0)
        for b, part in x.parts.items():
            own_real, own_low = self.block(b)
            none, positive = provably(part == 0), provably(part > 0)
            with structure():
                shape = (-1, *[1] * len(x.shape))
                r, w = own_real.reshape(shape), own_low.reshape(shape)
                real = real & (none | r).all(0)
                low = low & (none | r | (positive & w)).all(0)
        return real, low

    def block(self, b: int) -> Status:
        """Of each symbol of a block."""
        if b not in self._known:
            self._known[b] = self._block(b, self.blocks[b])
        return self._known[b]

    def _block(self, b: int, block: Block) -> Status:
        if isinstance(block, Averages):
            return _alike(self._softmax(self.scores[b]) and _all(status(block.values)[0]), block.size)
        if isinstance(block, Sums):
            return _alike(_all(status(block.tables)[0]), block.size)
        if isinstance(block, Unary):  # functions with lines are defined everywhere
            real = self.form(block.z)[0]
            return real, real
        if isinstance(block, Norm):
            return _alike(block.eps > 0 and _all(self.form(block.z)[0]), block.size)
        return self._opaque(block)

    def _opaque(self, block: Opaque) -> Status:
        name = block.target._schema.name.removeprefix("aten::")
        if name in ("where", "masked_fill"):
            condition, yes_, no_ = block.args if name == "where" else (block.args[1], block.args[2], block.args[0])
            if not isinstance(condition, Tensor):
                return _alike(False, block.size)
            found = tuple(zip(self._argument(yes_), self._argument(no_), strict=True))
            holds, fails = provably(condition), provably(~condition)
            with structure():
                real, low = ((torch.where(holds, yes, no) & (holds | fails | (yes & no))).flatten() for yes, no in found)
                return real, low
        if name in ("_softmax", "_safe_softmax"):
            real, low = self._argument(block.args[0])
            with structure():
                return _alike(bool(low.all()) and bool(real.any(block.args[1]).all()), block.size)
        given = [x for x in leaves((block.args, block.kwargs)) if isinstance(x, (Form, Tensor))]
        return _alike(name in TOTAL and all(_all(self._argument(x)[0]) for x in given), block.size)

    def _argument(self, x: Any) -> Status:
        if isinstance(x, Form):
            return self.form(x)
        return status(torch.as_tensor(x, dtype=torch.float64) if isinstance(x, (int, float)) else x)


def status(x: Tensor) -> Status:
    """Of the entries of constants or tables: three comparisons for each."""
    if not x.is_floating_point():
        known = torch.ones(x.shape, dtype=torch.bool)
        return known, known
    low = provably(~torch.isnan(x)) & provably(x < torch.inf)
    return low & provably(x > -torch.inf), low


def _alike(holds: bool, size: int) -> Status:
    every = torch.full((size,), holds)
    return every, every


def _all(x: Tensor) -> bool:
    with structure():
        return bool(x.all())
