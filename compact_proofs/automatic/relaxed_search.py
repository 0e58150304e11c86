"""The search for networks with norms, MLPs and whatever else is relaxed."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from compact_proofs.automatic import tree
from compact_proofs.automatic.blocks import Network, Norm
from compact_proofs.automatic.boxes import Boxes
from compact_proofs.automatic.cutting import WAYS, Cutter, divided
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
from compact_proofs.length import ProofLength, count

DRAWN = 2000
"""Inputs drawn to find axes of coordinates."""
MANY = 32
"""A group of more boxes is only divided into single ones."""
TRIED = 2**17
"""Boxes that are bounded in search of better ones, at most."""
SAMPLED, FAVOURITES = 32, 3
"""Groups on which every way to divide is tried in a round, and how many ways are tried on the others."""
OF_RIVALS = ("rows of rivals", "heads", "additive")
"""Stages of a proof that are about the rivals that are left."""
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
    settled
        Is it not worth cutting?
    """

    leaves: list[Node]
    value: float = 0.0
    cost: float = 0.0
    size: float = 0.0
    settled: bool = False


def relaxed_search(network: Network, boxes: Boxes, kept: int, cuts: int, prices: Prices) -> dict[str, Tensor]:
    """Find an explanation for a network with relaxed symbols.

    Boxes that end in one token and have one label are bounded together. Then, `cuts` times: the boxes of groups that lose more than
    they cost are divided in several ways (`compact_proofs.automatic.cutting`), at some positions into some tokens and the others;
    parts with equally many of the first make new groups, and the best way is kept where it gains. In the end a box is bounded, or
    its inputs are evaluated, or both, or it is left out, whatever is worth most. At most `TRIED` boxes are bounded on the way.
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
    dividing = _Cuts(network, basis, kept, prices)
    for _ in range(cuts):
        groups = dividing.round(groups)
    for number, group in enumerate(groups):
        for leaf in group.leaves:
            leaf.group = number
    prices.settle(roots, network.logits.shape[0])
    chosen = [leaf for root in roots for leaf in root.leaves() if leaf.kind in (tree.PROVE, tree.REST)]
    named = torch.tensor([leaf.group for leaf in chosen], dtype=torch.int64)
    columns = torch.zeros(0, 0, dtype=torch.float64)
    if chosen:
        jobs = jobs_of(boxes_of(chosen), named, network.context)
        columns = torch.cat([found.columns for found in _found(network, jobs, basis, kept)])
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
    found = [(x.cost, x.share, x.rows) for x in _found(network, jobs, basis, kept)]
    cost, share, rows = (torch.cat(part) for part in zip(*found, strict=True))
    kind, value = prices.decide(jobs, cost, share, rows)
    for box, b in enumerate(origin.tolist()):
        leaves[b].kind, leaves[b].share = int(kind[box]), float(share[box])
    first = torch.zeros(len(jobs), dtype=torch.int64).scatter(0, jobs.of, origin)
    for job, b in enumerate(first.tolist()):
        group = groups[int(names[b])]
        group.value, group.cost = float(value[job]), float(cost[job])
        group.size = float(sum(leaf.size for leaf in group.leaves))


def _ways(network: Network, group: _Group, ways: tuple[str, ...]) -> Iterator[tuple[str, list[Node], list[_Group]]]:
    """Ways to divide a group: the name, copies of its leaves, and the groups of their parts. "apart" leaves each box alone."""
    cutter = Cutter(network, group.leaves)
    for way in ways if len(group.leaves) <= MANY else ("apart",):
        copies = [copy.copy(leaf) for leaf in group.leaves]
        parts: dict[int, list[Node]] = {}
        if way == "apart":
            parts = {number: [leaf] for number, leaf in enumerate(copies)}
        else:
            tokens = cutter.tokens(way)
            for leaf in copies:
                for inside, node in divided(leaf, tokens, network.context):
                    parts.setdefault(inside, []).append(node)
        if len(parts) > 1:
            yield way, copies, [_Group(nodes) for nodes in parts.values()]


@dataclass
class _Trial:
    """A way to divide a group: the group's number, its divided copies, the parts, and what is gained."""

    number: int
    way: str
    copies: list[Node]
    children: list[_Group]
    gain: float = 0.0


@dataclass
class _Cuts:
    """Divides groups, each in the way that gains most, while there is room for more boxes to be bounded.

    Every way is tried on a sample of the groups, and those that were best there most often on the others.
    """

    network: Network
    basis: Tensor
    kept: int
    prices: Prices
    room: int = TRIED

    def round(self, groups: list[_Group]) -> list[_Group]:
        """Divide the groups that lose more than they cost, where that gains enough."""
        losses = torch.tensor([group.size * self.prices.worth - group.value for group in groups])
        order = losses.argsort(descending=True, stable=True).tolist()
        losing = [k for k in order if not groups[k].settled and float(losses[k]) > 2 * groups[k].cost]
        every = (*WAYS, "apart")
        best = self._tried(groups, losing[:SAMPLED], every)
        wins = {way: sum(trial.way == way for trial in best.values()) for way in every}
        best |= self._tried(groups, losing[SAMPLED:], tuple(sorted(every, key=lambda way: -wins[way])[:FAVOURITES]))
        found: list[_Group] = []
        for number, group in enumerate(groups):
            trial = best.get(number)
            if trial is not None and trial.gain > GAIN * float(losses[number]):
                same = {id(new): leaf for leaf, new in zip(group.leaves, trial.copies, strict=True) if new.cut is None}
                for leaf, new in zip(group.leaves, trial.copies, strict=True):
                    leaf.cut, leaf.kind, leaf.share = new.cut, new.kind, new.share
                for child in trial.children:
                    child.leaves = [same.get(id(leaf), leaf) for leaf in child.leaves]
                found += trial.children
            else:
                group.settled = True
                found.append(group)
        return found

    def _tried(self, groups: list[_Group], numbers: list[int], ways: tuple[str, ...]) -> dict[int, _Trial]:
        """The best way for each of some groups, if one gains anything."""
        trials = []
        for number in numbers:
            for way, copies, children in _ways(self.network, groups[number], ways):
                self.room -= sum(len(child.leaves) for child in children)
                if self.room >= 0:
                    trials.append(_Trial(number, way, copies, children))
        _judge(self.network, [child for trial in trials for child in trial.children], self.basis, self.kept, self.prices)
        best: dict[int, _Trial] = {}
        for trial in trials:
            trial.gain = sum(child.value for child in trial.children) - groups[trial.number].value
            if trial.gain > (best[trial.number].gain if trial.number in best else 0.0):
                best[trial.number] = trial
        return best


@dataclass
class _Found:
    """What is found about a batch of jobs: hints [J, columns], cost [J]; share and open rows of each box [B] (`shares`)."""

    columns: Tensor
    cost: Tensor
    share: Tensor
    rows: Tensor


def _found(network: Network, jobs: Jobs, basis: Tensor, kept: int) -> Iterator[_Found]:
    """Find hints for jobs, batch after batch, and estimate what they prove."""
    shared = Shared(network, basis)
    readout = Readout(shared, basis[-1])
    for batch in relaxed_batches(network, shared, jobs):
        taken = Hints(None, len(batch.jobs))
        u = margins(Relaxed(shared, batch.jobs, taken), readout, kept)
        share, rows = shares(batch.jobs, u, torch.Generator().manual_seed(0))
        with count() as counter:
            again = Relaxed(shared, batch.jobs, Hints(taken.recorded(), len(batch.jobs)))
            margins(again, readout, kept)
        yield _Found(taken.recorded(), _costs(counter.length, again.rivals), share, rows)


def _costs(length: ProofLength, rivals: Tensor) -> Tensor:
    """What each job of a batch cost [J]: each the same, and what rows of rivals cost by their number."""
    by_rival = sum(sum(length.by_stage.get(name, {}).values()) for name in OF_RIVALS)
    same = (length.total - by_rival) / len(rivals)
    return same + by_rival * rivals.double() / max(int(rivals.sum()), 1)


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
