"""The split tree: how an explanation divides boxes that are trusted into smaller ones, disjoint whatever it says.

A tree is a list of nodes in preorder, one tree for each root box, one after the other. A node cuts the box that it stands for at
one position into the tokens of its set and the others, and its two subtrees follow, the set's first; or it is a leaf, which says
what is done with the box. Two halves of a cut are disjoint and make up the box, so the leaves of any tree are disjoint and lie in
the roots: nothing else is believed of an explanation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor

from compact_proofs.core.strategy import Spec
from compact_proofs.length import charge_integers
from compact_proofs.sequences.boxes import Boxes

DROP, PROVE, LIST, REST = -1, -2, -3, -4
"""Leaves: nothing is claimed of the box; it is bounded as a whole; its inputs are evaluated one by one; it is bounded, and inputs
that this does not prove are evaluated.
"""

WORD = 32
"""Tokens to a number: a set of tokens is written as ceil(v / 32) numbers, bit t % 32 of number t // 32 for token t."""


@dataclass(frozen=True)
class Cut:
    """An inner node: at `position`, the tokens of `tokens` (bool [v]) go to `inside`, the others to `outside`."""

    position: int
    tokens: Tensor
    inside: Tree
    outside: Tree


Tree: TypeAlias = "Cut | int"
"""A cut, or a leaf: DROP, PROVE, LIST or REST."""


@dataclass(frozen=True)
class Leaves:
    """The boxes that are not empty at the leaves of trees, in preorder.

    Attributes
    ----------
    boxes
        The boxes, under the labels of their roots.
    root : int64 [L]
        Which root each is part of.
    kind : int64 [L]
        DROP, PROVE, LIST or REST.
    """

    boxes: Boxes
    root: Tensor
    kind: Tensor

    def of_kind(self, *kinds: int) -> Boxes:
        """The boxes of some kinds of leaf."""
        return self.boxes[torch.from_numpy(np.isin(self.kind.numpy(), kinds))]

    @property
    def rest(self) -> Tensor:
        """Of the boxes that are bounded, kinds PROVE and REST: which are of kind REST, bool."""
        kind = self.kind.numpy()
        return torch.from_numpy((kind == REST)[(kind == REST) | (kind == PROVE)])


def words(v: int) -> int:
    """How many numbers a set of v tokens is written as."""
    return -(-v // WORD)


def spec(n: int, v: int, largest: int) -> Spec:
    """What the nodes of an explanation must look like: at most `largest` of them, int64 [M, 1 + ceil(v / 32)].

    The first column is a position or a kind of leaf; the others are words, which must fit 32 bits.
    """
    return Spec((largest, 1 + words(v)), (REST, max(n - 1, 2**WORD - 1)), fewer=True)


def encode(trees: list[Tree], v: int) -> Tensor:
    """Write trees, one for each root, as nodes int64 [M, 1 + ceil(v / 32)] in preorder."""
    nodes: list[list[int]] = []
    waiting = list(reversed(trees))
    while waiting:
        tree = waiting.pop()
        if isinstance(tree, int):
            nodes.append([tree] + [0] * words(v))
            continue
        bits = sum(1 << t for t in tree.tokens.nonzero()[:, 0].tolist())
        nodes.append([tree.position, *(bits >> WORD * k & 2**WORD - 1 for k in range(words(v)))])
        waiting += [tree.outside, tree.inside]
    return torch.tensor(nodes, dtype=torch.int64).reshape(-1, 1 + words(v))


def decode(number: int, nodes: Tensor, n: int, v: int) -> list[Tree]:
    """Read the trees of `number` roots; what is malformed is read as by `expand`."""
    heads, sets = _read(nodes, v)
    at = 0

    def read() -> Tree:
        nonlocal at
        head = heads[at] if at < len(heads) else DROP
        at += 1
        if not 0 <= head < n:
            return _kind(head)
        return Cut(head, torch.from_numpy(sets[at - 1]), read(), read())

    return [read() for _ in range(number)]


def expand(roots: Boxes, nodes: Tensor) -> Leaves:
    """Return the leaves of the trees in which `nodes` divide the roots.

    Parameters
    ----------
    roots
        Disjoint boxes, trusted.
    nodes : int64 [M, 1 + ceil(v / 32)]
        Untrusted. What is malformed only loses boxes: where the nodes end too early, the rest is dropped; nodes left over are not
        read; a position that does not exist drops the box; an unknown kind of leaf is DROP.

    Returns
    -------
    Leaves
        Disjoint parts of the roots: by induction, since the halves of a cut, mask & set and mask & ~set, are disjoint parts of the
        box that is cut.

    Notes
    -----
    Cost: 2 v integer operations for each cut.
    """
    n, v = roots.n_ctx, roots.d_vocab
    heads, sets = _read(nodes, v)
    masks, kinds, owners = [], [], []
    at = cuts = 0
    for root, mask in enumerate(roots.masks.cpu().numpy()):
        waiting = [mask]
        while waiting:
            box = waiting.pop()
            head = heads[at] if at < len(heads) else DROP
            at += 1
            if 0 <= head < n:
                cuts += 1
                inside, outside = box.copy(), box.copy()
                inside[head] &= sets[at - 1]
                outside[head] &= ~sets[at - 1]
                waiting += [outside, inside]
            elif box.any(1).all():
                masks.append(box)
                kinds.append(_kind(head))
                owners.append(root)
    charge_integers(2 * v * cuts)
    owner = torch.from_numpy(np.array(owners, dtype=np.int64))
    stacked = torch.from_numpy(np.stack(masks) if masks else np.zeros((0, n, v), dtype=bool))
    return Leaves(Boxes(stacked, roots.labels[owner]), owner, torch.from_numpy(np.array(kinds, dtype=np.int64)))


def _read(nodes: Tensor, v: int) -> tuple[list[int], np.ndarray]:
    """The first column of nodes, and the sets of tokens that their words say: bool [M, v]."""
    numbers, token = nodes.cpu().numpy(), np.arange(v)
    return numbers[:, 0].tolist(), (numbers[:, 1 + token // WORD] >> token % WORD & 1).astype(bool)


def _kind(head: int) -> int:
    """The kind of a leaf; what is no kind is DROP."""
    return head if head in (PROVE, LIST, REST) else DROP
