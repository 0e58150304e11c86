"""From one input to many: the graph of a program on n inputs at once, in which no input can depend on another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.func import vmap
from torch.fx import Graph, GraphModule, Interpreter
from torch.fx.experimental.proxy_tensor import make_fx
from torch.utils._python_dispatch import _disable_current_modes

from compact_proofs.errors import BadInput
from compact_proofs.program.simplify import simplify


def batched(graph: Graph, tensors: Mapping[str, Tensor], n: int, widened: bool) -> GraphModule:
    """Return the graph of ``torch.vmap`` over a program, for n inputs: a function of (inputs [n, ...], list of constants).

    Parameters
    ----------
    graph, tensors
        The program on one input, and its constants.
    n
        Number of inputs.
    widened
        Make every float that the graph names a float64 (for the float reading).

    Raises
    ------
    BadInput
        If torch cannot make many of one: not every operation can be batched.

    Notes
    -----
    Traced on fake tensors, so that nothing is computed, and on the CPU whatever device the constants are on; tensors that the
    program makes are then made where the constants are.
    """
    names = [str(node.target) for node in graph.nodes if node.op == "get_attr"]
    example = next(node for node in graph.nodes if node.op == "placeholder").meta["val"]

    def one(x: Tensor, constants: list[Tensor]) -> Any:
        return _Run(graph, dict(zip(names, constants, strict=True)), widened).run(x)

    with _disable_current_modes(), torch.no_grad(), FakeTensorMode():
        inputs = torch.empty((n, *example.shape), dtype=example.dtype)
        constants = [torch.empty(tensors[name].shape, dtype=tensors[name].dtype) for name in names]
        try:
            many = make_fx(vmap(one, in_dims=(0, None)))(inputs, constants)
        except Exception as e:  # of a call that torch cannot batch
            why = str(e).split("\n", 1)[0][:200]
            raise BadInput(f"a program that cannot be run on many inputs at once: {type(e).__name__}: {why}") from e
    simplify(many.graph)
    device = next((tensors[name].device for name in names), torch.device("cpu"))
    for node in many.graph.nodes:
        node.target = _reshaping(node.target)
        if "device" in node.kwargs:
            node.kwargs = {**node.kwargs, "device": device}
    many.recompile()
    return many


class _Run(Interpreter):
    """Run a program's graph, its constants taken from a dict."""

    def __init__(self, graph: Graph, constants: Mapping[str, Tensor], widened: bool) -> None:
        super().__init__(torch.nn.Module(), garbage_collect_values=False, graph=graph)
        self._constants, self._widened = constants, widened

    def get_attr(self, target: Any, args: Any, kwargs: Any) -> Any:
        return self._constants[target]

    def call_function(self, target: Any, args: Any, kwargs: Any) -> Any:
        if self._widened:
            args = tuple(map(_widen, args))
            kwargs = {name: _widen(value) for name, value in kwargs.items()}
        return _reshaping(target)(*args, **kwargs)


def _reshaping(target: Any) -> Any:
    """A view of what was a copy in memory before `simplify` must be able to copy."""
    is_view = target in (torch.ops.aten.view.default, torch.ops.aten._unsafe_view.default)
    return torch.ops.aten.reshape.default if is_view else target


def _widen(argument: Any) -> Any:
    return torch.float64 if isinstance(argument, torch.dtype) and argument.is_floating_point else argument
