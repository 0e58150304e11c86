"""The search for networks whose logits are averages: families of rivals, and hints for them.

The proof that uses them is in `compact_proofs.automatic.bounds.rivals`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from compact_proofs.automatic.bounds.jobs import batches, numbered_jobs, tokens_of
from compact_proofs.automatic.bounds.merged_hints import chosen, fitted
from compact_proofs.automatic.bounds.rivals import FEW, AverageReadout, Families, Kin, left_out, margin_rows, merge
from compact_proofs.automatic.bounds.rows import Jobs, weights_of
from compact_proofs.automatic.bounds.undecided import by_box, open_rows
from compact_proofs.automatic.boxes import tree
from compact_proofs.automatic.proof import LARGEST
from compact_proofs.automatic.reading.blocks import Network
from compact_proofs.automatic.search.nodes import Node, boxes_of, by_token
from compact_proofs.automatic.search.prices import Prices
from compact_proofs.automatic.search.shares import Estimate, by_job, shares
from compact_proofs.sequences.boxes import Boxes
from compact_proofs.shards import tried

LABELS = 6
"""A family is for at least so many labels, before any label gets one of its own."""
MORE = (2, 6, 2**20)
"""Hard rivals of a label with a family of its own: tried one after the other where inputs are lost."""
MORE_OF_KIN = (2, 6, 13, FEW, 2**20)
"""The same for one head, where such families share the tables of their rivals."""


@dataclass
class _Plan:
    """Families for all jobs: each has its own number of hard outputs.

    Attributes
    ----------
    label, family : int64 [J]
    query : list of int
    hard : list of int64 [S]
    beta : list of [H - 1, outputs]
    th : list of [1 + S, H], for each job
    share, rows : [B]
        The certified share of each box, and how many rows are not proven on the whole of it; estimated.
    """

    label: Tensor
    family: Tensor
    query: list[int]
    hard: list[Tensor]
    beta: list[Tensor]
    th: list[Tensor]
    share: Tensor
    rows: Tensor


class MergedSearch:
    """Families of labels that share their merged rivals, and families of their own for labels that lose much."""

    def __init__(self, network: Network, boxes: Boxes, hard: int, families: int, prices: Prices) -> None:
        self.network, self.prices = network, prices
        self.hard, self.families = hard, families
        self.readout = AverageReadout.of(network)
        self.heads, self.outputs = self.readout.tables.shape[2:]
        self.roots = [Node(boxes.masks[b], int(boxes.labels[b])) for b in range(len(boxes))]
        named = [root for root in self.roots if 0 <= root.label < self.outputs]
        self.leaves = [leaf for root in named for leaf in by_token(root, network.context)]
        parts = boxes_of(self.leaves) if self.leaves else boxes[:0]
        self.jobs, self.leaf = numbered_jobs(parts, torch.zeros(len(parts), dtype=torch.int64), network.context)
        self.size = self.jobs.masks.sum(-1).double().prod(-1)

    def explanation(self) -> dict[str, Tensor]:
        """Find it."""
        choices: list[Tensor] = []
        numbers: list[Tensor] = []
        if len(self.jobs):
            plan = self._first()
            for count in MORE_OF_KIN if self.heads == 1 else MORE:
                plan = self._alone(plan, min(count, self.outputs - 2))
            plan = self._kinds(plan)
            names, family = self._named(plan)
            counts = torch.tensor([len(plan.hard[f]) for f in names.tolist()], dtype=torch.int64)
            choices, numbers = [family, counts], [plan.beta[f].flatten() for f in names.tolist()]
            for count in counts.unique().tolist():
                choices += [plan.hard[f] for f in names.tolist() if len(plan.hard[f]) == count]
                if self.heads > 1:
                    numbers += [plan.th[j].flatten() for j in range(len(family)) if counts[family[j]] == count]
        proven = sum(leaf.kind in (tree.PROVE, tree.REST) for leaf in self.leaves)
        return {
            "roots": torch.zeros(1, dtype=torch.int64),
            "tree": tree.encode([root.written() for root in self.roots], self.network.v),
            "group": torch.zeros(proven, dtype=torch.int64),
            "choices": torch.cat([*choices, torch.zeros(0, dtype=torch.int64)]),
            "numbers": torch.cat([*numbers, torch.zeros(0)]).to(torch.float64),
        }

    def _kinds(self, plan: _Plan) -> _Plan:
        """Choose the kinds of leaves; the plan for the jobs of which some are bounded."""
        entries = self.network.n * self.network.v * self.heads
        own = torch.bincount(plan.family)[plan.family] == 1
        hard = torch.tensor([len(plan.hard[f]) for f in plan.family.tolist()], dtype=torch.float64)
        cost = entries * (4 * (1 + hard) + 3 * self.outputs * (own & ~self._kin(hard)))
        kind, _ = self.prices.decide(self.jobs, cost, plan.share, plan.rows)
        for b, leaf in enumerate(self.leaf.tolist()):
            self.leaves[leaf].kind, self.leaves[leaf].share = int(kind[b]), float(plan.share[b])
        self.prices.settle(self.roots, self.outputs)
        bounded = torch.tensor([self.leaves[leaf].kind in (tree.PROVE, tree.REST) for leaf in self.leaf.tolist()])
        kept = by_job(bounded.double(), self.jobs).nonzero()[:, 0]
        return replace(plan, label=plan.label[kept], family=plan.family[kept], th=[plan.th[j] for j in kept.tolist()])

    def _named(self, plan: _Plan) -> tuple[Tensor, Tensor]:
        """Families in use, those of larger labels last (neighbours have similar tokens), and each job's place among them."""
        used = plan.family.unique()
        largest = torch.tensor([int(plan.label[plan.family == f].max()) for f in used.tolist()])
        names = used[largest.argsort(stable=True)]
        place = torch.zeros(len(plan.hard), dtype=torch.int64)
        place[names] = torch.arange(len(names))
        return names, place[plan.family]

    def _first(self) -> _Plan:
        """For each token, neighbouring labels in groups of equal size."""
        family = torch.zeros(len(self.jobs), dtype=torch.int64)
        parts: list[Jobs] = []
        for q in self.jobs.query.unique().tolist():
            own = (self.jobs.query == q).nonzero()[:, 0]
            for part in own.tensor_split(max(1, min(self.families, len(own) // LABELS))):
                family[part] = len(parts)
                parts.append(self.jobs.part(part))
        found = fitted(self.readout, parts, min(self.hard, self.outputs - 2))
        th, share, rows = self._hints(family, found, self.jobs)
        return _Plan(self.jobs.label, family, found.query.tolist(), list(found.hard), list(found.beta), list(th), share, rows)

    def _hints(self, family: Tensor, found: Families, jobs: Jobs) -> tuple[Tensor, Tensor, Tensor]:
        """Hints th [J, R, H]; the certified share of each box and its open rows [B], estimated."""
        th = torch.zeros(len(jobs), 1 + found.hard.shape[1], self.heads, dtype=torch.float64)
        share, open_ = torch.zeros(2, len(jobs.of), dtype=torch.float64)
        step = max(1, min(LARGEST // (self.network.n * self.network.v * self.heads * self.outputs), 16))

        def hints_of(first: int) -> list[tuple[Tensor, Tensor, Estimate]]:
            return list(self._hints_of(range(first, min(first + step, len(found.query))), family, found, jobs))

        for part in tried(hints_of, range(0, len(found.query), step), "families of labels"):
            for number, hints, estimate in part:
                th[number] = hints
                box = torch.isin(jobs.of, number)
                share[box], open_[box] = estimate.share, estimate.rows
        return th, share, open_

    def _hints_of(self, own: range, family: Tensor, found: Families, jobs: Jobs) -> Iterator[tuple[Tensor, Tensor, Estimate]]:
        """For the jobs of some families, in batches: their numbers, their hints, and what is estimated of their boxes."""
        names = slice(own.start, own.stop)
        part = Families(found.query[names], found.hard[names], found.beta[names])
        rows, entries = 1 + found.hard.shape[1], self.network.n * self.network.v * self.heads
        chosen_ = ((family >= own.start) & (family < own.stop)).nonzero()[:, 0]
        some = jobs.part(chosen_)
        group, kin = torch.arange(len(part.query)), Kin.apart(part)
        left = left_out(kin, part, group, family[chosen_] - own.start, some.label)
        tables = merge(self.readout, kin, jobs.context, tokens_of(some), left)
        for batch in batches(some, rows * entries, LARGEST):
            number = chosen_[batch.start : batch.stop]
            generator = torch.Generator().manual_seed(0)
            weights = weights_of(self.readout.heads, batch.jobs)
            margins = margin_rows(self.readout, part, family[number] - own.start, group, batch.jobs, tables)
            th = torch.zeros(len(number), rows, self.heads, dtype=torch.float64)
            if self.heads > 1:
                th = chosen(margins, weights, batch.jobs, generator)
            u = by_box(open_rows(margins, th, weights, batch.jobs), len(batch.jobs.of))
            yield number, th, shares(batch.jobs, u, generator)

    def _kin(self, hard: Tensor | int) -> Tensor:
        """Whether families with so many hard outputs share the tables of their rivals with others of their token."""
        return torch.as_tensor(hard) <= (FEW if self.heads == 1 else -1)

    def _alone(self, plan: _Plan, hard: int) -> _Plan:
        """Families of their own for labels that lose more inputs than that costs."""
        entries = self.network.n * self.network.v * self.heads
        cost = entries * (4 * hard if bool(self._kin(hard)) else 1.5 * self.outputs + 4 * hard)
        lost = by_job(self.size * (1 - plan.share), self.jobs) * self.prices.missed
        losing = (lost > cost).nonzero()[:, 0]
        if not len(losing):
            return plan
        jobs = self.jobs.part(losing)
        found = fitted(self.readout, [jobs.part(torch.tensor([i])) for i in range(len(losing))], hard, seed=1)
        th, share, rows = self._hints(torch.arange(len(losing)), found, jobs)
        after = by_job(jobs.masks.sum(-1).double().prod(-1) * (1 - share), jobs) * self.prices.missed
        for i in (lost[losing] - after > cost).nonzero()[:, 0].tolist():
            j = int(losing[i])
            plan.family[j] = len(plan.query)
            plan.query.append(int(found.query[i]))
            plan.hard.append(found.hard[i])
            plan.beta.append(found.beta[i])
            plan.th[j] = th[i]
            plan.share[self.jobs.of == j], plan.rows[self.jobs.of == j] = share[jobs.of == i], rows[jobs.of == i]
        return plan
