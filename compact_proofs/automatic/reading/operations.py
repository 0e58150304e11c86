"""A program read by tokens: from its operations to a `Network` of tables and symbols."""

from __future__ import annotations

import operator
from dataclasses import replace
from typing import Any

import torch
from torch.fx import Node

from compact_proofs.automatic.reading.attention import OnAttention
from compact_proofs.automatic.reading.blocks import Network, Norm, Opaque, Unary
from compact_proofs.automatic.reading.choices import chosen, constant_like, shares_times
from compact_proofs.automatic.reading.lifted import call
from compact_proofs.automatic.reading.lines import has_lines
from compact_proofs.automatic.reading.narrow import map_nodes, narrowed
from compact_proofs.automatic.reading.norms import root_mean_square
from compact_proofs.automatic.reading.numbers import alpha
from compact_proofs.automatic.reading.owners import STRUCTURAL
from compact_proofs.automatic.reading.pruning import needed
from compact_proofs.automatic.reading.refusals import NotRead, takes_reals
from compact_proofs.automatic.reading.values import Additive, Form, Shares, Table, Value, constant, data_of, is_constant, is_value
from compact_proofs.enclosure.leaves import leaves, map_leaves
from compact_proofs.enclosure.table import words
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
        numbers, as a choice by a comparison of tokens does.

    Notes
    -----
    Runs under the sound reading and the counter: tables are made by the program's own operations, each on all tokens at once.
    """
    with stage("model"):
        return _Reader(program, v, context).network()


class _Reader(OnAttention):
    def __init__(self, program: Program, v: int, context: int) -> None:
        super().__init__(v, program.input.shape[0], context)
        self.program = program

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
