"""What circuits prove where a network is as they say: lower bounds of how much more they write to xy than to other outputs.

A circuit writes f^(z | x, y) = sum_bc gamma(b, z c) T_bc(x^-1 b, y c). For a number t between lo and hi write
k * [lo, hi] for the smallest k t, which is max(k, 0) lo - max(-k, 0) hi.

**Theorem.** (all) If lo(p, q) <= T_bc(p, q) <= hi(p, q) for all pairs (b, c), then f^(xy | x, y) - f^(z | x, y) is at least
F(x^-1 z y^-1), where F(w) = sum_bc (gamma(b, c) - gamma(b, w c)) * [lo, hi](b, c).
(left) If lo_b <= T_bc <= hi_b, it is at least F(x, z y^-1), where F(x, w) = sum_bc (gamma(b, x c) - gamma(b, w c)) *
[lo_b, hi_b](x^-1 b, c). (right) If lo_c <= T_bc <= hi_c, it is at least F(y, x^-1 z), where F(y, w) =
sum_bc (gamma(b, y c) - gamma(b, w c)) * [lo_c, hi_c](b, y c).
*Proof.* Every term (gamma(b, x y c) - gamma(b, z c)) T_bc(x^-1 b, y c) is at least the coefficient times the interval there.
Substitute c -> y^-1 c (left), or b -> x b with gamma(x b, z c) = gamma(b, x^-1 z c) (right), or both (all): points are permuted.

So with *all* one pass serves every input; a network that lacks some points of one side, or does other things at each of them, is
served by n passes. Tables need not be equal, only bounded: neurons may see one irreducible representation along different
directions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from compact_proofs.algebra.group import Group
from compact_proofs.core.claim import largest_other
from compact_proofs.enclosure import lower
from compact_proofs.length import stage
from compact_proofs.tasks.groups.circuits import Alike, Circuit
from compact_proofs.tasks.groups.separable import Separable


@dataclass(frozen=True)
class Gaps:
    """Lower bounds F of all circuits together.

    Attributes
    ----------
    values : [1, n] or [n, n]
        F(w), or F(x, w) for every x, or F(y, w) for every y.
    alike
        Which of the three.
    group
        The group.
    """

    values: Tensor
    alike: Alike
    group: Group

    @classmethod
    def of(cls, circuits: Sequence[Circuit], tables: Sequence[Tensor], alike: Alike, group: Group) -> Gaps:
        """Add up F over circuits, from their tables [pairs, P, Q]. Cost: about 6 n P Q for each circuit, or 4 n^2 P Q."""
        with stage("gaps"):
            parts = [_gap(c, t, alike) for c, t in zip(circuits, tables, strict=True)]
            return cls(torch.stack(parts).sum(0), alike, group)

    def smallest(self) -> Separable:
        """The smallest gap to another output than xy: one number, or one for each x or y."""
        with stage("gaps"):
            rows, n = self.values.shape
            label = torch.arange(n) if rows == n else torch.tensor([self.group.identity])
            least = -largest_other(-self.values, label.to(self.values.device))
            nothing = least.new_zeros(n)
            if self.alike == "all":
                return Separable(torch.stack([nothing, nothing]), least[0])
            return Separable(torch.stack([least, nothing] if self.alike == "left" else [nothing, least]), least.new_zeros(()))

    def at(self, x: Tensor, y: Tensor) -> Tensor:
        """The gaps between xy and every z, for pairs (x, y): [r, n]."""
        table, inverse = self.group.table.to(x.device), self.group.inverse.to(x.device)
        if self.alike == "right":
            return self.values[y].gather(1, table[inverse[x]])  # x^-1 z for every z
        rows = self.values[x] if self.alike == "left" else self.values[0][table[inverse]][x]
        return rows.gather(1, table[:, inverse].T[y])  # z y^-1 for every z


def _gap(circuit: Circuit, tables: Tensor, alike: Alike) -> Tensor:
    """F of one circuit: [1, n] or [n, n]."""
    bounded = torch.cat([tables, tables.new_zeros((1, *circuit.gamma.shape))])[circuit.alike_pairs(alike)]
    lo, hi = bounded.amin(1), bounded.amax(1)  # [groups, P, Q]
    written = circuit.output.flatten(0, 1)  # gamma(b, w c): [P Q, w]
    if alike == "all":
        k = circuit.gamma.flatten()[:, None] - written
        return lo.flatten(1) @ torch.relu(k) - hi.flatten(1) @ torch.relu(-k)
    # With any t between lo and hi, and any g: k * [lo, hi] >= k t - |k| r, where |k| <= |gamma(b, x c) - g| + |gamma(b, w c) - g|.
    t = lower((lo + hi) / 2)
    r = torch.maximum(hi - t, t - lo)
    along = _at_rows(t, circuit, alike) @ written  # [x, w]
    across = _at_rows(r, circuit, alike) @ (written - circuit.usual).abs()
    return torch.diagonal(along)[:, None] - along - torch.diagonal(across)[:, None] - across


def _at_rows(tables: Tensor, circuit: Circuit, alike: Alike) -> Tensor:
    """tables_b(x^-1 b, c) for every x, or tables_c(b, y c) for every y: [n, P Q]."""
    place = torch.arange(len(tables), device=tables.device)[:, None]
    if alike == "left":
        return tables[place, circuit.left_image].transpose(0, 1).flatten(1)  # from [b, x, c]
    return tables.mT[place, circuit.right_image].permute(1, 2, 0).flatten(1)  # from [c, y, b]
