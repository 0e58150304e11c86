"""From a traced program to a network in the language of ``formal/Network.v``.

Every operation of the program is understood by a rule (`rules`) or refused by name. What only moves entries about becomes changes
of indices, and disappears; a result that several operations read, or that an inner product reads, becomes a definition. The network
means the program's function over the real numbers; that it does is not proved: a reader compares the two, and tests run both.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.fx import Node

from compact_proofs.errors import BadInput
from compact_proofs.formal.network.entries import MOVES, Entries, Tokens, Value, move
from compact_proofs.formal.network.language import (
    Definition,
    Index,
    Network,
    Scalar,
    Weight,
    axis,
    divides,
    exact_numbers,
    fixed,
    is_straight,
    number,
    read,
    token,
)
from compact_proofs.program import Program
from compact_proofs.program.simplify import name_of


class Lowering:
    """What has been written down so far: weights and definitions, in the order of making."""

    def __init__(self) -> None:
        self.tensors: list[Weight | Definition] = []
        self._constant: list[bool] = []
        self._weights: dict[str, tuple[Tensor, Entries]] = {}
        self.name = ""
        """Of the operation that is being lowered."""
        self.parameter = False
        """Whether that is a parameter of the module."""

    def weight(self, name: str, value: Tensor) -> Entries:
        """A constant: a weight of the network, unless it is one number everywhere and no parameter.

        Raises
        ------
        BadInput
            If it is not finite.
        """
        if not bool(value.isfinite().all()):
            raise BadInput(f"{name} holds a number that is not finite; a theorem needs a network whose weights are numbers")
        if value.numel() and (value.numel() == 1 or not self.parameter) and bool((value == value.flatten()[0]).all()):
            (only,) = exact_numbers(value.flatten()[:1])
            return Entries(tuple(value.shape), lambda p, depth: number(only))
        given = value.detach().cpu()
        while name in self._weights and not torch.equal(self._weights[name][0], given):
            name += "_"
        if name not in self._weights:
            self.tensors.append(Weight(name, given))
            self._constant.append(True)
            self._weights[name] = given, self._reader(tuple(value.shape), range(value.dim()))
        return self._weights[name][1]

    def define(self, value: Value, *, name: str = "", whole: bool = False) -> Entries:
        """Write a tensor down as a definition, unless its entries are entries of others already.

        Axes of one place are left out, unless it is wanted `whole`.
        """
        assert isinstance(value, Entries)
        if not whole and (value.size == 0 or self.probe(value).only_moves()):
            return value
        return self.copy(value, name=name, whole=whole)

    def factor(self, value: Value, axis_number: int) -> Entries:
        """A tensor as an inner product along one of its axes reads it: by strides, from a tensor that is written down.

        A constant that is read at quotients and remainders, such as the heads of a weight, is written down anew: sums that are
        distributed later (`distribute`) go along its other axes too.
        """
        assert isinstance(value, Entries)
        rank = len(value.shape)
        probe = self.probe(value)
        if probe.head == "Number":
            return value
        if probe.head == "Read" and is_straight(probe, axis_number % rank) and not (divides(probe) and self.constant(probe)):
            return value
        return self.copy(value)

    def constant(self, e: Scalar) -> bool:
        """Is it the same whatever the input?"""
        return not e.reads_tokens() and all(self._constant[x] for x in e.reads())

    def copy(self, value: Entries, *, name: str = "", whole: bool = False) -> Entries:
        """Write a tensor down as a definition in any case."""
        kept = [i for i, n in enumerate(value.shape) if whole or n != 1]
        places: list[Index] = [fixed(0)] * len(value.shape)
        for k, i in enumerate(kept):
            places[i] = axis(k)
        shape = tuple(value.shape[i] for i in kept)
        body = value.at(places, len(kept))
        self.tensors.append(Definition(name or self.name, shape, body))
        self._constant.append(self.constant(body))
        return replace(self._reader(value.shape, kept), masked=value.masked)

    def probe(self, value: Entries) -> Scalar:
        """An entry, at axes 0, 1, ..."""
        rank = len(value.shape)
        return value.at([axis(i) for i in range(rank)], rank)

    def _reader(self, shape: tuple[int, ...], kept: Sequence[int]) -> Entries:
        tensor = len(self.tensors) - 1
        return Entries(shape, lambda p, depth: read(tensor, [p[i] for i in kept]))

    def network(self, program: Program) -> Network:
        """Weights, then definitions that do not depend on the input, then the others, numbered anew."""
        used = self._used()
        last = len(self.tensors) - 1

        def rank(x: int) -> tuple[int, int]:
            kind = 0 if isinstance(self.tensors[x], Weight) else 1 if self._constant[x] and x != last else 2
            return kind, x

        order = sorted(used, key=rank)
        new = {x: i for i, x in enumerate(order)}
        found = [self.tensors[x] for x in order]
        return Network(
            tuple(t for t in found if isinstance(t, Weight)),
            tuple(Definition(t.name, t.shape, _renumbered(t.body, new)) for t in found if isinstance(t, Definition)),
            sum(rank(x)[0] == 1 for x in order),
            program.input.numel(),
            program.sha256,
        )

    def _used(self) -> set[int]:
        used, todo = set(), [len(self.tensors) - 1]
        while todo:
            x = todo.pop()
            if x not in used:
                used.add(x)
                t = self.tensors[x]
                todo += t.body.reads() if isinstance(t, Definition) else ()
        return used


def _renumbered(e: Scalar, new: dict[int, int]) -> Scalar:
    if e.head == "Read":
        tensor, places = e.args
        assert isinstance(tensor, int)
        return Scalar("Read", (new[tensor], places))
    return Scalar(e.head, tuple(_renumbered(a, new) if isinstance(a, Scalar) else a for a in e.args))


def network_of(program: Program) -> Network:
    """Write a program in the language of ``formal/Network.v``.

    Raises
    ------
    BadInput
        If it does not read a row of tokens, makes a call without a rule, or holds a number that is not finite.
    """
    from compact_proofs.formal.network import place_rules, sum_rules  # noqa: F401  (they enter their rules)
    from compact_proofs.formal.network.rules import RULES

    given = program.input
    if given.dim() != 1 or given.is_floating_point():
        raise BadInput(f"a theorem in Coq needs a network that reads a row of tokens, not {list(given.shape)} of {given.dtype}")
    lowering = Lowering()
    values: dict[Node, Any] = {}

    def argument(a: Any) -> Any:
        if isinstance(a, Node):
            return values[a]
        return [argument(x) for x in a] if isinstance(a, (list, tuple)) else a

    for node in program.graph.nodes:
        lowering.name, lowering.parameter = node.name, node.op == "get_attr"
        if node.op == "placeholder":
            values[node] = Tokens(tuple(given.shape), lambda p: token(p[0]))
        elif node.op == "get_attr":
            value = program.tensors[str(node.target)]
            values[node] = value if not value.is_floating_point() else lowering.weight(str(node.target), value)
        elif node.op == "output":
            lowering.name = "logits"
            lowering.define(as_entries(lowering, values[node.args[0]]), whole=True)
        else:
            values[node] = _result(lowering, node, [argument(a) for a in node.args], RULES)
    return lowering.network(program)


def _result(lowering: Lowering, node: Node, args: list[Any], rules: dict[str, Any]) -> Any:
    name = name_of(node)
    if name == "getitem":
        return args[0][args[1]]
    if not any(map(_symbolic, args)):
        return _constant(node, args)
    value: Any
    if name == "_to_copy" and isinstance(args[0], Tokens) and node.meta["val"].is_floating_point():
        raise BadInput("tokens are used as numbers; only tables that are read at them, such as embeddings, have a rule")
    if name == "_to_copy" and not isinstance(args[0], Tensor) and not _keeps_numbers(node):
        raise BadInput(f"no rule is for a conversion to {node.meta['val'].dtype}; only to real numbers, or of tokens to int64")
    if name in MOVES and not isinstance(args[0], Tensor):
        value = move(node, args[0])
        if isinstance(value, Entries) and value.masked is not None:
            value = replace(value, masked=node.target(value.masked, *args[1:]))  # type: ignore[operator]
    elif name in rules:
        _check_call(node, rules[name], args)
        value = rules[name](lowering, node, *args)
    else:
        raise BadInput(f"{name}: no rule writes this operation in Coq; rules are in compact_proofs/formal/network/rules.py")
    shared = isinstance(value, Entries) and len(node.users) > 1 and value.masked is None
    return lowering.define(value) if shared else value


def _keeps_numbers(node: Node) -> bool:
    """Whether a conversion gives what it is given, whatever that is."""
    given: Any = node.args[0]
    before, after = given.meta["val"].dtype, node.meta["val"].dtype
    return bool(before == after or after.is_floating_point or (after == torch.int64 and not before.is_floating_point))


def _check_call(node: Node, rule: Any, args: list[Any]) -> None:
    """Refuse arguments that the rule would not read."""
    unknown = set(node.kwargs) - {"dtype", "device", "layout", "pin_memory", "memory_format"} - _READ.get(name_of(node), set())
    try:
        inspect.signature(rule).bind(None, node, *args)
    except TypeError:
        unknown.add(f"{len(args)} arguments")
    if unknown:
        raise BadInput(f"{name_of(node)}: no rule is for this call, with {', '.join(sorted(unknown))}")


_READ = {
    "add": {"alpha"},
    "sub": {"alpha"},
    "rsub": {"alpha"},
    "addmm": {"alpha", "beta"},
    "baddbmm": {"alpha", "beta"},
    "div": {"rounding_mode"},
    "clamp": {"min", "max"},
    "gelu": {"approximate"},
    "var": {"correction", "keepdim"},
}
"""Arguments by name that rules read; of the others, those that change no number may be there."""


def _symbolic(a: Any) -> bool:
    return isinstance(a, (Entries, Tokens)) or (isinstance(a, list) and any(map(_symbolic, a)))


def _constant(node: Node, args: list[Any]) -> Tensor:
    """Compute what depends on constants that are not weights (masks, ranges, zeros): integers, truth values, copies of numbers."""
    options = {k: v for k, v in node.kwargs.items() if k not in ("device", "pin_memory", "layout")}
    value = node.target(*args, **options)  # type: ignore[operator]
    if value.is_floating_point() and name_of(node) not in _EXACT:
        raise BadInput(f"{name_of(node)}: it computes a constant with rounding, which no theorem is about")
    return value


_EXACT = MOVES | {
    "zeros",
    "ones",
    "full",
    "arange",
    "scalar_tensor",
    "where",
    "masked_fill",
    "tril",
    "triu",
    "zeros_like",
    "ones_like",
    "full_like",
    "new_zeros",
    "new_ones",
    "new_full",
    "eye",
    "cat",
    "stack",
    "lift_fresh_copy",
    "neg",
}
"""Operations on constants that round nothing."""


def as_entries(lowering: Lowering, a: Any) -> Entries:
    """An operand of an operation on real numbers: a number, a constant tensor or entries."""
    if isinstance(a, Entries):
        if a.masked is not None:
            raise BadInput("minus infinity is understood as a mask of attention scores only, right before a softmax")
        return a
    if isinstance(a, (int, float)):
        return lowering.weight(f"number in {lowering.name}", torch.tensor(a, dtype=torch.float64))
    if isinstance(a, Tensor):
        return lowering.weight(f"constant in {lowering.name}", a.to(torch.float64))
    raise BadInput("tokens are read as numbers")
