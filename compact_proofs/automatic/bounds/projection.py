"""Tables of rows: the value that each token gives to linear functionals of averages and sums."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from compact_proofs.automatic.bounds.rows import Jobs, Rows
from compact_proofs.automatic.reading.blocks import Averages, Network, Sums
from compact_proofs.automatic.reading.owners import structure

Parts = dict[int, Tensor]
"""For each block of averages or sums, by its number, coefficients [symbols, rows]."""


@dataclass(frozen=True)
class Projected:
    """Tables of rows that are the same in every job.

    Attributes
    ----------
    averages : [R, H, n, K]
    sums : [R, n, K] or [Q, R, n, K] or None
    """

    averages: Tensor
    sums: Tensor | None


class Leaves:
    """The blocks of averages and sums of a network, from which everything else is computed.

    Attributes
    ----------
    averages, sums
        The blocks, by their numbers.
    heads
        H, the heads of all averages.
    """

    def __init__(self, network: Network) -> None:
        self.network = network
        self.averages = {b: x for b, x in enumerate(network.blocks) if isinstance(x, Averages)}
        self.sums = {b: x for b, x in enumerate(network.blocks) if isinstance(x, Sums)}
        self.heads = sum(x.values.shape[2] for x in self.averages.values())

    def __contains__(self, block: int) -> bool:
        return block in self.averages or block in self.sums

    def project(self, parts: Parts) -> Projected:
        """Tables of rows that are the same in every job. Cost: 2 n K operations for each row and symbol."""
        rows = next(iter(parts.values())).shape[1]
        n, v = self.network.n, self.network.v
        found = []
        for b, block in self.averages.items():
            _, _, G, E = block.values.shape
            if b in parts:
                values = block.values.permute(2, 0, 1, 3).reshape(G, n * v, E)
                found.append(torch.bmm(values, parts[b].reshape(G, E, rows)).permute(2, 0, 1).reshape(rows, G, n, v))
            else:
                found.append(torch.zeros(rows, G, n, v, dtype=torch.float64))
        sums: Tensor | None = None
        for b, terms in self.sums.items():
            if b in parts:
                E = terms.size
                lead = terms.tables.shape[:-1]
                table = torch.mm(terms.tables.reshape(-1, E), parts[b]).reshape(*lead, rows).movedim(-1, -3)
                sums = table if sums is None else sums + table
        empty = torch.zeros(rows, 0, n, v, dtype=torch.float64)
        return Projected(torch.cat(found, 1) if found else empty, sums)

    def rows_of(self, parts: Parts, base: Tensor, jobs: Jobs) -> Rows:
        """Rows of each job with coefficients [J, R, symbols].

        Cost: for each row and symbol of a job 2 (n - 1) k operations, and 2 for the context's token.
        """
        J, R = base.shape
        places, k = jobs.tokens.shape[1:]
        found, own = [], []
        for b, block in self.averages.items():
            _, _, G, E = block.values.shape
            if b in parts:
                rows = parts[b].reshape(J, R, G, E)
                values = block.values.permute(2, 3, 0, 1)  # [G, E, n, K]
                found.append(_by_tokens(rows.permute(2, 0, 1, 3), values[:, :, jobs.free], jobs))
                mine = values[:, :, jobs.context, jobs.query].permute(2, 0, 1)  # [J, G, E]
                own.append((rows * mine[:, None]).sum(-1))
            else:
                found.append(torch.zeros(J, R, G, places, k, dtype=torch.float64))
                own.append(torch.zeros(J, R, G, dtype=torch.float64))
        sums: Tensor | None = None
        for b, terms in self.sums.items():
            if b in parts:
                if terms.axes == "nk":
                    table = _by_tokens(parts[b][None], terms.tables.movedim(-1, 0)[None, :, jobs.free], jobs)[:, :, 0]
                else:
                    mine = jobs.picked(terms.tables[jobs.query].movedim(-1, 1)[:, :, jobs.free])  # [J, E, n - 1, k]
                    table = torch.bmm(parts[b], mine.flatten(2)).reshape(J, R, places, k)
                sums = table if sums is None else sums + table
        empty = torch.zeros(J, R, 0, places, k, dtype=torch.float64)
        return Rows(base, torch.cat(found, 2) if found else empty, torch.cat(own, 2) if own else empty[..., 0, 0], sums)

    def shared(self, projected: Projected, base: Tensor, jobs: Jobs) -> Rows:
        """Rows that are the same in every job but for their base [J, R]."""
        J = len(jobs)
        free = projected.averages[:, :, jobs.free]  # [R, H, n - 1, K]
        averages = jobs.picked(free.flatten(0, 1).expand(J, -1, -1, -1)).unflatten(1, free.shape[:2])
        own = projected.averages[:, :, jobs.context, jobs.query].movedim(-1, 0)
        sums = projected.sums
        if sums is not None:
            sums = sums[..., jobs.free, :]
            sums = jobs.picked(sums[jobs.query] if sums.dim() == 4 else sums.expand(J, -1, -1, -1))
        return Rows(base, averages, own, sums)


def _by_tokens(rows: Tensor, values: Tensor, jobs: Jobs) -> Tensor:
    """Products of rows [G, J, R, E] and values [G, E, n - 1, K] at each job's tokens: [J, R, G, n - 1, k].

    Jobs that are about the same tokens are multiplied together: 2 E (n - 1) k operations for each row.
    """
    with structure():
        kinds, kind = jobs.tokens.flatten(1).unique(dim=0, return_inverse=True)
        order = kind.argsort(stable=True)
        parts = order.split(torch.bincount(kind, minlength=len(kinds)).tolist())
        back = order.argsort()
        position = torch.arange(jobs.tokens.shape[1])[:, None]
    G, _, R, E = rows.shape
    found = []
    for tokens, own in zip(kinds.reshape(len(kinds), *jobs.tokens.shape[1:]), parts, strict=True):
        chosen = values[:, :, position, tokens].flatten(2)
        product = torch.bmm(rows[:, own].reshape(G, len(own) * R, E), chosen)
        found.append(product.reshape(G, len(own), R, *tokens.shape))
    if not found:
        return rows.new_zeros(0, R, G, *jobs.tokens.shape[1:])
    return torch.cat(found, 1)[:, back].permute(1, 2, 0, 3, 4)


def combined(rows: Rows, factor: Tensor, other: Rows, base: Tensor) -> Rows:
    """rows - factor other, for `other` of one row and factors [J, R]; the bases are replaced by `base`. Two operations an entry."""
    f = factor[..., None]
    sums = rows.sums
    if other.sums is not None:
        scaled = f[..., None] * other.sums
        sums = -scaled if sums is None else sums - scaled
    return Rows(base, rows.averages - f[..., None, None] * other.averages, rows.own - f * other.own, sums)
