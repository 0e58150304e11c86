"""Operations whose results depend on one token, or on two: carried out once for all tokens, or for all pairs of tokens."""

from __future__ import annotations

import torch
from torch import Tensor

from compact_proofs.automatic.listing.operation import Operation
from compact_proofs.automatic.listing.steps import LARGEST_TABLE
from compact_proofs.automatic.listing.values import Affine, Pair, Shares, Softmaxes, Table, first_of, moves, shape_of
from compact_proofs.automatic.reading.lifted import Lifted
from compact_proofs.automatic.reading.narrow import ENTRYWISE
from compact_proofs.automatic.reading.owners import STRUCTURAL, structure
from compact_proofs.enclosure import lower, provably, upper

SPREAD = 300.0
"""By how much the scores of a softmax may differ, at most: products of two sums of their exponentials are still far from zero."""


def table_of(op: Operation, v: int, n: int) -> Affine | Pair | None:
    """Any operation whose result's entries depend on one token each, or on two, in the same way; None if they do not.

    Cost: what the operation costs on all tokens, or on all pairs of tokens.
    """
    moving = op.moving
    found: Affine | Pair | None = None
    if all(isinstance(x, Affine) and not x.weighted and len(x.tables) == 1 for x in moving):
        found = _of_one(op, moving, n)
        if found is None and len({id(x) for x in moving}) == 2:
            found = _of_two(op, moving, v, n)
    elif len(moving) == 1 and isinstance(moving[0], Pair) and op.name in ENTRYWISE | STRUCTURAL - {"cat", "stack"}:
        found = _on_pair(op, moving[0])
    return found


def positions(op: Operation, x: Affine, n: int) -> Tensor:
    """On which positions each entry of a result depends through one table: bool [n, *shape]."""
    with structure():
        others = {id(y): torch.zeros(n, *shape_of(y), dtype=torch.bool) for y in op.moving}
        return op.depends(others | {id(x): torch.stack([x.tables[0].owner == i for i in range(n)])})


def _of_one(op: Operation, moving: list[Affine], n: int) -> Affine | None:
    """On tables, if every entry of the result depends on one position."""
    with structure():
        free = torch.stack([positions(op, x, n) for x in moving]).any(0)
        if bool((free.sum(0) > 1).any()):
            return None
        owner = torch.where(free.any(0), free.to(torch.int64).argmax(0), -1)
    result = op.for_all(lambda x: Lifted(x.tables[0].data, "k") if moves(x) else x)
    return Affine((Table(first_of(result), owner),))


def _of_two(op: Operation, moving: list[Affine], v: int, n: int) -> Pair | None:
    """On two tables, if each entry of the result depends on one position through each."""
    if v**2 * op.shape.numel() > LARGEST_TABLE:
        return None
    a = moving[0]
    b = next(x for x in moving if x is not a)
    with structure():
        first, second = (positions(op, x, n) for x in (a, b))
        if bool((first.sum(0) > 1).any()) or bool((second.sum(0) > 1).any()):
            return None
        owners = [m.to(torch.int64).argmax(0) for m in (first, second)]
    lifted = {id(a): Lifted(a.tables[0].data, "q"), id(b): Lifted(b.tables[0].data, "k")}
    return Pair(first_of(op.for_all(lambda x: lifted.get(id(x), x))), *owners)


def _on_pair(op: Operation, x: Pair) -> Pair:
    """An entrywise or moving operation on a table of pairs."""
    result = op.for_all(lambda y: Lifted(x.data, "qk") if y is x else y)
    with structure():

        def moved(owner: Tensor) -> Tensor:
            return owner.expand(op.shape) if op.name in ENTRYWISE else op.on(lambda y: owner if y is x else y)

        return Pair(result, moved(x.first), moved(x.second))


def softmax(x: Pair, dim: int) -> Shares | None:
    """Shares as tables: exp of each score less the largest of its softmax and its own token, over all tokens.

    None where the scores of a softmax are not about one position each against one, or may differ by more than `SPREAD`: then
    sums of their exponentials could be rounded to zero. (On the meta device, which knows no numbers, they are taken not to.)

    Cost: for each pair of tokens and score 2 operations, and 4 comparisons.
    """
    device = x.data.device
    with structure():
        entries = torch.arange(x.first.numel()).reshape(x.first.shape).movedim(dim, -1)
        order = entries.reshape(-1, entries.shape[-1])  # [softmaxes, shares]
        first = x.first.reshape(-1)[order]
        if bool((first != first[:, :1]).any()):
            return None
        place = order.reshape(-1).argsort()
        group = torch.arange(len(order)).repeat_interleave(order.shape[1])[place]
    scores = x.data.flatten(2)[:, :, order.to(device)]  # [v, v, softmaxes, shares]
    largest = upper(scores.amax((1, 3), keepdim=True))
    least = lower(scores)
    spread = (largest - torch.where(least > -torch.inf, least, largest)).amax()
    with structure():
        if not spread.is_meta and not bool(provably(spread <= SPREAD)):
            return None
    weights = torch.exp(scores - largest).flatten(2)[:, :, place.to(device)]
    of = Softmaxes(weights, x.first.reshape(-1), x.second.reshape(-1), group)
    with structure():
        return Shares(of, torch.arange(x.first.numel()).reshape(x.first.shape))
