"""Merged rivals: one row below the margins against many outputs at once.

Where the logits are averages, M_z = dir_z + sum_g avg_g P_{g,z}, and for any numbers beta with sum_g beta_{g,z} = dir_z

    max_z M_z = max_z sum_g avg_g (P_{g,z} + beta_{g,z}) <= sum_g avg_g max_z (P_{g,z} + beta_{g,z}),                    (merge)

since avg_g of a constant is that constant, and a maximum of sums of averages is at most the sum of the averages of maxima. So the
margin of label y over every z of a set is at least dir_y + sum_g avg_g (P_{g,y} - max_z (P_{g,z} + beta_{g,z})): a row. The maxima are
those of a *family*: a token q, the betas of all heads but the last (hints; the last makes up for the sum), and a few *hard* outputs,
left out of the maxima, which get rows of their own. They do not depend on the label, but for leaving it out itself.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from compact_proofs.automatic.blocks import Averages, Network
from compact_proofs.automatic.rows import Jobs, Rows
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
        """Are the logits made of averages alone?"""
        return all(isinstance(network.blocks[b], Averages) for b in network.logits.parts)

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


def merge(readout: AverageReadout, families: Families) -> tuple[Tensor, Tensor]:
    """Return upper bounds of max_z (P_{g,z} + beta_{g,z}) over the outputs that are not hard: plain numbers.

    Returns
    -------
    greatest : [F, n, K, H, 2]
        The greatest and the second greatest of the bounds.
    of : int64 [F, n, K, H]
        The output of the greatest.

    Notes
    -----
    Cost: three operations for each family, head, position, token and output.
    """
    with stage("merging"):
        direct = readout.direct[families.query]
        last = direct - families.beta.sum(1)
        beta = torch.cat([families.beta, last[:, None]], 1)  # [F, H, outputs]
        bounds = upper(readout.tables + beta[:, None, None])
        outputs = torch.arange(bounds.shape[-1])
        hard = (families.hard[..., None] == outputs).any(1)  # [F, outputs]
        found = bounds.masked_fill(hard[:, None, None, None], -torch.inf).topk(2, -1)
        return found.values, found.indices[..., 0]


def margin_rows(readout: AverageReadout, families: Families, family: Tensor, jobs: Jobs, merged: tuple[Tensor, Tensor]) -> Rows:
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
        own = readout.tables.permute(3, 2, 0, 1)[jobs.label]  # [J, H, n, K]
        values, of = merged
        taken = of[family] == jobs.label[:, None, None, None]
        rival = torch.where(taken, values[family][..., 1], values[family][..., 0]).permute(0, 3, 1, 2)  # [J, H, n, K]
        hard = families.hard[family]  # [J, S]
        same = hard == jobs.label[:, None]
        others = readout.tables.permute(3, 2, 0, 1)[hard]  # [J, S, H, n, K]
        gap = own[:, None] - torch.cat([rival[:, None], torch.where(same[..., None, None, None], rival[:, None], others)], 1)
        direct = readout.direct[jobs.query]
        mine = direct[J, jobs.label][:, None]
        base = torch.cat([mine, torch.where(same, mine, mine - direct.gather(1, hard))], 1)
        context = gap[:, :, :, jobs.context]  # [J, R, H, K]
        at = jobs.query[:, None, None, None].expand(*context.shape[:3], 1)
        return Rows(base, gap[:, :, :, jobs.free], context.gather(3, at)[..., 0])
