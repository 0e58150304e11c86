"""The search for boxes and hints, in ordinary arithmetic: deterministic, not counted, and untrusted."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.utils._python_dispatch import _disable_current_modes

from compact_proofs.automatic import tree
from compact_proofs.automatic.blocks import Network
from compact_proofs.automatic.boxes import MIXED, Boxes
from compact_proofs.automatic.jobs import batches, jobs_of, tokens_of
from compact_proofs.automatic.merged_hints import chosen, fitted
from compact_proofs.automatic.proof import LARGEST, within
from compact_proofs.automatic.reading import read
from compact_proofs.automatic.relaxed_search import relaxed_search
from compact_proofs.automatic.rivals import AverageReadout, Families, margin_rows, merge
from compact_proofs.automatic.roots import roots
from compact_proofs.automatic.rows import Jobs, weights_of
from compact_proofs.automatic.shares import shares, sizes
from compact_proofs.automatic.undecided import by_box, open_rows
from compact_proofs.models.weights import in_double
from compact_proofs.program import Program
from compact_proofs.tasks.finite.task import FiniteTask

LABELS = 6
"""A family is for at least so many labels, before any label gets one of its own."""
MORE = (2, 6, 2**20)
"""Hard rivals of a label with a family of its own: tried one after the other where inputs are lost."""


def search(model: Program, task: FiniteTask, hard: int, families: int, kept: int, cuts: int, worth: float) -> dict[str, Tensor]:
    """Find an explanation for `compact_proofs.automatic.strategy.Automatic`."""
    with _disable_current_modes(), torch.no_grad():
        network = read(in_double(model), task.d_vocab, task.n_ctx - 1)
        boxes = within(roots(task), network.logits.shape[0])
        if AverageReadout.applies(network):
            return _Merged(network, boxes, hard, families, worth).explanation()
        return relaxed_search(network, boxes, kept, cuts, worth)


@dataclass
class _Plan:
    """Families for all jobs: each has its own number of hard outputs.

    Attributes
    ----------
    family : int64 [J]
    query : list of int
    hard : list of int64 [S]
    beta : list of [H - 1, outputs]
    th : list of [1 + S, H], for each job
    share : [J]
        The certified share of each job, estimated.
    """

    family: Tensor
    query: list[int]
    hard: list[Tensor]
    beta: list[Tensor]
    th: list[Tensor]
    share: Tensor


class _Merged:
    def __init__(self, network: Network, boxes: Boxes, hard: int, families: int, worth: float) -> None:
        self.network, self.boxes, self.worth = network, boxes, worth
        self.hard, self.families = hard, families
        self.readout = AverageReadout.of(network)
        self.heads, self.outputs = self.readout.tables.shape[2:]
        self.jobs = jobs_of(boxes, torch.zeros(len(boxes), dtype=torch.int64), network.context)

    def explanation(self) -> dict[str, Tensor]:
        plan = self._first()
        for count in MORE:
            plan = self._alone(plan, min(count, self.outputs - 2))
        prove: list[tree.Tree] = [tree.PROVE if label != MIXED else tree.DROP for label in self.boxes.labels.tolist()]
        names, family = self._named(plan)
        counts = torch.tensor([len(plan.hard[f]) for f in names.tolist()])
        choices, numbers = [family, counts], [plan.beta[f].flatten() for f in names.tolist()]
        for count in counts.unique().tolist():
            choices += [plan.hard[f] for f in names.tolist() if len(plan.hard[f]) == count]
            if self.heads > 1:
                numbers += [plan.th[j].flatten() for j in range(len(self.jobs)) if counts[family[j]] == count]
        return {
            "tree": tree.encode(prove, self.network.v),
            "group": torch.zeros(sum(kind == tree.PROVE for kind in prove), dtype=torch.int64),
            "choices": torch.cat(choices),
            "numbers": torch.cat([*numbers, torch.zeros(0)]).to(torch.float64),
        }

    def _named(self, plan: _Plan) -> tuple[Tensor, Tensor]:
        """Families in use, those of larger labels last (neighbours have similar tokens), and each job's place among them."""
        used = plan.family.unique()
        largest = torch.tensor([int(self.jobs.label[plan.family == f].max()) for f in used.tolist()])
        names = used[largest.argsort(stable=True)]
        place = torch.zeros(int(used.max()) + 1, dtype=torch.int64)
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
        th, share = self._hints(family, found, self.jobs)
        return _Plan(family, found.query.tolist(), list(found.hard), list(found.beta), list(th), share)

    def _hints(self, family: Tensor, found: Families, jobs: Jobs) -> tuple[Tensor, Tensor]:
        """Hints th [J, R, H] and the share of each job that is certified [J], estimated."""
        rows = 1 + found.hard.shape[1]
        th = torch.zeros(len(jobs), rows, self.heads, dtype=torch.float64)
        share = torch.zeros(len(jobs), dtype=torch.float64)
        entries = self.network.n * self.network.v * self.heads
        for first, part in found.parts(LARGEST // (entries * self.outputs)):
            chosen_ = ((family >= first) & (family < first + len(part.query))).nonzero()[:, 0]
            some = jobs.part(chosen_)
            tables = merge(self.readout, part, jobs.context, tokens_of(some))
            for batch in batches(some, rows * entries, LARGEST):
                number = chosen_[batch.start : batch.stop]
                generator = torch.Generator().manual_seed(0)
                weights = weights_of(self.readout.heads, batch.jobs)
                margins = margin_rows(self.readout, part, family[number] - first, batch.jobs, tables)
                if self.heads > 1:
                    th[number] = chosen(margins, weights, batch.jobs, generator)
                u = by_box(open_rows(margins, th[number], weights, batch.jobs), len(batch.jobs.of))
                share[number] = shares(batch.jobs, u, generator)
        return th, share

    def _alone(self, plan: _Plan, hard: int) -> _Plan:
        """Families of their own for labels that lose more inputs than that costs."""
        cost = self.network.n * self.network.v * self.heads * (1.5 * self.outputs + 4 * hard)
        size = sizes(self.jobs)
        losing = (size * (1 - plan.share) * self.worth > cost).nonzero()[:, 0]
        if not len(losing):
            return plan
        jobs = self.jobs.part(losing)
        found = fitted(self.readout, [jobs.part(torch.tensor([i])) for i in range(len(losing))], hard, seed=1)
        th, share = self._hints(torch.arange(len(losing)), found, jobs)
        for i in (size[losing] * (share - plan.share[losing]) * self.worth > cost).nonzero()[:, 0].tolist():
            j = int(losing[i])
            plan.family[j] = len(plan.query)
            plan.query.append(int(found.query[i]))
            plan.hard.append(found.hard[i])
            plan.beta.append(found.beta[i])
            plan.th[j], plan.share[j] = th[i], share[i]
        return plan
