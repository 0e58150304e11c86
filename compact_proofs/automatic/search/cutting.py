"""Where to cut boxes: ways to tell some tokens from the others, at one position or at all of them. For searches."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from compact_proofs.automatic.bounds.projection import Leaves
from compact_proofs.automatic.reading.blocks import Network, Norm, Unary
from compact_proofs.automatic.search.nodes import Node

WAYS = ("heaviest 1", "heaviest 3", "heaviest 6", "heaviest 12", "gap", "axis", "axis at one")
"""Names of ways to cut: the tokens of largest weight, so many of them, at every position; a cut at one position, that whose weights
differ most, where they differ most; the tokens whose effect on the residual stream lies on one side, at every position or at one.
"""


class Cutter:
    """Cuts for leaves of a network that end in one token.

    Attributes
    ----------
    several : bool [n, v]
        Tokens at positions where some leaf leaves a choice.
    score : [n, v]
        Shares of the heads' weights, added up; without heads, larger tokens score higher.
    """

    def __init__(self, network: Network, leaves: list[Node]) -> None:
        self.network = network
        self.q = int(leaves[0].box[network.context].to(torch.int64).argmax())
        allowed = torch.stack([leaf.box for leaf in leaves])
        allowed[:, network.context] = False
        self.several = (allowed & (allowed.sum(-1, keepdim=True) > 1)).any(0)
        score = (torch.arange(network.v, dtype=torch.float64) * 1e-9).expand(network.n, network.v)
        for block in Leaves(network).averages.values():
            w = block.weights[self.q]  # [n, K, G]
            score = score + (w / w.masked_fill(~self.several[..., None], 0).sum((0, 1)).clamp(min=1e-300)).sum(-1)
        self.score = score

    def tokens(self, way: str) -> Tensor:
        """The tokens that a cut tells from the others at each position, bool [n, v]: none at positions that are not cut."""
        name, _, number = way.partition(" ")
        if name == "heaviest":
            return self._heaviest(int(number)) & self.several
        values = self.score if name == "gap" else self._effects()
        if way == "axis":
            where = self.several.flatten().nonzero()[:, 0]
            inside = torch.zeros(self.several.numel(), dtype=torch.bool)
            if len(where) > 1:
                inside[where] = otsu(values.flatten()[where])[0]
            return inside.reshape(self.several.shape)
        best, found = -1.0, torch.zeros_like(self.several)
        for i in range(self.network.n):
            where = self.several[i].nonzero()[:, 0]
            if len(where) > 1:
                inside, between = otsu(values[i, where])
                if between > best:
                    best, found = between, torch.zeros_like(self.several)
                    found[i, where] = inside
        return found

    def _heaviest(self, number: int) -> Tensor:
        somewhere = self.several.any(0)
        found = torch.zeros(self.network.v, dtype=torch.bool)
        found[self.score.sum(0).masked_fill(~somewhere, -1.0).topk(min(number, self.network.v)).indices] = True
        return found

    def _effects(self) -> Tensor:
        """What each token at each position adds to the residual stream, along the axis in which that differs most: [n, v]."""
        network, leaves = self.network, Leaves(self.network)
        forms = [b.z for b in network.blocks if isinstance(b, (Norm, Unary)) and any(k in leaves for k in b.z.parts)]
        parts = {b: p for b, p in (forms[0] if forms else network.logits).parts.items() if b in leaves}
        if not parts:
            return self.score
        allowed = self.several.double()
        number = allowed.sum(1).clamp(min=1)
        table = torch.zeros(network.n, network.v, next(iter(parts.values())).shape[1], dtype=torch.float64)
        for b, p in parts.items():
            if b in leaves.sums:
                sums = leaves.sums[b]
                table = table + (sums.tables if sums.axes == "nk" else sums.tables[self.q]) @ p
                continue
            block = leaves.averages[b]
            G, E = block.values.shape[2:]
            values = torch.einsum("nkge,ged->nkgd", block.values, p.reshape(G, E, -1))
            w = block.weights[self.q]  # [n, K, G]
            typical = (w * allowed[..., None]).sum(1) / number[:, None]
            total = typical.sum(0)
            mean = ((w * allowed[..., None])[..., None] * values).sum(1) / number[:, None, None]
            average = mean.sum(0) / total.clamp(min=1e-300)[:, None]
            table = table + ((w / total.clamp(min=1e-300))[..., None] * (values - average)).sum(2)
        centred = table - (table * allowed[..., None]).sum(1, keepdim=True) / number[:, None, None]
        chosen = centred[self.several]
        if not len(chosen):
            return self.score
        return centred @ torch.linalg.eigh(chosen.mT @ chosen).eigenvectors[:, -1]


def otsu(values: Tensor) -> tuple[Tensor, float]:
    """Part numbers [m], m >= 2, where their mean squares to the parts' means are least: the larger ones, and the spread between."""
    order = values.argsort(descending=True)
    ranked = values[order]
    k = torch.arange(1, len(values), dtype=torch.float64)
    above = ranked.cumsum(0)[:-1]
    between = k * (len(values) - k) * (above / k - (ranked.sum() - above) / (len(values) - k)).square()
    at = int(between.argmax())
    inside = torch.zeros(len(values), dtype=torch.bool)
    inside[order[: at + 1]] = True
    return inside, float(between[at])


def places(leaf: Node, tokens: Tensor, context: int) -> list[int]:
    """The positions at which `divided` cuts a box."""
    both = (leaf.box & tokens).any(1) & (leaf.box & ~tokens).any(1)
    both[context] = False
    return both.nonzero()[:, 0].tolist()


def divided(leaf: Node, tokens: Tensor, positions: list[int]) -> Iterator[tuple[int, Node]]:
    """Cut a box at positions that hold some of `tokens` (bool [n, v]) and others: the parts, and how many hold some."""
    waiting = [(0, 0, leaf)]
    while waiting:
        done, inside, node = waiting.pop()
        if done == len(positions):
            yield inside, node
        else:
            near, far = node.divide(positions[done], tokens[positions[done]])
            waiting += [(done + 1, inside, far), (done + 1, inside + 1, near)]
