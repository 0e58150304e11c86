"""Evaluate one operation for a whole table of arguments at once."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.func import vmap
from torch.fx import GraphModule
from torch.fx.experimental.proxy_tensor import make_fx
from torch.utils._python_dispatch import _disable_current_modes

from compact_proofs.enclosure.leaves import leaves, map_leaves
from compact_proofs.enclosure.tensor import Enclosure
from compact_proofs.program.simplify import simplify

_KEPT: dict[tuple[Any, ...], GraphModule] = {}
_LARGEST = 4096


class Lifted:
    """An argument with leading axes over which the call is repeated.

    Attributes
    ----------
    data : Tensor
        Leading axes first, then the axes that the operation sees.
    axes : str
        A letter for each leading axis. Equal letters of different arguments run together; the result has every letter, in the order
        of `ORDER`.
    """

    ORDER = "jqnks"

    def __init__(self, data: Tensor, axes: str) -> None:
        self.data, self.axes = data, axes


def call(target: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, str]:
    """Call an aten operation for every index of the arguments' leading axes.

    Returns
    -------
    result, axes
        What ``target`` returns, with leading axes named by the letters `axes`.

    Notes
    -----
    The call is ``torch.vmap`` of the operation, traced once for each shape into ordinary aten calls, so that it has a cost and a
    sound reading wherever the operation has. An argument without an axis is used once, not copied along it, where PyTorch's rules
    of batching know how.
    """
    given = [x for x in leaves((args, kwargs)) if isinstance(x, (Tensor, Lifted))]
    axes = "".join(a for a in Lifted.ORDER if any(a in x.axes for x in given if isinstance(x, Lifted)))
    tensors = [_dense(x.data if isinstance(x, Lifted) else x) for x in given]

    def wide(x: Any) -> Any:
        """Real numbers in float64; what is made, where the arguments are: on the meta device, if no numbers are known."""
        if isinstance(x, torch.device) and tensors:
            return tensors[0].device
        return torch.float64 if isinstance(x, torch.dtype) and x.is_floating_point else x

    args, kwargs = map_leaves(wide, args), map_leaves(wide, kwargs)
    if not axes:
        plain_args, plain_kwargs = map_leaves(lambda x: x.data if isinstance(x, Lifted) else x, (args, kwargs))
        return target(*plain_args, **plain_kwargs), ""
    names = tuple(x.axes if isinstance(x, Lifted) else "" for x in given)
    key = (
        target,
        str(map_leaves(lambda x: "tensor" if isinstance(x, (Tensor, Lifted)) else x, (args, kwargs))),
        names,
        tuple((tuple(t.shape), t.is_floating_point(), t.dtype == torch.bool, t.device.type) for t in tensors),
    )
    if key not in _KEPT:
        if len(_KEPT) >= _LARGEST:
            _KEPT.clear()
        _KEPT[key] = _trace(target, args, kwargs, axes, names, tensors)
    return _KEPT[key](*tensors), axes


def _dense(t: Tensor) -> Tensor:
    return t if isinstance(t, Enclosure) else t.contiguous()


def _trace(target: Any, args: Any, kwargs: Any, axes: str, names: tuple[str, ...], tensors: list[Tensor]) -> GraphModule:
    """Record the call on fake tensors, so that nothing is computed."""

    def one(*values: Tensor) -> Any:
        rest = iter(values)
        a, k = map_leaves(lambda x: next(rest) if isinstance(x, (Tensor, Lifted)) else x, (args, kwargs))
        return target(*a, **k)

    f = one
    for i in range(len(axes) - 1, -1, -1):
        f = vmap(f, in_dims=tuple(0 if axes[i] in own else None for own in names))
    with _disable_current_modes(), torch.no_grad(), FakeTensorMode():
        dtypes = [torch.float64 if t.is_floating_point() else t.dtype for t in tensors]
        fakes = [torch.empty(t.shape, dtype=dtype, device=t.device) for t, dtype in zip(tensors, dtypes, strict=True)]
        graph = make_fx(f)(*fakes)
    simplify(graph.graph)
    for node in graph.graph.nodes:
        if node.target in (torch.ops.aten.view.default, torch.ops.aten._unsafe_view.default):
            node.target = torch.ops.aten.reshape.default  # strides of real operands differ from those of the trace
    graph.recompile()
    return graph
