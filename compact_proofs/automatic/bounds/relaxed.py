"""Bounds through functions of several positions: ranges of symbols forwards, rows backwards.

The symbols of a network beyond averages and sums are relaxed: on the boxes of a job a curved function lies between two lines
(`lines`), a norm between two affine functions (`tangent`), anything else in an interval. A row (a linear functional of symbols) is
pulled back from each block to those before it:

    c.f(z)       >= sum of c times the lower line where c >= 0, else the upper;
    c.z/sigma(z) =  th + (c.z - th sigma)/sigma  >=  th + L(z)/sigma,  L(z) = c.z - th a(z) - max(th, 0) kappa  (th any number),
                 >= th + k L + m,  k and m the chord of min(L/sigma_most, L/sigma_least) on a range of L  (as for averages, `rows`);
    c.x          >= sum of min(c lo, c hi)  for an interval.

What is left is a row of averages and sums. The margins of a network that ends with a norm need no division: the margin's sign is
that of c.z + c0 sigma(z), at least (c + c0 u).z + c0 a(0) + min(c0, 0) kappa.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor

from compact_proofs.automatic.bounds.merged_hints import drawn, least_averages
from compact_proofs.automatic.bounds.projection import Leaves, Parts, Projected, combined
from compact_proofs.automatic.bounds.rows import Jobs, Rows, Weights, by_heads, ranges, weights_of
from compact_proofs.automatic.bounds.tangent import Frame, Tangent, operator_norm, tangent
from compact_proofs.automatic.hints import Hints
from compact_proofs.automatic.reading.blocks import Network, Norm, Opaque, Unary
from compact_proofs.automatic.reading.evaluate import evaluate
from compact_proofs.automatic.reading.lifted import Lifted, call
from compact_proofs.automatic.reading.lines import Lines, lines, range_of, slopes_for
from compact_proofs.automatic.reading.values import Form
from compact_proofs.enclosure import Enclosure, lower, upper
from compact_proofs.enclosure.leaves import map_leaves
from compact_proofs.length import stage

SAMPLES = 48
"""Inputs drawn from each job's boxes, to find hints."""


class Shared:
    """What all jobs of a network share: tables of rows that do not depend on the job.

    Parameters
    ----------
    basis : [frames, d, d]
        Hints: for each block of `Norm` (and, last, for the readout) nearly orthonormal rows.

    Attributes
    ----------
    like : dict of int
        For a norm of the same leaves as one before, by enclosures that are the same, that one: what is proven of all matrices in
        an enclosure is proven once. Cost: two comparisons for each entry.
    """

    def __init__(self, network: Network, basis: Tensor) -> None:
        self.network, self.leaves = network, Leaves(network)
        self.norms = [b for b, x in enumerate(network.blocks) if isinstance(x, Norm)]
        self.frames: dict[int, Frame] = {}
        self.coordinates: dict[int, Projected | None] = {}
        self.inputs: dict[int, Projected | None] = {}
        self.operator: dict[tuple[int, int], Tensor] = {}
        self.like: dict[int, int] = {}
        known: dict[int, Parts] = {}
        with stage("model"):
            for number, b in enumerate(self.norms):
                block = network.blocks[b]
                assert isinstance(block, Norm)
                size = block.size
                own = {k: p for k, p in block.z.parts.items() if k in self.leaves}
                before = [k for k, parts in known.items() if own and _same(parts, own)]
                known[b] = own
                if before:
                    self.like[b] = before[0]
                    self.frames[b] = self.frames[before[0]]
                else:
                    self.frames[b] = Frame.of(basis[number, :size, :size])
                    parts = {k: p @ self.frames[b].Q.mT for k, p in own.items()}
                    self.coordinates[b] = self.leaves.project(parts) if parts else None
                for k, p in block.z.parts.items():
                    if k not in self.leaves:
                        self.operator[b, k] = operator_norm(p)
            for b, block in enumerate(network.blocks):
                if isinstance(block, Unary):
                    self.inputs[b] = self._rows(block.z)

    def _rows(self, form: Form) -> Projected | None:
        """Tables of a form's entries, where they are those of leaves, or of one norm of leaves."""
        blocks = list(form.parts)
        if blocks and all(b in self.leaves for b in blocks):
            return self.leaves.project(form.parts)
        norm = self.network.blocks[blocks[0]] if len(blocks) == 1 else None
        if isinstance(norm, Norm) and all(b in self.leaves for b in norm.z.parts):
            return self.leaves.project({b: p @ form.parts[blocks[0]] for b, p in norm.z.parts.items()})
        return None


@dataclass(frozen=True)
class Pulled:
    """Rows of the leaves [J, R, symbols], with a base [J, R]."""

    parts: Parts
    base: Tensor


class Relaxed:
    """The relaxations of one batch of jobs."""

    def __init__(self, shared: Shared, jobs: Jobs, hints: Hints) -> None:
        self.shared, self.network, self.leaves = shared, shared.network, shared.leaves
        self.jobs, self.hints = jobs, hints
        self.weights = weights_of(list(self.leaves.averages.values()), jobs)
        self.lines: dict[int, Lines] = {}
        self.tangents: dict[int, Tangent] = {}
        self.typical: dict[int, Tensor] = {}  # hints: the mean of a norm's symbols, which decides th
        self.range: dict[int, tuple[Tensor, Tensor]] = {}
        self.frame_range: dict[int, tuple[Tensor, Tensor]] = {}
        self.rivals = torch.zeros(len(jobs), dtype=torch.int64)  # how many rivals of each job got rows of their own
        self.samples: list[Tensor] = []
        if hints.searching:
            self.samples = hints.uncounted(self._drawn)
        for b, block in enumerate(self.network.blocks):
            if isinstance(block, Unary):
                self._unary(b, block)
            elif isinstance(block, Norm):
                self._norm(b, block)
            elif isinstance(block, Opaque):
                self._opaque(b, block)

    def _drawn(self) -> list[Tensor]:
        """The symbols of each block [J, SAMPLES, size] on inputs drawn from each job's boxes."""
        x = drawn(self.jobs, SAMPLES, torch.Generator().manual_seed(0))
        _, symbols = evaluate(self.network, x.flatten(0, 1))
        return [s.reshape(len(self.jobs), SAMPLES, -1) for s in symbols]

    def about(self, label: int) -> Relaxed:
        """The same relaxations for jobs of another label: no relaxation depends on it."""
        other = copy.copy(self)
        other.jobs = replace(self.jobs, label=torch.full_like(self.jobs.label, label), given=self.jobs.tokens)
        return other

    def picked(self, job: Tensor, jobs: Jobs, box: Tensor) -> Relaxed:
        """The same relaxations for jobs that are copies of the jobs `job`, with boxes that are copies of the boxes `box`."""
        other = copy.copy(self)
        other.jobs, other.weights = jobs, self.weights.pick(job, box)
        other.lines = {b: Lines(*(getattr(x, f.name)[job] for f in fields(x))) for b, x in self.lines.items()}
        other.tangents = {b: Tangent(*(getattr(x, f.name)[job] for f in fields(x))) for b, x in self.tangents.items()}
        other.typical = {b: x[job] for b, x in self.typical.items()}
        other.range = {b: (lo[job], hi[job]) for b, (lo, hi) in self.range.items()}
        other.frame_range = {b: (lo[job], hi[job]) for b, (lo, hi) in self.frame_range.items()}
        return other

    # ------------------------------------------------------------------------------------------------ symbols, forwards

    def _unary(self, b: int, block: Unary) -> None:
        with stage("ranges"):
            lo, hi = self.form_range(block.z, self.shared.inputs[b])
        with stage("lines"):

            def find() -> Tensor:
                z = self._at_samples(block.z)
                return slopes_for(block.function, lo, hi, z.mean(1), z.std(1)).movedim(0, 1)

            slopes = self.hints.take((2, block.size), find).movedim(1, 0)
            self.lines[b] = lines(block.function, lo, hi, slopes)
            self.range[b] = range_of(block.function, lo, hi)

    def _norm(self, b: int, block: Norm) -> None:
        frame = self.shared.frames[b]
        J, d = len(self.jobs), block.size
        with stage("coordinates"):
            self.frame_range[b] = lo, hi = self._coordinates(b, torch.zeros(J, d, dtype=torch.float64))
        others = [(p, self.shared.operator[b, k], *self.range[k]) for k, p in block.z.parts.items() if k not in self.leaves]
        with stage("tangents"):
            self.tangents[b] = tangent(frame, lo, hi, block.eps, self.constant(block.z), others)
        self.typical[b] = self.hints.take((d,), lambda: self.samples[b].mean(1))
        root = lower(torch.full((J, d), float(d) ** 0.5 * (1 + 1e-12), dtype=torch.float64))
        self.range[b] = lower(-root), root

    def _coordinates(self, b: int, zero: Tensor) -> tuple[Tensor, Tensor]:
        """Ranges [J, d] of the coordinates of a norm's leaves."""
        if b in self.shared.like:
            return self.frame_range[self.shared.like[b]]
        projected = self.shared.coordinates[b]
        if projected is None:
            return lower(zero), lower(zero)
        return self.leaf_ranges(self.leaves.shared(projected, zero, self.jobs))

    def _opaque(self, b: int, block: Opaque) -> None:
        with stage("intervals"):
            boxes = {}
            for x in _forms(block):
                lo, hi = self.form_range(_flat(x), None)
                shape = (len(self.jobs), *x.shape)
                boxes[id(x)] = _interval(lo.reshape(shape), hi.reshape(shape))
            args, kwargs = map_leaves(lambda x: Lifted(boxes[id(x)], "j") if isinstance(x, Form) else x, (block.args, block.kwargs))
            result, _ = call(block.target, args, kwargs)
            found = result[0] if isinstance(result, (tuple, list)) else result
            found = found.reshape(-1, block.size).expand(len(self.jobs), block.size)
            self.range[b] = lower(found), upper(found)

    def constant(self, form: Form) -> Tensor:
        """The constant of a form in each job."""
        return form.constant[self.jobs.query] if form.axes == "q" else form.constant.expand(len(self.jobs), *form.shape)

    def _at_samples(self, form: Form) -> Tensor:
        total = self.constant(form)[:, None]
        for b, p in form.parts.items():
            total = total + torch.tensordot(self.samples[b], p, 1)
        return total

    # ---------------------------------------------------------------------------------------------------------- ranges

    def form_range(self, form: Form, projected: Projected | None) -> tuple[Tensor, Tensor]:
        """Bounds [J, m] of a form's entries over the boxes of each job: plain numbers."""
        base = self.constant(form)
        if not form.parts:
            return lower(base), upper(base)
        if projected is not None and all(b in self.leaves for b in form.parts):
            return self.leaf_ranges(self.leaves.shared(projected, base, self.jobs))
        if projected is not None:
            return self._through_norm(form, projected, base)
        J, m = base.shape
        both = {b: torch.cat([p.mT, -p.mT]).expand(J, 2 * m, len(p)) for b, p in form.parts.items()}
        pulled = self.pull(both, torch.cat([base, -base], 1))
        low = self._least(self.leaves.rows_of(pulled.parts, pulled.base, self.jobs))
        return low[:, :m], -low[:, m:]

    def leaf_ranges(self, rows: Rows) -> tuple[Tensor, Tensor]:
        H, R = self.leaves.heads, rows.base.shape[1]

        def find() -> Tensor:
            upside_down = Rows(-rows.base, -rows.averages, -rows.own, None)
            both = [self._hint(rows), -self._hint(upside_down)]
            return torch.stack(both, 1)

        th = self.hints.take((2, R, H), find)
        return ranges(rows, th.movedim(1, 0), self.weights, self.jobs)

    def _hint(self, rows: Rows) -> Tensor:
        return least_averages(rows, self.weights, self.jobs) if self.leaves.heads else rows.own

    def _least(self, rows: Rows) -> Tensor:
        """Lower bounds [J, R] over the boxes of each job: plain numbers."""
        th = self.hints.take((rows.base.shape[1], self.leaves.heads), lambda: self._hint(rows))
        bounds = by_heads(rows, th, self.weights, self.jobs)
        start = torch.full((len(self.jobs), bounds.shape[1]), torch.inf, dtype=torch.float64)
        return lower(start.scatter_reduce(0, self.jobs.of[:, None].expand(bounds.shape), bounds, "amin"))

    def _through_norm(self, form: Form, projected: Projected, base: Tensor) -> tuple[Tensor, Tensor]:
        """Ranges of W x for x = z / sigma: th + L / sigma with L's least value over the boxes, for W and for -W."""
        [(b, W)] = form.parts.items()
        block, t = self.network.blocks[b], self.tangents[b]
        assert isinstance(block, Norm)
        z0 = self.constant(block.z)
        direct = z0 @ W
        slope = self.leaves.rows_of(
            {k: t.u[:, None] @ p.mT for k, p in block.z.parts.items()},
            torch.zeros(len(self.jobs), 1, dtype=torch.float64),
            self.jobs,
        )
        ground = (t.u * z0).sum(-1) + t.offset
        rows = self.leaves.shared(projected, direct, self.jobs)
        flipped = Rows(-rows.base, -rows.averages, -rows.own, None if rows.sums is None else -rows.sums)
        ends = []
        for sign, signed in ((1, rows), (-1, flipped)):

            def bound(th: Tensor, signed: Rows = signed) -> Tensor:
                level = signed.base - th * ground[:, None] - th.clamp(min=0) * t.kappa[:, None]
                lowest = combined(signed, th, slope, level)
                least_ = self._least(lowest)
                return lower(th + torch.minimum(least_ / t.least[:, None], least_ / t.most[:, None]))

            def find(sign: int = sign, signed: Rows = signed) -> Tensor:
                at = sign * self.samples[b] @ W
                th = at.amin(1)
                level = signed.base - th * ground[:, None] - th.clamp(min=0) * t.kappa[:, None]
                lowest = combined(signed, th, slope, level)
                low = _job_least(lowest, self._hint(lowest), self.weights, self.jobs)
                return th + torch.minimum(low / t.least[:, None], low / t.most[:, None])

            ends.append(bound(self.hints.take((W.shape[1],), find)))
        return lower(base + ends[0]), upper(base - ends[1])

    # ----------------------------------------------------------------------------------------------------- rows, backwards

    def pull(self, parts: Parts, base: Tensor) -> Pulled:
        """Rows of any symbols, coefficients [J, R, symbols], as rows of leaves that are at most as large on every box.

        Cost: for each row and block 4 operations a symbol, and 2 m m' to reach m' symbols from m.
        """
        parts = dict(parts)
        for b in range(len(self.network.blocks) - 1, -1, -1):
            if b not in parts or b in self.leaves:
                continue
            c, block = parts.pop(b), self.network.blocks[b]
            if isinstance(block, Unary):
                base = base + self._by_lines(c, self.lines[b])
                c = self._slopes(c, self.lines[b])
                form = block.z
            elif isinstance(block, Norm):
                c, base = self._by_tangent(c, b, block, base)
                form = block.z
            else:
                lo, hi = self.range[b]
                base = base + (c.clamp(min=0) * lo[:, None] + c.clamp(max=0) * hi[:, None]).sum(-1)
                continue
            base = base + (c * self.constant(form)[:, None]).sum(-1)
            for k, p in form.parts.items():
                reached = c @ p.mT
                parts[k] = parts[k] + reached if k in parts else reached
        return Pulled(parts, base)

    @staticmethod
    def _by_lines(c: Tensor, f: Lines) -> Tensor:
        return (c.clamp(min=0) * f.below[:, None] + c.clamp(max=0) * f.above[:, None]).sum(-1)

    @staticmethod
    def _slopes(c: Tensor, f: Lines) -> Tensor:
        return c.clamp(min=0) * f.below_slope[:, None] + c.clamp(max=0) * f.above_slope[:, None]

    def _by_tangent(self, c: Tensor, b: int, block: Norm, base: Tensor) -> tuple[Tensor, Tensor]:
        """A row of normalised symbols as one of z: coefficients [J, R, d] and a new base."""
        t = self.tangents[b]
        th = lower((c * self.typical[b][:, None]).sum(-1))
        rest = c - th[..., None] * t.u[:, None]
        level = -th * t.offset[:, None] - th.clamp(min=0) * t.kappa[:, None]
        lo, hi = self._z_range(rest, b, block)
        zl, zh = lower(lo + level), upper(hi + level)
        small, large = (1 / t.most)[:, None], (1 / t.least)[:, None]
        chord = (zh * small - zl * large) / (zh - zl)
        k = torch.where(zl >= 0, small, torch.where(zh <= 0, large, chord))
        m = torch.where((zl >= 0) | (zh <= 0), 0.0, zl * (large - k))
        return k[..., None] * rest, base + th + m + k * level

    def _z_range(self, c: Tensor, b: int, block: Norm) -> tuple[Tensor, Tensor]:
        """Bounds [J, R] of c.z, from the coordinates of its leaves and the ranges of its other symbols."""
        frame, (lo, hi) = self.shared.frames[b], self.frame_range[b]
        y = c @ frame.Q.mT
        length = (torch.maximum(lo.abs(), hi.abs()).square().sum(-1) / (1 - frame.e)).sqrt()
        slack = c.square().sum(-1).sqrt() * length[:, None] * frame.e
        exact = (c * self.constant(block.z)[:, None]).sum(-1)
        down = exact - slack + lowest(y, lo, hi)
        up = exact + slack - lowest(-y, lo, hi)
        for k, p in block.z.parts.items():
            if k not in self.leaves:
                g = c @ p.mT
                down, up = down + lowest(g, *self.range[k]), up - lowest(-g, *self.range[k])
        return down, up


def _same(parts: Parts, others: Parts) -> bool:
    """Are the enclosures of some matrices the same?"""
    if parts.keys() != others.keys() or any(parts[k].shape != others[k].shape for k in parts):
        return False
    return all(bool((end(p) == end(others[k])).all()) for k, p in parts.items() for end in (lower, upper))


def _job_least(rows: Rows, th: Tensor, weights: Weights, jobs: Jobs) -> Tensor:
    bounds = by_heads(rows, th, weights, jobs)
    start = torch.full((len(jobs), bounds.shape[1]), torch.inf, dtype=torch.float64)
    return start.scatter_reduce(0, jobs.of[:, None].expand(bounds.shape), bounds, "amin")


def lowest(c: Tensor, lo: Tensor, hi: Tensor) -> Tensor:
    """The least value [J, R] of c.x for x between lo and hi [J, m]."""
    return (c.clamp(min=0) * lo[:, None] + c.clamp(max=0) * hi[:, None]).sum(-1)


def _forms(block: Opaque) -> list[Form]:
    found: list[Form] = []
    map_leaves(lambda x: found.append(x) if isinstance(x, Form) else None, (block.args, block.kwargs))
    return found


def _flat(form: Form) -> Form:
    parts = {b: p.reshape(len(p), -1) for b, p in form.parts.items()}
    return Form(form.constant.reshape(*form.constant.shape[: len(form.axes)], -1), form.axes, parts)


def _interval(lo: Tensor, hi: Tensor) -> Tensor:
    """Real numbers between lo and hi, of which nothing is known where lo <= hi does not hold."""
    known = lo <= hi
    return Enclosure(lower(torch.where(known, lo, -torch.inf)), upper(torch.where(known, hi, torch.inf)))
