"""Rows: linear functionals of averages and sums, bounded from below by additive functions on boxes.

A row is a number for each head g, position i and token t, and one for no position: its value on an input x is

    R(x) = base + sum_g avg_g G_g  +  sum_i A_i[x_i],     avg_g G = sum_i w_g[x_i] G_{g,i}[x_i] / D_g(x),   D_g(x) = sum_i w_g[x_i]

where w_g > 0 are the head's weights. Tables are about those tokens only that a job's boxes allow: k of them, `Jobs.tokens`.

**The ratio rule.** For any number th (a hint), avg_g G = th + z / D with
z(x) = sum_i w[x_i] (G_i[x_i] - th) additive. On a box, z is in [zl, zh] and D in [Dl, Dh], Dl > 0. So

    z / D >= min(z / Dl, z / Dh),                                      (least)
    z / D >= k z + m,  where k = 1/Dh, m = 0         if zl >= 0
                             k = 1/Dl, m = 0         if zh <= 0
                             k the chord's slope (zh/Dh - zl/Dl) / (zh - zl),  m = zl (1/Dl - k)   otherwise.         (chord)

Proof of (chord): z/D >= min(z/Dl, z/Dh), which is concave in z and so above its chord between (zl, zl/Dl) and (zh, zh/Dh). At
th = the least average on the box zl = 0 and (least) is exact. **One head** and no sum: D R = sum_i w (G_i + base) is additive, has
the sign of R, and needs no hint.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from compact_proofs.automatic.bounds.token_sets import TokenSets
from compact_proofs.automatic.reading.blocks import Averages
from compact_proofs.automatic.reading.owners import structure
from compact_proofs.enclosure import lower, upper
from compact_proofs.length import charge_integers, stage


@dataclass(frozen=True)
class Jobs:
    """What is bounded together: boxes that end in one token and have one label share the tables of a job.

    Attributes
    ----------
    query : int64 [J]
        The context's token.
    label : int64 [J]
        The label.
    masks : bool [B, n, v]
        The boxes of all jobs; the context's mask holds the job's token only.
    of : int64 [B]
        The job of each box.
    context
        The context's position.
    rest : bool [B], optional
        Boxes whose inputs are wanted, as far as they are not proven; none unless given.
    given : int64 [J, n - 1, k], optional
        `tokens`, if not those that the boxes allow: more are allowed here.
    """

    query: Tensor
    label: Tensor
    masks: Tensor
    of: Tensor
    context: int
    rest: Tensor | None = None
    given: Tensor | None = None

    def __len__(self) -> int:
        return len(self.query)

    def part(self, chosen: Tensor) -> Jobs:
        """The jobs with the numbers `chosen` (int64, rising), numbered anew, with their boxes."""
        with structure():
            number = torch.full((len(self),), -1)
            number[chosen] = torch.arange(len(chosen))
            of = number[self.of]
            own = of >= 0
            rest, given = (None if x is None else x[at] for x, at in ((self.rest, own), (self.given, chosen)))
            return Jobs(self.query[chosen], self.label[chosen], self.masks[own], of[own], self.context, rest, given)

    def copies(self, job: Tensor, box: Tensor, of: Tensor) -> Jobs:
        """Copies of the jobs `job`, with copies of their boxes `box`, which belong to the copies `of`; about the same tokens."""
        with structure():
            tokens = self.tokens[job]
            return Jobs(self.query[job], self.label[job], self.masks[box], of, self.context, given=tokens)

    @cached_property
    def tokens(self) -> Tensor:
        """The tokens of each free position that tables are about, int64 [J, n - 1, k].

        They are those that some box of the job allows, rising, and then others up to the largest number that a job has. Cost: an
        integer operation for each box, free position and token.
        """
        if self.given is not None:
            return self.given
        allowed = tokens_allowed(self)
        with structure():
            k = max(int(allowed.sum(-1).max()), 1) if len(self) else 1
            return allowed.to(torch.int8).argsort(dim=-1, descending=True, stable=True)[..., :k]

    @cached_property
    def allowed(self) -> Tensor:
        """Which of the job's tokens each box allows at the free positions: bool [B, n - 1, k]."""
        with structure():
            return self.masks[:, self.free].gather(-1, self.tokens[self.of])

    @cached_property
    def sets(self) -> TokenSets:
        """The distinct sets of tokens at the free positions, numbered as in `tokens`."""
        return TokenSets.find(self.allowed, self.of)

    def picked(self, tables: Tensor) -> Tensor:
        """The entries of tables [J, H, n - 1, v] at the job's tokens: [J, H, n - 1, k]."""
        with structure():
            index = self.tokens[:, None].expand(-1, tables.shape[1], -1, -1)
        return tables.gather(-1, index)

    def at_all_tokens(self, tables: Tensor, job: Tensor) -> Tensor:
        """Tables [I, n - 1, k] of jobs int64 [I] as [I, n - 1, v]; entries of other tokens mean nothing."""
        with structure():
            tokens, v = self.tokens, self.masks.shape[2]
            place = torch.zeros(*tokens.shape[:2], v, dtype=torch.int64)
            place.scatter_(-1, tokens, torch.arange(tokens.shape[2]).expand(tokens.shape))
            index = place[job]
        return tables.gather(-1, index)

    @property
    def free(self) -> list[int]:
        """The positions but the context."""
        return [i for i in range(self.masks.shape[1]) if i != self.context]


@dataclass(frozen=True)
class Weights:
    """The heads' weights in each job, and the range of their sums on each box.

    Attributes
    ----------
    free : [J, H, n - 1, k]
        At the positions but the context.
    own : [J, H]
        The context's.
    least, most : [B, H]
        Bounds of D over a box: plain numbers.
    """

    free: Tensor
    own: Tensor
    least: Tensor
    most: Tensor

    def pick(self, job: Tensor, box: Tensor) -> Weights:
        """Of jobs that are copies of the jobs `job`, with boxes that are copies of the boxes `box`."""
        return Weights(self.free[job], self.own[job], self.least[box], self.most[box])


@dataclass(frozen=True)
class Rows:
    """Rows of each job (see the module's docstring).

    Attributes
    ----------
    base : [J, R]
    averages : [J, R, H, n - 1, k]
        G at the free positions.
    own : [J, R, H]
        G of the context's token.
    sums : [J, R, n - 1, k] or None
        A; what the context adds is part of `base`.
    """

    base: Tensor
    averages: Tensor
    own: Tensor
    sums: Tensor | None = None

    def pick(self, job: Tensor, row: Tensor) -> Rows:
        """Single rows: row ``row[j]`` of job ``job[j]`` (int64 [J']) as the one row of a job j."""
        at = (job[:, None], row[:, None])
        return Rows(self.base[at], self.averages[at], self.own[at], None if self.sums is None else self.sums[at])


@dataclass(frozen=True)
class AdditiveRows:
    """Additive functions of the sign of rows, or below a positive multiple of them: ``constant + sum_i tables[i, x_i]``.

    Attributes
    ----------
    constant : [B, R]
    tables : [B, R, n - 1, k]
    """

    constant: Tensor
    tables: Tensor


def tokens_allowed(jobs: Jobs) -> Tensor:
    """Which tokens some box of each job allows at the free positions, bool [J, n - 1, v]: an integer operation for each box's."""
    masks = jobs.masks[:, jobs.free]
    charge_integers(masks.numel())
    with structure():
        some = torch.zeros(len(jobs), *masks.shape[1:], dtype=torch.int32)
        return some.index_add(0, jobs.of, masks.to(torch.int32)) > 0


def weights_of(heads: list[Averages], jobs: Jobs, alone: bool = False) -> Weights:
    """Gather the heads' weights for each job, and bound their sums.

    Parameters
    ----------
    alone
        There is one head and nothing else, so that no bounds are needed: they are left at infinity.

    Notes
    -----
    Cost: that of `least` and `most` for each head.
    """
    with stage("weights"):
        if not heads:
            free = torch.zeros(len(jobs), 0, *jobs.tokens.shape[1:], dtype=torch.float64)
            none = free.new_zeros(len(jobs.of), 0)
            return Weights(free, free[:, :, 0, 0], none, none)
        every = torch.cat([h.weights for h in heads], -1)  # [Q, n, K, H]
        of_query = every.movedim(-1, 1)  # [Q, H, n, K]
        free = jobs.picked(of_query[:, :, jobs.free][jobs.query])
        own = of_query[:, :, jobs.context].diagonal(dim1=0, dim2=2).mT[jobs.query]
        if alone:
            unknown = torch.full((len(jobs.of), 1), torch.inf, dtype=torch.float64)
            return Weights(free, own, unknown, unknown)
        smallest, largest = least(free, jobs) + own[jobs.of], most(free, jobs) + own[jobs.of]
        return Weights(free, own, lower(smallest), upper(largest))


def least(tables: Tensor, jobs: Jobs) -> Tensor:
    """The least value [B, R, ...] of ``sum_i tables[j, r, ..., i, x_i]`` on each box of job j.

    Cost: a comparison for each entry of a set of tokens (`TokenSets`; boxes share theirs), and n - 2 additions for each box.
    """
    return jobs.sets.extremes(tables, torch.inf).sum(1)


def most(tables: Tensor, jobs: Jobs) -> Tensor:
    """The greatest value, likewise."""
    return jobs.sets.extremes(tables, -torch.inf).sum(1)


@dataclass(frozen=True)
class Deviations:
    """z of rows at their hints (see the module's docstring), and its range on each box, computed once for all that ask.

    Attributes
    ----------
    free : [J, R, H, n - 1, k]
    own : [J, R, H]
        The context's part.
    jobs
        Of the rows.
    """

    free: Tensor
    own: Tensor
    jobs: Jobs

    @classmethod
    def of(cls, rows: Rows, th: Tensor, weights: Weights, jobs: Jobs) -> Deviations:
        """At hints th [J, R, H]. Cost: two operations for each entry."""
        free = weights.free[:, None] * (rows.averages - th[..., None, None])
        return cls(free, weights.own[:, None] * (rows.own - th), jobs)

    @cached_property
    def lowest(self) -> Tensor:
        """The least value on each box, [B, R, H]."""
        return least(self.free, self.jobs) + self.own[self.jobs.of]

    @cached_property
    def highest(self) -> Tensor:
        """The greatest value on each box, [B, R, H]."""
        return most(self.free, self.jobs) + self.own[self.jobs.of]


def by_heads(rows: Rows, th: Tensor, weights: Weights, jobs: Jobs, z: Deviations | None = None) -> Tensor:
    """Lower bounds [B, R] of rows on each box by (least), head by head.

    Parameters
    ----------
    th : [J, R, H]
        Hints.
    z
        Of these rows at these hints, if they are known already.

    Notes
    -----
    Cost: for each row, head, free position and token two operations in a job, and that of `least`.
    """
    lowest = (z or Deviations.of(rows, th, weights, jobs)).lowest
    part = torch.minimum(lowest / weights.least[:, None], lowest / weights.most[:, None])
    total = (rows.base + th.sum(-1))[jobs.of] + part.sum(-1)
    return total if rows.sums is None else total + least(rows.sums, jobs)


def ranges(rows: Rows, th: Tensor, weights: Weights, jobs: Jobs) -> tuple[Tensor, Tensor]:
    """Bounds lo, hi [J, R] of rows over all boxes of each job, by (least) and its mirror image: plain numbers.

    Parameters
    ----------
    th : [2, J, R, H]
        Hints for the lower and for the upper bound.

    Notes
    -----
    Cost: twice that of `by_heads`, and a comparison for each row and box.
    """
    low = by_heads(rows, th[0], weights, jobs)
    highest = Deviations.of(rows, th[1], weights, jobs).highest
    part = torch.maximum(highest / weights.least[:, None], highest / weights.most[:, None])
    high = (rows.base + th[1].sum(-1))[jobs.of] + part.sum(-1)
    if rows.sums is not None:
        high = high + most(rows.sums, jobs)
    return lower(_over_boxes(low, jobs, "amin")), upper(_over_boxes(high, jobs, "amax"))


def _over_boxes(bounds: Tensor, jobs: Jobs, which: str) -> Tensor:
    start = torch.full((len(jobs), bounds.shape[1]), torch.inf if which == "amin" else -torch.inf, dtype=torch.float64)
    return start.scatter_reduce(0, jobs.of[:, None].expand(bounds.shape), bounds, which)


def additive(rows: Rows, th: Tensor, weights: Weights, jobs: Jobs, z: Deviations | None = None) -> AdditiveRows:
    """Additive functions below the rows on each box, by (chord); `z` as for `by_heads`.

    Cost: as `by_heads`, that of `most`, and two operations for each entry in a box to add the heads' tables.
    """
    z = z or Deviations.of(rows, th, weights, jobs)
    zl, zh = lower(z.lowest), upper(z.highest)  # numbers: a range that may be too large
    small, large = (1 / weights.most)[:, None], (1 / weights.least)[:, None]
    chord = (zh * small - zl * large) / (zh - zl)
    slope = torch.where(zl >= 0, small, torch.where(zh <= 0, large, chord))
    offset = torch.where((zl >= 0) | (zh <= 0), 0.0, zl * (large - slope))
    constant = (rows.base + th.sum(-1))[jobs.of] + (offset + slope * z.own[jobs.of]).sum(-1)
    tables = (slope[..., None, None] * z.free[jobs.of]).sum(2)
    return AdditiveRows(constant, tables if rows.sums is None else tables + rows.sums[jobs.of])


def of_one_head(rows: Rows, weights: Weights, jobs: Jobs) -> AdditiveRows:
    """The rows of one head times D, exactly: two operations for each entry in a job."""
    tables = weights.free[:, None, 0] * (rows.averages[:, :, 0] + rows.base[..., None, None])
    own = weights.own[:, None, 0] * (rows.own[..., 0] + rows.base)
    return AdditiveRows(own[jobs.of], tables[jobs.of])
