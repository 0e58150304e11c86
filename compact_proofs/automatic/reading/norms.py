"""Norms that a program writes out, operation by operation."""

from __future__ import annotations

from typing import Any

from torch.fx import Node

from compact_proofs.program.simplify import name_of


def root_mean_square(node: Node) -> tuple[Node, float] | None:
    """Recognise ``u / sqrt(mean(u^2) + eps)`` or ``u * rsqrt(mean(u^2) + eps)`` of one vector u: return u and eps."""

    def call_of(x: Any, *names: str) -> Node | None:
        return x if isinstance(x, Node) and x.op == "call_function" and name_of(x) in names else None

    u, root = node.args[:2] if name_of(node) in ("div", "mul") and len(node.args) > 1 else (None, None)
    inverse = name_of(node) == "mul"
    if inverse and call_of(u, "rsqrt") is not None:
        u, root = root, u
    root_node = call_of(root, "rsqrt" if inverse else "sqrt")
    if root_node is None or not isinstance(u, Node):
        return None
    shifted = call_of(root_node.args[0], "add")
    if shifted is None or len(shifted.args) != 2 or shifted.kwargs or not isinstance(shifted.args[1], float):
        return None
    mean = call_of(shifted.args[0], "mean")
    shape = u.meta["val"].shape
    if mean is None or mean.kwargs or shape.numel() != shape[-1] or mean.meta["val"].numel() != 1:
        return None
    square = call_of(mean.args[0], "pow", "square")
    if square is None or square.args[0] is not u or (name_of(square) == "pow" and square.args[1] != 2):
        return None
    return (u, float(shifted.args[1])) if mean.args[0].meta["val"].shape == shape else None  # type: ignore[union-attr]
