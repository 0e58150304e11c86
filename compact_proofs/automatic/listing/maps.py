"""Linear maps of values that are known for each input only, not carried out before it is known what reads them.

Keys K = x W + c of a second layer are read by scores only: q.K_k = (W q).x_k + q.c, and q is one row where K has many. Values
V = x W + c are read by averages: sum_k p_k V_k = (sum_k p_k x_k) W + (sum_k p_k) c. So a product with a `Mapped` value is carried
out in the order that costs less.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from compact_proofs.automatic.listing.values import Dense, Mapped, Reader, View
from compact_proofs.automatic.listing.zeros import without_zeros
from compact_proofs.automatic.reading.owners import structure
from compact_proofs.enclosure import Enclosure, lower, provably, upper


def mapped(x: Dense | View, W: Tensor) -> Mapped:
    """x W, not carried out."""
    with structure():
        view = x if isinstance(x, View) else View(x, torch.arange(x.shape.numel()).reshape(x.shape))
        B, (K, d), E = math.prod(x.shape[:-2]), x.shape[-2:], W.shape[-1]
        entry = torch.arange(B * K * E).reshape(*x.shape[:-1], E)
        return Mapped(View(view.x, view.index.reshape(B, K, d)), W.reshape(-1, d, E).expand(B, d, E), entry)


def plus(m: Mapped, constant: Tensor, shape: torch.Size) -> Mapped | None:
    """m + constant, if m has none yet and keeps its shape."""
    if m.constant is not None or m.shape != shape:
        return None
    with structure():
        place = torch.arange(constant.numel()).reshape(constant.shape).expand(shape)
    return replace(m, constant=constant.reshape(-1), place=place)


def moved(x: View | Mapped, move: Any) -> View | Mapped:
    """Entries in other places: `move` does with a tensor of the value's shape what is done with the value."""
    with structure():
        if isinstance(x, View):
            return View(x.x, move(x.index))
        return replace(x, entry=move(x.entry), place=None if x.place is None else move(x.place))


def carried_out(m: Mapped, steps: Any) -> Dense:
    """The value for each input: an addition for each entry that has a constant, besides the product."""
    product = steps.product(m)
    entry = m.entry.reshape(-1).to(m.W.device)
    place = None if m.place is None else m.place.reshape(-1).to(m.W.device)

    def step(inputs: Tensor, read: Reader) -> Tensor:
        found = read(product).flatten(1)[:, entry]
        if m.constant is not None and place is not None:
            found = found + m.constant[place]
        return found.reshape(-1, *m.shape)

    return steps.add(step, m.shape, product.on)


def product_of(x: Dense, W: Tensor, steps: Any, zeros: bool) -> Dense:
    """x W for x [B, K, d]; by `without_zeros` if x may have `zeros` (see `Dense`) and W is finite."""
    (B, K, d), E = x.shape, W.shape[2]
    zeros = zeros and is_finite(W)  # 0 times infinity is not 0

    def step(inputs: Tensor, read: Reader) -> Tensor:
        rows = read(x).movedim(1, 0).reshape(B, -1, d)  # [B, N K, d]
        products = torch.stack([without_zeros(rows[b], W[b]) for b in range(B)]) if zeros else torch.bmm(rows, W)
        return products.reshape(B, -1, K, E).movedim(0, 1)

    return steps.add(step, torch.Size([B, K, E]), x.on)


def is_finite(W: Tensor) -> bool:
    """Are all entries provably finite?"""
    ends = (lower(W), upper(W)) if isinstance(W, Enclosure) else (W,)
    return all(bool(provably(end.isfinite()).all()) for end in ends)


def contracted(a: Any, m: Mapped, steps: Any, shape: torch.Size) -> Dense | None:
    """``a @ m`` for a value a [.., M, L] and m [.., L, N] in the order that costs less; None if that is to carry m out first."""
    L, N = m.shape[-2:]
    M, B = shape[-2], math.prod(shape[:-2])
    with structure():
        batch, row, column = (t.reshape(B, L, N) for t in m.parts)
        place = None if m.place is None else m.place.reshape(B, L, N)
        along = [bool((t == t[:, :1]).all()) for t in (row, column)]  # the same for all L
        across = [bool((t == t[:, :, :1]).all()) for t in (row, column)]  # the same for all N
        same = bool((batch == batch[:, :1, :1]).all())
        rows = m.x.index.reshape(-1, m.x.shape[-1])  # [B' K, d]
    d = m.x.shape[-1]
    direct = 2 * m.x.shape.numel() * m.W.shape[2] + (0 if place is None else B * L * N) + 2 * B * M * L * N
    device = m.W.device
    if same and across[1] and along[0]:  # columns go with L, rows with N
        if place is not None and bool((place != place[:, :, :1]).any()):
            return None
        if 2 * B * M * d * (L + N) + (0 if place is None else B * M * (2 * L + N)) >= direct:
            return None
        left, x = steps.dense(a), m.x.x
        W = _columns(m.W, batch[:, 0, 0], column[:, :, 0])
        at = rows[row[:, 0]].to(device)  # [B, N, d]
        constant = None if place is None or m.constant is None else m.constant[place[:, :, :1].to(device)]

        def scores(inputs: Tensor, read: Reader) -> Tensor:
            q = read(left).reshape(-1, B, M, L).movedim(1, 0).reshape(B, -1, L)
            turned = torch.bmm(q, W.mT).reshape(B, -1, M, d).movedim(0, 1).flatten(0, 1)  # [N' B, M, d]
            vectors = read(x).flatten(1)[:, at].flatten(0, 1)  # [N' B, N, d]
            found = torch.bmm(turned, vectors.mT).reshape(-1, B, M, N)
            if constant is not None:
                found = found + torch.bmm(q, constant).reshape(B, -1, M, 1).movedim(0, 1)
            return found.reshape(-1, *shape)

        return steps.add(scores, shape, left.on | x.on)
    if same and across[0] and along[1]:  # rows go with L, columns with N
        if place is not None and bool((place != place[:, :1]).any()):
            return None
        if 2 * B * M * d * (L + N) + (0 if place is None else B * M * (L + 2 * N)) >= direct:
            return None
        left, x = steps.dense(a), m.x.x
        W = _columns(m.W, batch[:, 0, 0], column[:, 0])
        at = rows[row[:, :, 0]].to(device)  # [B, L, d]
        constant = None if place is None or m.constant is None else m.constant[place[:, 0].to(device)]  # [B, N]

        def averages(inputs: Tensor, read: Reader) -> Tensor:
            p = read(left).reshape(-1, M, L)  # [N' B, M, L]
            mixed = torch.bmm(p, read(x).flatten(1)[:, at].flatten(0, 1))  # [N' B, M, d]
            found = torch.bmm(mixed.reshape(-1, B, M, d).movedim(1, 0).reshape(B, -1, d), W).reshape(B, -1, M, N).movedim(0, 1)
            if constant is not None:
                found = found + p.sum(2).reshape(-1, B, M, 1) * constant[:, None]
            return found.reshape(-1, *shape)

        return steps.add(averages, shape, left.on | x.on)
    return None


def _columns(W: Tensor, batch: Tensor, column: Tensor) -> Tensor:
    """``W[batch[b], :, column[b, l]]`` as [B, d, L]."""
    return torch.stack([W[int(b)][:, c.to(W.device)] for b, c in zip(batch, column, strict=True)])
