"""Where the entries of a moved tensor come from: operations that only rearrange numbers, as changes of indices."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from torch.fx import Node

from compact_proofs.program.simplify import name_of

Indices = list[str]
"""One index for each axis: a letter, a number, or an expression of letters."""

MOVES = {"view", "_unsafe_view", "t", "transpose", "permute", "expand", "select", "slice", "_to_copy"}
"""The operations that `moved` knows (`simplify` writes every other change of shape as a ``view``)."""


def moved(node: Node, indices: Indices) -> Indices:
    """Return which entry of the first argument a moving operation puts at these indices of its result."""
    args: list[Any] = list(node.args)
    source, target = list(args[0].meta["val"].shape), list(node.meta["val"].shape)
    name = name_of(node)
    if name in ("view", "_unsafe_view"):
        return _reshaped(source, target, indices)
    if name == "t":
        return indices[::-1]
    if name == "transpose":
        swapped = list(indices)
        swapped[args[1]], swapped[args[2]] = swapped[args[2]], swapped[args[1]]
        return swapped
    if name == "permute":
        places = [d % len(source) for d in args[1]]
        return [indices[places.index(d)] for d in range(len(source))]
    if name == "expand":
        return broadcast(source, indices)
    if name == "select":
        dim, place = args[1] % len(source), args[2] % source[args[1]]
        return [*indices[:dim], str(place), *indices[dim:]]
    if name == "slice":
        dim = args[1] % len(source) if len(args) > 1 else 0
        start = (args[2] if len(args) > 2 else 0) or 0
        start = max(start + source[dim], 0) if start < 0 else start
        step = args[4] if len(args) > 4 else 1
        return [*indices[:dim], _sum([(step, indices[dim]), (start, "1")]), *indices[dim + 1 :]]
    return list(indices)


def broadcast(shape: Sequence[int], indices: Indices) -> Indices:
    """The indices of an operand that is broadcast to a result with these indices: missing axes left out, single ones 0."""
    own = indices[len(indices) - len(shape) :]
    return ["0" if n == 1 else i for i, n in zip(own, shape, strict=True)]


def _reshaped(source: list[int], target: list[int], indices: Indices) -> Indices:
    """Match runs of axes of equal size in row-major order; within a run, write the number of the entry and split it."""
    result: Indices = []
    i = j = 0
    while i < len(source) or j < len(target):
        if i < len(source) and source[i] == 1:
            result.append("0")
            i += 1
        elif j < len(target) and target[j] == 1:
            j += 1
        else:
            first_i, first_j = i, j
            i, j = i + 1, j + 1
            while (a := math.prod(source[first_i:i])) != (b := math.prod(target[first_j:j])):
                i, j = (i + 1, j) if a < b else (i, j + 1)
            result += _run(source[first_i:i], target[first_j:j], indices[first_j:j])
    return result


def _run(source: list[int], target: list[int], indices: Indices) -> Indices:
    if len(source) == len(target) == 1:
        return indices
    strides = [math.prod(target[k + 1 :]) for k in range(len(target))]
    number = _sum(list(zip(strides, indices, strict=True)))
    if len(source) == 1:
        return [number]
    number = f"({number})" if " " in number else number
    result = []
    for k, size in enumerate(source):
        stride = math.prod(source[k + 1 :])
        part = number if stride == 1 else f"{number} div {stride}"
        result.append("0" if size == 1 else part if k == 0 else f"{part} mod {size}")
    return result


def _sum(terms: Sequence[tuple[int, str]]) -> str:
    """Write the sum of factors times indices, those that are numbers added up."""
    letters = [index if factor == 1 else f"{factor} {index}" for factor, index in terms if not index.isdigit()]
    constant = sum(factor * int(index) for factor, index in terms if index.isdigit())
    return " + ".join([*letters, str(constant)] if constant or not letters else letters)
