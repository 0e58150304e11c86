"""Finding a tree of cuts, in ordinary float64: nothing here is trusted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from compact_proofs.cones.cone import PARTS, Cones, cut
from compact_proofs.cones.tree import CHECK, CUT, DROP, REFINE, Stack, encode
from compact_proofs.tasks.order_statistic.cones import Network, Run, run

Choice = Literal["first", "relevant"]
"""Which undecided neuron is cut at: the first, or the one whose relaxation loses the worst margin most."""

NOISE = 1e-11
"""Values of this size are 0 but for rounding, if no other at the cone's rays is above 1000; else in proportion."""
DEEPEST = 600
"""Cuts from a root down to a cone that is still cut."""
TOGETHER = 2**18
"""Trees that have fewer nodes together are read together."""
SHIFT = 1e-9
"""Margins are cut this far on the right side of 0, in the same proportion."""


@dataclass(frozen=True)
class Decision:
    """What is to be done with B cones.

    Attributes
    ----------
    right, wrong : bool [B]
        The network is right, or wrong, on all of the cone; but for rounding, which nothing here controls. A cone on which numbers
        overflow counts as wrong.
    first, second, part : int64 [B]
        Where to cut (`compact_proofs.cones.cone.cut`), if it is neither.
    """

    right: Tensor
    wrong: Tensor
    first: Tensor
    second: Tensor
    part: Tensor


def decide(network: Network, rays: Tensor, labels: Tensor, choice: Choice) -> Decision:
    """Run a network on the rays of cones [B, n, n] with labels int64 [B], and choose where to cut those where it is undecided."""
    found = run(network, rays, labels)
    upper_margins = _upper_margins(network, found, labels)
    right = _clearly(found.margins).all(1)
    hopeless = ~(found.margins.isfinite() & upper_margins.isfinite()).all(1).all(1)  # cut parts have infinite bounds too
    wrong = ((upper_margins <= 10 * SHIFT * _size(upper_margins)).all(1).any(1) | hopeless) & ~right
    return Decision(right, wrong, *_edge(network, found, upper_margins, rays, labels, choice))


class Busy(Exception):
    """A tree has become larger than was asked for."""


@dataclass(frozen=True)
class Search:
    """How trees of cuts (`compact_proofs.cones.tree`) are found.

    A cone is dropped where the network is wrong, or where it is not decided and the cone's measure is below `smallest`. A cone
    where it is right is cut on, at the middle of the edge between the rays that are farthest apart, while that raises the bound of
    its measure by `gain`.

    Attributes
    ----------
    network
        The network, in the form in which it is run on rays.
    smallest, gain
        See above.
    choice
        Where cones are cut.
    share
        Bounds the measures of cones.
    """

    network: Network
    smallest: float
    gain: float
    choice: Choice
    share: Callable[[Cones], Tensor]

    def forest(self, roots: Cones, labels: Tensor, most: int) -> tuple[Tensor, Tensor]:
        """Find trees of at most about `most` nodes together.

        Trees that have few nodes together are read together. Otherwise each root has its own, which another process can read, and
        of the nodes that are left it may take as large a share as its measure is of the measure that is left.

        Returns
        -------
        codes : int64 [N]
        sizes : int64 [G]
            How many codes each of G groups of roots takes: one group, or one for each root.
        """
        if most > TOGETHER:
            try:
                codes = self.trees(roots, labels, TOGETHER, stop=True)
            except Busy:
                return self._apart(roots, labels, most)
        else:
            codes = self.trees(roots, labels, most)
        return codes, torch.tensor([len(codes)])

    def _apart(self, roots: Cones, labels: Tensor, most: int) -> tuple[Tensor, Tensor]:
        shares = self.share(roots).tolist()
        found: list[Tensor] = []
        for i, own in enumerate(shares):
            left = most - sum(map(len, found))
            chosen = torch.tensor([i])
            found.append(self.trees(roots[chosen], labels[chosen], max(1, int(left * own / sum(shares[i:])))))
        return torch.cat(found), torch.tensor([len(codes) for codes in found])

    def trees(self, roots: Cones, labels: Tensor, most: int, *, stop: bool = False, deepest: int | None = None) -> Tensor:
        """Return the codes of trees from all roots, int64 [N].

        *Effort.* At most about `most` nodes are read, and none below `deepest` cuts (unless given, `DEEPEST`). A block that is
        smaller than `BLOCK` takes all that there is, and everything after it is one cut deeper; so there are at most
        most / BLOCK + deepest blocks.

        Raises
        ------
        Busy
            If there are more, and `stop` says so; otherwise what is left is dropped.
        """
        n = roots.n
        deepest = DEEPEST if deepest is None else deepest
        stack = Stack(roots.rays, roots.volume, labels, torch.zeros(len(labels), dtype=torch.bool), torch.zeros_like(labels))
        codes: list[Tensor] = []
        read = 0
        while stack:
            rays, volume, label, inside, depth = stack.pop()
            cones = Cones(rays, volume)
            kind, first, second, part = self._at(cones, label, inside)
            read += len(label)
            if read >= most and stop:
                raise Busy
            ended = (depth >= deepest) | torch.tensor(read >= most)
            kind = torch.where(ended & (kind >= CUT), torch.where(kind == CUT, DROP, CHECK), kind)
            codes.append(encode(kind, first, second, part, n))
            at = (kind >= CUT).nonzero()[:, 0]
            if len(at):
                one, other, _ = cut(cones[at], first[at], second[at], part[at])
                below = inside[at] | (kind[at] == REFINE)
                stack.push(
                    torch.cat([one.rays, other.rays]),
                    torch.cat([one.volume, other.volume]),
                    *(column.repeat(2) for column in (label[at], below, depth[at] + 1)),
                )
        return torch.cat(codes)

    def _at(self, cones: Cones, label: Tensor, inside: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """What is done with B cones, of which some lie inside one that was checked: kind, and where to cut."""
        measure = self.share(cones)
        kind = torch.full((len(label),), DROP)
        first, second = (torch.zeros(len(label), dtype=torch.int64) for _ in range(2))
        part = torch.ones(len(label), dtype=torch.int64)
        undecided = (~inside).nonzero()[:, 0]
        if len(undecided):
            found = decide(self.network, cones.rays[undecided], label[undecided], self.choice)
            kind[undecided[found.right]] = CHECK
            on = ~found.right & ~found.wrong & (measure[undecided] >= self.smallest)
            at = undecided[on]
            kind[at] = CUT
            first[at], second[at], part[at] = found.first[on], found.second[on], found.part[on]
        settled = (inside | (kind == CHECK)).nonzero()[:, 0]
        if len(settled):
            a, b = _longest(cones.rays[settled])
            half = torch.full_like(a, PARTS // 2)
            halves = cut(cones[settled], a, b, half)
            worth = self.share(halves[0]) + self.share(halves[1]) - measure[settled] >= self.gain
            at = settled[worth]
            kind[at] = torch.where(inside[at], CUT, REFINE)
            first[at], second[at], part[at] = a[worth], b[worth], half[worth]
        return kind, first, second, part


def _clearly(margins: Tensor) -> Tensor:
    """Where margins [B, ray, rival] are positive at every ray, by more than is rounded when they are proven: bool [B, rival]."""
    return (margins > NOISE * _size(margins)).all(1)


def _size(at_rays: Tensor, dim: int = 1) -> Tensor:
    """The unit in which rounding is told from what is not: 1, or a thousandth of the largest number at a cone's rays."""
    return (at_rays.abs().amax(dim, keepdim=True) / 1000).clamp(min=1.0)


def _upper_margins(network: Network, found: Run, labels: Tensor) -> Tensor:
    """Upper bounds of the margins at each ray, [B, n, n - 1]."""
    d = found.state.shape[-1]
    answers = network.answers[labels]
    return found.margins + found.slack @ (answers[:, :d].clamp(min=0.0) - answers[:, d:])


def _edge(
    network: Network, found: Run, upper_margins: Tensor, rays: Tensor, labels: Tensor, choice: Choice
) -> tuple[Tensor, Tensor, Tensor]:
    """For each cone the edge to cut, and in which parts: where an undecided neuron, or else a margin, changes sign most."""
    low, high = (torch.stack(bounds, 1) for bounds in (found.lower, found.upper))  # [B, t, ray, d]
    B, steps, n, d = low.shape
    middle = (low + high) / 2
    noise = NOISE * torch.maximum(_size(low, 2), _size(high, 2))
    outer = (low < -noise).any(2) & (high > noise).any(2)
    mixed = outer & (middle > noise).any(2) & (middle < -noise).any(2)  # [B, t, d]
    flat = mixed.flatten(1)
    if choice == "first":
        neuron = flat.double().argmax(1)
    else:
        neuron = (_relevance(network, found, low, high, labels) * mixed).flatten(1).argmax(1)
    z = middle.permute(0, 1, 3, 2).reshape(B, steps * d, n)[torch.arange(B), neuron]
    margins = (found.margins + upper_margins) / 2  # [B, ray, rival]
    settled = _clearly(found.margins) | (margins <= 10 * SHIFT * _size(margins)).all(1)
    rival = (~settled).double().argmax(1)
    margin = margins[torch.arange(B), :, rival]
    margin = margin - SHIFT * _size(margin)
    z = torch.where(flat.any(1)[:, None], z, margin)
    size = torch.minimum(z[:, :, None], -z[:, None, :]).flatten(1)  # [B, positive ray, negative ray]
    best, pair = size.max(1)
    p, m = pair // n, pair % n
    zp, zm = z.gather(1, p[:, None])[:, 0], z.gather(1, m[:, None])[:, 0]
    sliver = ~(best > NOISE * _size(z)[:, 0])
    part = (PARTS * torch.where(sliver, 0.5, -zm / (zp - zm))).clamp(1, PARTS - 1).to(torch.int64)
    a, b = _longest(rays)
    return torch.where(sliver, a, p), torch.where(sliver, b, m), part


def _relevance(network: Network, found: Run, low: Tensor, high: Tensor, labels: Tensor) -> Tensor:
    """Roughly how much each neuron's relaxation loses of the worst margin: the gap at it, times weights backwards. [B, t, d]."""
    B, steps, _, d = low.shape
    rival = found.margins.clamp(max=0.0).sum(1).argmin(1)
    weight = network.answers[labels, :d, rival].abs()
    W_h = network.step[:d, :d].abs()
    above = (high.amax(2) > -low.amin(2))[:, :, None]
    gap = (high.clamp(min=0.0) - torch.where(above, low, 0.0)).sum(2) + 1e-12
    relevance = torch.empty((B, steps, d), dtype=torch.float64)
    for t in reversed(range(steps)):
        relevance[:, t] = weight * gap[:, t]
        weight = (weight * (high[:, t].amax(1) > 0)) @ W_h.T
    return relevance


def _longest(rays: Tensor) -> tuple[Tensor, Tensor]:
    """The edge between the two rays that are farthest apart."""
    n = rays.shape[-1]
    unit = torch.nn.functional.normalize(rays, dim=-1)
    pair = (unit @ unit.mT + 2 * torch.eye(n, dtype=rays.dtype)).flatten(1).argmin(1)
    return pair // n, pair % n
