"""The search for networks with norms, MLPs and whatever else is relaxed."""

from __future__ import annotations

import copy
from collections.abc import Iterator
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
NEAR = (3, 6, 1, 12, 0, 0)
"""How many tokens, those of the largest weights, a round tells from the others at every position, one number after the other and
over again; 0: a cut at one position, that whose weights differ most, where they differ most.
"""

GAIN = 0.03
"""A cut must win back at least this share of what is lost: a poor cut stands in the way of better ones."""


@dataclass
class _Node:
    """A node of a split tree that is being made: a leaf with a box, or a cut."""

    box: Tensor
    label: int
    group: int = 0
    prove: bool = True
    cut: tuple[int, Tensor, _Node, _Node] | None = None

    def divide(self, position: int, tokens: Tensor) -> tuple[_Node, _Node]:
        """Cut at a position into the tokens of a set and the others."""
        inside, outside = (copy.copy(self) for _ in range(2))
        inside.box, outside.box = self.box.clone(), self.box.clone()
        inside.box[position] &= tokens
        outside.box[position] &= ~tokens
        self.cut = (position, tokens, inside, outside)
        return inside, outside

    def leaves(self) -> Iterator[_Node]:
        """In preorder."""
        if self.cut is None:
            yield self
        else:
            yield from self.cut[2].leaves()
            yield from self.cut[3].leaves()

    def written(self) -> tree.Tree:
        """As `compact_proofs.automatic.tree` has it."""
        if self.cut is None:
            return tree.PROVE if self.prove else tree.DROP
        position, tokens, inside, outside = self.cut
        return tree.Cut(position, tokens, inside.written(), outside.written())


def relaxed_search(network: Network, boxes: Boxes, kept: int, cuts: int, worth: float) -> dict[str, Tensor]:
    """Find an explanation for a network with relaxed symbols.

    Boxes that end in one token and have one label are bounded together. Then, `cuts` times: the boxes of groups that lose more than
    they cost are divided at every free position into the tokens of largest weight and the others, parts with equally many of the
    first make new groups, and this is kept where it gains. Groups that certify less than they cost are dropped.
    """
    basis = axes(network)
    roots = [_Node(boxes.masks[b], int(boxes.labels[b])) for b in range(len(boxes))]
    groups: dict[int, list[_Node]] = {}
    numbers: dict[tuple[int, int], int] = {}
    for root in roots:
        root.prove = root.label != MIXED
        if root.prove:
            for leaf in _by_token(root, network.context):
                q = int(leaf.box[network.context].to(torch.int64).argmax())
                leaf.group = numbers.setdefault((q, leaf.label), len(numbers))
                groups.setdefault(leaf.group, []).append(leaf)
    value = _values(network, groups, basis, kept, worth)
    for near in (NEAR * cuts)[:cuts]:
        losing = [g for g, (gain, cost, size) in value.items() if size * worth - max(gain, 0.0) > 2 * cost]
        trial: dict[int, list[_Node]] = {}
        parents: dict[int, tuple[int, list[_Node]]] = {}
        fresh = max(value, default=0) + 1
        for g in losing:
            copies = [copy.copy(leaf) for leaf in groups[g]]
            if near:
                tokens, positions = heaviest(network, groups[g], near), range(network.n)
            else:
                tokens, positions = widest_gap(network, groups[g])
            parts: dict[int, list[_Node]] = {}
            for leaf in copies:
                for inside, node in _divided(leaf, tokens, positions, network.context):
                    parts.setdefault(inside, []).append(node)
            if len(parts) > 1:
                for nodes in parts.values():
                    trial[fresh], parents[fresh] = nodes, (g, copies)
                    fresh += 1
        if not trial:
            break
        found = _values(network, trial, basis, kept, worth)
        for g in losing:
            children = [k for k, (parent, _) in parents.items() if parent == g]
            before, whole = max(value[g][0], 0.0), value[g][2] * worth
            if children and sum(max(found[k][0], 0.0) for k in children) - before > GAIN * (whole - before):
                for leaf, divided in zip(groups.pop(g), parents[children[0]][1], strict=True):
                    leaf.cut = divided.cut
                del value[g]
                for k in children:
                    groups[k], value[k] = trial[k], found[k]
                    for leaf in trial[k]:
                        leaf.group = k
    for g, leaves in groups.items():
        for leaf in leaves:
            leaf.prove = value[g][0] > 0
    chosen = [leaf for root in roots for leaf in root.leaves() if leaf.prove]
    group = torch.tensor([leaf.group for leaf in chosen], dtype=torch.int64)
    columns = torch.zeros(0, 0, dtype=torch.float64)
    if chosen:
        columns, _, _ = hints(network, jobs_of(_boxes(chosen), group, network.context), basis, kept)
    return {
        "tree": tree.encode([root.written() for root in roots], network.v),
        "group": group,
        "choices": torch.zeros(0, dtype=torch.int64),
        "numbers": torch.cat([basis.flatten(), columns.flatten()]),
    }


def _boxes(leaves: list[_Node]) -> Boxes:
    return Boxes(torch.stack([leaf.box for leaf in leaves]), torch.tensor([leaf.label for leaf in leaves]))


def _by_token(node: _Node, context: int) -> Iterator[_Node]:
    """Divide a box by the context's token."""
    while int(node.box[context].sum()) > 1:
        first = torch.zeros_like(node.box[context])
        first[int(node.box[context].to(torch.int64).argmax())] = True
        inside, node = node.divide(context, first)
        yield inside
    yield node


def _values(
    network: Network, groups: dict[int, list[_Node]], basis: Tensor, kept: int, worth: float
) -> dict[int, tuple[float, float, float]]:
    """For each group: what it certifies is worth, less its cost; its cost; its size. Estimated."""
    leaves = [leaf for g in groups for leaf in groups[g]]
    names = torch.tensor([g for g in groups for _ in groups[g]], dtype=torch.int64)
    boxes = _boxes(leaves)
    jobs = jobs_of(boxes, names, network.context)
    _, share, cost = hints(network, jobs, basis, kept)
    size = sizes(jobs)
    token = boxes.masks[:, network.context].to(torch.int64).argmax(1)
    order = torch.stack([token, boxes.labels, names], 1).unique(dim=0)[:, 2].tolist()
    gain = size * share * worth - cost
    return {g: (float(gain[j]), float(cost[j]), float(size[j])) for j, g in enumerate(order)}


def heaviest(network: Network, leaves: list[_Node], number: int) -> Tensor:
    """The tokens, bool [v], of largest weight at the free positions of boxes that end in one token, over all heads.

    Without heads, the largest tokens.
    """
    score, several = _scores(network, leaves)
    several = several.any(0)
    score = score.sum(0).masked_fill(~several, -1.0)
    found = torch.zeros(network.v, dtype=torch.bool)
    found[score.topk(min(number, network.v)).indices] = True
    return found & several


def widest_gap(network: Network, leaves: list[_Node]) -> tuple[Tensor, range]:
    """Tokens, bool [v], and the one position to cut at: where the weights of two parts differ most."""
    score, several = _scores(network, leaves)
    best: tuple[float, Tensor, int] = (-1.0, torch.zeros(network.v, dtype=torch.bool), 0)
    for i in range(network.n):
        tokens = several[i].nonzero()[:, 0]
        if i == network.context or len(tokens) < 2:
            continue
        order = tokens[score[i, tokens].argsort(descending=True)]
        values = score[i, order]
        k = torch.arange(1, len(values), dtype=torch.float64)
        means = values.cumsum(0)[:-1] / k - (values.sum() - values.cumsum(0)[:-1]) / (len(values) - k)
        between = k * (len(values) - k) * means.square()  # Otsu's criterion
        at = int(between.argmax())
        if float(between[at]) > best[0]:
            inside = torch.zeros(network.v, dtype=torch.bool)
            inside[order[: at + 1]] = True
            best = (float(between[at]), inside, i)
    return best[1], range(best[2], best[2] + 1)


def _scores(network: Network, leaves: list[_Node]) -> tuple[Tensor, Tensor]:
    """Shares of the heads' weights [n, v], added up, and where boxes that end in one token leave a choice: bool [n, v].

    Without heads, larger tokens score higher.
    """
    q = int(leaves[0].box[network.context].to(torch.int64).argmax())
    allowed = torch.stack([leaf.box for leaf in leaves])
    allowed[:, network.context] = False
    several = (allowed & (allowed.sum(-1, keepdim=True) > 1)).any(0)
    score = (torch.arange(network.v, dtype=torch.float64) * 1e-9).expand(network.n, network.v)
    for block in Leaves(network).averages.values():
        w = block.weights[q]  # [n, K, G]
        score = score + (w / w.masked_fill(~several[..., None], 0).sum((0, 1)).clamp(min=1e-300)).sum(-1)
    return score, several


def _divided(leaf: _Node, tokens: Tensor, positions: range, context: int) -> Iterator[tuple[int, _Node]]:
    """Cut a box at those positions that hold some of `tokens` and others: the parts, and how many positions hold them."""
    waiting = [(0, 0, leaf)]
    while waiting:
        position, inside, node = waiting.pop()
        while position < len(node.box) and (
            position == context
            or position not in positions
            or not bool((node.box[position] & tokens).any())
            or not bool((node.box[position] & ~tokens).any())
        ):
            position += 1
        if position == len(node.box):
            yield inside, node
        else:
            near, far = node.divide(position, tokens)
            waiting += [(position + 1, inside, far), (position + 1, inside + 1, near)]


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
