"""The search for boxes and hints: free, deterministic, in ordinary arithmetic. What it finds is believed in nothing."""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import _disable_current_modes

from compact_proofs.automatic import tree
from compact_proofs.automatic.blocks import Network
from compact_proofs.automatic.boxes import MIXED, Boxes
from compact_proofs.automatic.jobs import batches, jobs_of
from compact_proofs.automatic.merged_hints import chosen, fitted
from compact_proofs.automatic.proof import LARGEST
from compact_proofs.automatic.reading import read
from compact_proofs.automatic.relaxed_search import relaxed_search
from compact_proofs.automatic.rivals import AverageReadout, Families, margin_rows, merge
from compact_proofs.automatic.roots import roots
from compact_proofs.automatic.rows import Jobs, weights_of
from compact_proofs.automatic.shares import shares, sizes
from compact_proofs.automatic.undecided import by_box, open_rows
from compact_proofs.length import count
from compact_proofs.program import Program, trace
from compact_proofs.tasks.finite.task import FiniteTask

LABELS = 6
"""A family is for at least so many labels, before any label gets one of its own."""
PRICE = 0.05
"""What certifying an input is worth, in forward passes of the module: the search spends operations of the proof up to that."""


def search(model: nn.Module, task: FiniteTask, hard: int, families: int, kept: int, cuts: int) -> dict[str, Tensor]:
    """Find an explanation for `compact_proofs.automatic.strategy.Automatic`."""
    with _disable_current_modes(), torch.no_grad():
        program = trace(copy.deepcopy(model).double(), torch.zeros(task.n_ctx, dtype=torch.int64))
        network = read(program, task.d_vocab, task.n_ctx - 1)
        boxes = roots(task)
        worth = PRICE * naive_cost(program, task)
        if AverageReadout.applies(network):
            return _Merged(network, boxes, hard, families, worth).explanation()
        return relaxed_search(network, boxes, kept, cuts, worth)


def naive_cost(program: Program, task: FiniteTask) -> int:
    """Operations of one forward pass."""
    inputs = task.inputs(0, 1)
    with count() as counter:
        program(inputs)
    return counter.length.total


@dataclass
class _Merged:
    network: Network
    boxes: Boxes
    hard: int
    families: int
    worth: float

    def __post_init__(self) -> None:
        self.readout = AverageReadout.of(self.network)
        self.jobs = jobs_of(self.boxes, torch.zeros(len(self.boxes), dtype=torch.int64), self.network.context)

    def explanation(self) -> dict[str, Tensor]:
        family, found = self._families()
        th, share = self._hints(family, found, self.jobs)
        family, found, th = self._alone(family, found, th, share)
        prove = [tree.PROVE if label != MIXED else tree.DROP for label in self.boxes.labels.tolist()]
        leaves = sum(kind == tree.PROVE for kind in prove)
        heads = self.readout.tables.shape[2]
        return {
            "tree": tree.encode(prove, self.network.v),
            "group": torch.zeros(leaves, dtype=torch.int64),
            "choices": torch.cat([family, found.hard.flatten()]),
            "numbers": torch.cat([found.beta.flatten(), th.flatten() if heads > 1 else th.flatten()[:0]]).to(torch.float64),
        }

    def _families(self) -> tuple[Tensor, Families]:
        """For each token, neighbouring labels in groups of equal size."""
        family = torch.zeros(len(self.jobs), dtype=torch.int64)
        parts = []
        for q in self.jobs.query.unique().tolist():
            own = (self.jobs.query == q).nonzero()[:, 0]
            for part in own.tensor_split(max(1, min(self.families, len(own) // LABELS))):
                family[part] = len(parts)
                parts.append(self.jobs.part(part))
        return family, fitted(self.readout, parts, self.hard)

    def _hints(self, family: Tensor, found: Families, jobs: Jobs) -> tuple[Tensor, Tensor]:
        """Hints th [J, R, H] and the share of the drawn inputs that is certified [J]."""
        heads = self.readout.tables.shape[2]
        th, share = [], []
        room = max(1, LARGEST // (self.network.n * self.network.v * heads * self.readout.tables.shape[3]))
        order = family.argsort(stable=True)
        position = torch.empty_like(order)
        start = 0
        while start < len(order):
            first = int(family[order[start]])
            stop = int((family[order] < first + room).sum())
            numbers = order[start:stop].sort().values
            part = Families(found.query[first : first + room], found.hard[first : first + room], found.beta[first : first + room])
            tables = merge(self.readout, part)
            some = jobs.part(numbers)
            for batch in batches(some, (1 + self.hard) * heads * self.network.n * self.network.v, LARGEST):
                weights = weights_of(self.readout.heads, batch.jobs)
                own = numbers[batch.start : batch.stop]
                rows = margin_rows(self.readout, part, family[own] - first, batch.jobs, tables)
                generator = torch.Generator().manual_seed(0)
                hint = chosen(rows, weights, batch.jobs, generator) if heads > 1 else torch.zeros(rows.own.shape).double()
                u = by_box(open_rows(rows, hint, weights, batch.jobs), len(batch.jobs.of))
                position[own] = torch.arange(sum(map(len, th)), sum(map(len, th)) + len(own))
                th.append(hint)
                share.append(shares(batch.jobs, u, generator))
            start = stop
        return torch.cat(th)[position], torch.cat(share)[position]

    def _alone(self, family: Tensor, found: Families, th: Tensor, share: Tensor) -> tuple[Tensor, Families, Tensor]:
        """Families of their own for labels that lose more inputs than that costs."""
        cost = 3 * self.readout.tables.numel()
        size = sizes(self.jobs)
        losing = (size * (1 - share) * self.worth > cost).nonzero()[:, 0]
        if not len(losing):
            return family, found, th
        own = fitted(self.readout, [self.jobs.part(losing[i : i + 1]) for i in range(len(losing))], self.hard, seed=1)
        new_th, new_share = self._hints(torch.arange(len(losing)), own, self.jobs.part(losing))
        better = (size[losing] * (new_share - share[losing]) * self.worth > cost).nonzero()[:, 0]
        family = family.clone()
        family[losing[better]] = len(found.query) + torch.arange(len(better))
        th[losing[better]] = new_th[better]
        joined = Families(
            torch.cat([found.query, own.query[better]]),
            torch.cat([found.hard, own.hard[better]]),
            torch.cat([found.beta, own.beta[better]]),
        )
        used, family = family.unique(return_inverse=True)
        return family, Families(joined.query[used], joined.hard[used], joined.beta[used]), th
