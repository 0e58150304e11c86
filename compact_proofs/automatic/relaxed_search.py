"""The search for networks with norms, MLPs and whatever else is relaxed."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field

import torch
from torch import Tensor

from compact_proofs.automatic import tree
from compact_proofs.automatic.blocks import Network, Norm
from compact_proofs.automatic.boxes import Boxes
from compact_proofs.automatic.cutting import divided, heaviest, widest_gap
from compact_proofs.automatic.evaluate import evaluate
from compact_proofs.automatic.hints import Hints
from compact_proofs.automatic.jobs import jobs_of, numbered_jobs
from compact_proofs.automatic.margins import Readout, frames, margins
from compact_proofs.automatic.nodes import Node, boxes_of, by_token
from compact_proofs.automatic.prices import Prices
from compact_proofs.automatic.projection import Leaves
from compact_proofs.automatic.proof import relaxed_batches, widest
from compact_proofs.automatic.relaxed import Relaxed, Shared
from compact_proofs.automatic.rows import Jobs
from compact_proofs.automatic.shares import shares
from compact_proofs.length import count

DRAWN = 2000
"""Inputs drawn to find axes of coordinates."""
NEAR = (3, 6, 1, 12, 0, 0)
"""How many tokens, those of the largest weights, a round tells from the others at every position, one number after the other and
over again; 0: a cut at one position, that whose weights differ most, where they differ most.
"""
GAIN = 0.03
"""A cut must win back at least this share of what is lost: a poor cut stands in the way of better ones."""


@dataclass
class _Group:
    """Leaves that end in one token, have one label and are bounded together; with what the search found about them.

    Attributes
    ----------
    leaves
        With their kinds.
    value
        What their certified inputs are worth, less what they cost.
    cost, size
        Of the bounds, if they are made; inputs.
    tried
        Ways to cut that did not gain enough.
    """

    leaves: list[Node]
    value: float = 0.0
    cost: float = 0.0
    size: float = 0.0
    tried: set[int] = field(default_factory=set)


def relaxed_search(network: Network, boxes: Boxes, kept: int, cuts: int, prices: Prices) -> dict[str, Tensor]:
    """Find an explanation for a network with relaxed symbols.

    Boxes that end in one token and have one label are bounded together. Then, `cuts` times: the boxes of groups that lose more than
    they cost are divided at every free position into the tokens of largest weight and the others, parts with equally many of the
    first make new groups, and this is kept where it gains. A box is then bounded, or its inputs are evaluated, or both, or it is
    left out, whatever is worth most.
    """
    basis = axes(network)
    roots = [Node(boxes.masks[b], int(boxes.labels[b])) for b in range(len(boxes))]
    parts: dict[tuple[int, int], list[Node]] = {}
    for root in roots:
        if 0 <= root.label < network.logits.shape[0]:
            for leaf in by_token(root, network.context):
                q = int(leaf.box[network.context].to(torch.int64).argmax())
                parts.setdefault((q, leaf.label), []).append(leaf)
    groups = [_Group(leaves) for leaves in parts.values()]
    _judge(network, groups, basis, kept, prices)
    for near in (NEAR * cuts)[:cuts]:
        groups = _cut(network, groups, near, basis, kept, prices)
    for number, group in enumerate(groups):
        for leaf in group.leaves:
            leaf.group = number
    prices.settle(roots, network.logits.shape[0])
    chosen = [leaf for root in roots for leaf in root.leaves() if leaf.kind in (tree.PROVE, tree.REST)]
    named = torch.tensor([leaf.group for leaf in chosen], dtype=torch.int64)
    columns = torch.zeros(0, 0, dtype=torch.float64)
    if chosen:
        columns = hints(network, jobs_of(boxes_of(chosen), named, network.context), basis, kept)[0]
    return {
        "tree": tree.encode([root.written() for root in roots], network.v),
        "group": named,
        "choices": torch.zeros(0, dtype=torch.int64),
        "numbers": torch.cat([basis.flatten(), columns.flatten()]),
    }


def _judge(network: Network, groups: list[_Group], basis: Tensor, kept: int, prices: Prices) -> None:
    """Find what groups are worth, and the best kind for each of their leaves."""
    if not groups:
        return
    leaves = [leaf for group in groups for leaf in group.leaves]
    names = torch.tensor([number for number, group in enumerate(groups) for _ in group.leaves], dtype=torch.int64)
    jobs, origin = numbered_jobs(boxes_of(leaves), names, network.context)
    _, cost, share, rows = hints(network, jobs, basis, kept)
    kind, value = prices.decide(jobs, cost, share, rows)
    for box, b in enumerate(origin.tolist()):
        leaves[b].kind, leaves[b].share = int(kind[box]), float(share[box])
    first = torch.zeros(len(jobs), dtype=torch.int64).scatter(0, jobs.of, origin)
    for job, b in enumerate(first.tolist()):
        group = groups[int(names[b])]
        group.value, group.cost = float(value[job]), float(cost[job])
        group.size = float(sum(leaf.size for leaf in group.leaves))


def _cut(network: Network, groups: list[_Group], near: int, basis: Tensor, kept: int, prices: Prices) -> list[_Group]:
    """Cut the groups that lose more than they cost, where that gains enough."""
    trials: dict[int, tuple[list[Node], list[_Group]]] = {}
    for number, group in enumerate(groups):
        if group.size * prices.worth - group.value <= 2 * group.cost or near in group.tried:
            continue
        group.tried.add(near)
        copies = [copy.copy(leaf) for leaf in group.leaves]
        if near:
            tokens, positions = heaviest(network, group.leaves, near), range(network.n)
        else:
            tokens, positions = widest_gap(network, group.leaves)
        parts: dict[int, list[Node]] = {}
        for leaf in copies:
            for inside, node in divided(leaf, tokens, positions, network.context):
                parts.setdefault(inside, []).append(node)
        if len(parts) > 1:
            trials[number] = copies, [_Group(nodes) for nodes in parts.values()]
    _judge(network, [child for _, children in trials.values() for child in children], basis, kept, prices)
    kept_groups: list[_Group] = []
    for number, group in enumerate(groups):
        copies, children = trials.get(number, ([], []))
        lost = group.size * prices.worth - group.value
        if children and sum(child.value for child in children) - group.value > GAIN * lost:
            for leaf, cut in zip(group.leaves, copies, strict=True):
                leaf.cut = cut.cut
            kept_groups += children
        else:
            kept_groups.append(group)
    return kept_groups


def hints(network: Network, jobs: Jobs, basis: Tensor, kept: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Hints [J, columns] for jobs, their cost [J]; the certified share of each box and its open rows [B] (`shares`): estimated."""
    shared = Shared(network, basis)
    readout = Readout(shared, basis[-1])
    columns, share, rows, cost = [], [], [], []
    for batch in relaxed_batches(network, shared, jobs):
        taken = Hints(None, len(batch.jobs))
        u = margins(Relaxed(shared, batch.jobs, taken), readout, kept)
        columns.append(taken.recorded())
        right, open_rows = shares(batch.jobs, u, torch.Generator().manual_seed(0))
        share.append(right)
        rows.append(open_rows)
        with count() as counter:
            margins(Relaxed(shared, batch.jobs, Hints(columns[-1], len(batch.jobs))), readout, kept)
        cost.append(torch.full((len(batch.jobs),), counter.length.total / len(batch.jobs), dtype=torch.float64))
    return torch.cat(columns), torch.cat(cost), torch.cat(share), torch.cat(rows)


def axes(network: Network) -> Tensor:
    """Orthonormal axes [frames, d, d]: the principal ones of each norm's argument, as far as it is made of leaves."""
    width, leaves = widest(network), Leaves(network)
    found = torch.eye(width, dtype=torch.float64).repeat(frames(network), 1, 1)
    x = torch.randint(0, network.v, (DRAWN, network.n), generator=torch.Generator().manual_seed(0))
    _, symbols = evaluate(network, x)
    for number, block in enumerate(b for b in network.blocks if isinstance(b, Norm)):
        parts = [symbols[b] @ p for b, p in block.z.parts.items() if b in leaves]
        if parts:
            _principal(torch.stack(parts).sum(0), found[number])
    own = [symbols[b] for b in network.logits.parts if b in leaves]
    if own:
        _principal(torch.cat(own, 1), found[-1])
    return found


def _principal(vectors: Tensor, into: Tensor) -> None:
    size = vectors.shape[1]
    into[:size, :size] = torch.linalg.svd(vectors - vectors.mean(0), full_matrices=True)[2]
