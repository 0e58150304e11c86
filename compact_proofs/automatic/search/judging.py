"""What groups of boxes prove, and what that is worth: estimates, for the search of relaxed proofs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor

from compact_proofs.automatic.bounds.jobs import Batch, numbered_jobs, of_similar_tokens
from compact_proofs.automatic.bounds.margins import Readout, frames, margins
from compact_proofs.automatic.bounds.projection import Leaves
from compact_proofs.automatic.bounds.relaxed import Relaxed, Shared
from compact_proofs.automatic.bounds.rows import Jobs
from compact_proofs.automatic.hints import Hints
from compact_proofs.automatic.mixed import all_labels
from compact_proofs.automatic.proof import relaxed_batches, widest
from compact_proofs.automatic.reading.blocks import Network, Norm
from compact_proofs.automatic.reading.evaluate import evaluate
from compact_proofs.automatic.search.nodes import Node, boxes_of
from compact_proofs.automatic.search.prices import LOOK, Prices
from compact_proofs.automatic.search.shares import Estimate, shares, shares_mixed
from compact_proofs.length import ProofLength, count
from compact_proofs.results import result_class
from compact_proofs.shards import tried

DRAWN = 2000
"""Inputs drawn to find axes of coordinates."""
OF_RIVALS = ("rows of rivals", "heads", "additive")
"""Stages of a proof that are about the rivals that are left."""


@dataclass
class Group:
    """Leaves that end in one token, have one label and are bounded together; with what the search found about them.

    Attributes
    ----------
    leaves
        With their kinds.
    value
        What their certified inputs are worth, less what they cost.
    cost, size
        Of the bounds, if they are made; inputs.
    deficit
        By how much bounds fall short, added up over the inputs.
    kinds, shares
        Of its leaves, as judged with this group.
    settled
        Is it not worth cutting?
    parts
        Into which it is divided.
    tries
        How many divisions in a row may gain nothing.
    columns
        Its hints: those with which it was judged, since others may prove less.
    """

    leaves: list[Node]
    value: float = 0.0
    cost: float = 0.0
    size: float = 0.0
    deficit: float = 0.0
    kinds: list[int] = field(default_factory=list)
    shares: list[float] = field(default_factory=list)
    settled: bool = False
    parts: list[Group] = field(default_factory=list)
    tries: int = 0
    columns: Tensor = field(default_factory=lambda: torch.zeros(0, dtype=torch.float64))


@result_class
@dataclass
class Found:
    """What is found about a batch of jobs: hints [J, columns], cost [J], and estimates of each box."""

    columns: Tensor
    cost: Tensor
    boxes: Estimate


class Judge:
    """Bounds boxes, and says what that is worth.

    Parameters
    ----------
    labels
        For boxes of mixed label, the labels of sequences.
    """

    def __init__(self, network: Network, kept: int, prices: Prices, labels: Callable[[Tensor], Tensor] | None = None) -> None:
        self.network, self.kept, self.prices, self.labels = network, kept, prices, labels
        self.basis = axes(network)
        self._shared = Shared(network, self.basis)
        self._readout = Readout(self._shared, self.basis[-1])

    def judge(self, groups: list[Group]) -> None:
        """Find what groups are worth, and the best kind for each of their leaves."""
        if not groups:
            return
        leaves = [leaf for group in groups for leaf in group.leaves]
        names = torch.tensor([number for number, group in enumerate(groups) for _ in group.leaves], dtype=torch.int64)
        jobs, origin = self.jobs(leaves, names)
        batches = list(self.found(jobs))
        cost = torch.cat([x.cost for x in batches])
        share, rows, deficit = (torch.cat([getattr(x.boxes, name) for x in batches]) for name in ("share", "rows", "deficit"))
        if self.labels is not None:
            rows = rows + self.prices.label / LOOK
        kind, value = self.prices.decide(jobs, cost, share, rows)
        lacking = [0.0] * len(groups)
        of_leaf = names.tolist()
        of_box = zip(origin.tolist(), kind.tolist(), share.tolist(), deficit.tolist(), strict=True)
        for b, own_kind, own_share, own_deficit in of_box:
            leaves[b].kind, leaves[b].share = own_kind, own_share
            lacking[of_leaf[b]] += own_deficit * leaves[b].size
        first = torch.zeros(len(jobs), dtype=torch.int64).scatter(0, jobs.of, origin)
        columns = torch.cat([x.columns for x in batches])
        of_job = zip(first.tolist(), value.tolist(), cost.tolist(), columns.unbind(), strict=True)
        for b, own_value, own_cost, own_columns in of_job:
            group = groups[of_leaf[b]]
            group.columns, group.value, group.cost = own_columns, own_value, own_cost
            group.size = float(sum(leaf.size for leaf in group.leaves))
        for number, group in enumerate(groups):
            group.deficit = lacking[number]
            group.kinds, group.shares = [leaf.kind for leaf in group.leaves], [leaf.share for leaf in group.leaves]

    def jobs(self, leaves: list[Node], names: Tensor) -> tuple[Jobs, Tensor]:
        """Jobs for leaves that end in one token each, by the names of their groups, and which leaf each of their boxes is."""
        jobs, leaf = numbered_jobs(boxes_of(leaves), names, self.network.context, mixed=self.labels is not None)
        ordered, box = of_similar_tokens(jobs)
        return ordered, leaf[box]

    def found(self, jobs: Jobs) -> Iterator[Found]:
        """Find hints for jobs, batch after batch, and estimate what they prove."""
        return tried(self._found, list(relaxed_batches(self.network, self._shared, jobs)), "boxes, in batches")

    def _found(self, batch: Batch) -> Found:
        taken, generator = Hints(None, len(batch.jobs)), torch.Generator().manual_seed(0)
        with count() as counter:
            relaxed = Relaxed(self._shared, batch.jobs, taken)
            if self.labels is None:
                bounds = [margins(relaxed, self._readout, self.kept)]
            else:
                bounds = all_labels(relaxed, self._readout, self.kept)
        if self.labels is None:
            boxes = shares(batch.jobs, bounds[0], generator)
        else:
            boxes = shares_mixed(batch.jobs, bounds, self.labels, generator)
        return Found(taken.recorded(), _costs(counter.length, relaxed.rivals), boxes)


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
