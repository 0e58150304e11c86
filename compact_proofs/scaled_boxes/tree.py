"""A tree of splits as integers: what an explanation of a proof over boxes holds.

Nodes are read in blocks, in the order of `compact_proofs.cones.tree`. A code is ``kind + 3 rest`` with one of three kinds:

DROP    nothing is claimed about the box
CHECK   the box counts as far as the network is right on it. rest = first + 2^12 (stride + 2^6 mask): the scales at which the
        box is measured (`compact_proofs.scaled_boxes.scale.scales`), and a digit for each margin, 1 where it may be negative on a
        part of the box, of which the probability is bounded; the other margins must be positive on all of it
SPLIT   the box is split at a coordinate. rest = coordinate + (n + 1) part: where (`compact_proofs.scaled_boxes.box.split`)
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from compact_proofs.scaled_boxes.box import FINEST

DROP, CHECK, SPLIT = range(3)
FIRSTS, STRIDES = 2**12, 2**6
WIDEST = 16
"""Coordinates at most."""
LARGEST_CODE = 3 * FIRSTS * STRIDES * 2 ** (WIDEST - 1) - 1 + 3 * (FINEST + 1) * (WIDEST + 1)


def encode_check(first: Tensor, stride: Tensor, mask: Tensor) -> Tensor:
    """Codes int64 [B] of boxes that are checked; `mask` bool [B, K]."""
    digits = (mask * 2 ** torch.arange(mask.shape[1])).sum(1)
    return CHECK + 3 * (first + FIRSTS * (stride + STRIDES * digits))


def encode_split(coordinate: Tensor, part: Tensor, n: int) -> Tensor:
    """Codes int64 [B] of boxes that are split."""
    return SPLIT + 3 * (coordinate + (n + 1) * part)


@dataclass(frozen=True)
class Node:
    """What codes say of B nodes.

    Attributes
    ----------
    checked, divided : int64
        The numbers of the nodes that are checked, and of those that are split.
    first, stride : int64 [C]
        For those that are checked.
    mask : bool [C, K]
        For those that are checked: which margins may be negative.
    coordinate, part : int64 [D]
        For those that are split.
    """

    checked: Tensor
    divided: Tensor
    first: Tensor
    stride: Tensor
    mask: Tensor
    coordinate: Tensor
    part: Tensor


def decode(codes: Tensor, place: Tensor, n: int, margins: int) -> Node:
    """Read codes int64 [B] >= 0 of nodes with a place int64 [B] each; a split at the place is none, and the node ends.

    Cost: about 12 integer operations a node.
    """
    kind, rest = codes % 3, codes // 3
    coordinate = rest % (n + 1)
    checked = (kind == CHECK).nonzero()[:, 0]
    divided = ((kind == SPLIT) & (coordinate != place)).nonzero()[:, 0]
    shown = rest[checked]
    digits = shown // (FIRSTS * STRIDES)
    mask = digits[:, None] // 2 ** torch.arange(margins) % 2 == 1
    part = (rest[divided] // (n + 1)).clamp(max=FINEST)
    return Node(checked, divided, shown % FIRSTS, shown // FIRSTS % STRIDES, mask, coordinate[divided], part)
