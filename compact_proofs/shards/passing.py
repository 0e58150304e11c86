"""What passes between the processes of one proof, as bytes: a function with the tables that it reads, and what it finds.

Functions go out by cloudpickle, so that closures and functions of a script or a notebook can be sent. Results come back as data
only: `read_result` makes nothing but tensors, arrays, numbers, containers and data classes of them (`compact_proofs.results`),
whoever wrote the bytes.

Tensors arrive with their strides and their place in a cache line, so that kernels treat them as they treat the originals.
Enclosures arrive with both bounds, and are checked like any others.
"""

from __future__ import annotations

import io
import pickle
import sys
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.fx import Graph, Node
from torch.nn import Parameter

from compact_proofs.enclosure import Enclosure
from compact_proofs.enclosure.unknown import note_unknown
from compact_proofs.errors import BadInput
from compact_proofs.length import unseen
from compact_proofs.results import RESULTS

ALIGNED = 64
"""Entries of a tensor's memory: where it begins modulo so many is kept."""


def written(value: Any) -> bytes:
    """Write a function or a result."""
    import cloudpickle  # which only proofs by several processes need

    class Pickler(cloudpickle.Pickler):
        def reducer_override(self, obj: Any) -> Any:
            found = _reduced(obj)
            return super().reducer_override(obj) if found is None else found

    stream = io.BytesIO()
    with unseen("numbers written as bytes for another process, which counts whatever it does with them"):
        Pickler(stream, protocol=pickle.HIGHEST_PROTOCOL).dump(value)
    return stream.getvalue()


def read_function(data: bytes) -> Callable[[Any], Any]:
    """Read a function that this program wrote; it can be any code, and so the bytes must come from this program."""
    found: Callable[[Any], Any] = pickle.loads(data)
    return found


def read_result(data: bytes) -> Any:
    """Read a result: data, never code.

    Raises
    ------
    BadInput
        If the bytes hold anything else, or are damaged.
    """
    try:
        with unseen("what another process found, and counted, read from its bytes"):
            return _Results(io.BytesIO(data)).load()
    except (pickle.UnpicklingError, EOFError, ValueError, TypeError, AttributeError, IndexError, KeyError) as e:
        raise BadInput(f"what another process found cannot be read ({type(e).__name__}: {e})") from None


class _Results(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if module == __name__ and name in _READERS:
            return _READERS[name]
        if (module, name) in _PLAIN:
            return super().find_class(module, name)
        found = getattr(sys.modules.get(module), name, None)
        if isinstance(found, type) and found in RESULTS:
            return found
        raise pickle.UnpicklingError(f"{module}.{name} is no data")


_PLAIN = {
    ("torch", "Size"),
    ("builtins", "range"),
    ("builtins", "slice"),
    ("builtins", "set"),
    ("builtins", "frozenset"),
    ("builtins", "complex"),
    ("collections", "OrderedDict"),
    ("fractions", "Fraction"),
}
"""Classes of plain data, beside what pickle makes by itself."""


def _reduced(obj: Any) -> tuple[Any, ...] | None:
    """How to make an object again; None: by its own means."""
    if isinstance(obj, Enclosure):
        return _enclosure, (obj.lo, obj.hi, obj._unknown)
    if type(obj) in (Tensor, Parameter) and obj.device.type == "cpu" and obj.layout == torch.strided and not obj.is_conj():
        return _tensor, (*_memory(obj.detach()), isinstance(obj, Parameter), obj.requires_grad)
    if type(obj) is np.ndarray and not obj.dtype.hasobject:
        return _array, (np.ascontiguousarray(obj).tobytes(), obj.dtype.str, obj.shape)
    if isinstance(obj, np.generic):
        return _number, (obj.tobytes(), obj.dtype.str)
    if isinstance(obj, torch._ops.OpOverload):
        namespace, _, name = obj._schema.name.partition("::")
        return _operation, (namespace, name, obj._overloadname)
    if isinstance(obj, torch.dtype):
        return _dtype, (str(obj).removeprefix("torch."),)
    if isinstance(obj, Graph):
        return _graph, (_rows(obj),)
    return None


def _memory(t: Tensor) -> tuple[bytes, torch.dtype, tuple[int, ...], tuple[int, ...], int]:
    """A tensor's bytes from the beginning of a cache line on, its type, shape and strides, and where it begins in them."""
    if not t.numel():
        return b"", t.dtype, tuple(t.shape), t.stride(), 0
    lead = int(t.storage_offset()) % ALIGNED
    reach = 1 + sum((n - 1) * s for n, s in zip(t.shape, t.stride(), strict=True))
    flat = torch.as_strided(t, (lead + reach,), (1,), t.storage_offset() - lead)
    return flat.view(torch.uint8).numpy().tobytes(), t.dtype, tuple(t.shape), t.stride(), lead


def _tensor(
    data: bytes, dtype: torch.dtype, shape: tuple[int, ...], stride: tuple[int, ...], lead: int, parameter: bool, grad: bool
) -> Tensor:
    flat = torch.empty(len(data) // dtype.itemsize, dtype=dtype)
    if data:
        flat.view(torch.uint8).numpy()[:] = np.frombuffer(data, dtype=np.uint8)
    t = torch.as_strided(flat, shape, stride, lead)
    return Parameter(t, requires_grad=grad) if parameter else t.requires_grad_(grad)


def _enclosure(lo: Tensor, hi: Tensor, unknown: bool) -> Enclosure:
    """Bounds are checked as those of any Enclosure; one that an undefined result may have reached says so here too."""
    found = Enclosure(lo, hi)
    if unknown:
        note_unknown()
        found._unknown = True
    return found


def _array(data: bytes, dtype: str, shape: tuple[int, ...]) -> np.ndarray:
    return np.frombuffer(data, dtype=np.dtype(dtype)).reshape(shape).copy()


def _number(data: bytes, dtype: str) -> Any:
    return np.frombuffer(data, dtype=np.dtype(dtype))[0]


def _dtype(name: str) -> torch.dtype:
    found = getattr(torch, name)
    if not isinstance(found, torch.dtype):
        raise TypeError(f"torch.{name} is no dtype")
    return found


def _operation(namespace: str, name: str, overload: str) -> Any:
    return getattr(getattr(getattr(torch.ops, namespace), name), overload)


def _rows(graph: Graph) -> list[tuple[Any, ...]]:
    """A graph's nodes in order, each a row of plain data in which other nodes are numbers: (`_At`)."""
    number = {node: i for i, node in enumerate(graph.nodes)}

    def refer(x: Any) -> Any:
        return torch.fx.node.map_arg(x, lambda node: _At(number[node]))

    return [(n.op, n.target, refer(n.args), refer(n.kwargs), n.name, n.meta.get("val")) for n in graph.nodes]


class _At(int):
    """The number of a node."""


def _graph(rows: list[tuple[Any, ...]]) -> Graph:
    graph = Graph()
    nodes: list[Node] = []

    def found(x: Any) -> Any:
        if isinstance(x, _At):
            return nodes[x]
        if isinstance(x, slice):
            return slice(found(x.start), found(x.stop), found(x.step))
        if isinstance(x, (tuple, list)):
            return type(x)(map(found, x))
        return {name: found(value) for name, value in x.items()} if isinstance(x, Mapping) else x

    for op, target, args, kwargs, name, val in rows:
        node: Node = graph.create_node(op, target, found(args), found(kwargs), name)
        if val is not None:
            node.meta["val"] = val
        nodes.append(node)
    return graph


_READERS = {f.__name__: f for f in (_tensor, _enclosure, _array, _number, _dtype)}
