"""Evaluating a program on listed inputs with everything shared that they have in common: the cheapest brute force that is known.

Brute force runs the whole program on each input. But most of it depends on few tokens, and linear maps can be applied to tables
before they are applied to inputs. The program is read once, operation by operation, with these kinds of values:

    a constant                                                         computed once
    `Affine`    sum of tables of one token each, and of shares (the results of a softmax) times such tables
    `Pair`      a table of two tokens, such as a score of a query token and a key token
    `Shares`    softmaxes of pairs: ratios of tables of two tokens and their sums
    `View`, `Mapped`    numbers known for each input in other places, and linear maps of them, not carried out before they are read
    `Dense`     known for each input only

Tables cost once what the operation costs on all v tokens (or v^2 pairs); reading an entry is free. A linear map of an Affine value
maps its tables, so that an input pays for shares times tables only: with values V, pattern p and maps W_O, W_in, an input pays for
``sum_i p_i (V W_O W_in)[x_i]``, and not for the maps. Averages by shares of pairs stay averages through a layer norm and through a
second softmax's averages, and their products, the scores of a second layer, need no vectors
(modules `sums`, `averages`, `norms` and `products` of this package). Everything else is computed for each input, as brute force
does it, or once for all inputs that agree where it depends on them. What comes out is the program's function,
reordered: real arithmetic gives the same number, and the sound reading encloses it.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.fx import Node

from compact_proofs.automatic.listing.averages import averages
from compact_proofs.automatic.listing.linear import LINEAR, added, linear
from compact_proofs.automatic.listing.maps import contracted, mapped, moved, plus
from compact_proofs.automatic.listing.norms import is_average, normalised
from compact_proofs.automatic.listing.operation import Operation
from compact_proofs.automatic.listing.products import product
from compact_proofs.automatic.listing.steps import LARGEST_TABLE, Steps
from compact_proofs.automatic.listing.token_tables import softmax, table_of
from compact_proofs.automatic.listing.values import Affine, Dense, Mapped, Pair, Shares, Table, Value, View, moves
from compact_proofs.automatic.reading.lifted import call
from compact_proofs.automatic.reading.narrow import map_nodes, narrowed
from compact_proofs.automatic.reading.numbers import alpha
from compact_proofs.automatic.reading.owners import STRUCTURAL, structure
from compact_proofs.core.claim import ACCURACY
from compact_proofs.enclosure.leaves import leaves, map_leaves
from compact_proofs.length import count, stage
from compact_proofs.program import Program
from compact_proofs.program.simplify import name_of

aten = torch.ops.aten

MOVING = STRUCTURAL - {"cat", "stack"}
"""Operations that move the entries of one argument."""


class Listing:
    """A program made ready to be evaluated on many inputs.

    Parameters
    ----------
    program
        Its input is int64 [n].
    v
        Number of tokens.
    zeros
        Whether the results of a relu that are 0 are left out of the products that read them: then the cost of an input depends on
        the weights, and is at most what the meta device, which knows no numbers, says it is.
    folded
        Whether linear maps are carried out on tables where that makes each input cheaper. For few inputs the tables cost more.

    Notes
    -----
    Making one costs its tables, in the stage "tables"; `logits` is counted in "list".
    """

    def __init__(self, program: Program, v: int, zeros: bool = False, folded: bool = True) -> None:
        self.program, self.v, self.n = program, v, program.input.shape[0]
        self.device = next((t.device for t in program.tensors.values()), torch.device("cpu"))
        self._folded = folded
        self._zeros = zeros and self.device.type != "meta"
        self.may_have_zeros = False
        """Is there a relu whose results are computed for each input?"""
        self._steps = Steps(v, self.n, self.device)
        with stage("tables"):
            self._logits = self._read()

    @property
    def batch(self) -> int:
        """Inputs that are evaluated at once."""
        return self._steps.batch

    def right(self, inputs: Tensor, labels: Tensor, alone: bool = False) -> Tensor:
        """Which of the inputs [N, n] are proven right: bool [N]. Two operations an output, besides the logits.

        Parameters
        ----------
        alone
            Share nothing with other calls.
        """
        with stage("list"):
            batches = zip(inputs.split(self.batch), labels.split(self.batch), strict=True)
            parts = [self._proven(self._steps.run(x, self._logits, alone), y) for x, y in batches]
        return torch.cat(parts) if parts else torch.zeros(0, dtype=torch.bool)

    def _proven(self, logits: Tensor, labels: Tensor) -> Tensor:
        return ACCURACY.correct(logits, labels)

    def know(self, batches: Iterable[Tensor]) -> None:
        """Make known all inputs that `right` will be given, in batches as they will be given: see `Steps.know`."""
        with stage("list"):
            self._steps.know(x for inputs in batches for x in inputs.split(self.batch))

    def price(self, inputs: Tensor) -> float:
        """Operations of `right` for each of some inputs, nothing being known of inputs before: for listings on the meta device."""
        with count() as counter:
            self._proven(self._steps.run(inputs, self._logits), torch.zeros(len(inputs), dtype=torch.int64, device=self.device))
        return counter.length.total / len(inputs)

    def logits(self, inputs: Tensor) -> Tensor:
        """Logits [N, outputs] of inputs int64 [N, n], at least one."""
        with stage("list"):
            return torch.cat([self._steps.run(part, self._logits) for part in inputs.split(self.batch)])

    # ------------------------------------------------------------------------------------------------- reading the graph

    def _read(self) -> Dense:
        nodes = list(narrowed(self.program.graph, once=True).nodes)
        return self._steps.dense(self._values(nodes)[nodes[-1].all_input_nodes[0]])

    def _values(self, nodes: Iterable[Node]) -> dict[Node, Any]:
        """What is known of the results of nodes, which come in order and with all that they read; an output has none."""
        values: dict[Node, Any] = {}
        for node in nodes:
            if node.op == "placeholder":
                tokens = torch.arange(self.v, device=self.device)[:, None].expand(self.v, self.n)
                values[node] = Affine((Table(tokens, torch.arange(self.n)),))
            elif node.op == "get_attr":
                values[node] = self.constant_of(node)
            elif node.op == "call_function":
                values[node] = self._operation(node, values)
        return values

    def constant_of(self, node: Node) -> Tensor:
        """A constant of the program, as double precision numbers if it is real."""
        constant = self.program.tensors[str(node.target)]
        return constant.double() if constant.is_floating_point() else constant

    def _operation(self, node: Node, values: dict[Node, Any]) -> Any:
        if node.target is operator.getitem:
            return values[node.args[0]][0]  # type: ignore[index]
        args, kwargs = map_nodes(values.__getitem__, (tuple(node.args), dict(node.kwargs)))
        if not any(moves(x) for x in leaves((args, kwargs))):
            return map_leaves(lambda x: x.to(self.device) if isinstance(x, Tensor) else x, call(node.target, args, kwargs)[0])
        like = node.meta["val"]
        if isinstance(like, (tuple, list)):  # the first of several results is the only one that is read
            return (self._apply(Operation(name_of(node), node.target, args, kwargs, like[0].shape)),)
        op = Operation(name_of(node), node.target, args, kwargs, like.shape)
        return self._apply(op) if like.is_floating_point() else self._whole_numbers(op)

    def _whole_numbers(self, op: Operation) -> Value:
        """An operation that gives integers or truth values, which stay such: a table of one or two tokens, or once an input."""
        found = table_of(op, self.v, self.n)
        return self._steps.each(op.target, op.args, op.kwargs, op.shape) if found is None else found

    def _call(self, name: str, target: Any, args: tuple[Any, ...], shape: torch.Size) -> Any:
        """Another operation that is not in the graph."""
        return self._apply(Operation(name, target, args, {}, shape))

    def _apply(self, op: Operation) -> Value:
        """Type one operation: by the first rule that applies."""
        name, args, kwargs, shape, moving = op.name, op.args, op.kwargs, op.shape, op.moving
        if name == "addmm" and kwargs.get("alpha", 1) == kwargs.get("beta", 1) == 1:
            return self._call("add", aten.add.Tensor, (args[0], self._call("mm", aten.mm.default, args[1:3], shape)), shape)
        one = moving[0] if len(moving) == 1 else None
        found: Value | None = table_of(op, self.v, self.n)
        if found is None and isinstance(one, Shares) and name in MOVING:
            with structure():
                found = Shares(one.of, op.on(lambda y: one.entry if y is one else y))
        if found is None and isinstance(one, (Dense, View, Mapped)):
            found = _in_place(op, one)
        if found is None and name in ("_softmax", "_safe_softmax") and isinstance(args[0], Pair):
            found = softmax(args[0], args[1] % len(shape))
        if found is None and name in ("mm", "bmm"):
            found = self._product(args[0], args[1], shape)
        if found is None and name == "native_layer_norm" and one is not None and is_average(args[0]) and len(args[1]) == 1:
            found = self._norm(args, shape)
        if found is None and name in ("add", "sub") and all(isinstance(x, Affine) or _constant(x) for x in args[:2]):
            found = added(args[0], args[1], alpha(args, kwargs) * (-1 if name == "sub" else 1), shape, self._steps)
        if found is None and isinstance(one, Affine) and name in LINEAR:
            found = linear(op, one, self._steps, self._folded)
        if found is None:
            each = self._steps.each(op.target, args, kwargs, shape)
            self.may_have_zeros = self.may_have_zeros or name == "relu"
            found = replace(each, zeros=self._zeros and name == "relu")
        return found

    def _product(self, x: Any, y: Any, shape: torch.Size) -> Value | None:
        """Averages of tables, scores of averages, and products with linear maps that are not carried out yet."""
        found: Value | None = averages(x, y, shape, self.v, self.n)
        if found is None and isinstance(x, (View, Shares)) and isinstance(y, Affine):
            found = averages(self._steps.dense(x), y, shape, self.v, self.n)
        if found is None and isinstance(x, Affine) and isinstance(y, Affine):
            found = product(x, y, self._steps.sums, shape, self.n, LARGEST_TABLE)
        if found is None and isinstance(y, Mapped) and moves(x):
            found = contracted(x, y, self._steps, shape)
        return found

    def _norm(self, args: Any, shape: torch.Size) -> Value | None:
        """Layer norm of averages (`compact_proofs.automatic.listing.norms`): centred, divided by sigma, scaled, shifted."""
        x, _, weight, bias, eps = args
        average = Operation("mean", aten.mean.dim, (x, [-1], True), {}, torch.Size([*shape[:-1], 1]))
        mean = linear(average, x, self._steps, self._folded)
        if mean is None:
            return None
        centred = added(x, mean, -1, shape, self._steps)
        found: Any = normalised(centred, float(eps), self._steps, self.n, LARGEST_TABLE)
        if found is not None and weight is not None:
            found = self._call("mul", aten.mul.Tensor, (found, weight), shape)
        if found is not None and bias is not None:
            found = self._call("add", aten.add.Tensor, (found, bias), shape)
        return found


def _in_place(op: Operation, x: Dense | View | Mapped) -> Value | None:
    """What moves entries, maps rows by a constant, or adds constants to such a map: not carried out before it is read."""
    if op.name in MOVING:
        with structure():
            view = View(x, torch.arange(x.shape.numel()).reshape(x.shape)) if isinstance(x, Dense) else x
        return moved(view, lambda t: op.on(lambda y: t if y is x else y))
    args = op.args
    if op.name in ("mm", "bmm") and args[0] is x and not isinstance(x, Mapped) and isinstance(args[1], Tensor):
        return mapped(x, args[1])
    if op.name == "add" and isinstance(x, Mapped) and op.kwargs.get("alpha", 1) == 1 and len(args) == 2:
        other = args[1] if args[0] is x else args[0]
        return plus(x, other, op.shape) if isinstance(other, Tensor) else None
    return None


def _constant(x: Any) -> bool:
    return isinstance(x, (Tensor, int, float))
