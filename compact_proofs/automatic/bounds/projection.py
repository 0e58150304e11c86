"""Tables of rows: the value that each token gives to linear functionals of averages and sums."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from compact_proofs.automatic.bounds.rows import Jobs, Rows
from compact_proofs.automatic.reading.blocks import Averages, Network, Sums

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
        """Rows of each job with coefficients [J, R, symbols]. Cost: 2 n K operations for each row and symbol of a job."""
        J, R = base.shape
        n, v = self.network.n, self.network.v
        found = []
        for b, block in self.averages.items():
            _, _, G, E = block.values.shape
            if b in parts:
                values = block.values.permute(2, 3, 0, 1).reshape(G, E, n * v)
                rows = parts[b].reshape(J * R, G, E).permute(1, 0, 2)
                found.append(torch.bmm(rows, values).reshape(G, J, R, n, v).permute(1, 2, 0, 3, 4))
            else:
                found.append(torch.zeros(J, R, G, n, v, dtype=torch.float64))
        sums: Tensor | None = None
        for b, terms in self.sums.items():
            if b in parts:
                E = terms.size
                if terms.axes == "nk":
                    table = torch.mm(parts[b].reshape(J * R, E), terms.tables.reshape(-1, E).mT).reshape(J, R, n, v)
                else:
                    own = terms.tables[jobs.query].reshape(J, n * v, E)
                    table = torch.bmm(parts[b], own.mT).reshape(J, R, n, v)
                sums = table if sums is None else sums + table
        empty = torch.zeros(J, R, 0, n, v, dtype=torch.float64)
        averages = torch.cat(found, 2) if found else empty
        return _split(averages, sums, base, jobs)

    def shared(self, projected: Projected, base: Tensor, jobs: Jobs) -> Rows:
        """Rows that are the same in every job but for their base [J, R]."""
        averages = projected.averages.expand(len(jobs), *projected.averages.shape)
        sums = projected.sums
        if sums is not None:
            sums = sums[jobs.query] if sums.dim() == 4 else sums.expand(len(jobs), *sums.shape)
        return _split(averages, sums, base, jobs)


def _split(averages: Tensor, sums: Tensor | None, base: Tensor, jobs: Jobs) -> Rows:
    """Tables at all positions [J, R, H, n, K] as those at the free ones and the context's own."""
    context = averages[:, :, :, jobs.context]
    at = jobs.query[:, None, None, None].expand(*context.shape[:3], 1)
    own = context.gather(3, at)[..., 0]
    return Rows(base, averages[:, :, :, jobs.free], own, None if sums is None else sums[:, :, jobs.free])


def combined(rows: Rows, factor: Tensor, other: Rows, base: Tensor) -> Rows:
    """rows - factor other, for `other` of one row and factors [J, R]; the bases are replaced by `base`. Two operations an entry."""
    f = factor[..., None]
    sums = rows.sums
    if other.sums is not None:
        scaled = f[..., None] * other.sums
        sums = -scaled if sums is None else sums - scaled
    return Rows(base, rows.averages - f[..., None, None] * other.averages, rows.own - f * other.own, sums)
