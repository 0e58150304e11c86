"""The search for networks with norms, MLPs and whatever else is relaxed."""

from __future__ import annotations

import torch
from torch import Tensor

from compact_proofs.automatic import tree
from compact_proofs.automatic.blocks import Network, Norm
from compact_proofs.automatic.boxes import MIXED, Boxes
from compact_proofs.automatic.evaluate import evaluate
from compact_proofs.automatic.hints import Hints
from compact_proofs.automatic.jobs import jobs_of
from compact_proofs.automatic.margins import Readout, frames, margins
from compact_proofs.automatic.projection import Leaves
from compact_proofs.automatic.proof import relaxed_batches, widest
from compact_proofs.automatic.relaxed import Relaxed, Shared
from compact_proofs.automatic.shares import shares

DRAWN = 2000
"""Inputs drawn to find axes of coordinates."""


def relaxed_search(network: Network, boxes: Boxes, kept: int, cuts: int, worth: float) -> dict[str, Tensor]:
    """Find an explanation for a network with relaxed symbols."""
    kinds = [tree.PROVE if label != MIXED else tree.DROP for label in boxes.labels.tolist()]
    group = torch.zeros(sum(kind == tree.PROVE for kind in kinds), dtype=torch.int64)
    known = boxes[boxes.labels != MIXED]
    basis = axes(network)
    columns, _ = hints(network, known, group, basis, kept)
    return {
        "tree": tree.encode(kinds, network.v),
        "group": group,
        "choices": torch.zeros(0, dtype=torch.int64),
        "numbers": torch.cat([basis.flatten(), columns.flatten()]),
    }


def hints(network: Network, boxes: Boxes, group: Tensor, basis: Tensor, kept: int) -> tuple[Tensor, Tensor]:
    """Hints [J, columns] for the jobs of some boxes, and the share of each job that is certified, estimated."""
    jobs = jobs_of(boxes, group, network.context)
    shared = Shared(network, basis)
    readout = Readout(shared, basis[-1])
    columns, share = [], []
    for batch in relaxed_batches(network, shared, jobs):
        taken = Hints(None, len(batch.jobs))
        u = margins(Relaxed(shared, batch.jobs, taken), readout, kept)
        columns.append(taken.recorded())
        share.append(shares(batch.jobs, u, torch.Generator().manual_seed(0)))
    return torch.cat(columns), torch.cat(share)


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
