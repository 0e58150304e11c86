"""A program read by tokens: from its operations to a `Network` of tables and symbols."""

from __future__ import annotations

import copy
import operator
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.fx import Node

from compact_proofs.automatic.reading.blocks import Averages, Block, Network, Norm, Opaque, Sums, Unary
from compact_proofs.automatic.reading.choices import chosen, constant_like, shares_times
from compact_proofs.automatic.reading.definite import Definite
from compact_proofs.automatic.reading.lifted import Lifted, call
from compact_proofs.automatic.reading.lines import has_lines
from compact_proofs.automatic.reading.narrow import map_nodes, narrowed
from compact_proofs.automatic.reading.norms import root_mean_square
from compact_proofs.automatic.reading.numbers import alpha
from compact_proofs.automatic.reading.owners import STRUCTURAL, dependencies, structure
from compact_proofs.automatic.reading.pruning import needed
from compact_proofs.automatic.reading.refusals import NotRead, takes_reals
from compact_proofs.automatic.reading.values import Additive, Form, Shares, Table, Value, constant, data_of, is_constant, is_value
from compact_proofs.enclosure import upper
from compact_proofs.enclosure.leaves import leaves, map_leaves
from compact_proofs.enclosure.table import words
from compact_proofs.enclosure.tensor import exact_number
from compact_proofs.length import stage
from compact_proofs.program import Program
from compact_proofs.program.simplify import name_of

aten = torch.ops.aten

LINEAR = STRUCTURAL | words("mm bmm mv dot mul div sum mean neg cumsum")
"""Operations that are linear in each tensor argument while the others are constant."""


def read(program: Program, v: int, context: int) -> Network:
    """Read a program by tokens.

    Parameters
    ----------
    program
        Its input is int64 [n].
    v
        Tokens: inputs are 0 ... v - 1.
    context
        The position whose token is known.

    Returns
    -------
    Network
        Whose logits are, for every input, those of the program.

    Raises
    ------
    NotRead
        If an operation makes whole numbers or truth values of several positions' tokens, or needs those of other positions than its
        numbers, as a choice by a comparison of tokens does; or if another result than the first of an operation is read.

    Notes
    -----
    Runs under the sound reading and the counter: tables are made by the program's own operations, each on all tokens at once.
    """
    with stage("model"):
        return _Reader(program, v, context).network()


class _Reader:
    def __init__(self, program: Program, v: int, context: int) -> None:
        self.program, self.v, self.c = program, v, context
        self.n = program.input.shape[0]
        self.blocks: list[Block] = []
        self.definite = Definite(self.blocks, context)

    def network(self) -> Network:
        graph = narrowed(self.program.graph)
        values: dict[Node, Any] = {}
        for node in graph.nodes:
            if node.op == "placeholder":
                tokens = torch.arange(self.v)[:, None].expand(self.v, self.n)
                values[node] = Table(tokens, "k", torch.arange(self.n))
            elif node.op == "get_attr":
                values[node] = constant(self.program.tensors[str(node.target)])
            elif node.op == "call_function":
                norm = root_mean_square(node)
                if norm is not None and isinstance(values[norm[0]], (Additive, Form)):
                    z, shape = self.flat(values[norm[0]]), node.meta["val"].shape
                    values[node] = self.symbols(Norm(z, norm[1]), shape)
                else:
                    values[node] = self.operation(node, values)
            else:
                [logits] = node.all_input_nodes
                return needed(Network(self.n, self.v, self.c, self.blocks, self.form(values[logits])))
        raise AssertionError("a graph ends with its output")

    def operation(self, node: Node, values: dict[Node, Any]) -> Any:
        """The value of one node from those of its arguments."""
        if node.target is operator.getitem:
            return values[node.args[0]][0]  # type: ignore[index]
        args, kwargs = map_nodes(values.__getitem__, (tuple(node.args), dict(node.kwargs)))
        if not node.all_input_nodes:
            return constant(call(node.target, args, kwargs)[0])
        like = node.meta["val"]
        several = isinstance(like, (tuple, list))
        first = like[0] if several else like
        result = self.apply(name_of(node), node.target, args, kwargs, first.shape)
        if not first.is_floating_point() and isinstance(result, (Form, Additive, Shares)):
            raise NotRead(
                f"automatic: {name_of(node)} makes whole numbers or truth values of several positions, of which no bounds are "
                "known; the strategy 'shared' evaluates every input"
            )
        return (result,) if several and not isinstance(result, tuple) else result

    def apply(self, name: str, target: Any, args: Any, kwargs: Any, shape: torch.Size) -> Any:
        """Type one operation; of several results, the first, whose shape is `shape`, counts."""
        given = [x for x in leaves((args, kwargs)) if isinstance(x, (Table, Additive, Shares, Form))]
        if all(isinstance(x, Table) for x in given):
            table = self.on_tables(name, target, args, kwargs, shape)
            if table is not None:
                return table
        return self.beyond(name, target, args, kwargs, given, shape)

    # ------------------------------------------------------------------------------------------------------- tables

    def on_tables(self, name: str, target: Any, args: Any, kwargs: Any, shape: torch.Size) -> Any:
        """Any operation on tables whose result's entries depend on one free position each: computed for all tokens. Else None."""
        given = [x for x in leaves((args, kwargs)) if isinstance(x, Table)]
        plan = self._plan(name, target, args, kwargs, given, shape)
        if plan is None:
            return None
        owner, apart = plan
        if apart is None:
            lift = {id(x): Lifted(x.data, x.axes) for x in given}
        else:
            lift = {id(x): self._with_context(x, id(x) in apart) for x in given}
        a, k = map_leaves(lambda x: lift[id(x)] if isinstance(x, Table) else x, (args, kwargs))
        result, axes = call(target, a, k)
        if isinstance(result, (tuple, list)):
            return tuple(Table(r, axes, owner) for r in result[:1])
        return Table(result, axes, owner)

    def _plan(
        self, name: str, target: Any, args: Any, kwargs: Any, given: list[Table], shape: torch.Size
    ) -> tuple[Tensor, set[int] | None] | None:
        """Who owns each entry of a result, and which arguments must tell the context's token apart; None if that is not a table.

        The second is None if no entry depends on the context and on another position.
        """
        with structure():
            shells = {id(x): torch.ones(x.shape) for x in given}
            shell_args, shell_kwargs = map_leaves(lambda x: shells[id(x)] if isinstance(x, Table) else x, (args, kwargs))

            def of(*xs: Table) -> Tensor:
                marks = {id(shells[id(x)]): torch.stack([x.owner == i for i in range(self.n)]) for x in xs}
                return dependencies(name, target, shell_args, shell_kwargs, marks, self.n, shape)

            depends = of(*given)
            free = depends.clone()
            free[self.c] = False
            if bool((free.sum(0) > 1).any()):
                return None
            elsewhere = free.any(0)
            owner = torch.where(elsewhere, free.to(torch.int64).argmax(0), torch.where(depends[self.c], self.c, -1))
            if not bool((depends[self.c] & elsewhere).any()) and not any("q" in x.axes for x in given):
                return owner, None
            return owner, {id(x) for x in given if bool((of(x)[self.c] & elsewhere).any())}

    def _with_context(self, x: Table, mixed: bool) -> Lifted:
        """A table's data where the context's token is an axis of its own.

        Parameters
        ----------
        mixed
            Some entry that the context owns meets one of a free position, so that their tokens must be told apart.
        """
        if x.axes == "qk" and mixed:  # entries of the context mean something where t = q only
            return Lifted(torch.where(x.owner == self.c, self._diagonal(x)[:, None], x.data), "qk")
        if x.axes != "k":
            return Lifted(x.data, x.axes)
        with structure():
            owners = set(x.owner.unique().tolist())
        if owners <= {-1}:
            return Lifted(x.data[0], "")
        if owners <= {-1, self.c}:
            return Lifted(x.data, "q")
        if self.c in owners and mixed:
            return Lifted(torch.where(x.owner == self.c, x.data[:, None], x.data[None]), "qk")
        return Lifted(x.data, "k")

    # ------------------------------------------------------------------------------------------- sums, shares, symbols

    def beyond(self, name: str, target: Any, args: Any, kwargs: Any, given: list[Value], shape: torch.Size) -> Any:
        """An operation whose result is no table."""
        if name == "addmm" and kwargs.get("alpha", 1) == kwargs.get("beta", 1) == 1:
            product = self.apply("mm", aten.mm.default, args[1:3], {}, shape)
            return self.add(args[0], product, 1.0)
        if name == "rsub":
            return self.add(self.value(args[1]), args[0], -alpha(args, kwargs))
        if name in ("add", "sub") and is_value(args[0]):
            return self.add(args[0], self.value(args[1]), alpha(args, kwargs) * (-1 if name == "sub" else 1))
        moving = [x for x in given if not is_constant(x)]
        if name == "_to_copy" and (kwargs.get("dtype") or torch.float64).is_floating_point:
            return args[0]  # real numbers, whatever the dtype
        if name in ("zeros_like", "ones_like", "full_like"):
            return constant(constant_like(target, args, kwargs, shape))
        if name == "isnan" and self.definite.is_real(args[0]):
            return constant(torch.zeros(shape, dtype=torch.bool))
        if name in ("where", "masked_fill"):
            condition, yes, no = args if name == "where" else (args[1], args[2], args[0])
            terms = chosen(condition, yes, no, shape)
            if terms is not None:
                parts = [x if own is None else self.only(x, own, shape) for x, own in terms]
                return parts[0] if len(parts) == 1 else self.add(parts[0], parts[1], 1.0)
        if name == "mul" and isinstance(args[0], Shares) and (is_constant(args[1]) or not is_value(args[1])):
            product = shares_times(args[0], data_of(args[1]) if is_value(args[1]) else args[1])
            if product is not None:
                return product
        if name in ("_softmax", "_safe_softmax") and isinstance(args[0], Table):
            shares = self.softmax(args[0], args[1] % len(shape))
            if shares is not None:
                return shares
        if name in ("mm", "bmm") and isinstance(args[0], Shares) and isinstance(args[1], Table):
            averages = self.averages(args[0], args[1])
            if averages is not None:
                return averages
        if len(moving) == 1 and isinstance(moving[0], Shares) and name in STRUCTURAL - {"cat", "stack"}:
            move = lambda t: target(*map_leaves(lambda x: t if x is moving[0] else x, args), **kwargs)  # noqa: E731
            p = moving[0]
            moved = None if p.factor is None else move(p.factor)
            return replace(p, group=move(p.group), owner=move(p.owner), factor=moved)
        if name in ("cat", "stack"):
            return self.joined(target, args, kwargs, shape)
        if len(moving) == 1 and name in LINEAR and not (name == "div" and args[0] is not moving[0]):
            return self.linear(target, args, kwargs, moving[0])
        function = "square" if name == "pow" and args[1] == 2 else name
        if len(moving) == 1 and has_lines(function, kwargs):
            return self.symbols(Unary(function, self.flat(moving[0])), shape)
        if name == "native_layer_norm" and len(moving) == 1 and moving[0].shape.numel() == shape[-1] == args[1][0]:
            return self.norm(args, moving[0], shape)
        opened, named = map_leaves(lambda x: data_of(x) if is_constant(x) else self.form(x) if is_value(x) else x, (args, kwargs))
        if any(isinstance(x, Table) and not x.data.is_floating_point() for x in moving) and not takes_reals(target, opened, named):
            raise NotRead(
                f"automatic: {name} is told by whole numbers or truth values of several positions what to do, of which no bounds "
                "are known; the strategy 'shared' evaluates every input"
            )
        return self.symbols(Opaque(target, opened, named, shape.numel()), shape)

    @staticmethod
    def value(x: Any) -> Value:
        """A value, or a Python number as one."""
        return x if is_value(x) else constant(torch.tensor(exact_number(x), dtype=torch.float64))

    def only(self, x: Value, own: Tensor, shape: torch.Size) -> Value:
        """x in the shape that it is broadcast to, with zeros outside of `own`, a bool tensor of that shape."""
        if isinstance(x, Shares) and x.shape == shape:
            product = shares_times(x, own.double())
            assert product is not None
            return product
        return self.linear(aten.where.ScalarOther, (own, x, 0.0), {}, x)

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
                data, axes = (x.data, x.axes) if x.axes in ("", "q") else (self._diagonal(x), "q")
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

    def _diagonal(self, x: Table) -> Tensor:
        if x.axes == "k":
            return x.data
        q = torch.arange(self.v)
        return x.data[q, q]

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

    def softmax(self, x: Table, dim: int) -> Shares | None:
        """exp(x - a) for each entry, a = its softmax's largest over all tokens: any number will do, and this one cannot overflow.

        Cost: for each entry and token a comparison, a subtraction and an exponential. None if two entries of one softmax depend on
        one position.
        """
        with structure():
            owner = torch.where(x.owner < 0, self.c, x.owner).movedim(dim, -1)
            length = owner.shape[-1]
            rows = owner.reshape(-1, length)
            if length != self.n or not bool((rows.sort(1).values == torch.arange(self.n)).all()):
                return None
            place = rows.argsort(1)  # of each position in its row
            group = torch.arange(len(rows))[:, None].expand(len(rows), length).reshape(owner.shape).movedim(-1, dim)
        lift = self._with_context(x, True)
        data = lift.data.movedim(dim - x.owner.dim(), -1)
        data = data.reshape(*data.shape[: len(lift.axes)], len(rows), length)
        for axis in "qk":
            if axis not in lift.axes:
                data = data.unsqueeze("qk".index(axis))
        data = data.expand(self.v, self.v, *data.shape[2:])
        data = data.gather(3, place.expand(self.v, self.v, *place.shape))  # [Q, K, groups, n]
        largest = upper(data.amax((1, 3), keepdim=True))
        weights = torch.exp(data - largest).permute(0, 3, 1, 2)
        return Shares(weights, data.permute(0, 3, 1, 2), group, owner.movedim(-1, dim))

    def averages(self, p: Shares, x: Table) -> Form | None:
        """Shares times values: sum_k p[b, m, k] V[b, k, e] is an average of V's tables. None where V depends on other positions."""
        if "q" in x.axes or p.owner.shape[-1] != self.n:
            return None
        with structure():
            group, owner = (t if t.dim() == 3 else t[None] for t in (p.group, p.owner))  # [B, M, k]
            own = x.owner if x.owner.dim() == 3 else x.owner[None]
            B, M, _ = owner.shape
            foreign = (own != owner.movedim(1, 2)[:, :, :1]) & (own >= 0)
            if bool(foreign.any()) or bool((owner != owner[:, :1]).any()) or bool((group != group[:, :, :1]).any()):
                return None
            place = owner[:, 0].argsort(1)  # [B, n]: where each position is
        data = x.data if "k" in x.axes else x.data.expand(self.v, *x.data.shape)
        data = data.reshape(self.v, *own.shape)
        V = data.gather(2, place[None, :, :, None].expand(self.v, B, self.n, data.shape[3]))  # [K, B, n, E]
        values = V.permute(2, 0, 1, 3)[:, :, :, None].expand(-1, -1, -1, M, -1)  # [n, K, B, M, E]
        if p.factor is not None:
            factor = p.factor.reshape(B, M, -1).gather(2, place[:, None].expand(B, M, self.n))
            values = values * factor.permute(2, 0, 1)[:, None, ..., None]
        values = values.reshape(self.n, self.v, B * M, -1)
        weights = p.weights[..., group[:, :, 0].reshape(-1)]
        shape = torch.Size([B, M, data.shape[3]])
        return self.averages_of(p, Averages(weights, values), shape if p.group.dim() == 3 else shape[1:])

    def averages_of(self, p: Shares, block: Averages, shape: torch.Size) -> Form:
        """Enter averages by shares."""
        self.definite.scores[len(self.blocks)] = p.scores
        return self.symbols(block, shape)

    def norm(self, args: Any, x: Value, shape: torch.Size) -> tuple[Form, ...]:
        """Layer norm of one vector: centred, normalised (symbols), scaled, shifted."""
        _, _, weight, bias, eps = args
        z = self.flat(x)
        centred = Form(
            z.constant - z.constant.mean(-1, keepdim=True),
            z.axes,
            {block: p - p.mean(-1, keepdim=True) for block, p in z.parts.items()},
        )
        out: Any = self.symbols(Norm(centred, float(eps)), shape)
        if weight is not None:
            out = self.linear(aten.mul.Tensor, (out, weight), {}, out)
        if bias is not None:
            out = self.add(out, bias, 1.0)
        return (out,)


def _plus(a: Tensor, a_axes: str, b: Tensor, b_axes: str, factor: float) -> tuple[Tensor, str]:
    """a + factor b, with leading axes told apart."""
    return call(aten.add.Tensor, (Lifted(a, a_axes), Lifted(b, b_axes)), {} if factor == 1 else {"alpha": factor})


def _spread(part: Tensor, shape: torch.Size) -> Tensor:
    return part.reshape(len(part), *[1] * (len(shape) - part.dim() + 1), *part.shape[1:]).expand(len(part), *shape)
