"""Merged rivals: a single lower bound of the margins against many outputs.

Where the logits are averages, M_z = dir_z + sum_g avg_g P_{g,z}, and for any numbers beta with sum_g beta_{g,z} = dir_z

    max_z M_z = max_z sum_g avg_g (P_{g,z} + beta_{g,z}) <= sum_g avg_g max_z (P_{g,z} + beta_{g,z}),                    (merge)

since avg_g of a constant is that constant, and a maximum of sums of averages is at most the sum of the averages of maxima. So the
margin of label y over every z of a set is at least dir_y + sum_g avg_g (P_{g,y} - max_z (P_{g,z} + beta_{g,z})): a row. The maxima
are those of a *family*: a token q, the betas of all heads but the last (hints; the last makes up for the sum), and a few *hard*
outputs, left out of the maxima, which get rows of their own. They do not depend on the label, but for leaving it out itself.
Families of one token with the same betas, as all are that have one head, are *kin*: the largest few numbers P_{g,z} + beta_{g,z} of
all outputs are found once, and each label of each family takes the first of them that it does not leave out.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import pad

from compact_proofs.automatic.bounds.rows import Jobs, Rows
from compact_proofs.automatic.reading.blocks import Averages, Network
from compact_proofs.automatic.reading.owners import structure
from compact_proofs.enclosure import upper
from compact_proofs.length import charge_integers, stage

FEW = 29
"""Hard outputs of a family that has kin, at most."""


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


@dataclass(frozen=True)
class Kin:
    """Families of one token and the same betas, for several such tokens and betas.

    Attributes
    ----------
    query : int64 [G]
        q.
    beta : [G, H - 1, outputs]
    out : bool [G, outputs]
        The outputs that are hard in each family.
    more : int64 [G]
        How many others are hard in a family, at most.
    """

    query: Tensor
    beta: Tensor
    out: Tensor
    more: Tensor

    def __len__(self) -> int:
        return len(self.query)

    @classmethod
    def apart(cls, families: Families) -> Kin:
        """Each family by itself."""
        more = torch.zeros(len(families.query), dtype=torch.int64)
        return cls(families.query, families.beta, _among(families.hard, families.beta.shape[2]), more)

    @classmethod
    def of(cls, families: list[Families], group: list[Tensor]) -> Kin:
        """Families by their groups, int64 [F] from 0; those of a group have one token and one beta."""
        count = int(torch.cat(group).max()) + 1
        shape = families[0].beta.shape[1:]
        query, beta = torch.zeros(count, dtype=torch.int64), torch.zeros(count, *shape, dtype=torch.float64)
        every = torch.ones(count, shape[1], dtype=torch.bool)
        sets = [_among(own.hard, shape[1]) for own in families]
        for own, at, hard in zip(families, group, sets, strict=True):
            query[at], beta[at] = own.query, own.beta
            for number, g in enumerate(at.tolist()):
                every[g] &= hard[number]
        more = torch.zeros(count, dtype=torch.int64)
        for at, hard in zip(group, sets, strict=True):
            more = more.scatter_reduce(0, at, (hard & ~every[at]).sum(1), "amax")
        return cls(query, beta, every, more)

    def part(self, start: int, stop: int) -> Kin:
        """Some consecutive groups."""
        return Kin(self.query[start:stop], self.beta[start:stop], self.out[start:stop], self.more[start:stop])


def left_out(kin: Kin, families: Families, group: Tensor, family: Tensor, label: Tensor) -> Tensor:
    """What jobs leave out of the maxima of their groups: their labels, and what is hard in their families. bool [G, outputs].

    Parameters
    ----------
    group : int64 [F]
        The group of each family.
    family, label : int64 [J]
        Of each job.
    """
    found = torch.zeros_like(kin.out)
    found[group[:, None], families.hard] = True
    found[group[family], label] = True
    return found


def _among(hard: Tensor, outputs: int) -> Tensor:
    """Which outputs are among those listed, [F, S]: bool [F, outputs]."""
    return torch.zeros(len(hard), outputs, dtype=torch.bool).scatter(1, hard, True)


def kinship(query: Tensor, beta: Tensor, hard: Tensor) -> Tensor:
    """A group for each family, int64 [F], from 0 as they appear: by its token and betas, where it has at most `FEW` hard outputs.

    Parameters
    ----------
    query : int64 [F]
    beta : [F, H - 1, outputs]
        Plain numbers.
    hard : int64 [F]
        How many hard outputs each has.
    """
    alone = torch.where(hard <= FEW, -1, torch.arange(len(query)))
    bits = beta.flatten(1).contiguous().view(torch.int64)
    found, group = torch.cat([query[:, None], alone[:, None], bits], 1).unique(dim=0, return_inverse=True)
    first = torch.full((len(found),), len(query)).scatter_reduce(0, group, torch.arange(len(query)), "amin")
    return first.argsort().argsort()[group]


@dataclass(frozen=True)
class Merged:
    """The greatest upper bounds of P_{g,z} + beta_{g,z} over the outputs z that kin do not all leave out: plain numbers.

    Infinity stands for bounds that no job was said to need (`left_out`): one that needs it all the same proves less.

    Attributes
    ----------
    outputs
        Number of outputs.
    bounds : [G, H, n - 1, K, k]
        At the free positions, falling.
    of : int64 [G, H, n - 1, K, k]
        The output of each.
    own_bounds, own_of : [G, H, k]
        The same for the context's token.
    """

    outputs: int
    bounds: Tensor
    of: Tensor
    own_bounds: Tensor
    own_of: Tensor

    def rivals(self, group: Tensor, hard: Tensor, label: Tensor, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """The greatest bounds of outputs but the label and the hard ones, for jobs of given groups: [J, H, n - 1, k] and [J, H].

        Of the S + 2 greatest at most S + 1 are left out. Cost: S + 1 comparisons for each.

        Parameters
        ----------
        group : int64 [J]
        hard : int64 [J, S]
        label : int64 [J]
        tokens : int64 [J, n - 1, k]
            Those of each job and free position that are meant.
        """
        with structure():
            outside = ~_among(torch.cat([hard, label[:, None]], 1), self.outputs)
            head = torch.arange(self.bounds.shape[1])[:, None, None]
            position = torch.arange(self.bounds.shape[2])[:, None]
            at_tokens = group[:, None, None, None], head, position, tokens[:, None]

        def first(bounds: Tensor, of: Tensor) -> Tensor:
            at = of[..., : hard.shape[1] + 2]
            job = torch.arange(len(at)).reshape(-1, *[1] * (at.dim() - 1))
            place = outside[job, at].to(torch.int64).argmax(-1, keepdim=True)
            return bounds.gather(-1, place)[..., 0]

        return first(self.bounds[at_tokens], self.of[at_tokens]), first(self.own_bounds[group], self.own_of[group])


def merge(readout: AverageReadout, kin: Kin, context: int, tokens: Tensor, left: Tensor) -> Merged:
    """Merge the rivals of kin.

    Parameters
    ----------
    tokens : int64 [K']
        The tokens that may stand at the free positions of the families' jobs; at others the bounds mean nothing.
    left : bool [G, outputs]
        What jobs leave out, from `left_out`.

    Notes
    -----
    A label of a family leaves out itself and the hard outputs: of those that kin do not all leave out at most `more` + 1. So the
    greatest that is left is among the k = `more` + 2 greatest, and is the first of all where no job leaves that out.

    Cost: for each group, head, position, token of `tokens` and output an addition and a comparison; and ceil(log2(k + 1)) more
    comparisons of outputs where the first may be left out.
    """
    with stage("merging"):
        n, v = readout.tables.shape[:2]
        direct = readout.direct[kin.query]
        last = direct - kin.beta.sum(1)
        beta = torch.cat([kin.beta, last[:, None]], 1)  # [G, H, outputs]
        free = [i for i in range(n) if i != context]
        tables = readout.tables.permute(2, 0, 1, 3)  # [H, n, K, outputs]
        bounds, of = _top(tables[:, free][:, :, tokens] + beta[:, :, None, None], kin, left)
        own = _top(tables[:, context].movedim(1, 0)[kin.query] + beta, kin, left)
        with structure():
            place = torch.zeros(v, dtype=torch.int64)
            place[tokens] = torch.arange(len(tokens))
        return Merged(tables.shape[3], bounds[..., place, :], of[..., place, :], *own)


def _top(bounds: Tensor, kin: Kin, left: Tensor) -> tuple[Tensor, Tensor]:
    """Of upper bounds [G, ..., outputs] of outputs that kin do not all leave out: the greatest, and their places, [G, ..., k].

    Only the first where it is not among those `left` out, bool [G, outputs], of a group. Where there is no bound, infinity stands.
    """
    known = upper(bounds)
    known = known.masked_fill(kin.out.reshape(len(kin), *[1] * (known.dim() - 2), -1), -torch.inf)
    first = known.max(-1)
    charge_integers(first.indices.numel())
    with structure():
        k = (2 + kin.more).clamp(max=known.shape[-1])
        more = (0, int(k.max()) - 1)
        values, places = pad(first.values[..., None], more, value=torch.inf), pad(first.indices[..., None], more)
        group = torch.arange(len(kin)).reshape(-1, *[1] * (known.dim() - 2))
        open_ = left[group, first.indices]
        chosen = [(number, open_ & (k == number)[group]) for number in k.unique().tolist()]
    for number, own in chosen:
        top = known[own].topk(number, -1)
        with structure():
            values[own, :number], places[own, :number] = top.values, top.indices
    return values, places


def margin_rows(readout: AverageReadout, families: Families, family: Tensor, group: Tensor, jobs: Jobs, merged: Merged) -> Rows:
    """Rows below the margins of each job's label: over the merged outputs, then over each hard one.

    The row of a hard output that is the label itself is a copy of the first.

    Parameters
    ----------
    family : int64 [J]
        A family of the job's token for each job.
    group : int64 [F]
        The group of each family, whose rivals are `merged`.

    Notes
    -----
    Cost: one operation for each row, head, position and token, and that of `Merged.rivals`.
    """
    with stage("rows"):
        J = torch.arange(len(jobs))
        tables = readout.tables.permute(3, 2, 0, 1)  # [outputs, H, n, K]
        free, context = tables[:, :, jobs.free], tables[:, :, jobs.context].movedim(2, 0)  # [Q, outputs, H]
        hard = families.hard[family]  # [J, S]
        rival, own_rival = merged.rivals(group[family], hard, jobs.label, jobs.tokens)
        same = hard == jobs.label[:, None]
        one_by_one = jobs.picked(free[hard].flatten(1, 2)).unflatten(1, (hard.shape[1], tables.shape[1]))
        others = torch.where(same[..., None, None, None], rival[:, None], one_by_one)
        own_others = torch.where(same[..., None], own_rival[:, None], context[jobs.query[:, None], hard])
        gap = jobs.picked(free[jobs.label])[:, None] - torch.cat([rival[:, None], others], 1)
        own = context[jobs.query, jobs.label][:, None] - torch.cat([own_rival[:, None], own_others], 1)
        direct = readout.direct[jobs.query]
        mine = direct[J, jobs.label][:, None]
        base = torch.cat([mine, torch.where(same, mine, mine - direct.gather(1, hard))], 1)
        return Rows(base, gap, own)
