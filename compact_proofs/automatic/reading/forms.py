"""Sums of tables, and forms, which are linear in symbols: what operations on several positions give."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor

from compact_proofs.automatic.reading.blocks import Averages, Block, Sums
from compact_proofs.automatic.reading.choices import shares_times
from compact_proofs.automatic.reading.definite import Definite
from compact_proofs.automatic.reading.lifted import Lifted, call
from compact_proofs.automatic.reading.owners import structure
from compact_proofs.automatic.reading.tables import OnTables
from compact_proofs.automatic.reading.values import Additive, Form, Shares, Table, Value, constant, data_of, is_value
from compact_proofs.enclosure.leaves import map_leaves
from compact_proofs.enclosure.tensor import exact_number

aten = torch.ops.aten


class OnForms(OnTables):
    """Linear operations, and new symbols.

    Attributes
    ----------
    blocks
        What the symbols are, in the order in which they were made.
    """

    def __init__(self, v: int, n: int, context: int) -> None:
        super().__init__(v, n, context)
        self.blocks: list[Block] = []
        self.definite = Definite(self.blocks, context)

    @staticmethod
    def value(x: Any) -> Value:
        """A value, or a Python number as one."""
        return x if is_value(x) else constant(torch.tensor(exact_number(x), dtype=torch.float64))

    def add(self, a: Any, b: Any, factor: float) -> Value:
        """a + factor b, of the smallest type that holds both."""
        if isinstance(a, (Table, Additive)) and isinstance(b, (Table, Additive)):
            x, y = self.additive(a), self.additive(b)
            constant, constant_axes = _plus(x.constant, x.constant_axes, y.constant, y.constant_axes, factor)
            return Additive(constant, constant_axes, *_plus(x.tables, x.axes, y.tables, y.axes, factor))
        f, g = self.form(a), self.form(b)
        constant, axes = _plus(f.constant, f.axes, g.constant, g.axes, factor)
        shape = constant.shape[len(axes) :]
        parts = {}
        for block in f.parts.keys() | g.parts.keys():
            p, q = f.parts.get(block), g.parts.get(block)
            if p is not None and q is not None:
                parts[block] = _plus(p, "s", q, "s", factor)[0]
            elif p is not None:
                parts[block] = _spread(p, shape)
            else:
                parts[block] = _spread(q if factor == 1 else q * factor, shape)  # type: ignore[arg-type,operator]
        return Form(constant, axes, dict(sorted(parts.items())))

    def additive(self, x: Table | Additive) -> Additive:
        """A table as a sum over positions: entries of the context and of no position are its constant."""
        if isinstance(x, Additive):
            return x
        with structure():
            own = x.owner
            fixed = (own == self.c) | (own < 0)
            position = own == torch.arange(self.n).reshape(self.n, 1, *[1] * own.dim())
        if x.axes == "qk":
            tables = torch.where(position, x.data[:, None], 0.0)
            q = torch.arange(self.v)
            return Additive(torch.where(fixed, x.data[q, q], 0.0), "q", self._without_context(tables, 1), "qnk")
        if x.axes == "k":
            tables = torch.where(position, x.data, 0.0)
            return Additive(torch.where(fixed, x.data, 0.0), "q", self._without_context(tables, 0), "nk")
        zero = torch.zeros(self.n, self.v, *own.shape, dtype=torch.float64, device=x.data.device)
        return Additive(x.data, x.axes, zero, "nk")

    def _without_context(self, tables: Tensor, axis: int) -> Tensor:
        keep = (torch.arange(self.n) != self.c).reshape(*[1] * axis, self.n, *[1] * (tables.dim() - axis - 1))
        return torch.where(keep, tables, 0.0)

    def form(self, x: Value) -> Form:
        """Any value as a form: sums become symbols, and so do shares (as averages of indicators)."""
        if isinstance(x, Form):
            return x
        if isinstance(x, Table):
            with structure():
                known = bool(((x.owner < 0) | (x.owner == self.c)).all())
            if known:
                data, axes = (x.data, x.axes) if x.axes in ("", "q") else (self.diagonal(x), "q")
                return Form(data, axes, {})
            x = self.additive(x)
        if isinstance(x, Additive):
            tables = x.tables.reshape(*x.tables.shape[: len(x.axes)], -1)
            made = self.symbols(Sums(tables, x.axes), x.shape)
            return Form(x.constant, x.constant_axes, made.parts)
        groups = x.weights.shape[3]
        values = torch.eye(self.n, dtype=torch.float64)[:, None, None, :].expand(self.n, self.v, groups, self.n)
        every = self.averages_of(x, Averages(x.weights, values), torch.Size([groups * self.n]))
        [(block, eye)] = every.parts.items()
        picked = eye[:, x.group.reshape(-1) * self.n + x.owner.reshape(-1)].reshape(-1, *x.shape)
        picked = picked if x.factor is None else picked * x.factor
        return Form(torch.zeros(x.shape, dtype=torch.float64), "", {block: picked})

    def flat(self, x: Value) -> Form:
        """A value as a form with one axis."""
        f = self.form(x)
        parts = {block: p.reshape(len(p), -1) for block, p in f.parts.items()}
        return Form(f.constant.reshape(*f.constant.shape[: len(f.axes)], -1), f.axes, parts)

    def symbols(self, block: Block, shape: torch.Size) -> Form:
        """Enter a block, and return its symbols as a form of a shape."""
        self.blocks.append(block)
        eye = torch.eye(block.size, dtype=torch.float64).reshape(block.size, *shape)
        return Form(torch.zeros(shape, dtype=torch.float64), "", {len(self.blocks) - 1: eye})

    def averages_of(self, p: Shares, block: Averages, shape: torch.Size) -> Form:
        """Enter averages by shares."""
        self.definite.scores[len(self.blocks)] = p.scores
        return self.symbols(block, shape)

    def linear(self, target: Any, args: Any, kwargs: Any, x: Any) -> Value:
        """A linear operation, applied to each table or to each coefficient."""

        def on(data: Tensor, axes: str) -> tuple[Tensor, str]:
            a, k = map_leaves(lambda y: Lifted(data, axes) if y is x else data_of(y) if is_value(y) else y, (args, kwargs))
            result, left = call(target, a, k)
            return result, left

        if isinstance(x, Shares):
            x_, x = self.form(x), x
            return self._linear_form(on, x_)
        if isinstance(x, Form):
            return self._linear_form(on, x)
        sums = self.additive(x)
        return Additive(*on(sums.constant, sums.constant_axes), *on(sums.tables, sums.axes))

    @staticmethod
    def _linear_form(on: Any, x: Form) -> Form:
        constant, axes = on(x.constant, x.axes)
        return Form(constant, axes, {block: on(p, "s")[0] for block, p in x.parts.items()})

    def joined(self, target: Any, args: Any, kwargs: Any, shape: torch.Size) -> Value:
        """cat and stack: the sum of each argument in its place, zeros in the others'."""
        total: Any = None
        zeros = [constant(torch.zeros(y.shape, dtype=torch.float64)) for y in args[0]]
        for i, x in enumerate(args[0]):
            own = copy.copy(x)  # the same tensor may stand in two places
            part = self.linear(target, ([*zeros[:i], own, *zeros[i + 1 :]], *args[1:]), kwargs, own)
            total = part if total is None else self.add(total, part, 1.0)
        return total

    def only(self, x: Value, own: Tensor, shape: torch.Size) -> Value:
        """x in the shape that it is broadcast to, with zeros outside of `own`, a bool tensor of that shape."""
        if isinstance(x, Shares) and x.shape == shape:
            product = shares_times(x, own.double())
            assert product is not None
            return product
        return self.linear(aten.where.ScalarOther, (own, x, 0.0), {}, x)


def _plus(a: Tensor, a_axes: str, b: Tensor, b_axes: str, factor: float) -> tuple[Tensor, str]:
    """a + factor b, with leading axes told apart."""
    return call(aten.add.Tensor, (Lifted(a, a_axes), Lifted(b, b_axes)), {} if factor == 1 else {"alpha": factor})


def _spread(part: Tensor, shape: torch.Size) -> Tensor:
    return part.reshape(len(part), *[1] * (len(shape) - part.dim() + 1), *part.shape[1:]).expand(len(part), *shape)
