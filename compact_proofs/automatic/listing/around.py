"""What a program computes of all vectors near given ones.

A value near L centres is an affine function of symbols x that are bounded,

    value = centre + sum over symbols of x K,      |x| <= radius   (a ball), or   |x_i| <= radius_i   (a box),

with matrices K that all centres share, or one for each. So entry k is within sum of radius |K_k| (balls; K_k a column) and
sum_i radius_i |K_ik| (boxes) of the centre's, and the whole value within sum of |K| |radius|, |K| the operator norm. Linear maps
are exact: they map the centre and the K. A function of each entry, and a layer norm, make a new symbol (`entrywise`, `normed`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.fx import Node

from compact_proofs.automatic.bounds.tangent import operator_norm
from compact_proofs.automatic.listing.graphs import ALIKE
from compact_proofs.automatic.reading.evaluate import function
from compact_proofs.automatic.reading.lifted import call
from compact_proofs.automatic.reading.lines import CURVATURE, has_lines, range_of
from compact_proofs.automatic.reading.narrow import map_nodes
from compact_proofs.enclosure import lower, upper
from compact_proofs.enclosure.leaves import leaves
from compact_proofs.program.simplify import name_of


class NotFollowed(Exception):
    """An operation has no rule here."""


@dataclass(frozen=True, eq=False)
class Symbol:
    """Vectors x, one for each centre: |x| <= radius [L], or |x_i| <= radius [L, s]. Plain numbers."""

    radius: Tensor

    def of(self, centres: Tensor) -> Symbol:
        """Of some of the centres."""
        return Symbol(self.radius[centres])


@dataclass(frozen=True)
class Around:
    """Values near L centres.

    Attributes
    ----------
    centre : [L, k]
    parts : list of (Symbol, [s, k] or [L, s, k])
        Each symbol once, with its K.
    """

    centre: Tensor
    parts: tuple[tuple[Symbol, Tensor], ...]

    def of(self, centres: Tensor) -> Around:
        """The values near some of the centres."""
        parts = tuple((symbol.of(centres), K if K.dim() == 2 else K[centres]) for symbol, K in self.parts)
        return Around(self.centre[centres], parts)

    @classmethod
    def ball(cls, centre: Tensor, radius: Tensor) -> Around:
        """All vectors within a distance [L] of centres [L, k]."""
        return cls(centre, ((Symbol(radius), torch.eye(centre.shape[1], dtype=torch.float64, device=centre.device)),))

    def spans(self) -> Tensor:
        """By how much each entry differs from the centre's, at most: [L, k]."""
        total = torch.zeros(1, 1, dtype=torch.float64, device=self.centre.device)
        for symbol, K in self.parts:
            if symbol.radius.dim() == 1:
                total = total + symbol.radius[:, None] * K.square().sum(-2).sqrt()
            elif K.dim() == 2:
                total = total + symbol.radius @ K.abs()
            else:
                total = total + torch.bmm(symbol.radius[:, None], K.abs())[:, 0]
        return total

    def ahead(self, entry: int) -> Around:
        """One entry minus every entry."""
        parts = tuple((symbol, K[..., entry : entry + 1] - K) for symbol, K in self.parts)
        return Around(self.centre[:, entry : entry + 1] - self.centre, parts)

    def distance(self) -> Tensor:
        """How far the value is from the centre, at most: [L]."""
        total = torch.zeros(1, dtype=torch.float64, device=self.centre.device)
        for symbol, K in self.parts:
            length = symbol.radius if symbol.radius.dim() == 1 else symbol.radius.square().sum(1).sqrt()
            total = total + (operator_norm(K) if K.dim() == 2 else K.square().sum((1, 2)).sqrt()) * length
        return total

    def times(self, W: Tensor) -> Around:
        """``value @ W`` for W [k, E]."""
        return Around(self.centre @ W, tuple((symbol, K @ W) for symbol, K in self.parts))

    def scaled(self, c: Tensor) -> Around:
        """``value * c`` for c [k] or [1]."""
        return Around(self.centre * c, tuple((symbol, K * c) for symbol, K in self.parts))

    def plus(self, other: Around) -> Around:
        """The sum of two values, of the same symbols as far as both depend on them."""
        found = dict(self.parts)
        for symbol, K in other.parts:
            found[symbol] = found[symbol] + K if symbol in found else K
        return Around(self.centre + other.centre, tuple(found.items()))


def sigma(x: Around, eps: float) -> tuple[Tensor, Tensor]:
    """Bounds [L] of sigma(z) = sqrt(|z - mean|^2 / k + eps), which changes by |dz| / sqrt(k) at most, and is at least sqrt(eps)."""
    k = x.centre.shape[1]
    middle = x.centre - x.centre.mean(1, keepdim=True)
    at, change = (middle.square().sum(1) / k + eps).sqrt(), x.distance() / k**0.5
    return torch.maximum(at - change, torch.full_like(at, eps).sqrt()), at + change


def normed(x: Around, weight: Tensor | None, bias: Tensor | None, eps: float) -> Around:
    """Layer norm of each value.

    n(z) = P z / sigma(z), P taking the mean off, has the derivative (P - n n^T / k) / sigma(z) with |n|^2 <= k, of norm at most
    1 / sigma(z). All points between the centre and a value are among those that x holds, so that n differs from the centre's by
    at most distance / least sigma: a new ball.
    """
    middle = x.centre - x.centre.mean(1, keepdim=True)
    k = x.centre.shape[1]
    n = middle / (middle.square().sum(1, keepdim=True) / k + eps).sqrt()
    found = Around.ball(n, upper(x.distance() / sigma(x, eps)[0]))
    if weight is not None:
        found = found.scaled(weight)
    return found if bias is None else Around(found.centre + bias, found.parts)


def entrywise(name: str, x: Around, slopes: bool) -> Around:
    """A function f of each entry z, on the interval [lo, hi] of the entry: f's bounds (`range_of`), which are a new box.

    With `slopes`, f(z) = s z + t + a new box, where s is a slope for each entry and centre: then what x depends on is not
    forgotten, but each centre gets a K of its own. Where f is relu and lo < 0 < hi, s is that of the chord: f - s z is 0 at 0, its
    least value, and largest at an end. Other f: s z + t is the chord, from which f is at most max |f''| (hi - lo)^2 / 8 away.
    """
    k = x.centre.shape[1]
    eye = torch.eye(k, dtype=torch.float64, device=x.centre.device)
    span = x.spans()
    lo, hi = lower(x.centre - span), upper(x.centre + span)
    if not slopes:
        least, most = range_of(name, lo, hi)
        middle = lower((least + most) / 2)
        return Around(middle, ((Symbol(upper(torch.maximum(most - middle, middle - least))), eye),))
    width = (hi - lo).clamp(min=1e-100)
    if name == "relu":
        slope = lower(torch.where(lo >= 0, 1.0, torch.where(hi <= 0, 0.0, hi / width)).clamp(0, 1))
        most = torch.where((lo < 0) & (hi > 0), torch.maximum(hi - slope * hi, -slope * lo), torch.zeros_like(lo))
        shift = error = most / 2
    else:
        f = function(name)
        slope = lower((f(hi) - f(lo)) / width)
        ends = f(lo) - slope * lo, f(hi) - slope * hi
        shift = (ends[0] + ends[1]) / 2
        error = (ends[0] - ends[1]).abs() / 2 + CURVATURE[name] / 8 * width.square()
    middle = lower(shift)
    radius = upper(error + (shift - middle).abs())
    parts = tuple((symbol, K * slope[:, None]) for symbol, K in x.parts)
    return Around(x.centre * slope + middle, (*parts, (Symbol(radius), eye)))


def followed(nodes: Iterable[Node], given: dict[Node, Around], constant: Callable[[Node], Tensor], slopes: bool) -> dict[Node, Any]:
    """Values of nodes, in order, each an `Around` or a constant, or what is given; `slopes` as for `entrywise`.

    Raises
    ------
    NotFollowed
        If a node has no rule.
    """
    values: dict[Node, Any] = dict(given)
    [device] = {x.centre.device for x in given.values()}
    for node in nodes:
        if node not in values:
            found = constant(node) if node.op == "get_attr" else _applied(node, values, slopes)
            values[node] = found.to(device) if isinstance(found, Tensor) else found
    return values


def _applied(node: Node, values: dict[Node, Any], slopes: bool) -> Any:
    if node.op != "call_function" or any(x not in values for x in node.all_input_nodes):
        raise NotFollowed(str(node))
    args, kwargs = map_nodes(values.__getitem__, (tuple(node.args), dict(node.kwargs)))
    if not any(isinstance(x, Around) for x in leaves((args, kwargs))):
        return call(node.target, args, kwargs)[0]
    name, size = name_of(node), _size(node)
    x = next((y for y in args if isinstance(y, Around)), None)
    if x is None:
        raise NotFollowed(name)
    if name == "native_layer_norm" and args[0] is x and args[1] == [x.centre.shape[1]]:
        return normed(x, args[2], args[3], float(args[4]))
    if name == "getitem" and args[1] == 0:
        return x
    if name in ALIKE and size == x.centre.shape[1] and args[0] is x:
        return x
    if has_lines(name, kwargs) and name != "square" and len(args) == 1:
        return entrywise(name, x, slopes)
    if kwargs or size is None:
        raise NotFollowed(name)
    if name in ("mm", "bmm") and args[0] is x and isinstance(args[1], Tensor) and size * x.centre.shape[1] == args[1].numel():
        return x.times(args[1].reshape(x.centre.shape[1], size))
    if name == "addmm" and args[1] is x and isinstance(args[2], Tensor) and size * x.centre.shape[1] == args[2].numel():
        return _sum(x.times(args[2].reshape(x.centre.shape[1], size)), args[0])
    if name == "add" and len(args) == 2 and size == x.centre.shape[1]:
        return _sum(x, args[1] if args[0] is x else args[0])
    if name == "mul" and len(args) == 2 and size == x.centre.shape[1]:
        return x.scaled(_vector(args[1] if args[0] is x else args[0], size))
    raise NotFollowed(name)


def _sum(x: Around, other: Any) -> Around:
    if isinstance(other, Around):
        if other.centre.shape[1] != x.centre.shape[1]:
            raise NotFollowed("add")
        return x.plus(other)
    return Around(x.centre + _vector(other, x.centre.shape[1]), x.parts)


def _vector(c: Any, size: int) -> Tensor:
    if isinstance(c, Tensor) and c.numel() in (1, size):
        return c.reshape(-1)
    raise NotFollowed("a constant")


def _size(node: Node) -> int | None:
    value = node.meta.get("val")
    return value.numel() if isinstance(value, Tensor) else None
