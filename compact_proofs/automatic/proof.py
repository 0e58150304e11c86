"""The proof: from a program, boxes and an explanation to the set of inputs that are proven right."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from compact_proofs.automatic.blocks import Network
from compact_proofs.automatic.explanation import Reader
from compact_proofs.automatic.hints import Hints
from compact_proofs.automatic.jobs import Batch, batches, jobs_of
from compact_proofs.automatic.margins import Readout, frames, margins
from compact_proofs.automatic.owners import structure
from compact_proofs.automatic.relaxed import Relaxed, Shared
from compact_proofs.automatic.rivals import AverageReadout, Families, margin_rows, merge
from compact_proofs.automatic.rows import Jobs, weights_of
from compact_proofs.automatic.tree import PROVE, Leaves
from compact_proofs.automatic.undecided import Undecided, by_box, open_rows
from compact_proofs.certified import BoxSet, Certified, disjoint, positive

LARGEST = 2**22
"""Entries of a table of one batch."""


def proven(network: Network, leaves: Leaves, group: Tensor, choices: Tensor, numbers: Tensor, hard: int, kept: int) -> Certified:
    """Return the inputs of the leaves that are to be proven on which the label's logit is proven largest.

    Parameters
    ----------
    network
        The program, read by tokens.
    leaves
        Disjoint boxes, each of one label.
    group, choices, numbers
        The explanation (`compact_proofs.automatic.explanation`).
    hard, kept
        Options of the strategy.
    """
    boxes = leaves.of_kind(PROVE)
    jobs = jobs_of(boxes, Reader(group).take(len(boxes)), network.context)
    if not len(jobs):
        return disjoint([])
    found = _merged if AverageReadout.applies(network) else _relaxed
    return disjoint([counted(part, u) for part, u in found(network, jobs, Reader(choices), Reader(numbers), hard, kept)])


def counted(jobs: Jobs, u: Undecided) -> Certified:
    """The certified inputs of the boxes of some jobs."""
    n = jobs.masks.shape[1]
    shape = (*u.tables.shape[:2], 1, u.tables.shape[-1])
    at = jobs.context
    tables = torch.cat([u.tables[:, :, :at], torch.zeros(shape, dtype=torch.float64), u.tables[:, :, at:]], 2)
    assert tables.shape[2] == n
    some = positive(u.constant, tables, jobs.masks[u.boxes], u.rows)
    return disjoint([BoxSet(jobs.masks[u.proven]), some]) if len(u.proven) else some


def _merged(
    network: Network, jobs: Jobs, choices: Reader, numbers: Reader, hard: int, kept: int
) -> Iterator[tuple[Jobs, Undecided]]:
    """Logits that are averages: rivals merged in families (`compact_proofs.automatic.rivals`)."""
    readout = AverageReadout.of(network)
    heads, outputs = readout.tables.shape[2:]
    with structure():
        family = choices.take(len(jobs))
        names, family = family.unique(return_inverse=True)
        query = torch.zeros(len(names), dtype=torch.int64).scatter(0, family, jobs.query)
        usable = query[family] == jobs.query  # a family is about one token; jobs of another are not proven by it
        hards = choices.take(len(names), hard).clamp(max=outputs - 1)
        beta = numbers.take(len(names), heads - 1, outputs)
    th = numbers.take(len(jobs), 1 + hard, heads) if heads > 1 else torch.zeros(len(jobs), 1 + hard, heads, dtype=torch.float64)
    room = max(1, LARGEST // (network.n * network.v * heads * outputs))
    for first in range(0, len(names), room):
        with structure():
            own = slice(first, first + room)
            chosen = (usable & (family >= first) & (family < first + room)).nonzero()[:, 0]
        families = Families(query[own], hards[own], beta[own])
        tables = merge(readout, families)
        part = jobs.part(chosen)
        for batch in batches(part, (1 + hard) * heads * network.n * network.v, LARGEST):
            number = chosen[batch.start : batch.stop]
            weights = weights_of(readout.heads, batch.jobs)
            rows = margin_rows(readout, families, family[number] - first, batch.jobs, tables)
            found = open_rows(rows, th[number], weights, batch.jobs)
            yield batch.jobs, by_box(found, len(batch.jobs.of))


def _relaxed(
    network: Network, jobs: Jobs, choices: Reader, numbers: Reader, hard: int, kept: int
) -> Iterator[tuple[Jobs, Undecided]]:
    """Any network: ranges forwards, rows backwards (`compact_proofs.automatic.relaxed`)."""
    width = widest(network)
    basis = numbers.take(frames(network), width, width)
    shared = Shared(network, basis)
    readout = Readout(shared, basis[-1])
    columns = numbers.rest(len(jobs))
    for batch in relaxed_batches(network, shared, jobs):
        relaxed = Relaxed(shared, batch.jobs, Hints(columns[batch.start : batch.stop], len(batch.jobs)))
        yield batch.jobs, margins(relaxed, readout, kept)


def relaxed_batches(network: Network, shared: Shared, jobs: Jobs) -> Iterator[Batch]:
    """Jobs in batches that fit."""
    rows = max((b.size for b in network.blocks), default=1)
    return batches(jobs, rows * max(shared.leaves.heads, 1) * network.n * network.v, LARGEST)


def widest(network: Network) -> int:
    """The size of the largest block: that of every basis, the rest of smaller ones being left unread."""
    return max(sum(len(p) for b, p in network.logits.parts.items()), *(b.size for b in network.blocks))
