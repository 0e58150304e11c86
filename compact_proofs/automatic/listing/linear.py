"""Sums and linear maps of tables of tokens, and of shares times tables: carried out on the tables."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from compact_proofs.automatic.listing.averages import rows_times
from compact_proofs.automatic.listing.operation import Operation
from compact_proofs.automatic.listing.steps import LARGEST_TABLE, Steps
from compact_proofs.automatic.listing.sums import fits, reading
from compact_proofs.automatic.listing.token_tables import positions
from compact_proofs.automatic.listing.values import Affine, Table, first_of, shape_of
from compact_proofs.automatic.reading.lifted import Lifted
from compact_proofs.automatic.reading.owners import STRUCTURAL, structure
from compact_proofs.enclosure.table import words
from compact_proofs.enclosure.tensor import exact_number
from compact_proofs.length import count

LINEAR = STRUCTURAL | words("mm bmm mul div sum mean neg")
"""Operations that are linear in each tensor argument while the others are constant (division: in the first)."""


def added(a: Any, b: Any, factor: Any, shape: torch.Size, steps: Steps) -> Affine:
    """a + factor b, of which at least one is a sum of tables and the other may be a constant.

    Tables that depend on the same positions become one.
    """
    a, b = _spread(a, shape, steps), _spread(b, shape, steps)
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


def _spread(x: Any, shape: torch.Size, steps: Steps) -> Affine:
    """A value in the shape that it is broadcast to; a constant as a table."""

    def spread(t: Tensor, leading: int) -> Tensor:
        own = t.shape[leading:]
        return t.reshape(*t.shape[:leading], *[1] * (len(shape) - len(own)), *own).expand(*t.shape[:leading], *shape)

    if not isinstance(x, Affine):
        constant = x if isinstance(x, Tensor) else torch.tensor(exact_number(x), dtype=torch.float64, device=steps.device)
        with structure():
            owner = torch.full(shape, -1)
        return Affine((Table(spread(constant[None], 1).expand(steps.v, *shape), owner),))
    return Affine(
        tuple(Table(spread(t.data, 1), spread(t.owner, 0)) for t in x.tables),
        tuple(w.read_as(spread(w.tables, 2), spread(w.used, 1)) for w in x.weighted),
    )


def linear(op: Operation, x: Affine, steps: Steps, folded: bool) -> Affine | None:
    """A linear map of tables; None where an input would pay more for reading the result than for its argument and the map.

    Parameters
    ----------
    folded
        Whether shares times tables are mapped, too, if that costs an input less.
    """
    if (op.name == "div" and op.args[0] is not x) or op.name in ("cat", "stack"):
        return None
    if x.weighted and not folded and op.name not in STRUCTURAL:
        return None
    used = [op.depends({id(x): w.used}) for w in x.weighted]
    if any(steps.v * u.numel() > LARGEST_TABLE for u in used):
        return None
    if not all(fits(w, u, steps.v, LARGEST_TABLE) for w, u in zip(x.weighted, used, strict=True)):
        return None
    if op.name not in STRUCTURAL:
        before = reading(x.weighted, [w.used for w in x.weighted], steps.n)
        after = reading(x.weighted, used, steps.n)
        if after > before + _cost(op, x):
            return None

    def mapped(data: Tensor, axes: str) -> Tensor:
        return first_of(op.for_all(lambda y: Lifted(data, axes) if y is x else y))

    by_rows = op.name in ("mm", "bmm") and op.args[0] is x and isinstance(op.args[1], Tensor)
    weighted = tuple(
        w.read_as(rows_times(w, op.args[1], op.shape) if by_rows else mapped(w.tables, "ks"), u)
        for w, u in zip(x.weighted, used, strict=True)
    )
    tables = []
    for t in x.tables:
        part = Affine((t,))
        free = positions(op.put(lambda y: part if y is x else y), part, steps.n)  # noqa: B023 (used at once)
        with structure():
            several = bool((free.sum(0) > 1).any())
            owner = torch.where(free.any(0), free.to(torch.int64).argmax(0), -1)
            places = t.owner.unique().tolist() if several else []
        if not several:
            tables.append(Table(mapped(t.data, "k"), owner))
        for i in places:
            tables.append(Table(mapped(torch.where((t.owner == i).to(steps.device), t.data, 0.0), "k"), torch.full(op.shape, i)))
    return Affine(tuple(tables), weighted)


def _cost(op: Operation, x: Affine) -> int:
    """What an operation costs on one input."""
    with structure(), count() as counter:
        example = torch.empty(shape_of(x), dtype=torch.float64, device="meta")
        op.on(lambda y: example if y is x else _meta(y))
    return counter.length.total


def _meta(x: Any) -> Any:
    """A tensor of the same shape without numbers, in float64 if it is real."""
    if not isinstance(x, Tensor):
        return x
    return torch.empty(x.shape, dtype=torch.float64 if x.is_floating_point() else x.dtype, device="meta")
