"""The symbols of a `Network` on given inputs, in ordinary arithmetic: for searches, which prove nothing, and for tests."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from compact_proofs.automatic.reading.blocks import Averages, Block, Network, Norm, Opaque, Sums, Unary
from compact_proofs.automatic.reading.lifted import Lifted, call
from compact_proofs.automatic.reading.values import Form
from compact_proofs.enclosure.leaves import map_leaves

aten = torch.ops.aten


def evaluate(network: Network, inputs: Tensor) -> tuple[Tensor, list[Tensor]]:
    """Return the logits [N, outputs] and each block's symbols [N, size] of inputs int64 [N, n]."""
    symbols: list[Tensor] = []
    for block in network.blocks:
        symbols.append(_symbols(block, network, inputs, symbols))
    return form_at(network.logits, network, inputs, symbols), symbols


def form_at(form: Form, network: Network, inputs: Tensor, symbols: list[Tensor]) -> Tensor:
    """The value [N, *shape] of a form."""
    q = inputs[:, network.context]
    total = form.constant[q] if form.axes == "q" else form.constant.expand(len(q), *form.constant.shape)
    for block, part in form.parts.items():
        total = total + torch.tensordot(symbols[block], part, 1)
    return total


def shares_at(block: Averages, network: Network, inputs: Tensor) -> Tensor:
    """The weights' shares [N, n, G]."""
    q = inputs[:, network.context, None]
    w = block.weights[q, torch.arange(network.n), inputs]
    return w / w.sum(1, keepdim=True)


def _symbols(block: Block, network: Network, inputs: Tensor, symbols: list[Tensor]) -> Tensor:
    position = torch.arange(network.n)
    if isinstance(block, Averages):
        values = block.values[position, inputs]  # [N, n, G, E]
        return (shares_at(block, network, inputs)[..., None] * values).sum(1).flatten(1)
    if isinstance(block, Sums):
        if block.axes == "nk":
            return block.tables[position, inputs].sum(1)
        return block.tables[inputs[:, network.context, None], position, inputs].sum(1)
    if isinstance(block, Unary):
        return function(block.function)(form_at(block.z, network, inputs, symbols))
    if isinstance(block, Norm):
        z = form_at(block.z, network, inputs, symbols)
        return z / (z.square().mean(-1, keepdim=True) + block.eps).sqrt()
    assert isinstance(block, Opaque)
    args, kwargs = map_leaves(
        lambda x: Lifted(form_at(x, network, inputs, symbols), "j") if isinstance(x, Form) else x, (block.args, block.kwargs)
    )
    result, _ = call(block.target, args, kwargs)
    return (result[0] if isinstance(result, (tuple, list)) else result).reshape(len(inputs), -1)


def function(name: str) -> Callable[[Tensor], Tensor]:
    """An aten operation of one tensor, by name."""
    return getattr(aten, name).default
