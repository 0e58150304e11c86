"""Blocks of symbols that a network's logits depend on."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from compact_proofs.automatic.reading.blocks import Block, Network, Norm, Opaque, Unary
from compact_proofs.automatic.reading.values import Form
from compact_proofs.enclosure.leaves import leaves, map_leaves


def needed(network: Network) -> Network:
    """The network without blocks that nothing depends on."""
    used: set[int] = set()
    waiting = list(network.logits.parts)
    while waiting:
        b = waiting.pop()
        if b not in used:
            used.add(b)
            waiting += [k for f in _forms(network.blocks[b]) for k in f.parts]
    number = {b: i for i, b in enumerate(sorted(used))}

    def renamed(x: Any) -> Any:
        return Form(x.constant, x.axes, {number[b]: p for b, p in x.parts.items()}) if isinstance(x, Form) else x

    blocks: list[Block] = []
    for b in sorted(used):
        block = network.blocks[b]
        if isinstance(block, (Unary, Norm)):
            block = replace(block, z=renamed(block.z))
        elif isinstance(block, Opaque):
            block = replace(block, args=map_leaves(renamed, block.args), kwargs=map_leaves(renamed, block.kwargs))
        blocks.append(block)
    return Network(network.n, network.v, network.context, blocks, renamed(network.logits))


def _forms(block: Block) -> list[Form]:
    """The forms by which a block is defined."""
    if isinstance(block, (Unary, Norm)):
        return [block.z]
    return [x for x in leaves((block.args, block.kwargs)) if isinstance(x, Form)] if isinstance(block, Opaque) else []
