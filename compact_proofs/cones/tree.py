"""A tree of cuts as integers: what an explanation of a proof over cones holds, and the order in which it is read.

Nodes are read in blocks: up to `BLOCK` of them at a time from the end of a stack, on which the children of a block are put
together, first those that keep ray a, then those that keep ray b. The i-th code is about the i-th node that is read; nodes for
which there is no code are dropped.

A code is ``kind + 4 (a + n (b + n (k - 1)))`` with one of four kinds:

DROP     nothing is claimed about the cone
CHECK    the network is run on the cone, and if it is right there, the cone's measure counts
CUT      the cone is cut along the edge from ray a to ray b in the ratio k : 2^52 - k
REFINE   the network is run on the cone, as for CHECK, and then the cone is cut, because its parts' measures are known better

Below a node that was checked nothing is checked again: CUT and REFINE cut, and the other kinds end it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from compact_proofs.cones.cone import PARTS

DROP, CHECK, CUT, REFINE = range(4)
BLOCK = 2**12
"""Nodes read at once."""


def largest_code(n: int) -> int:
    """The largest code for cones of R^n, below 2^63 for n <= 22."""
    return 4 * n * n * (PARTS - 1) - 1


def encode(kind: Tensor, first: Tensor, second: Tensor, part: Tensor, n: int) -> Tensor:
    """Codes int64 [B] of nodes; arguments int64 [B], `part` from 1 to `PARTS` - 1."""
    return kind + 4 * (first + n * (second + n * (part - 1)))


@dataclass(frozen=True)
class Node:
    """What codes say of B nodes.

    Attributes
    ----------
    checked, ended, divided : int64
        The numbers of the nodes that are checked, of those that end a branch that was checked, and of those that are cut.
    first, second, part : int64
        For those that are cut, the edge and the ratio.
    """

    checked: Tensor
    ended: Tensor
    divided: Tensor
    first: Tensor
    second: Tensor
    part: Tensor


def decode(codes: Tensor, inside: Tensor, n: int) -> Node:
    """Read codes int64 [B] of nodes, of which some lie `inside` (bool [B]) a cone that was checked.

    A cut along an edge from a ray to itself is none, and the node ends. Cost: about 12 integer operations a node.
    """
    kind, rest = codes % 4, codes // 4
    first, second, part = rest % n, rest // n % n, rest // (n * n) + 1
    cuts = (kind >= CUT) & (first != second)
    checks = ((kind == CHECK) | (kind == REFINE)) & ~inside
    ends = (inside | checks) & ~cuts
    at = cuts.nonzero()[:, 0]
    return Node(checks.nonzero()[:, 0], ends.nonzero()[:, 0], at, first[at], second[at], part[at])


class Stack:
    """A stack of rows of several tensors with one row for each node, read in blocks from its end."""

    def __init__(self, *columns: Tensor) -> None:
        self._parts: list[Sequence[Tensor]] = []
        self.push(*columns)

    def __bool__(self) -> bool:
        return bool(self._parts)

    def push(self, *columns: Tensor) -> None:
        """Put rows on top, the last row uppermost."""
        if len(columns[0]):
            self._parts.append(columns)

    def pop(self, block: int = BLOCK) -> tuple[Tensor, ...]:
        """Take the last rows, at most so many, in their order."""
        taken: list[Sequence[Tensor]] = []
        while block and self._parts:
            top = self._parts.pop()
            cut = max(len(top[0]) - block, 0)
            if cut:
                self._parts.append([column[:cut] for column in top])
            taken.append([column[cut:] for column in top])
            block -= len(taken[-1][0])
        return tuple(torch.cat(column) if len(column) > 1 else column[0] for column in zip(*reversed(taken), strict=True))
