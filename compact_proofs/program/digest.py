"""The hash of a program: of its operations and of every number in its constants, whatever they are called."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from torch import Tensor
from torch.fx import Graph, Node

from compact_proofs.files.bits import bits_of

_PLACEMENT = {"device", "layout", "pin_memory", "memory_format", "non_blocking"}
"""Arguments that say where numbers lie, and nothing about their values."""


def structure(graph: Graph) -> list[str]:
    """Write a graph down, a line for each node: what it calls, on what, and the type and shape of its result.

    Nodes are numbered in order, and constants too, so that names of variables and of weights do not matter.
    """
    number = {node: i for i, node in enumerate(graph.nodes)}

    def plain(argument: Any) -> Any:
        if isinstance(argument, Node):
            return {"node": number[argument]}
        if isinstance(argument, (list, tuple)):
            return [plain(a) for a in argument]
        if isinstance(argument, float):
            return {"float": argument.hex()}
        if argument is None or isinstance(argument, (bool, int, str)):
            return argument
        return {type(argument).__name__: str(argument)}

    lines = []
    for node in graph.nodes:
        given = {name: plain(value) for name, value in sorted(node.kwargs.items()) if name not in _PLACEMENT}
        target = str(node.target) if node.op == "call_function" else ""
        lines.append(json.dumps([node.op, target, plain(node.args), given, _kind(node)], sort_keys=True))
    return lines


def _kind(node: Node) -> list[Any]:
    value = node.meta.get("val")
    return [str(value.dtype), list(value.shape)] if isinstance(value, Tensor) else []


def program_sha256(graph: Graph, tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 of the lines of `structure`, then of each constant in the order of use: its bytes, row-major, little-endian."""
    digest = hashlib.sha256(b"compact-proofs program 1\n")
    for line in structure(graph):
        digest.update(line.encode() + b"\n")
    for node in graph.nodes:
        if node.op == "get_attr":
            tensor = tensors[str(node.target)]
            if not tensor.is_meta:  # which has no numbers
                digest.update(bits_of(tensor))
    return digest.hexdigest()
