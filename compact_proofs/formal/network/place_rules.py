"""How look-ups, masks and tensors side by side are written in the language of networks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.fx import Node

from compact_proofs.errors import BadInput
from compact_proofs.formal.network import language as ir
from compact_proofs.formal.network.entries import Entries, Places, Tokens, moved
from compact_proofs.formal.network.language import Index, Scalar, fixed, remainder, shifted
from compact_proofs.formal.network.lowering import Lowering, as_entries
from compact_proofs.formal.network.rules import masked, pointwise, rule, shape_of
from compact_proofs.formal.network.sum_rules import summed
from compact_proofs.program.simplify import name_of

# Look-ups


def _index(a: Any, p: Places) -> Index:
    """The entry at places of an index: tokens, or a constant that counts up along one axis, or is the same everywhere."""
    if isinstance(a, Tokens):
        return a.at(p)
    assert isinstance(a, Tensor)
    values = a.to(torch.int64)
    if values.unique().numel() == 1:
        return fixed(int(values.flatten()[0]))
    for dim, n in enumerate(values.shape):
        first = values.select(dim, 0).flatten()[0]
        counting = (first + torch.arange(n)).reshape([-1 if d == dim else 1 for d in range(a.dim())])
        if torch.equal(values, counting.expand_as(values)):
            return shifted(p[dim], fixed(int(first)))
    raise BadInput("an index that is a constant must count up along one axis")


@rule("index")
def _lookup(to: Lowering, node: Node, x: Any, indices: Sequence[Any]) -> Any:
    source = x if isinstance(x, Tokens) else as_entries(to, x)
    used = [d for d, a in enumerate(indices) if a is not None]
    if used != list(range(used[0], used[0] + len(used))) or any(isinstance(a, Tensor) and a.dtype == torch.bool for a in indices):
        raise BadInput("index: indices must be whole numbers, for axes side by side")
    given = [indices[d] for d in used]
    wide = torch.broadcast_shapes(*(tuple(a.shape) for a in given))
    first, width = used[0], len(wide)

    def places(p: Places) -> Places:
        own = p[first : first + width]
        looked_up = []
        for a in given:
            lead = width - len(a.shape)
            looked_up.append(_index(a, [fixed(0) if n == 1 else i for n, i in zip(a.shape, own[lead:], strict=True)]))
        return [*p[:first], *looked_up, *p[first + width :]]

    return moved(source, shape_of(node), places)


@rule("embedding")
def _embedding(to: Lowering, node: Node, table: Any, indices: Any, *rest: Any) -> Any:
    return _lookup(to, node, table, [indices])


@rule("eq")
def _equal(to: Lowering, node: Node, a: Any, b: Any) -> Entries:
    """1 where two whole numbers are equal: an entry of the identity matrix (a one-hot code)."""
    tokens, numbers = (a, b) if isinstance(a, Tokens) else (b, a)
    if not (isinstance(tokens, Tokens) and isinstance(numbers, Tensor)):
        raise BadInput("eq: only tokens can be compared, with constants")
    n = int(numbers.max()) + 1
    identity = to.weight(f"identity_{n}", torch.eye(n, dtype=torch.float64))
    shape = shape_of(node)

    def own(size: Sequence[int], p: Places) -> Places:
        return [fixed(0) if k == 1 else i for k, i in zip(size, p[len(shape) - len(size) :], strict=True)]

    def at(p: Places, depth: int) -> Scalar:
        return identity.at([tokens.at(own(tokens.shape, p)), _index(numbers, own(numbers.shape, p))], depth)

    return Entries(shape, at)


# Attention


@rule("where")
def _where(to: Lowering, node: Node, condition: Any, a: Any, b: Any) -> Entries:
    if not isinstance(condition, Tensor):
        raise BadInput("where: a choice that depends on the input has no rule; choices by a constant mask have one")
    for chosen, other, keep in ((a, b, condition), (b, a, ~condition)):
        if _is_minus_infinity(other):
            return masked(to, node, chosen, keep)
    weight = to.weight(f"mask of {to.name}", condition.to(torch.float64))
    first = pointwise(to, ir.times, weight, a)
    rest = pointwise(to, ir.times, pointwise(to, ir.minus, 1, weight), b)
    return pointwise(to, ir.plus, first, rest)


@rule("masked_fill")
def _masked_fill(to: Lowering, node: Node, x: Any, mask: Any, value: Any) -> Entries:
    return _where(to, node, mask, value, x)


def _is_minus_infinity(a: Any) -> bool:
    if isinstance(a, Tensor):
        return bool((a == -math.inf).all())
    return isinstance(a, float) and a == -math.inf


@rule("_softmax", "_safe_softmax")
def _softmax(to: Lowering, node: Node, x: Any, dim: int, *rest: Any) -> Entries:
    scores, keep = (x, x.masked) if isinstance(x, Entries) else (as_entries(to, x), None)
    value = pointwise(to, ir.exp, Entries(scores.shape, scores.at))
    if keep is not None and not bool(keep.all()):
        if not bool(keep.any(dim).all()):
            raise BadInput("softmax: a row is masked everywhere")
        value = pointwise(to, ir.times, to.weight(f"mask of {to.name}", keep.to(torch.float64)), value)
    value = to.define(value, name=f"{to.name}_exp")
    return pointwise(to, ir.over, value, summed(value, [dim], True))


# Tensors side by side


@rule("cat", "stack")
def _cat(to: Lowering, node: Node, parts: Sequence[Any], dim: int = 0) -> Entries:
    shape = shape_of(node)
    dim %= len(shape)
    given: list[Any] = [to.define(as_entries(to, a)) for a in parts]
    if str(node.target).startswith("aten.stack"):
        given = [moved(a, (*a.shape[:dim], 1, *a.shape[dim:]), lambda p: [*p[:dim], *p[dim + 1 :]]) for a in given]
    starts = [sum(a.shape[dim] for a in given[:k]) for k in range(len(given))]
    if len(given) == 1:
        return given[0]

    def at(p: Places, depth: int) -> Scalar:
        if p[dim].head == "Fixed":
            number_in = p[dim].args[0]
            assert isinstance(number_in, int)
            k = max(k for k, start in enumerate(starts) if start <= number_in and given[k].shape[dim])
            return given[k].at([*p[:dim], fixed(number_in - starts[k]), *p[dim + 1 :]], depth)
        found = ir.ZERO
        for a, start in zip(given, starts, strict=True):  # 1 within the part times an entry of it, which is the right one there
            n = a.shape[dim]
            places = torch.arange(shape[dim])
            within = to.weight(f"part {start} of {to.name}", ((places >= start) & (places < start + n)).double())
            own = a.at([*p[:dim], remainder(shifted(p[dim], fixed(-start % n)), n), *p[dim + 1 :]], depth)
            found = ir.plus(found, ir.times(within.at([p[dim]], depth), own))
        return found

    return Entries(shape, at)


@rule("zeros_like", "new_zeros", "ones_like", "new_ones", "full_like", "new_full")
def _filled(to: Lowering, node: Node, like: Any, *given: Any) -> Tensor:
    """A constant in another tensor's shape, or in one that is given."""
    name = name_of(node)
    value = given[-1] if "full" in name else 1 if "ones" in name else 0
    return torch.full(shape_of(node), value, dtype=node.meta["val"].dtype)
