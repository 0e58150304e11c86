"""Finite groups as Cayley tables: made from a name, permutations or a table, and checked when they are made."""

from __future__ import annotations

import functools
import hashlib
import itertools
import math
import re
from collections.abc import Iterable, Sequence
from functools import cached_property

import torch
from torch import Tensor

from compact_proofs.errors import BadInput
from compact_proofs.files.untrusted import parse_json

LARGEST = 1024
"""Largest order of a group; a Cayley table has its square of entries."""


class Group:
    """A finite group whose elements are 0 ... n - 1.

    Equal groups have equal tables: two numberings of one abstract group are different groups here.

    Parameters
    ----------
    table : int Tensor [n, n] or nested sequence
        ``table[x][y]`` is the product x y.

    Attributes
    ----------
    table : int64 Tensor [n, n]
        The Cayley table.
    identity : int
        The neutral element.
    inverse : int64 Tensor [n]
        ``inverse[x]`` is x^-1.
    generators : tuple of int
        Few elements that generate the group (none for the trivial group).

    Raises
    ------
    BadInput
        If the table is not that of a group; the message names the axiom that fails, with an example.
    """

    def __init__(self, table: Tensor | Sequence[Sequence[int]]) -> None:
        self.table = _square(table)
        self.identity = _identity(self.table)
        self.inverse = _inverses(self.table, self.identity)
        self.generators = _generators(self.table, self.identity)
        _check_associative(self.table, self.generators)

    @property
    def order(self) -> int:
        """n, the number of elements."""
        return len(self.table)

    @property
    def checks(self) -> int:
        """Integer operations in which a table is checked, given generators s_1 ... s_k that a search found.

        n^2 comparisons find the identity and another n^2 the inverses; at most k n products find that the generators
        reach everything; associativity takes 3 k n^2 (two products and a comparison for each x, y and s).
        """
        n, k = self.order, len(self.generators)
        return 2 * n * n + k * n + 3 * k * n * n

    @cached_property
    def fingerprint(self) -> int:
        """The first 48 bits of the SHA-256 of the table, which tell groups apart in certificates."""
        text = f"{self.order}:" + ",".join(map(str, self.table.flatten().tolist()))
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6], "big")

    @cached_property
    def orders(self) -> Tensor:
        """int64 [n]: the order of every element."""
        power, order = torch.arange(self.order), torch.ones(self.order, dtype=torch.int64)
        while bool((unfinished := power != self.identity).any()):
            order += unfinished
            power = torch.where(unfinished, self.table[power, torch.arange(self.order)], power)
        return order

    @property
    def abelian(self) -> bool:
        """Whether x y = y x for all x and y."""
        return torch.equal(self.table, self.table.T)

    def closure(self, elements: Iterable[int]) -> Tensor:
        """bool [n]: the subgroup that `elements` generate."""
        return _closure(self.table, self.identity, tuple(elements))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Group) and torch.equal(self.table, other.table)

    def __hash__(self) -> int:
        return hash(self.fingerprint)

    def __repr__(self) -> str:
        return f"Group(order={self.order}, fingerprint={self.fingerprint:012x})"


def group_of(table: Tensor) -> Group:
    """The group of a table, checked once and remembered."""
    return _remembered(len(table), table.to(torch.int64).contiguous().numpy().tobytes())


@functools.lru_cache(maxsize=64)
def _remembered(n: int, data: bytes) -> Group:
    return Group(torch.frombuffer(bytearray(data), dtype=torch.int64).reshape(n, -1) if n else torch.zeros(0, 0))


def symmetric(degree: int) -> Group:
    """S_n: all permutations of n points in lexicographic order; (p q)(i) = p(q(i))."""
    return _of_permutations(list(itertools.permutations(range(degree))))


def alternating(degree: int) -> Group:
    """A_n: the even permutations of n points in lexicographic order."""
    return _of_permutations([p for p in itertools.permutations(range(degree)) if not _odd(p)])


def cyclic(n: int) -> Group:
    """C_n: addition modulo n."""
    x = torch.arange(n)
    return Group((x[:, None] + x) % n)


def dihedral(n: int) -> Group:
    """D_n: the 2n symmetries of an n-gon; element i < n is the rotation r^i, element n + i is r^i s, and s r = r^-1 s."""
    x = torch.arange(2 * n)
    turn, flip = x % n, x // n
    product = (turn[:, None] + torch.where(flip[:, None] == 1, -turn, turn)) % n
    return Group(product + n * ((flip[:, None] + flip) % 2))


def direct_product(a: Group, b: Group) -> Group:
    """G x H: element (g, h) is number g |H| + h."""
    m = b.order
    return Group((a.table[:, None, :, None] * m + b.table[None, :, None, :]).reshape(a.order * m, -1))


def from_permutations(generators: Sequence[Sequence[int]]) -> Group:
    """The group that permutations generate, each a list of the images of 0 ... d - 1; elements in lexicographic order.

    Raises
    ------
    BadInput
        If a generator is not a permutation, or the group is larger than `LARGEST`.
    """
    if not generators:
        raise BadInput("a group of permutations needs at least one generator, such as [1, 0, 2]")
    images = [tuple(g) for g in generators]
    for g in images:
        if sorted(g) != list(range(len(images[0]))):
            raise BadInput(f"{list(g)} is not a permutation of 0 ... {len(images[0]) - 1}")
    start = tuple(range(len(images[0])))
    reached, new = {start}, [start]
    while new:
        products = {tuple(p[i] for i in g) for p in new for g in images} - reached
        reached |= products
        new = list(products)
        if len(reached) > LARGEST:
            raise BadInput(f"these permutations generate more than {LARGEST} elements, the largest group that is supported")
    return _of_permutations(sorted(reached))


_MAKERS = {
    "S": (symmetric, 6),
    "A": (alternating, 6),
    "C": (cyclic, LARGEST),
    "Z": (cyclic, LARGEST),
    "D": (dihedral, LARGEST // 2),
}


@functools.lru_cache(maxsize=64)
def group_named(name: str) -> Group:
    """Make a group from a name: S4, A5, C12 (or Z12), D8 (order 16), and products such as C2xS3; or from permutations that
    generate it, as text: "[[1, 2, 0], [1, 0, 2]]" is S3.

    Raises
    ------
    BadInput
        If the name is not understood or the group is too large.
    """
    if name.lstrip().startswith("["):
        return from_permutations(_permutations(name))
    factors = []
    for part in name.split("x"):
        match = re.fullmatch(r"([SACZD])([1-9]\d{0,3})", part)
        if match is None:
            raise BadInput(
                f"the group {name!r} is unknown; name S4, A5, C12, D8 (of order 16), a product such as C2xS3, or permutations that "
                "generate it, such as [[1, 2, 0], [1, 0, 2]]"
            )
        maker, largest = _MAKERS[match[1]]
        if int(match[2]) > largest:
            raise BadInput(f"the group {part} is too large: {match[1]}{largest} is the largest of its kind here")
        factors.append(maker(int(match[2])))
    if math.prod(f.order for f in factors) > LARGEST:
        raise BadInput(f"the group {name} has more than {LARGEST} elements, the largest order that is supported")
    return functools.reduce(direct_product, factors)


def _permutations(text: str) -> list[list[int]]:
    """Lists of integers from JSON."""
    try:
        read = parse_json(text)
    except ValueError as e:
        raise BadInput(f"the group {text!r} should be permutations, such as [[1, 2, 0], [1, 0, 2]], but {e}") from None
    if not all(isinstance(p, list) and all(type(i) is int for i in p) for p in read):
        raise BadInput(
            f"the group {text!r} should be permutations, each a list of the images of 0 ... d - 1: [[1, 2, 0], [1, 0, 2]]"
        )
    return read


def _of_permutations(elements: list[tuple[int, ...]]) -> Group:
    number = {p: i for i, p in enumerate(elements)}
    return Group([[number[tuple(p[i] for i in q)] for q in elements] for p in elements])


def _odd(p: Sequence[int]) -> bool:
    return sum(p[i] > p[j] for i, j in itertools.combinations(range(len(p)), 2)) % 2 == 1


def _square(table: Tensor | Sequence[Sequence[int]]) -> Tensor:
    """The table as int64 [n, n] with entries 0 ... n - 1."""
    try:
        t = torch.as_tensor(table)
    except (TypeError, ValueError) as e:
        raise BadInput(f"a Cayley table is a square of integers: {e}") from None
    if t.dim() != 2 or t.shape[0] != t.shape[1] or not len(t):
        raise BadInput(f"a Cayley table is a square of integers, not of shape {list(t.shape)}")
    if t.is_floating_point() or t.is_complex() or t.dtype == torch.bool:
        raise BadInput(f"a Cayley table holds integers, not {t.dtype}")
    if len(t) > LARGEST:
        raise BadInput(f"a group of order {len(t)} is too large; up to {LARGEST} is supported")
    t = t.to(torch.int64).clone()
    outside = ((t < 0) | (t >= len(t))).nonzero()
    if len(outside):
        x, y = outside[0].tolist()
        raise BadInput(f"closure fails: the product {x} * {y} is {int(t[x, y])}, which is not an element 0 ... {len(t) - 1}")
    return t


def _identity(t: Tensor) -> int:
    x = torch.arange(len(t))
    both = ((t == x).all(1) & (x == t.T).all(1)).nonzero().flatten()
    if len(both):
        return int(both[0])
    left = (t == x).all(1).nonzero().flatten()
    if len(left):
        e = int(left[0])
        y = int((t[:, e] != x).nonzero()[0])
        raise BadInput(f"identity fails: {e} * x = x for every x, but {y} * {e} = {int(t[y, e])}")
    y = int((t[0] != x).nonzero()[0])
    raise BadInput(f"identity fails: no element e has e * x = x for every x (for instance 0 * {y} = {int(t[0, y])})")


def _inverses(t: Tensor, e: int) -> Tensor:
    right = t == e
    lonely = (~right.any(1)).nonzero()
    if len(lonely):
        raise BadInput(f"inverses fail: no x has {int(lonely[0])} * x = {e}, the identity")
    inverse = right.to(torch.int64).argmax(1)
    wrong = (t[inverse, torch.arange(len(t))] != e).nonzero()
    if len(wrong):
        x = int(wrong[0])
        y = int(inverse[x])
        raise BadInput(f"inverses fail: {x} * {y} = {e}, the identity, but {y} * {x} = {int(t[y, x])}")
    return inverse


def _closure(t: Tensor, e: int, elements: tuple[int, ...]) -> Tensor:
    """bool [n]: what is reached from e by multiplying with `elements` from the right."""
    reached = torch.zeros(len(t), dtype=torch.bool)
    reached[e] = True
    steps = torch.tensor(elements, dtype=torch.int64)
    new = torch.tensor([e])
    while len(new) and len(elements):
        products = torch.zeros_like(reached)
        products[t[new[:, None], steps].flatten()] = True
        new = (products & ~reached).nonzero().flatten()
        reached |= products
    return reached


def _generators(t: Tensor, e: int) -> tuple[int, ...]:
    """Add the element that enlarges the closure most until everything is reached."""
    found: tuple[int, ...] = ()
    reached = _closure(t, e, found)
    while not bool(reached.all()):
        outside = (~reached).nonzero().flatten().tolist()
        best = max(outside[:: max(1, len(outside) // 128)], key=lambda x: int(_closure(t, e, (*found, x)).sum()))
        found = (*found, best)
        reached = _closure(t, e, found)
    return found


def _check_associative(t: Tensor, generators: Sequence[int]) -> None:
    """Light's test: (x s) y = x (s y) for every x, y and generator s.

    If s and s' pass, so does s s': (x (s s')) y = ((x s) s') y = (x s) (s' y) = x (s (s' y)) = x ((s s') y). So all that is reached
    from the identity by multiplying with generators passes, which is everything.
    """
    for s in generators:
        wrong = (t[t[:, s]] != t[:, t[s]]).nonzero()
        if len(wrong):
            x, y = wrong[0].tolist()
            left, right = int(t[t[x, s], y]), int(t[x, t[s, y]])
            raise BadInput(f"associativity fails: ({x} * {s}) * {y} = {left}, but {x} * ({s} * {y}) = {right}")
