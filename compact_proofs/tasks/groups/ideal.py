"""What an ideal network answers to every pair, from one forward pass, or one for each x or each y."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from compact_proofs.claim import largest_other
from compact_proofs.length import stage
from compact_proofs.tasks.groups.circuits import Circuits
from compact_proofs.tasks.groups.group import Group
from compact_proofs.tasks.groups.separate import Separate


@dataclass(frozen=True)
class Ideal:
    """The ideal network's logits.

    By the theorem of `circuits`, f^(z | x, y) is f^(x^-1 z y^-1 | e, e) without weights, f^(z y^-1 | x, e) with left weights, and
    f^(x^-1 z | e, y) with right ones; and z = xy is asked for as e at (e, e), as x at (x, e), as y at (e, y).

    Attributes
    ----------
    logits : [1, n] or [n, n]
        f^ at (e, e); with left weights at (x, e) for every x; with right weights at (e, y) for every y.
    by_left : bool
        Whether rows of several are those of x, not of y.
    group
        The group.
    """

    logits: Tensor
    by_left: bool
    group: Group

    @classmethod
    def of(cls, circuits: Circuits, group: Group) -> Ideal:
        """Evaluate the ideal network: 2 N n operations and little more; with weights 4 N n^2."""
        with stage("ideal network"):
            if circuits.linear is None:
                return cls((torch.relu(circuits.inputs) @ circuits.output)[None], True, group)
            by_left = circuits.weighted == "left"
            alpha, beta = circuits.alpha[circuits.b][:, None], circuits.beta[circuits.c][:, None]
            u = circuits.left[circuits.b] + beta if by_left else alpha + circuits.right[circuits.c]  # [N, n]
            return cls(torch.relu(u).mT @ circuits.output + u.mT @ circuits.linear, by_left, group)

    def margin(self) -> Separate:
        """Its margin: one number, or one for each x or y."""
        with stage("ideal network"):
            rows, n = self.logits.shape
            label = torch.arange(n) if rows == n else torch.tensor([self.group.identity])
            label = label.to(self.logits.device)
            margin = self.logits.gather(1, label[:, None]).squeeze(1) - largest_other(self.logits, label)
            nothing = margin.new_zeros(n)
            if rows < n:
                return Separate(torch.stack([nothing, nothing]), margin[0])
            return Separate(torch.stack([margin, nothing] if self.by_left else [nothing, margin]), margin.new_zeros(()))

    def at(self, x: Tensor, y: Tensor) -> Tensor:
        """The logits for pairs (x, y): [r, n]."""
        table, inverse = self.group.table.to(x.device), self.group.inverse.to(x.device)
        if not self.by_left:
            return self.logits[y].gather(1, table[inverse[x]])  # x^-1 z for every z
        rows = self.logits[x] if len(self.logits) > 1 else self.logits[0][table[inverse]][x]
        return rows.gather(1, table[:, inverse].T[y])  # z y^-1 for every z
