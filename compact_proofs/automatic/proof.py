"""The proof: from a program, boxes and an explanation to the set of inputs that are proven right."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor

from compact_proofs.automatic.bounds.jobs import Batch, batches, jobs_of, of_similar_tokens, tokens_of
from compact_proofs.automatic.bounds.margins import Readout, frames, margins
from compact_proofs.automatic.bounds.relaxed import Relaxed, Shared
from compact_proofs.automatic.bounds.rivals import AverageReadout, Families, Kin, kinship, left_out, margin_rows, merge
from compact_proofs.automatic.bounds.rows import Jobs, weights_of
from compact_proofs.automatic.bounds.undecided import Undecided, by_box, nothing, open_rows
from compact_proofs.automatic.boxes.tree import PROVE, REST, Leaves
from compact_proofs.automatic.explanation import Reader
from compact_proofs.automatic.hints import Hints
from compact_proofs.automatic.reading.blocks import Network
from compact_proofs.automatic.reading.owners import structure
from compact_proofs.certified import LARGEST_MIXED, BoxSet, Certified, disjoint, positive, positive_tables
from compact_proofs.errors import BadInput
from compact_proofs.sequences.boxes import MIXED, Boxes
from compact_proofs.shards import each

LARGEST = 2**22
"""Entries of a table of one batch."""

Piece: TypeAlias = tuple[Certified, Tensor]
"""Inputs that are certified, and others, int64 [N, n], that are wanted and are not among them."""


def proven(
    network: Network,
    leaves: Leaves,
    group: Tensor,
    choices: Tensor,
    numbers: Tensor,
    kept: int,
    worth: float,
    first: Callable[[], None],
) -> Iterator[Piece]:
    """Prove the leaves of kinds PROVE and REST, in parts, which may be carried out by several processes.

    Gives disjoint sets of inputs on which the label's logit is proven largest, each with the inputs, int64 [N, n], of REST leaves
    looked at beside it that are not among them: disjoint lists.

    Parameters
    ----------
    network
        The program, read by tokens.
    leaves
        Disjoint boxes, each of one label; others are left out.
    group, choices, numbers
        The explanation (`compact_proofs.automatic.explanation`).
    kept, worth
        Options of the strategy.
    first
        What is done before any result is taken (`compact_proofs.shards.each`).
    """
    outputs = network.logits.shape[0]
    if outputs < 2:
        raise BadInput("automatic: the network has one output, so that there is nothing to compare it with")
    boxes = within(leaves.of_kind(PROVE, REST), outputs)
    jobs = jobs_of(boxes, Reader(group).take(len(boxes)), network.context, leaves.rest)
    if not len(jobs):
        return
    found = _merged if AverageReadout.applies(network) else _relaxed
    yield from found(network, jobs, Reader(choices), Reader(numbers), kept, worth, first)


def possible(jobs: list[Jobs], found: list[Piece]) -> bool:
    """Can this be what is proven of some jobs, and what is not? Their boxes, which are disjoint, hold no fewer inputs.

    Asked of what other processes found (`compact_proofs.shards.each`); sizes were counted there.
    """
    inputs = sum(math.prod(row) for own in jobs for row in own.masks.sum(-1).tolist())
    return 0 <= sum(part.size + len(others) for part, others in found) <= inputs and all(part.size >= 0 for part, _ in found)


def within(boxes: Boxes, outputs: int) -> Boxes:
    """The boxes, those whose label is no output (and so never right) as boxes about which nothing is proven: of `MIXED` label."""
    with structure():
        return Boxes(boxes.masks, torch.where(boxes.labels < outputs, boxes.labels, MIXED))


def counted(jobs: Jobs, u: Undecided, worth: float) -> Piece:
    """The certified inputs of the boxes of some jobs; and the others of those boxes whose rest is wanted, int64 [N, n].

    Boxes of more than 2^24 inputs are counted like those whose rest is not wanted.
    """
    n = jobs.masks.shape[1]
    tables = at_all_positions(u.tables, jobs.context)
    masks = jobs.masks[u.boxes]
    with structure():
        wanted = torch.zeros(len(u.boxes), dtype=torch.bool) if jobs.rest is None else jobs.rest[u.boxes]
        wanted = wanted & (masks.sum(-1).double().prod(-1) <= LARGEST_MIXED)
    parts: list[Certified] = [BoxSet(jobs.masks[u.proven])] if len(u.proven) else []
    if not bool(wanted.all()):
        parts.append(positive(u.constant[~wanted], tables[~wanted], masks[~wanted], u.rows[~wanted], worth=worth))
    looked = positive_tables(u.constant[wanted], tables[wanted], masks[wanted], u.rows[wanted]) if bool(wanted.any()) else []
    rest = [torch.zeros(0, n, dtype=torch.int64), *(box.others for box in looked)]
    found = disjoint([*parts, *looked])
    _ = found.size
    return found, torch.cat(rest)


def at_all_positions(tables: Tensor, context: int) -> Tensor:
    """Tables [B, R, n - 1, v] at the free positions, with zeros at the context's: [B, R, n, v]."""
    zeros = torch.zeros(*tables.shape[:2], 1, tables.shape[-1], dtype=torch.float64)
    return torch.cat([tables[:, :, :context], zeros, tables[:, :, context:]], 2)


def _merged(
    network: Network, jobs: Jobs, choices: Reader, numbers: Reader, kept: int, worth: float, first: Callable[[], None]
) -> Iterator[Piece]:
    """Logits that are averages: rivals merged in families (`compact_proofs.automatic.bounds.rivals`)."""
    readout = AverageReadout.of(network)
    heads, outputs = readout.tables.shape[2:]
    with structure():
        family = choices.take(len(jobs))
        names, family = family.unique(return_inverse=True)
        query = torch.zeros(len(names), dtype=torch.int64).scatter(0, family, jobs.query)
        usable = query[family] == jobs.query  # a family is about one token; jobs of another are not proven by it
        number = choices.take(len(names)).clamp(max=outputs - 2)
        beta = numbers.take(len(names), heads - 1, outputs)
        counts = number.unique().tolist()
        foreign = jobs.part((~usable).nonzero()[:, 0])
    if len(foreign):
        yield counted(foreign, nothing(foreign), worth)
    parts: list[FamilyPart] = []
    with structure():
        group = kinship(query, beta, number)
    for count in counts:
        with structure():
            alike = (number == count).nonzero()[:, 0]
            place = torch.full((len(names),), -1)
            place[alike] = torch.arange(len(alike))
            own = (usable & (place[family] >= 0)).nonzero()[:, 0]
            hard = choices.take(len(alike), count).clamp(max=outputs - 1)
            th = numbers.take(len(own), 1 + count, heads if heads > 1 else 0)
            families = Families(query[alike], hard, beta[alike])
            parts.append(FamilyPart(jobs.part(own), families, place[family[own]], group[alike], th))

    def pieces(kindred: Kindred) -> list[Piece]:
        return [counted(batch, u, worth) for batch, u in merged(readout, kindred)]

    def can_be(unit: Kindred, found: list[Piece]) -> bool:
        return possible([part.jobs for part in unit.parts], found)

    for found in each(pieces, list(_kindred(readout, parts)), "families of rivals", can_be, first):
        yield from found


@dataclass(frozen=True)
class FamilyPart:
    """The jobs of some families of rivals that have equally many hard outputs.

    Attributes
    ----------
    jobs
        The jobs.
    families
        The families.
    family : int64 [J]
        The family of each job, of the job's token.
    group : int64 [F]
        The group of kin of each family.
    th : [J, 1 + S, H]
        Hints for the ratio rule; H = 0 for one head.
    """

    jobs: Jobs
    families: Families
    family: Tensor
    group: Tensor
    th: Tensor

    def within(self, start: int, stop: int) -> FamilyPart:
        """The families of some groups, which are numbered anew, and their jobs."""
        own = ((self.group >= start) & (self.group < stop)).nonzero()[:, 0]
        place = torch.full((len(self.group),), -1)
        place[own] = torch.arange(len(own))
        chosen = (place[self.family] >= 0).nonzero()[:, 0]
        families = Families(self.families.query[own], self.families.hard[own], self.families.beta[own])
        return FamilyPart(self.jobs.part(chosen), families, place[self.family[chosen]], self.group[own] - start, self.th[chosen])


@dataclass(frozen=True)
class Kindred:
    """Families that share the tables of their rivals, and their jobs."""

    kin: Kin
    parts: list[FamilyPart]


def _kindred(readout: AverageReadout, parts: list[FamilyPart]) -> Iterator[Kindred]:
    """Divide families by their kin: few groups at a time, and 16 at most."""
    n, v, heads, outputs = readout.tables.shape
    step = max(1, min(LARGEST // (n * v * heads * outputs), 16))
    with structure():
        kin = Kin.of([p.families for p in parts], [p.group for p in parts])
    for start in range(0, len(kin), step):
        with structure():
            own = [part for p in parts if len((part := p.within(start, start + step)).jobs)]
            unit = Kindred(kin.part(start, start + step), own)
        if own:
            yield unit


def merged(readout: AverageReadout, kindred: Kindred) -> Iterator[tuple[Jobs, Undecided]]:
    """Bound jobs by merged rivals, in batches."""
    n, v, heads, _ = readout.tables.shape
    with structure():
        tokens = torch.cat([tokens_of(part.jobs) for part in kindred.parts]).unique()
        left = [left_out(kindred.kin, part.families, part.group, part.family, part.jobs.label) for part in kindred.parts]
        any_left = torch.stack(left).any(0)
    tables = merge(readout, kindred.kin, kindred.parts[0].jobs.context, tokens, any_left)
    for part in kindred.parts:
        for batch in batches(part.jobs, part.th.shape[1] * heads * n * v, LARGEST):
            own = slice(batch.start, batch.stop)
            weights = weights_of(readout.heads, batch.jobs, heads == 1)
            rows = margin_rows(readout, part.families, part.family[own], part.group, batch.jobs, tables)
            yield batch.jobs, by_box(open_rows(rows, part.th[own], weights, batch.jobs), len(batch.jobs.of))


def _relaxed(
    network: Network, jobs: Jobs, choices: Reader, numbers: Reader, kept: int, worth: float, first: Callable[[], None]
) -> Iterator[Piece]:
    """Any network: rows for the rivals of each box's label."""

    def piece(own: Jobs, bounds: Relaxed, readout: Readout) -> Piece:
        return counted(own, margins(bounds, readout, kept), worth)

    yield from by_ranges(network, jobs, numbers, piece, first)


def by_ranges(
    network: Network,
    jobs: Jobs,
    numbers: Reader,
    piece: Callable[[Jobs, Relaxed, Readout], Piece],
    first: Callable[[], None],
) -> Iterator[Piece]:
    """Bound any network on jobs: ranges forwards, rows backwards (`compact_proofs.automatic.bounds.relaxed`).

    Parameters
    ----------
    network, jobs, numbers, first
        As for `proven`; of the explanation's numbers, a basis for each frame, and then the hints of each job.
    piece
        Makes of some jobs, their bounds and the readout what is certified of them.
    """
    width = widest(network)
    basis = numbers.take(frames(network), width, width)
    shared = Shared(network, basis)
    readout = Readout(shared, basis[-1])
    columns = numbers.rest(len(jobs))
    jobs, _ = of_similar_tokens(jobs)

    def bounded(part: tuple[Jobs, Tensor]) -> Piece:
        own, hints = part
        return piece(own, Relaxed(shared, own, Hints(hints, len(own))), readout)

    parts = [(batch.jobs, columns[batch.start : batch.stop]) for batch in relaxed_batches(network, shared, jobs)]
    yield from each(bounded, parts, "boxes, in batches", lambda part, found: possible([part[0]], [found]), first)


def relaxed_batches(network: Network, shared: Shared, jobs: Jobs) -> Iterator[Batch]:
    """Jobs in batches that fit."""
    return batches(jobs, entries_of_box(network, shared.leaves.heads), LARGEST)


def entries_of_box(network: Network, heads: int) -> int:
    """How many entries the largest table about one box has; `heads` of all averages together."""
    rows = max((b.size for b in network.blocks), default=1)
    return rows * max(heads, 1) * network.n * network.v


def widest(network: Network) -> int:
    """The size of the largest block: that of every basis, the rest of smaller ones being left unread."""
    return max([sum(len(p) for p in network.logits.parts.values()), *(b.size for b in network.blocks)])
