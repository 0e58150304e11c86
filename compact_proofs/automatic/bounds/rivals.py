"""Merged rivals: a single lower bound of the margins against many outputs.

Where the logits are averages, M_z = dir_z + sum_g avg_g P_{g,z}, and for any numbers beta with sum_g beta_{g,z} = dir_z

    max_z M_z = max_z sum_g avg_g (P_{g,z} + beta_{g,z}) <= sum_g avg_g max_z (P_{g,z} + beta_{g,z}),                    (merge)

since avg_g of a constant is that constant, and a maximum of sums of averages is at most the sum of the averages of maxima. So the
margin of label y over every z of a set is at least dir_y + sum_g avg_g (P_{g,y} - max_z (P_{g,z} + beta_{g,z})): a row. The maxima
are those of a *family*: a token q, the betas of all heads but the last (hints; the last makes up for the sum), and a few *hard*
outputs, left out of the maxima, which get rows of their own. They do not depend on the label, but for leaving it out itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from compact_proofs.automatic.bounds.rows import Jobs, Rows
from compact_proofs.automatic.reading.blocks import Averages, Network
from compact_proofs.automatic.reading.owners import structure
from compact_proofs.enclosure import upper
from compact_proofs.length import stage


@dataclass(frozen=True)
class AverageReadout:
    """Logits that are sums of averages: M_z = direct[q, z] + sum_g avg_g P_{g,z}.

    Attributes
    ----------
    heads
        The blocks of averages.
    tables : [n, K, H, outputs]
        P for the heads of all blocks, one after the other.
    direct : [Q, outputs]
        dir.
    """

    heads: list[Averages]
    tables: Tensor
    direct: Tensor

    @staticmethod
    def applies(network: Network) -> bool:
        """Are the logits made of averages alone, and of some?"""
        parts = network.logits.parts
        return bool(parts) and all(isinstance(network.blocks[b], Averages) for b in parts)

    @classmethod
    def of(cls, network: Network) -> AverageReadout:
        """Compute the tables: 2 n K E outputs operations for each head of width E."""
        form = network.logits
        heads, tables = [], []
        with stage("readout"):
            for number, part in form.parts.items():
                block = network.blocks[number]
                assert isinstance(block, Averages)
                n, K, G, E = block.values.shape
                values = block.values.permute(2, 0, 1, 3).reshape(G, n * K, E)
                product = torch.bmm(values, part.reshape(G, E, -1))
                tables.append(product.reshape(G, n, K, -1).permute(1, 2, 0, 3))
                heads.append(block)
        direct = form.constant if form.axes == "q" else form.constant.expand(network.v, -1)
        return cls(heads, torch.cat(tables, 2), direct)


@dataclass(frozen=True)
class Families:
    """Hints for (merge), for each family.

    Attributes
    ----------
    query : int64 [F]
        q.
    hard : int64 [F, S]
        The outputs with rows of their own.
    beta : [F, H - 1, outputs]
        For all heads but the last.
    """

    query: Tensor
    hard: Tensor
    beta: Tensor

    def parts(self, room: int) -> Iterator[tuple[int, Families]]:
        """The families in parts of at most `room`, and 16 (so that they are about similar tokens), each with its first number."""
        step = max(1, min(room, 16))
        for first in range(0, len(self.query), step):
            own = slice(first, first + step)
            yield first, Families(self.query[own], self.hard[own], self.beta[own])


@dataclass(frozen=True)
class Merged:
    """Upper bounds of max_z (P_{g,z} + beta_{g,z}) over the outputs of a family that are not hard: plain numbers.

    Attributes
    ----------
    greatest, second : [F, H, n - 1, K]
        At the free positions: the greatest and the second greatest of the bounds.
    of : int64 [F, H, n - 1, K]
        The output of the greatest.
    own_greatest, own_second, own_of : [F, H]
        The same for the context's token.
    """

    greatest: Tensor
    second: Tensor
    of: Tensor
    own_greatest: Tensor
    own_second: Tensor
    own_of: Tensor

    def rivals(self, family: Tensor, label: Tensor) -> tuple[Tensor, Tensor]:
        """The greatest bounds of outputs other than the label, for jobs of given families: [J, H, n - 1, K] and [J, H]."""
        free = torch.where(self.of[family] == label[:, None, None, None], self.second[family], self.greatest[family])
        own = torch.where(self.own_of[family] == label[:, None], self.own_second[family], self.own_greatest[family])
        return free, own


def merge(readout: AverageReadout, families: Families, context: int, tokens: Tensor) -> Merged:
    """Merge the rivals of families.

    Parameters
    ----------
    tokens : int64 [K']
        The tokens that may stand at the free positions of the families' jobs; at others the bounds mean nothing.

    Notes
    -----
    Cost: three operations for each family, head, position, token of `tokens` and output.
    """
    with stage("merging"):
        n, v = readout.tables.shape[:2]
        direct = readout.direct[families.query]
        last = direct - families.beta.sum(1)
        beta = torch.cat([families.beta, last[:, None]], 1)  # [F, H, outputs]
        free = [i for i in range(n) if i != context]
        tables = readout.tables.permute(2, 0, 1, 3)  # [H, n, K, outputs]
        greatest, second, of = _top(tables[:, free][:, :, tokens] + beta[:, :, None, None], families.hard)
        own = _top(tables[:, context].movedim(1, 0)[families.query] + beta, families.hard)
        with structure():
            place = torch.zeros(v, dtype=torch.int64)
            place[tokens] = torch.arange(len(tokens))
        return Merged(greatest[..., place], second[..., place], of[..., place], *own)


def _top(bounds: Tensor, hard: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Of bounds [F, ..., outputs], the hard ones left out: the greatest, the second greatest, and the place of the greatest."""
    known = upper(bounds)
    if hard.shape[1]:
        out = (hard[..., None] == torch.arange(known.shape[-1])).any(1)  # [F, outputs]
        known = known.masked_fill(out.reshape(len(out), *[1] * (known.dim() - 2), -1), -torch.inf)
    found = known.topk(2, -1)
    return found.values[..., 0], found.values[..., 1], found.indices[..., 0]


def margin_rows(readout: AverageReadout, families: Families, family: Tensor, jobs: Jobs, merged: Merged) -> Rows:
    """Rows below the margins of each job's label: over the merged outputs, then over each hard one.

    The row of a hard output that is the label itself is a copy of the first.

    Parameters
    ----------
    family : int64 [J]
        A family of the job's token for each job.

    Notes
    -----
    Cost: one operation for each row, head, position and token.
    """
    with stage("rows"):
        J = torch.arange(len(jobs))
        tables = readout.tables.permute(3, 2, 0, 1)  # [outputs, H, n, K]
        free, context = tables[:, :, jobs.free], tables[:, :, jobs.context].movedim(2, 0)  # [Q, outputs, H]
        rival, own_rival = merged.rivals(family, jobs.label)
        hard = families.hard[family]  # [J, S]
        same = hard == jobs.label[:, None]
        others = torch.where(same[..., None, None, None], rival[:, None], free[hard])
        own_others = torch.where(same[..., None], own_rival[:, None], context[jobs.query[:, None], hard])
        gap = free[jobs.label][:, None] - torch.cat([rival[:, None], others], 1)
        own = context[jobs.query, jobs.label][:, None] - torch.cat([own_rival[:, None], own_others], 1)
        direct = readout.direct[jobs.query]
        mine = direct[J, jobs.label][:, None]
        base = torch.cat([mine, torch.where(same, mine, mine - direct.gather(1, hard))], 1)
        return Rows(base, gap, own)
