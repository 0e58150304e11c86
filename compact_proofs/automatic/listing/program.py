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

from compact_proofs.automatic.listing.averages import averages, rows_times
from compact_proofs.automatic.listing.maps import contracted, mapped, moved, plus
from compact_proofs.automatic.listing.norms import is_average, normalised
from compact_proofs.automatic.listing.products import product
from compact_proofs.automatic.listing.steps import LARGEST_TABLE, Steps
from compact_proofs.automatic.listing.sums import fits, reading
from compact_proofs.automatic.listing.values import (
    Affine,
    Dense,
    Mapped,
    Pair,
    Shares,
    Softmaxes,
    Table,
    Value,
    View,
    first_of,
    moves,
    shape_of,
)
from compact_proofs.automatic.reading.lifted import Lifted, call
from compact_proofs.automatic.reading.narrow import ENTRYWISE, map_nodes, narrowed
from compact_proofs.automatic.reading.numbers import alpha
from compact_proofs.automatic.reading.owners import STRUCTURAL, dependencies, structure
from compact_proofs.core.claim import ACCURACY
from compact_proofs.enclosure import lower, provably, upper
from compact_proofs.enclosure.leaves import leaves, map_leaves
from compact_proofs.enclosure.table import words
from compact_proofs.enclosure.tensor import exact_number
from compact_proofs.length import count, stage
from compact_proofs.program import Program
from compact_proofs.program.simplify import name_of

aten = torch.ops.aten

LINEAR = STRUCTURAL | words("mm bmm mul div sum mean neg")
"""Operations that are linear in each tensor argument while the others are constant (division: in the first)."""
SPREAD = 300.0
"""By how much the scores of a softmax may differ, at most: products of two sums of their exponentials are still far from zero."""


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
        moving = [x for x in leaves((args, kwargs)) if moves(x)]
        if not moving:
            return map_leaves(lambda x: x.to(self.device) if isinstance(x, Tensor) else x, call(node.target, args, kwargs)[0])
        like = node.meta["val"]
        if isinstance(like, (tuple, list)):  # the first of several results is the only one that is read
            return (self._apply(name_of(node), node.target, args, kwargs, moving, like[0].shape),)
        if not like.is_floating_point():
            return self._whole_numbers(name_of(node), node.target, args, kwargs, moving, like.shape)
        return self._apply(name_of(node), node.target, args, kwargs, moving, like.shape)

    def _whole_numbers(self, name: str, target: Any, args: Any, kwargs: Any, moving: list[Any], shape: torch.Size) -> Value:
        """An operation that gives integers or truth values, which stay such: a table of one or two tokens, or once an input."""
        found = self._of_tokens(name, target, args, kwargs, moving, shape)
        return self._steps.each(target, args, kwargs, shape) if found is None else found

    def _of_tokens(
        self, name: str, target: Any, args: Any, kwargs: Any, moving: list[Any], shape: torch.Size
    ) -> Affine | Pair | None:
        """Any operation whose result's entries depend on one token each, or on two, in the same way: for all tokens. Else None."""
        found: Affine | Pair | None = None
        if all(isinstance(x, Affine) and not x.weighted and len(x.tables) == 1 for x in moving):
            found = self._table(name, target, args, kwargs, moving, shape)
            if found is None and len({id(x) for x in moving}) == 2:
                found = self._pair(name, target, args, kwargs, moving, shape)
        elif len(moving) == 1 and isinstance(moving[0], Pair) and name in ENTRYWISE | STRUCTURAL - {"cat", "stack"}:
            found = self._on_pair(name, target, args, kwargs, moving[0], shape)
        return found

    def _apply(self, name: str, target: Any, args: Any, kwargs: Any, moving: list[Any], shape: torch.Size) -> Value:
        """Type one operation: by the first rule that applies."""
        if name == "addmm" and kwargs.get("alpha", 1) == kwargs.get("beta", 1) == 1:
            multiplied = self._apply("mm", aten.mm.default, args[1:3], {}, [x for x in args[1:3] if not _constant(x)], shape)
            return self._apply(
                "add", aten.add.Tensor, (args[0], multiplied), {}, [x for x in (args[0], multiplied) if not _constant(x)], shape
            )
        found: Value | None = self._of_tokens(name, target, args, kwargs, moving, shape)
        if found is None and len(moving) == 1 and isinstance(moving[0], Shares) and name in STRUCTURAL - {"cat", "stack"}:
            with structure():
                found = Shares(moving[0].of, target(*map_leaves(lambda y: y.entry if y is moving[0] else y, args), **kwargs))
        if found is None and len(moving) == 1 and isinstance(moving[0], (Dense, View, Mapped)):
            found = self._in_place(name, target, args, kwargs, moving[0], shape)
        if found is None and name in ("_softmax", "_safe_softmax") and isinstance(args[0], Pair):
            found = self._softmax(args[0], args[1] % len(shape))
        if found is None and name in ("mm", "bmm"):
            found = averages(args[0], args[1], shape, self.v, self.n)
            if found is None and isinstance(args[0], (View, Shares)) and isinstance(args[1], Affine):
                found = averages(self._steps.dense(args[0]), args[1], shape, self.v, self.n)
            if found is None and all(isinstance(x, Affine) for x in args[:2]):
                found = product(args[0], args[1], self._steps.sums, shape, self.n, LARGEST_TABLE)
            if found is None and isinstance(args[1], Mapped) and moves(args[0]):
                found = contracted(args[0], args[1], self._steps, shape)
        if found is None and name == "native_layer_norm" and len(moving) == 1 and is_average(args[0]) and len(args[1]) == 1:
            found = self._norm(args, shape)
        if found is None and name in ("add", "sub") and all(isinstance(x, Affine) or _constant(x) for x in args[:2]):
            found = self._sum(args, kwargs, name == "sub", shape)
        if found is None and len(moving) == 1 and isinstance(moving[0], Affine) and name in LINEAR:
            found = self._linear(name, target, args, kwargs, moving[0], shape)
        if found is None:
            each = self._steps.each(target, args, kwargs, shape)
            self.may_have_zeros = self.may_have_zeros or name == "relu"
            found = replace(each, zeros=self._zeros and name == "relu")
        return found

    def _norm(self, args: Any, shape: torch.Size) -> Value | None:
        """Layer norm of averages (`compact_proofs.automatic.listing.norms`): centred, divided by sigma, scaled, shifted."""
        x, _, weight, bias, eps = args
        mean = self._linear("mean", aten.mean.dim, (x, [-1], True), {}, x, torch.Size([*shape[:-1], 1]))
        if mean is None:
            return None
        found: Any = normalised(self._sum((x, mean), {}, True, shape), float(eps), self._steps, self.n, LARGEST_TABLE)
        if found is not None and weight is not None:
            found = self._apply("mul", aten.mul.Tensor, (found, weight), {}, [found], shape)
        if found is not None and bias is not None:
            found = self._apply("add", aten.add.Tensor, (found, bias), {}, [found], shape)
        return found

    @staticmethod
    def _in_place(name: str, target: Any, args: Any, kwargs: Any, x: Dense | View | Mapped, shape: torch.Size) -> Value | None:
        """What moves entries, maps rows by a constant, or adds constants to such a map: not carried out before it is read."""
        if name in STRUCTURAL - {"cat", "stack"}:
            with structure():
                view = View(x, torch.arange(x.shape.numel()).reshape(x.shape)) if isinstance(x, Dense) else x
            return moved(view, lambda t: target(*map_leaves(lambda y: t if y is x else y, args), **kwargs))
        if name in ("mm", "bmm") and args[0] is x and not isinstance(x, Mapped) and isinstance(args[1], Tensor):
            return mapped(x, args[1])
        if name == "add" and isinstance(x, Mapped) and kwargs.get("alpha", 1) == 1 and len(args) == 2:
            other = args[1] if args[0] is x else args[0]
            return plus(x, other, shape) if isinstance(other, Tensor) else None
        return None

    # ------------------------------------------------------------------------------------------------------------ tables

    def _depends(self, name: str, target: Any, args: Any, kwargs: Any, marks: dict[int, Tensor], shape: torch.Size) -> Tensor:
        """Which marks of its arguments each entry of a result depends on: bool [marks, *shape].

        Parameters
        ----------
        marks
            By the id of an argument, bool [marks, *its shape].
        """
        with structure():
            number = len(next(iter(marks.values())))
            shells = {key: torch.ones(m.shape[1:], dtype=torch.float64) for key, m in marks.items()}
            a, k = map_leaves(lambda x: shells.get(id(x), x), (args, kwargs))
            return dependencies(name, target, a, k, {id(shells[key]): m for key, m in marks.items()}, number, shape)

    def _positions(self, name: str, target: Any, args: Any, kwargs: Any, x: Affine, shape: torch.Size) -> Tensor:
        """On which positions each entry of a result depends through one table: bool [n, *shape]."""
        with structure():
            marks = {id(x): torch.stack([x.tables[0].owner == i for i in range(self.n)])}
            others = {id(y): torch.zeros(self.n, *shape_of(y), dtype=torch.bool) for y in leaves((args, kwargs)) if moves(y)}
            return self._depends(name, target, args, kwargs, others | marks, shape)

    def _table(self, name: str, target: Any, args: Any, kwargs: Any, moving: list[Affine], shape: torch.Size) -> Affine | None:
        """Any operation on tables, if every entry of its result depends on one position: once for all tokens."""
        with structure():
            free = torch.stack([self._positions(name, target, args, kwargs, x, shape) for x in moving]).any(0)
            if bool((free.sum(0) > 1).any()):
                return None
            owner = torch.where(free.any(0), free.to(torch.int64).argmax(0), -1)
        result, _ = call(target, *map_leaves(lambda x: Lifted(x.tables[0].data, "k") if moves(x) else x, (args, kwargs)))
        return Affine((Table(first_of(result), owner),))

    def _pair(self, name: str, target: Any, args: Any, kwargs: Any, moving: list[Affine], shape: torch.Size) -> Pair | None:
        """An operation on two tables, if each entry of its result depends on one position through each: for all pairs of tokens."""
        if self.v**2 * shape.numel() > LARGEST_TABLE:
            return None
        a = moving[0]
        b = next(x for x in moving if x is not a)
        with structure():
            first, second = (self._positions(name, target, args, kwargs, x, shape) for x in (a, b))
            if bool((first.sum(0) > 1).any()) or bool((second.sum(0) > 1).any()):
                return None
            owners = [m.to(torch.int64).argmax(0) for m in (first, second)]
        lifted = {id(a): Lifted(a.tables[0].data, "q"), id(b): Lifted(b.tables[0].data, "k")}
        result, _ = call(target, *map_leaves(lambda x: lifted.get(id(x), x), (args, kwargs)))
        return Pair(first_of(result), *owners)

    def _on_pair(self, name: str, target: Any, args: Any, kwargs: Any, x: Pair, shape: torch.Size) -> Pair:
        """An entrywise or moving operation on a table of pairs."""
        result, _ = call(target, *map_leaves(lambda y: Lifted(x.data, "qk") if y is x else y, (args, kwargs)))
        with structure():

            def moved(owner: Tensor) -> Tensor:
                if name in ENTRYWISE:
                    return owner.expand(shape)
                a, k = map_leaves(lambda y: owner if y is x else y, (args, kwargs))
                return target(*a, **k)

            return Pair(result, moved(x.first), moved(x.second))

    # --------------------------------------------------------------------------------------------- shares and linear maps

    def _softmax(self, x: Pair, dim: int) -> Shares | None:
        """Shares as tables: exp of each score less the largest of its softmax and its own token, over all tokens.

        None where the scores of a softmax are not about one position each against one, or may differ by more than `SPREAD`: then
        sums of their exponentials could be rounded to zero. (On the meta device, which knows no numbers, they are taken not to.)

        Cost: for each pair of tokens and score 2 operations, and 4 comparisons.
        """
        with structure():
            entries = torch.arange(x.first.numel()).reshape(x.first.shape).movedim(dim, -1)
            order = entries.reshape(-1, entries.shape[-1])  # [softmaxes, shares]
            first = x.first.reshape(-1)[order]
            if bool((first != first[:, :1]).any()):
                return None
            place = order.reshape(-1).argsort()
            group = torch.arange(len(order)).repeat_interleave(order.shape[1])[place]
        scores = x.data.flatten(2)[:, :, order.to(self.device)]  # [v, v, softmaxes, shares]
        largest = upper(scores.amax((1, 3), keepdim=True))
        least = lower(scores)
        spread = (largest - torch.where(least > -torch.inf, least, largest)).amax()
        with structure():
            if not spread.is_meta and not bool(provably(spread <= SPREAD)):
                return None
        weights = torch.exp(scores - largest).flatten(2)[:, :, place.to(self.device)]
        of = Softmaxes(weights, x.first.reshape(-1), x.second.reshape(-1), group)
        with structure():
            return Shares(of, torch.arange(x.first.numel()).reshape(x.first.shape))

    def _sum(self, args: Any, kwargs: Any, minus: bool, shape: torch.Size) -> Affine:
        """a + alpha b; tables that depend on the same positions become one."""
        factor = alpha(args, kwargs) * (-1 if minus else 1)
        a, b = (self._spread(x, shape) for x in args[:2])
        if factor != 1:
            b = Affine(
                tuple(Table(t.data * factor, t.owner) for t in b.tables),
                tuple(w.read_as(w.tables * factor, w.used) for w in b.weighted),
            )
        tables = list(a.tables)
        for t in b.tables:
            with structure():
                fit = [i for i, u in enumerate(tables) if bool(((u.owner == t.owner) | (u.owner < 0) | (t.owner < 0)).all())]
            if fit:
                u = tables[fit[0]]
                with structure():
                    owner = torch.maximum(u.owner, t.owner)
                tables[fit[0]] = Table(u.data + t.data, owner)
            else:
                tables.append(t)
        return Affine(tuple(tables), a.weighted + b.weighted)

    def _spread(self, x: Any, shape: torch.Size) -> Affine:
        """A value in the shape that it is broadcast to; a constant as a table."""

        def spread(t: Tensor, leading: int) -> Tensor:
            own = t.shape[leading:]
            return t.reshape(*t.shape[:leading], *[1] * (len(shape) - len(own)), *own).expand(*t.shape[:leading], *shape)

        if not isinstance(x, Affine):
            constant = x if isinstance(x, Tensor) else torch.tensor(exact_number(x), dtype=torch.float64, device=self.device)
            with structure():
                owner = torch.full(shape, -1)
            return Affine((Table(spread(constant[None], 1).expand(self.v, *shape), owner),))
        return Affine(
            tuple(Table(spread(t.data, 1), spread(t.owner, 0)) for t in x.tables),
            tuple(w.read_as(spread(w.tables, 2), spread(w.used, 1)) for w in x.weighted),
        )

    def _linear(self, name: str, target: Any, args: Any, kwargs: Any, x: Affine, shape: torch.Size) -> Affine | None:
        """A linear map of tables; None where an input would pay more for reading the result than for its argument and the map."""
        if (name == "div" and args[0] is not x) or name in ("cat", "stack"):
            return None
        if x.weighted and not self._folded and name not in STRUCTURAL:
            return None
        used = [self._depends(name, target, args, kwargs, {id(x): w.used}, shape) for w in x.weighted]
        if any(self.v * u.numel() > LARGEST_TABLE for u in used):
            return None
        if not all(fits(w, u, self.v, LARGEST_TABLE) for w, u in zip(x.weighted, used, strict=True)):
            return None
        if name not in STRUCTURAL:
            before = reading(x.weighted, [w.used for w in x.weighted], self.n)
            after = reading(x.weighted, used, self.n)
            if after > before + self._cost(target, args, kwargs, x):
                return None

        def mapped(data: Tensor, axes: str) -> Tensor:
            return first_of(call(target, *map_leaves(lambda y: Lifted(data, axes) if y is x else y, (args, kwargs)))[0])

        by_rows = name in ("mm", "bmm") and args[0] is x and isinstance(args[1], Tensor)
        weighted = tuple(
            w.read_as(rows_times(w, args[1], shape) if by_rows else mapped(w.tables, "ks"), u)
            for w, u in zip(x.weighted, used, strict=True)
        )
        tables = []
        for t in x.tables:
            part = Affine((t,))
            a, k = map_leaves(lambda y: part if y is x else y, (args, kwargs))  # noqa: B023 (used at once)
            free = self._positions(name, target, a, k, part, shape)
            with structure():
                several = bool((free.sum(0) > 1).any())
                owner = torch.where(free.any(0), free.to(torch.int64).argmax(0), -1)
                places = t.owner.unique().tolist() if several else []
            if not several:
                tables.append(Table(mapped(t.data, "k"), owner))
            for i in places:
                tables.append(Table(mapped(torch.where((t.owner == i).to(self.device), t.data, 0.0), "k"), torch.full(shape, i)))
        return Affine(tuple(tables), weighted)

    @staticmethod
    def _cost(target: Any, args: Any, kwargs: Any, x: Affine) -> int:
        """What an operation costs on one input."""
        with structure(), count() as counter:
            example = torch.empty(shape_of(x), dtype=torch.float64, device="meta")
            target(*map_leaves(lambda y: example if y is x else _meta(y), args), **map_leaves(_meta, kwargs))
        return counter.length.total


def _constant(x: Any) -> bool:
    return isinstance(x, (Tensor, int, float))


def _meta(x: Any) -> Any:
    """A tensor of the same shape without numbers, in float64 if it is real."""
    if not isinstance(x, Tensor):
        return x
    return torch.empty(x.shape, dtype=torch.float64 if x.is_floating_point() else x.dtype, device="meta")
