"""`Program`: a function as a list of tensor operations, which runs under every reading."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.fx import Graph, GraphModule

from compact_proofs.errors import BadInput
from compact_proofs.program.batching import batched
from compact_proofs.program.digest import program_sha256
from compact_proofs.program.notation import text

KEPT = 8
"""Sizes of batches whose graphs are kept."""


class Program(nn.Module):
    """The function that a module computes from one input, made by `compact_proofs.program.trace`.

    It is called on batches, like the module. Under `sound()` its calls are made on Enclosures; what the floats of the module's own
    dtypes would round is not part of it: it is the real-valued function that its operations define.

    Parameters
    ----------
    graph
        Functional aten calls on one input: one placeholder, `get_attr` nodes for the constants, one output. Each node's
        ``meta["val"]`` is a meta tensor with its shape and dtype.
    tensors
        The constants, by the names that the `get_attr` nodes have.
    weights_sha256
        Hash of the parameters and buffers of the module that it was traced from.
    widened
        Whether floats are computed in float64 whatever the graph says (`double`, for the float reading).
    """

    def __init__(self, graph: Graph, tensors: Mapping[str, Tensor], weights_sha256: str, widened: bool = False) -> None:
        super().__init__()
        self.graph, self.tensors, self.weights_sha256, self._widened = graph, dict(tensors), weights_sha256, widened
        self._used = [str(node.target) for node in graph.nodes if node.op == "get_attr"]
        self._batches: dict[int, GraphModule] = {}
        self.eval()

    @property
    def input(self) -> Tensor:
        """A meta tensor with the shape and dtype of one input."""
        return next(node for node in self.graph.nodes if node.op == "placeholder").meta["val"]

    @property
    def output(self) -> Tensor:
        """A meta tensor with the shape [outputs] and dtype of one output."""
        return next(node for node in self.graph.nodes if node.op == "output").args[0].meta["val"]

    @property
    def sha256(self) -> str:
        """Hash of the operations and of every constant: the name of the function in claims."""
        return program_sha256(self.graph, self.tensors)

    def text(self) -> str:
        """The program in index notation, a line for each operation."""
        return text(self.graph, self.tensors)

    def __init_subclass__(cls) -> None:
        raise TypeError(f"{cls.__name__}: a Program is the function that it prints, and no subclass can make it another one")

    def __call__(self, inputs: Tensor) -> Tensor:
        """As `forward`: hooks and methods that were put upon the object change no program."""
        return Program.forward(self, inputs)

    def forward(self, inputs: Tensor) -> Tensor:
        """Compute the logits [n, outputs] of inputs [n, ...]: each row depends on its own input only.

        Raises
        ------
        BadInput
            If the inputs do not have the shape or dtype that the program was traced for.
        """
        given, expected = (tuple(inputs.shape[1:]), inputs.dtype), (tuple(self.input.shape), self.input.dtype)
        if inputs.dim() == 0 or given != expected:
            raise BadInput(f"the program reads inputs of shape {list(expected[0])} and type {expected[1]}, not {given}")
        if len(inputs) == 0:
            return torch.empty((0, *self.output.shape), dtype=self.output.dtype, device=inputs.device)
        if any(self.tensors[name].is_meta for name in self._used):  # only shapes are computed with, masks made on the way too
            inputs = inputs.to("meta")
        if len(inputs) not in self._batches:
            if len(self._batches) >= KEPT:
                del self._batches[next(iter(self._batches))]
            self._batches[len(inputs)] = batched(self.graph, self.tensors, len(inputs), self._widened)
        return self._batches[len(inputs)].forward(inputs, [self.tensors[name] for name in self._used])

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Program:
        """Convert the constants (`double`, `to`) without changing a number; the graph then names no narrower type."""
        converted = {name: fn(t) for name, t in self.tensors.items()}
        for name, t in converted.items():
            old = self.tensors[name]
            if not (t.is_meta or old.is_meta) and not _same_numbers(t.cpu().to(old.dtype), old.cpu()):
                raise BadInput(f"this would change the constant {name} of a program; change the module, and trace it again")
        self.tensors = converted
        self._widened = self._widened or fn(torch.zeros((), dtype=torch.float32)).dtype == torch.float64
        self._batches = {}
        return self

    def __deepcopy__(self, memo: Any) -> Program:
        return Program(self.graph, {name: t.clone() for name, t in self.tensors.items()}, self.weights_sha256, self._widened)

    def __reduce__(self) -> tuple[Any, ...]:
        return Program, (self.graph, self.tensors, self.weights_sha256, self._widened)  # without the graphs of batches

    def __repr__(self) -> str:
        return f"<Program {self.sha256[:16]} on {list(self.input.shape)} -> {list(self.output.shape)}>\n{self.text()}"


def _same_numbers(a: Tensor, b: Tensor) -> bool:
    """Whether two tensors of one shape hold the same numbers, NaN where NaN is."""
    return bool(((a == b) | ((a != a) & (b != b))).all())
