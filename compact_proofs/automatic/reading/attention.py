"""Softmaxes over positions, averages by their shares, and layer norms."""

from __future__ import annotations

from typing import Any

import torch

from compact_proofs.automatic.reading.blocks import Averages, Norm
from compact_proofs.automatic.reading.forms import OnForms
from compact_proofs.automatic.reading.owners import structure
from compact_proofs.automatic.reading.values import Form, Shares, Table, Value
from compact_proofs.enclosure import upper

aten = torch.ops.aten


class OnAttention(OnForms):
    """What attention and norms make of tables and forms."""

    def softmax(self, x: Table, dim: int) -> Shares | None:
        """exp(x - a) for each entry, a = its softmax's largest over all tokens: any number will do, and this one cannot overflow.

        Cost: for each entry and token a comparison, a subtraction and an exponential. None if two entries of one softmax depend on
        one position.
        """
        with structure():
            owner = torch.where(x.owner < 0, self.c, x.owner).movedim(dim, -1)
            length = owner.shape[-1]
            rows = owner.reshape(-1, length)
            if length != self.n or not bool((rows.sort(1).values == torch.arange(self.n)).all()):
                return None
            place = rows.argsort(1)  # of each position in its row
            group = torch.arange(len(rows))[:, None].expand(len(rows), length).reshape(owner.shape).movedim(-1, dim)
        lift = self.with_context(x, True)
        data = lift.data.movedim(dim - x.owner.dim(), -1)
        data = data.reshape(*data.shape[: len(lift.axes)], len(rows), length)
        for axis in "qk":
            if axis not in lift.axes:
                data = data.unsqueeze("qk".index(axis))
        data = data.expand(self.v, self.v, *data.shape[2:])
        data = data.gather(3, place.expand(self.v, self.v, *place.shape))  # [Q, K, groups, n]
        largest = upper(data.amax((1, 3), keepdim=True))
        weights = torch.exp(data - largest).permute(0, 3, 1, 2)
        return Shares(weights, data.permute(0, 3, 1, 2), group, owner.movedim(-1, dim))

    def averages(self, p: Shares, x: Table) -> Form | None:
        """Shares times values: sum_k p[b, m, k] V[b, k, e] is an average of V's tables. None where V depends on other positions."""
        if "q" in x.axes or p.owner.shape[-1] != self.n:
            return None
        with structure():
            group, owner = (t if t.dim() == 3 else t[None] for t in (p.group, p.owner))  # [B, M, k]
            own = x.owner if x.owner.dim() == 3 else x.owner[None]
            B, M, _ = owner.shape
            foreign = (own != owner.movedim(1, 2)[:, :, :1]) & (own >= 0)
            if bool(foreign.any()) or bool((owner != owner[:, :1]).any()) or bool((group != group[:, :, :1]).any()):
                return None
            place = owner[:, 0].argsort(1)  # [B, n]: where each position is
        data = x.data if "k" in x.axes else x.data.expand(self.v, *x.data.shape)
        data = data.reshape(self.v, *own.shape)
        V = data.gather(2, place[None, :, :, None].expand(self.v, B, self.n, data.shape[3]))  # [K, B, n, E]
        values = V.permute(2, 0, 1, 3)[:, :, :, None].expand(-1, -1, -1, M, -1)  # [n, K, B, M, E]
        if p.factor is not None:
            factor = p.factor.reshape(B, M, -1).gather(2, place[:, None].expand(B, M, self.n))
            values = values * factor.permute(2, 0, 1)[:, None, ..., None]
        values = values.reshape(self.n, self.v, B * M, -1)
        weights = p.weights[..., group[:, :, 0].reshape(-1)]
        shape = torch.Size([B, M, data.shape[3]])
        return self.averages_of(p, Averages(weights, values), shape if p.group.dim() == 3 else shape[1:])

    def norm(self, args: Any, x: Value, shape: torch.Size) -> tuple[Form, ...]:
        """Layer norm of one vector: centred, normalised (symbols), scaled, shifted."""
        _, _, weight, bias, eps = args
        z = self.flat(x)
        centred = Form(
            z.constant - z.constant.mean(-1, keepdim=True),
            z.axes,
            {block: p - p.mean(-1, keepdim=True) for block, p in z.parts.items()},
        )
        out: Any = self.symbols(Norm(centred, float(eps)), shape)
        if weight is not None:
            out = self.linear(aten.mul.Tensor, (out, weight), {}, out)
        if bias is not None:
            out = self.add(out, bias, 1.0)
        return (out,)
