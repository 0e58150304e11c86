"""The language of networks in Coq (``formal/Network.v``): indices, scalars, definitions."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeAlias

import torch
from torch import Tensor


@dataclass(frozen=True)
class Index:
    """A place of a tensor, by its constructor in Coq and what that is applied to; made by the functions below."""

    head: str
    args: tuple[Index | int, ...]

    def mentions(self, axis: int) -> bool:
        """Does it depend on an axis?"""
        if self.head == "Axis":
            return self.args[0] == axis
        return any(isinstance(a, Index) and a.mentions(axis) for a in self.args)

    def reads_tokens(self) -> bool:
        """Does it depend on the input?"""
        return self.head == "Token" or any(isinstance(a, Index) and a.reads_tokens() for a in self.args)


def axis(i: int) -> Index:
    """Place number i of the entry that is defined; further ones are variables of sums."""
    return Index("Axis", (i,))


def fixed(n: int) -> Index:
    """A number."""
    return Index("Fixed", (n,))


def token(i: Index) -> Index:
    """Token number i of the input."""
    return Index("Token", (i,))


def shifted(a: Index, b: Index) -> Index:
    """a + b."""
    if a == fixed(0):
        return b
    if b == fixed(0):
        return a
    return fixed(_number(a) + _number(b)) if a.head == b.head == "Fixed" else Index("Shifted", (a, b))


def scaled(a: Index, n: int) -> Index:
    """a n."""
    if n == 1:
        return a
    return fixed(_number(a) * n) if a.head == "Fixed" else Index("Scaled", (a, n))


def quotient(a: Index, n: int) -> Index:
    """a / n, rounded down."""
    if n == 1:
        return a
    return fixed(_number(a) // n) if a.head == "Fixed" else Index("Quotient", (a, n))


def remainder(a: Index, n: int) -> Index:
    """a modulo n."""
    if n == 1:
        return fixed(0)
    return fixed(_number(a) % n) if a.head == "Fixed" else Index("Remainder", (a, n))


def _number(a: Index) -> int:
    assert isinstance(a.args[0], int)
    return a.args[0]


Argument: TypeAlias = "Scalar | int | tuple[Index, ...]"


@dataclass(frozen=True)
class Scalar:
    """A real number, by its constructor in Coq and what that is applied to; made by the functions below."""

    head: str
    args: tuple[Argument, ...]

    def parts(self) -> Iterator[Scalar]:
        """The scalars that it is made of."""
        return (a for a in self.args if isinstance(a, Scalar))

    def reads(self) -> set[int]:
        """Numbers of the tensors that it reads."""
        own = {a for a in self.args[:1] if self.head == "Read" and isinstance(a, int)}
        return own.union(*(a.reads() for a in self.parts()))

    def reads_tokens(self) -> bool:
        """Does it read the input (not through another tensor)?"""
        places = self.args[1] if self.head == "Read" else ()
        return any(i.reads_tokens() for i in places) or any(a.reads_tokens() for a in self.parts())  # type: ignore[union-attr]

    def only_moves(self) -> bool:
        """Is it an entry of a tensor, or a number?"""
        return self.head in ("Read", "Number")


def read(tensor: int, places: list[Index]) -> Scalar:
    """An entry of a tensor."""
    return Scalar("Read", (tensor, tuple(places)))


def number(x: float | Fraction) -> Scalar:
    """The number that a float is, exactly."""
    f = Fraction(x)
    return Scalar("Number", (f.numerator, f.denominator))


ZERO, ONE = number(0), number(1)
PI = Scalar("Pi", ())


def total(n: int, body: Scalar) -> Scalar:
    """Sum of `body` over the next axis, 0 to n - 1."""
    if body == ZERO:
        return ZERO
    return Scalar("Sum", (n, body))


def plus(a: Scalar, b: Scalar) -> Scalar:
    """a + b."""
    if a == ZERO:
        return b
    return a if b == ZERO else Scalar("Plus", (a, b))


def minus(a: Scalar, b: Scalar) -> Scalar:
    """a - b."""
    return a if b == ZERO else Scalar("Minus", (a, b))


def times(a: Scalar, b: Scalar) -> Scalar:
    """a b."""
    if ZERO in (a, b):
        return ZERO
    if a == ONE:
        return b
    return a if b == ONE else Scalar("Times", (a, b))


def over(a: Scalar, b: Scalar) -> Scalar:
    """a / b."""
    return a if b == ONE else Scalar("Over", (a, b))


def relu(a: Scalar) -> Scalar:
    """The larger of 0 and a."""
    return Scalar("Relu", (a,))


def exp(a: Scalar) -> Scalar:
    """e to the power a."""
    return Scalar("Exp", (a,))


def sqrt(a: Scalar) -> Scalar:
    """The square root of a."""
    return Scalar("Sqrt", (a,))


def erf(a: Scalar) -> Scalar:
    """The error function of a."""
    return Scalar("Erf", (a,))


@dataclass(frozen=True)
class Weight:
    """A constant tensor, at its own precision."""

    name: str
    value: Tensor

    @property
    def shape(self) -> tuple[int, ...]:
        """Its dimensions."""
        return tuple(self.value.shape)


@dataclass(frozen=True)
class Definition:
    """A tensor whose entry at a place is `body`."""

    name: str
    shape: tuple[int, ...]
    body: Scalar


@dataclass(frozen=True)
class Network:
    """A network as Coq gets it: weights, then definitions, numbered in this order; the last holds the logits.

    Attributes
    ----------
    weights, definitions
        Tensors in order. The first `constants` definitions do not depend on the input.
    context
        Number of tokens of an input.
    sha256
        Of the program that it was made from (`compact_proofs.program.Program.sha256`).
    """

    weights: tuple[Weight, ...]
    definitions: tuple[Definition, ...]
    constants: int
    context: int
    sha256: str

    @property
    def outputs(self) -> int:
        """Number of logits."""
        return self.definitions[-1].shape[0]

    def work(self, *, once: bool = False) -> Work:
        """What the evaluation of one input takes; or, `once`, that of the definitions that do not depend on the input."""
        found = Work(0, 0, 0)
        for d in self.definitions[: self.constants] if once else self.definitions[self.constants :]:
            found += Work.of(d.body, len(d.shape)) * math.prod(d.shape)
        return found

    def row_products(self) -> int:
        """Terms of inner products, of those of `work`, that are of a row times a matrix: Coq makes these several times faster.

        Definitions with one axis have them, where the matrix does not depend on the input (``formal/RowEvaluator.v``).
        """
        known = len(self.weights) + self.constants
        rows = [d for d in self.definitions[self.constants :] if len(d.shape) == 1]
        return sum(d.shape[0] * _terms_of_rows(d.body, known) for d in rows)


ERF = 4
"""Exponentials in whose time Coq computes an error function."""


@dataclass(frozen=True)
class Work:
    """Operations by how long Coq takes: terms of inner products, other operations, exponentials."""

    products: int
    others: int
    exponentials: int
    """Error functions count as `ERF` of them each."""

    def __add__(self, other: Work) -> Work:
        return Work(self.products + other.products, self.others + other.others, self.exponentials + other.exponentials)

    def __mul__(self, n: int) -> Work:
        return Work(self.products * n, self.others * n, self.exponentials * n)

    @property
    def multiply_adds(self) -> int:
        """Additions, multiplications and the like."""
        return self.products + self.others

    @classmethod
    def of(cls, e: Scalar, depth: int) -> Work:
        """Of a scalar, at a depth of axes."""
        if e.head == "Sum":
            n, body = e.args
            assert isinstance(n, int)
            assert isinstance(body, Scalar)
            if body.head == "Times" and all(f.head == "Read" and is_straight(f, depth) for f in body.parts()):
                return cls(n, 1, 0)
            return cls.of(body, depth + 1) * n + cls(0, n, 0)
        own = cls(0, 1, {"Exp": 1, "Erf": ERF}.get(e.head, 0))
        for part in e.parts():
            own += cls.of(part, depth)
        return own


def is_straight(e: Scalar, variable: int) -> bool:
    """Is every place of this reading the axis, or independent of it? Then Coq reads along a stride."""
    return all(i == axis(variable) or not i.mentions(variable) for i in e.args[1])  # type: ignore[union-attr]


def _terms_of_rows(e: Scalar, known: int) -> int:
    """Terms of sums over axis 1 of an entry that axis 0 does not choose times one of a tensor below number `known`."""
    if e.head != "Sum":
        return sum(_terms_of_rows(part, known) for part in e.parts())
    n, body = e.args
    assert isinstance(n, int)
    assert isinstance(body, Scalar)
    if body.head != "Times" or any(f.head != "Read" for f in body.parts()):
        return 0
    entry, matrix = body.parts()
    is_row = is_straight(entry, 1) and not any(i.mentions(0) for i in entry.args[1])  # type: ignore[union-attr]
    return n if is_row and max(matrix.reads()) < known and not matrix.reads_tokens() else 0


def divides(e: Scalar) -> bool:
    """Is a place of this reading made of quotients or remainders?"""

    def index(i: Index) -> bool:
        return i.head in ("Quotient", "Remainder") or any(index(a) for a in i.args if isinstance(a, Index))

    return any(index(i) for i in e.args[1])  # type: ignore[union-attr]


def exact_numbers(value: Tensor) -> list[Fraction]:
    """The entries of a real tensor, rows one after the other."""
    return [Fraction(x) for x in value.detach().to(torch.float64).flatten().tolist()]
