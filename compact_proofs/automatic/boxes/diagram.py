"""Boxes of constant label from decision diagrams: disjoint and exact by construction, for any label function.

A *decision diagram* reads a sequence token by token, the last one (the query) first, then the others from the left; sequences that
cannot be told apart by what follows share a node. For one label y, the diagram of the question "is the label y?" has paths to the
answer yes, on each of which every position may take any token of a set: a box. The query is read one value at a time, since
proofs fix it; elsewhere tokens that lead to the same node share an edge.

It rediscovers what people find by hand: for the maximum of n tokens, the boxes are (query, position of the first maximum, maximum).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from compact_proofs.errors import BadInput
from compact_proofs.length import charge_integers
from compact_proofs.sequences.boxes import Boxes

NOT_VALID = -2
"""In place of a label: the sequence does not belong to the task."""
MOST_BOXES = 2**18
"""Boxes of one label, at most."""


@dataclass(frozen=True)
class Diagram:
    """A minimal decision diagram of the labels of all v^n sequences.

    Attributes
    ----------
    levels : list of int64 array [nodes, v]
        For each token read, in the order n - 1, 0, 1, ..., n - 2: the node of the next level that each token leads to from each
        node. The first level has one node.
    labels : int64 array [nodes]
        The labels of the nodes after the last token, each another one; `NOT_VALID` for sequences outside the task.
    """

    levels: list[np.ndarray]
    labels: np.ndarray

    @property
    def nodes(self) -> int:
        """Number of nodes, the labels included."""
        return sum(len(level) for level in self.levels) + len(self.labels)


def from_labels(labels: Callable[[Tensor], Tensor], n: int, v: int) -> Diagram:
    """Make the diagram by labelling every sequence.

    Parameters
    ----------
    labels
        From sequences int64 [N, n] to int64 [N]: labels, or `NOT_VALID`.

    Notes
    -----
    Cost: that of the labels, and one integer operation for each of about v^n v / (v - 1) entries that are compared with known rows.
    """
    found = []
    for query in range(v):  # v^(n-1) sequences at a time
        tokens = [*[torch.arange(v)] * (n - 1), torch.tensor([query])]
        inputs = torch.stack([x.reshape(-1) for x in torch.meshgrid(*tokens, indexing="ij")], -1)
        found.append(labels(inputs).cpu().numpy())
    values, at = np.unique(np.concatenate(found), return_inverse=True)
    return _minimal_tree(at.reshape(-1), values.astype(np.int64), n, v)


def _minimal_tree(at: np.ndarray, values: np.ndarray, n: int, v: int) -> Diagram:
    """Merge equal subtrees of the complete tree of depth n, whose leaves (v^n of them) are numbers of `values`."""
    levels: list[np.ndarray] = []
    charge_integers(len(at))
    for _ in range(n):
        rows, at = _distinct(at.reshape(-1, v))
        levels.insert(0, rows)
    return Diagram(levels, values)


def from_automaton(step: Tensor, start: int, labels: Tensor, n: int) -> Diagram:
    """Make the diagram of an automaton that reads from left to right (states Q, tokens v: `step` int64 [Q, v]).

    Once the last token q is known, a state s before it stands for the label of ``step[s, q]``; the nodes that follow are pairs
    (q, s), merged from the end where no token tells them apart.

    Notes
    -----
    Cost: n v^2 |Q| integer operations.
    """
    delta, named = step.cpu().numpy(), labels.cpu().numpy()
    Q, v = delta.shape
    values, of_state = np.unique(named, return_inverse=True)
    node = of_state.reshape(-1)[delta].T.reshape(-1)  # of the pairs (q, s), number q Q + s, after all other tokens are read
    base = np.arange(v)[:, None, None] * Q
    levels: list[np.ndarray] = []
    for _ in range(n - 1):
        rows, node = _distinct(node[(base + delta).reshape(v * Q, v)])
        levels.insert(0, rows)
    root = node[np.arange(v) * Q + start][None]
    return _reachable(Diagram([root, *levels], values.astype(np.int64)))


def _reachable(diagram: Diagram) -> Diagram:
    """Leave out the nodes to which no sequence leads."""
    levels, kept = [], np.zeros(1, dtype=np.int64)
    for level in diagram.levels:
        rows = level[kept]
        kept, renumbered = np.unique(rows, return_inverse=True)
        levels.append(renumbered.reshape(rows.shape))
    return Diagram(levels, diagram.labels[kept])


def _distinct(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The distinct rows of a matrix, in the order of their first appearance, and where each row is among them."""
    charge_integers(rows.size)
    rows = np.ascontiguousarray(rows)
    number: dict[bytes, int] = {}
    at = np.fromiter((number.setdefault(row.tobytes(), len(number)) for row in rows), dtype=np.int64, count=len(rows))
    return rows[np.unique(at, return_index=True)[1]], at


def boxes(diagram: Diagram) -> Boxes:
    """Return disjoint boxes of constant label that cover all sequences of the task.

    Raises
    ------
    BadInput
        If some label has more than 2^18 boxes.

    Notes
    -----
    A path is determined by the sequence that it reads, so paths of one diagram are disjoint, and so are those of diagrams of
    different labels. Cost: the entries of the diagram for each label; writing a box down moves data, which is free.
    """
    found = [Boxes(masks, torch.full((len(masks),), int(label))) for label, masks in _by_label(diagram)]
    n, v = len(diagram.levels), diagram.levels[0].shape[1]
    if not found:
        return Boxes(torch.zeros(0, n, v, dtype=torch.bool), torch.zeros(0, dtype=torch.int64))
    return Boxes.cat(found)


def _by_label(diagram: Diagram) -> Iterator[tuple[int, Tensor]]:
    for label in diagram.labels:
        if label == NOT_VALID:
            continue
        masks = _paths(diagram, label)
        in_order = np.concatenate([masks[:, 1:], masks[:, :1]], 1)
        yield int(label), torch.from_numpy(np.ascontiguousarray(in_order))


def _paths(diagram: Diagram, label: int) -> np.ndarray:
    """Boxes of one label, bool [P, n, v], positions in the order that they are read.

    Backwards through the levels of the diagram "is it this label?": for each of its nodes the boxes of what is still to be read;
    node 0 stands for "no" and has none.
    """
    v = diagram.levels[0].shape[1]
    node = (diagram.labels == label).astype(np.int64)  # of the question's diagram
    found = [np.zeros((0, 0, v), dtype=bool), np.ones((1, 0, v), dtype=bool)]
    for depth in reversed(range(len(diagram.levels))):
        rows = node[diagram.levels[depth]]
        distinct, at = _distinct(np.concatenate([np.zeros((1, v), dtype=np.int64), rows]))
        found = [_cross(row, found, each=depth == 0) for row in distinct]
        node = at[1:]
    return found[node[0]]


def _cross(row: np.ndarray, following: list[np.ndarray], each: bool) -> np.ndarray:
    """Boxes of a node from those of the nodes that its tokens lead to: an edge for each of these, or, if `each`, for each token."""
    v = len(row)
    parts = []
    for child in np.unique(row[row > 0]):
        tokens = row == child
        edges = np.eye(v, dtype=bool)[tokens] if each else tokens[None]
        rest = following[child]
        first = np.repeat(edges[:, None], len(rest), 1).reshape(-1, 1, v)
        parts.append(np.concatenate([first, np.tile(rest, (len(edges), 1, 1))], 1))
    if sum(len(p) for p in parts) > MOST_BOXES:
        raise BadInput(f"one label has more than {MOST_BOXES} boxes of constant label; use boxes of mixed label")
    return np.concatenate(parts) if parts else np.zeros((0, 1 + following[0].shape[1], v), dtype=bool)
