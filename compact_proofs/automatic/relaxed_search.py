"""The search for networks with norms, MLPs and whatever else is relaxed."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import torch
from torch import Tensor

from compact_proofs.automatic import tree
from compact_proofs.automatic.blocks import Network, Norm
from compact_proofs.automatic.boxes import MIXED, Boxes
from compact_proofs.automatic.evaluate import evaluate
from compact_proofs.automatic.hints import Hints
from compact_proofs.automatic.jobs import jobs_of
from compact_proofs.automatic.margins import Readout, frames, margins
from compact_proofs.automatic.projection import Leaves
from compact_proofs.automatic.proof import relaxed_batches, widest
from compact_proofs.automatic.relaxed import Relaxed, Shared
from compact_proofs.automatic.rows import Jobs
from compact_proofs.automatic.shares import shares, sizes
from compact_proofs.length import count

DRAWN = 2000
"""Inputs drawn to find axes of coordinates."""
NEAR = (3, 6, 12, 24)
"""How many tokens, those of the largest weights, a cut tells from the others: tried in this order."""


@dataclass
class _Node:
    """A root box divided: its leaves with their numbers, and what is written into the tree."""

    leaves: Boxes
    group: list[int]
    written: tree.Tree


def relaxed_search(network: Network, boxes: Boxes, kept: int, cuts: int, worth: float) -> dict[str, Tensor]:
    """Find an explanation for a network with relaxed symbols.

    All boxes are bounded first. Those of jobs that lose more inputs than their proof is worth are then divided at every free
    position into the tokens of largest weight and the others, parts with equally many of the first being bounded together, `cuts`
    times with other numbers of tokens; what certifies most is kept. Jobs that certify less than they cost are dropped.
    """
    basis = axes(network)
    kinds: list[tree.Tree] = [tree.DROP] * len(boxes)
    known = (boxes.labels != MIXED).nonzero()[:, 0]
    first = boxes[known]
    zero = torch.zeros(len(first), dtype=torch.int64)
    jobs = jobs_of(first, zero, network.context)
    columns, share, cost = hints(network, jobs, basis, kept)
    gain = sizes(jobs) * share * worth - cost
    owner = _owner(first, jobs)
    best = {j: (float(gain[j]), 0) for j in range(len(jobs))}
    nodes: dict[tuple[int, int], list[_Node]] = {}
    for number, near in enumerate(NEAR[:cuts], 1):
        losing = [j for j in range(len(jobs)) if float(sizes(jobs)[j]) * worth - best[j][0] > 2 * float(cost[j])]
        if not losing:
            break
        for j in losing:
            tokens = heaviest(network, jobs, j, near)
            nodes[j, number] = [divided(first[b : b + 1], tokens, network.context, number) for b in owner[j]]
        parts = Boxes.cat([n.leaves for j in losing for n in nodes[j, number]])
        group = torch.tensor([g for j in losing for n in nodes[j, number] for g in n.group])
        small = jobs_of(parts, group, network.context)
        _, part_share, part_cost = hints(network, small, basis, kept)
        part_gain = (sizes(small) * part_share * worth - part_cost).clamp(min=0)
        key = {(int(jobs.query[j]), int(jobs.label[j])): j for j in losing}
        total = dict.fromkeys(losing, 0.0)
        for i in range(len(small)):
            total[key[int(small.query[i]), int(small.label[i])]] += float(part_gain[i])
        for j in losing:
            if total[j] > best[j][0]:
                best[j] = (total[j], number)
    leaves, groups = [], []
    for j in range(len(jobs)):
        value, number = best[j]
        for place, b in enumerate(owner[j]):
            if number:
                kinds[int(known[b])] = nodes[j, number][place].written
            elif value > 0:
                kinds[int(known[b])] = tree.PROVE
    position = {b: (j, place) for j in range(len(jobs)) for place, b in enumerate(owner[j])}
    for b in range(len(first)):
        j, place = position[b]
        if best[j][1]:
            node = nodes[j, best[j][1]][place]
            leaves.append(node.leaves)
            groups += node.group
        elif kinds[int(known[b])] == tree.PROVE:
            leaves.append(first[b : b + 1])
            groups.append(0)
    chosen = torch.tensor(groups, dtype=torch.int64)
    if leaves:
        columns, _, _ = hints(network, jobs_of(Boxes.cat(leaves), chosen, network.context), basis, kept)
    else:
        columns = columns[:0]
    return {
        "tree": tree.encode(kinds, network.v),
        "group": chosen,
        "choices": torch.zeros(0, dtype=torch.int64),
        "numbers": torch.cat([basis.flatten(), columns.flatten()]),
    }


def _owner(boxes: Boxes, jobs: Jobs) -> list[list[int]]:
    """For each job the boxes that it holds; a box that ends in several tokens counts for its first job."""
    number = {(int(q), int(y)): j for j, (q, y) in enumerate(zip(jobs.query, jobs.label, strict=True))}
    owner: list[list[int]] = [[] for _ in range(len(jobs))]
    for b in range(len(boxes)):
        q = int(boxes.masks[b, jobs.context].to(torch.int64).argmax())
        owner[number[q, int(boxes.labels[b])]].append(b)
    return owner


def heaviest(network: Network, jobs: Jobs, j: int, number: int) -> Tensor:
    """The tokens, bool [v], of largest weight at the free positions of job j, over all heads."""
    leaves = Leaves(network)
    q = int(jobs.query[j])
    allowed = jobs.masks[jobs.of == j][:, jobs.free]
    several = allowed & (allowed.sum(-1, keepdim=True) > 1)
    score = torch.zeros(network.v, dtype=torch.float64)
    for block in leaves.averages.values():
        w = block.weights[q][jobs.free]  # [n - 1, K, G]
        score = score + (w / w.sum((0, 1))).sum((0, 2))
    score = score.masked_fill(~several.any(0).any(0), -1.0)
    found = torch.zeros(network.v, dtype=torch.bool)
    found[score.topk(min(number, network.v)).indices] = True
    return found & (score >= 0)


def divided(box: Boxes, tokens: Tensor, context: int, number: int) -> _Node:
    """Cut a box at every free position that holds some of `tokens` and others; number its parts by how many positions hold them."""
    free = [
        i
        for i in range(box.n_ctx)
        if i != context and bool((box.masks[0, i] & tokens).any()) and bool((box.masks[0, i] & ~tokens).any())
    ]
    masks, groups = [], []
    for inside in itertools.product((True, False), repeat=len(free)):
        mask = box.masks[0].clone()
        for i, near in zip(free, inside, strict=True):
            mask[i] &= tokens if near else ~tokens
        masks.append(mask)
        groups.append(number * (box.n_ctx + 1) + sum(inside))
    written: tree.Tree = tree.PROVE
    for i in reversed(free):
        written = tree.Cut(i, tokens, written, written)
    return _Node(Boxes(torch.stack(masks), box.labels.expand(len(masks))), groups, written)


def hints(network: Network, jobs: Jobs, basis: Tensor, kept: int) -> tuple[Tensor, Tensor, Tensor]:
    """Hints [J, columns] for jobs, the share of each that is certified [J], and its cost [J]: estimated."""
    shared = Shared(network, basis)
    readout = Readout(shared, basis[-1])
    columns, share, cost = [], [], []
    for batch in relaxed_batches(network, shared, jobs):
        taken = Hints(None, len(batch.jobs))
        u = margins(Relaxed(shared, batch.jobs, taken), readout, kept)
        columns.append(taken.recorded())
        share.append(shares(batch.jobs, u, torch.Generator().manual_seed(0)))
        with count() as counter:
            margins(Relaxed(shared, batch.jobs, Hints(columns[-1], len(batch.jobs))), readout, kept)
        cost.append(torch.full((len(batch.jobs),), counter.length.total / len(batch.jobs), dtype=torch.float64))
    return torch.cat(columns), torch.cat(share), torch.cat(cost)


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
