"""The margins of a network with relaxed symbols: most rivals by ranges of symbols, the others by rows of their own."""

from __future__ import annotations

import torch
from torch import Tensor

from compact_proofs.automatic.bounds.merged_hints import chosen
from compact_proofs.automatic.bounds.projection import Parts
from compact_proofs.automatic.bounds.relaxed import Relaxed, Shared, lowest
from compact_proofs.automatic.bounds.rows import Jobs
from compact_proofs.automatic.bounds.tangent import Frame
from compact_proofs.automatic.bounds.undecided import Open, Undecided, by_box, open_rows
from compact_proofs.automatic.reading.blocks import Network, Norm
from compact_proofs.automatic.reading.owners import structure
from compact_proofs.enclosure import lower, provably
from compact_proofs.length import stage


class Readout:
    """Rows of the logits, which all jobs share: in coordinates of the leaves, and in the symbols of every other block.

    If the logits are made of one norm's symbols, they are rows of that norm's argument, and the margin is taken times sigma.
    """

    def __init__(self, shared: Shared, basis: Tensor) -> None:
        network, leaves = shared.network, shared.leaves
        form = network.logits
        self.norm: int | None = None
        blocks = list(form.parts)
        with stage("readout"):
            if len(blocks) == 1 and isinstance(norm := network.blocks[blocks[0]], Norm):
                self.norm = blocks[0]
                U = form.parts[self.norm]  # [d, outputs]
                self.direct = U.mT
                self.frame = shared.frames[self.norm]
                self.coordinates = (self.frame.Q @ U).mT  # [outputs, d]
                self.others = {b: (p @ U).mT for b, p in norm.z.parts.items() if b not in leaves}
                self.leaf_parts = {b: p for b, p in norm.z.parts.items() if b in leaves}
                return
            own = {b: p for b, p in form.parts.items() if b in leaves}
            self.others = {b: p.mT for b, p in form.parts.items() if b not in leaves}
            size = sum(len(p) for p in own.values())
            self.frame = Frame.of(basis[:size, :size])
            self.leaf_parts, first = {}, 0
            for b, p in own.items():
                self.leaf_parts[b] = torch.eye(size, dtype=torch.float64)[first : first + len(p)]
                first += len(p)
            A = torch.cat(list(own.values())) if own else form.constant.new_zeros(0, form.shape[0])
            self.direct = A.mT  # [outputs, size]
            self.coordinates = (self.frame.Q @ A).mT
            parts = {b: p @ self.frame.Q.mT for b, p in self.leaf_parts.items()}
            self.projected = leaves.project(parts) if own else None


def frames(network: Network) -> int:
    """How many bases of coordinates a proof about a network reads: one for each norm, and one for the readout."""
    return sum(isinstance(b, Norm) for b in network.blocks) + 1


def margins(relaxed: Relaxed, readout: Readout, kept: int) -> Undecided:
    """Bound the margins of each job's label against every other output on the job's boxes.

    Parameters
    ----------
    kept
        How many rivals of a job have hints of their own; others get zeros.

    Notes
    -----
    A rival is dropped if its row is positive by the ranges of symbols alone. Cost: 3 operations for each output, coordinate and
    symbol; for each rival that is left those of `Relaxed.pull`, `Leaves.rows_of` and `open_rows`.
    """
    jobs, hints = relaxed.jobs, relaxed.hints
    J = torch.arange(len(jobs))
    bias = relaxed.constant(relaxed.network.logits)  # [J, outputs]
    bias = bias[J, jobs.label][:, None] - bias
    with stage("rivals"):
        y = readout.coordinates[jobs.label][:, None] - readout.coordinates  # [J, outputs, d]
        others = {b: p[jobs.label][:, None] - p for b, p in readout.others.items()}
        if readout.norm is not None:
            block = relaxed.network.blocks[readout.norm]
            assert isinstance(block, Norm)
            t = relaxed.tangents[readout.norm]
            z0 = relaxed.constant(block.z)
            exact = z0 @ readout.direct.mT
            exact = exact[J, jobs.label][:, None] - exact
            base = exact + bias * ((t.u * z0).sum(-1) + t.offset)[:, None] + bias.clamp(max=0) * t.kappa[:, None]
            y = y + bias[..., None] * (t.u @ readout.frame.Q.mT)[:, None]
            others = {b: g + bias[..., None] * (t.u @ block.z.parts[b].mT)[:, None] for b, g in others.items()}
            lo, hi = relaxed.frame_range[readout.norm]
        else:
            base = bias
            if readout.projected is None:
                lo = hi = lower(torch.zeros(len(jobs), 0, dtype=torch.float64))
            else:
                zero = torch.zeros(len(jobs), y.shape[-1], dtype=torch.float64)
                lo, hi = relaxed.leaf_ranges(relaxed.leaves.shared(readout.projected, zero, jobs))
        room = 1 - readout.frame.e
        length = (torch.maximum(lo.abs(), hi.abs()).square().sum(-1) / room).sqrt()[:, None]
        slack = (y.square().sum(-1) / room).sqrt() * length * readout.frame.e
        cheap = base - slack + lowest(y, lo, hi)
        for b, g in others.items():
            cheap = cheap + lowest(g, *relaxed.range[b])
        with structure():
            need = ~provably(cheap > 0)
            need[J, jobs.label] = False
            job, rival = need.nonzero(as_tuple=True)
            slot = (need.cumsum(1) - 1)[job, rival]
            relaxed.rivals = need.sum(1)
    pairs, box = _pairs(jobs, job)
    single = relaxed.picked(job, pairs, box)
    with stage("rows of rivals"):
        c = readout.direct[jobs.label[job]] - readout.direct[rival]  # [P, d]
        if readout.norm is not None:
            c = c + bias[job, rival][:, None] * relaxed.tangents[readout.norm].u[job]
        parts: Parts = {b: (c @ p.mT)[:, None] for b, p in readout.leaf_parts.items()}
        parts |= {b: g[job, rival][:, None] for b, g in others.items()}
        pulled = single.pull(parts, base[job, rival][:, None])
        rows = relaxed.leaves.rows_of(pulled.parts, pulled.base, pairs)
    heads = relaxed.leaves.heads

    def find() -> Tensor:
        found = torch.zeros(len(jobs), kept, heads, dtype=torch.float64)
        few = (slot < kept).nonzero()[:, 0]
        if heads and len(few):
            own_boxes = (slot < kept)[pairs.of].nonzero()[:, 0]
            own = rows.pick(few, torch.zeros_like(few)), single.weights.pick(few, own_boxes), pairs.part(few)
            found[job[few], slot[few]] = chosen(*own, torch.Generator().manual_seed(0))[:, 0]
        return found

    th = hints.take((kept, heads), find)
    with structure():
        inside = slot < kept
        at = slot.clamp(max=max(kept - 1, 0))
    own = torch.where(inside[:, None], th[job, at], 0.0) if kept else torch.zeros(len(job), heads, dtype=torch.float64)
    found = open_rows(rows, own[:, None], single.weights, pairs)
    return by_box(Open(box[found.box], found.constant, found.tables), len(jobs.of))


def _pairs(jobs: Jobs, job: Tensor) -> tuple[Jobs, Tensor]:
    """A job for each number in `job`, with copies of its boxes; and the box that each is a copy of."""
    with structure():
        counts = torch.bincount(jobs.of, minlength=len(jobs))
        first = counts.cumsum(0) - counts
        of = torch.repeat_interleave(torch.arange(len(job)), counts[job])
        start = (counts[job].cumsum(0) - counts[job])[of]
        box = first[job][of] + torch.arange(len(of)) - start
        return jobs.copies(job, box, of), box
