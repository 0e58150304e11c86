"""The search for networks with norms, MLPs and whatever else is relaxed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from compact_proofs.automatic.boxes import tree
from compact_proofs.automatic.reading.blocks import Network
from compact_proofs.automatic.search.cutting import WAYS, Cutter, divided, places
from compact_proofs.automatic.search.judging import Group, Judge
from compact_proofs.automatic.search.nodes import Node, by_token
from compact_proofs.automatic.search.prices import Prices
from compact_proofs.progress import track
from compact_proofs.sequences.boxes import MIXED, Boxes

MANY = 32
"""A group of more boxes is only divided into single ones."""
MOST_PARTS = 256
"""Boxes that a group is divided into, at most."""
TRIED = 2**16
"""Boxes that are bounded in search of better ones, at most."""
SAMPLED, FAVOURITES, COVERED = 32, 3, 0.8
"""Groups on which every way to divide is tried in a round; how many ways are tried on the others, at most, and which: those that
made this share of what was gained on the first."""
YIELD = 0.1
"""Bounds that are tried must gain at least this share of the operations that they take: so much a search is worth to a proof."""
PROBED = 32
"""Boxes of a large group that are bounded one by one, before all are."""
GAIN = 0.03
"""A cut must win back at least this share of what is lost: a poor cut stands in the way of better ones."""
TRIES = 2
"""Divisions in a row that gain nothing by themselves, at most, in hope of the next."""
EASE = 0.2
"""A cut that gains nothing by itself must lower what bounds lack by at least this share, to be followed by others."""


def relaxed_search(
    network: Network,
    boxes: Boxes,
    kept: int,
    cuts: int,
    prices: Prices,
    labels: Callable[[Tensor], Tensor] | None = None,
) -> tuple[dict[str, Tensor], float]:
    """Find an explanation for a network with relaxed symbols, and what it is worth by the prices, estimated.

    Boxes that end in one token and have one label are bounded together. Then, `cuts` times: the boxes of groups that lose more than
    they cost are divided in several ways (module `cutting`), at some positions into some tokens and the others;
    parts with equally many of the first make new groups, and the best way is kept where it gains. Where none gains, the way that
    brings bounds nearest to 0 is followed for a while (`TRIES`), and taken back if nothing comes of it. In the end a box
    is bounded, or its inputs are evaluated, or both, or it is left out, whatever is worth most. At most `TRIED` boxes are bounded
    on the way; and the search ends after a round that gains less than it should (`YIELD`), where no way is followed in hope.

    Parameters
    ----------
    labels
        If given, the boxes are of mixed label.
    """
    judge = Judge(network, kept, prices, labels)
    roots = [Node(boxes.masks[b], int(boxes.labels[b])) for b in range(len(boxes))]
    parts: dict[tuple[int, int], list[Node]] = {}
    for root in roots:
        if 0 <= root.label < network.logits.shape[0] or (labels is not None and root.label == MIXED):
            for leaf in by_token(root, network.context):
                q = int(leaf.box[network.context].to(torch.int64).argmax())
                parts.setdefault((q, leaf.label), []).append(leaf)
    first = [Group(leaves, tries=TRIES) for leaves in parts.values()]
    judge.judge(first)
    dividing, groups = _Cuts(judge), first
    for _ in track(range(cuts), "rounds of cuts"):
        if dividing.over:
            break
        groups = dividing.round(groups)
    groups = [part for group in first for part in _best(group)]
    for number, group in enumerate(groups):
        for leaf, leaf.kind, leaf.share in zip(group.leaves, group.kinds, group.shares, strict=True):
            leaf.group = number
    prices.settle(roots, network.logits.shape[0], mixed=labels is not None)
    chosen = [leaf for root in roots for leaf in root.leaves() if leaf.kind in (tree.PROVE, tree.REST)]
    named = torch.tensor([leaf.group for leaf in chosen], dtype=torch.int64)
    columns = torch.zeros(0, 0, dtype=torch.float64)
    if chosen:
        jobs, origin = judge.jobs(chosen, named)
        one = torch.zeros(len(jobs), dtype=torch.int64).scatter(0, jobs.of, origin)
        columns = torch.stack([groups[number].columns for number in named[one].tolist()])
    explanation = {
        "roots": torch.tensor([int(labels is not None)]),
        "tree": tree.encode([root.written() for root in roots], network.v),
        "group": named,
        "choices": torch.zeros(0, dtype=torch.int64),
        "numbers": torch.cat([judge.basis.flatten(), columns.flatten()]) if chosen else columns.flatten(),
    }
    return explanation, sum(group.value for group in groups)


def _best(group: Group) -> list[Group]:
    """The groups that a group is divided into, as far as that gains; cuts that do not are taken back."""
    parts = [part for child in group.parts for part in _best(child)]
    if sum(part.value for part in parts) > group.value and parts:
        return parts
    for leaf in group.leaves:
        leaf.cut = None
    return [group]


def _ways(network: Network, group: Group, ways: tuple[str, ...]) -> Iterator[tuple[str, list[Node], list[Group]]]:
    """Ways to divide a group: the name, copies of its leaves, and the groups of their parts. "apart" leaves each box alone."""
    cutter = Cutter(network, group.leaves)
    for way in ways if len(group.leaves) <= MANY else ("apart",):
        copies = [leaf.copy() for leaf in group.leaves]
        parts: dict[int, list[Node]] = {}
        if way == "apart":
            parts = {number: [leaf] for number, leaf in enumerate(copies)}
        else:
            tokens = cutter.tokens(way)
            where = [places(leaf, tokens, network.context) for leaf in copies]
            if sum(2 ** len(positions) for positions in where) > MOST_PARTS:
                continue
            for leaf, positions in zip(copies, where, strict=True):
                for inside, node in divided(leaf, tokens, positions):
                    parts.setdefault(inside, []).append(node)
        if len(parts) > 1:
            yield way, copies, [Group(nodes) for nodes in parts.values()]


@dataclass
class _Trial:
    """A way to divide a group: the group's number, its divided copies, the parts, and what is gained."""

    number: int
    way: str
    copies: list[Node]
    children: list[Group]
    gain: float = 0.0
    eases: bool = False

    @property
    def lacking(self) -> float:
        """By how much bounds fall short on the parts."""
        return sum(child.deficit for child in self.children)


def _divide(group: Group, trial: _Trial) -> None:
    """Divide a group as in a trial. A leaf that is not cut stays the same node, so that later cuts of it count."""
    same = {id(new): leaf for leaf, new in zip(group.leaves, trial.copies, strict=True) if new.cut is None}
    for leaf, new in zip(group.leaves, trial.copies, strict=True):
        leaf.cut = new.cut
    for child in trial.children:
        child.leaves = [same.get(id(leaf), leaf) for leaf in child.leaves]
    group.parts = trial.children


def _probes(group: Group) -> list[Group]:
    """Copies of some boxes of a group, each by itself."""
    step = -(-len(group.leaves) // PROBED)
    return [Group([leaf.copy()]) for leaf in group.leaves[::step]]


def _favourites(gained: dict[str, float], total: float) -> tuple[str, ...]:
    """The ways that gained most: as many as made most of the total."""
    found: list[str] = []
    for way in sorted(gained, key=lambda way: -gained[way])[:FAVOURITES]:
        if sum(gained[w] for w in found) < COVERED * total:
            found.append(way)
    return tuple(found)


@dataclass
class _Cuts:
    """Divides groups, each in the way that gains most, while there is room for more boxes to be bounded.

    Every way is tried on the groups that lose most, where one that gains nothing may be followed too; and those ways that gained
    most there on the others, on none if next to nothing was gained. The large groups are only taken apart, and only where a few of
    their boxes say that it pays.

    Attributes
    ----------
    room
        How many boxes may still be bounded.
    spent
        Operations of all bounds that were tried.
    over
        Is it not worth going on?
    """

    judge: Judge
    room: int = TRIED
    spent: float = 0.0
    over: bool = False

    def round(self, groups: list[Group]) -> list[Group]:
        """Divide the groups that lose more than they cost, where that gains enough."""
        before = self.spent
        losses = torch.tensor([self._lost(group) for group in groups])
        order = losses.argsort(descending=True, stable=True).tolist()
        losing = [k for k in order if not groups[k].settled and float(losses[k]) > 2 * groups[k].cost]
        every = (*WAYS, "apart")
        best = self._tried(groups, losing[:SAMPLED], every, blind=True)
        gained = {way: sum(max(trial.gain, 0.0) for trial in best.values() if trial.way == way) for way in every}
        total = sum(gained.values())
        if total > max(GAIN * float(losses[losing[:SAMPLED]].sum()), YIELD * (self.spent - before)):
            best |= self._tried(groups, losing[SAMPLED:], _favourites(gained, total))
        found: list[Group] = []
        hoped = False
        for number, group in enumerate(groups):
            trial = best.get(number)
            gains = trial is not None and trial.gain > GAIN * float(losses[number])
            if trial is not None and (gains or trial.eases):
                hoped |= not gains
                for child in trial.children:
                    child.tries = TRIES if gains else group.tries - 1
                _divide(group, trial)
                found += group.parts
            else:
                group.settled = True
                found.append(group)
        gain = sum(max(trial.gain, 0.0) for trial in best.values())
        self.over = gain <= YIELD * (self.spent - before) and not hoped
        return found

    def _lost(self, group: Group) -> float:
        """By how much a group is worth less than if all its inputs were certified for nothing."""
        return group.size * self.judge.prices.worth - group.value

    def _judge(self, groups: list[Group]) -> None:
        self.judge.judge(groups)
        self.spent += sum(group.cost for group in groups)

    def _paying(self, groups: list[Group], numbers: list[int]) -> list[int]:
        """Those of some groups that it may pay to divide: of the large ones those of which a few boxes, taken apart, say so."""
        probes = {k: _probes(groups[k]) for k in numbers if len(groups[k].leaves) > MANY}
        self._judge([probe for few in probes.values() for probe in few])
        found = []
        for k in numbers:
            if k in probes:
                few, lost = probes[k], self._lost(groups[k])
                gain = lost - sum(map(self._lost, few)) * groups[k].size / max(sum(probe.size for probe in few), 1.0)
                cost = sum(probe.cost for probe in few) * len(groups[k].leaves) / len(few)
                if gain <= max(GAIN * lost, YIELD * cost):
                    continue
            found.append(k)
        return found

    def _tried(self, groups: list[Group], numbers: list[int], ways: tuple[str, ...], blind: bool = False) -> dict[int, _Trial]:
        """For each of some groups the way that gains most; or else, if `blind`, that which brings bounds nearest to 0."""
        trials = []
        for number in self._paying(groups, numbers):
            for way, copies, children in _ways(self.judge.network, groups[number], ways):
                self.room -= sum(len(child.leaves) for child in children)
                if self.room >= 0:
                    trials.append(_Trial(number, way, copies, children))
        self._judge([child for trial in trials for child in trial.children])
        best: dict[int, _Trial] = {}
        nearest: dict[int, _Trial] = {}
        for trial in trials:
            group = groups[trial.number]
            trial.gain = sum(child.value for child in trial.children) - group.value
            if trial.gain > (best[trial.number].gain if trial.number in best else 0.0):
                best[trial.number] = trial
            trial.eases = blind and group.tries > 0 and trial.lacking < (1 - EASE) * group.deficit
            if trial.eases and (trial.number not in nearest or trial.lacking < nearest[trial.number].lacking):
                nearest[trial.number] = trial
        for number, trial in nearest.items():
            if number not in best or best[number].gain <= GAIN * self._lost(groups[number]):
                best[number] = trial
        return best
