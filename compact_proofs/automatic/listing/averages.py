"""Shares times values: averages of tables, and averages of such averages."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from compact_proofs.automatic.listing.steps import LARGEST_TABLE
from compact_proofs.automatic.listing.sums import fits, folded, reading
from compact_proofs.automatic.listing.values import Affine, Dense, Shares, Softmaxes, Table, Weighted
from compact_proofs.automatic.reading.owners import structure


def averages(p: Any, x: Any, shape: torch.Size, v: int, n: int) -> Affine | None:
    """Shares times values, ``sum_k p[b, m, k] V[b, k, e]``, as shares times tables; None where that does not hold or pay.

    Parameters
    ----------
    p
        Shares of softmaxes, or numbers known for each input.
    x
        V: a table, or averages of tables by shares of softmaxes.
    """
    if not isinstance(p, (Dense, Shares)) or not isinstance(x, Affine):
        return None
    if not x.weighted and len(x.tables) == 1:
        return _of_a_table(p, x.tables[0], shape, v)
    return _of_averages(p, x, shape, v, n) if isinstance(p, Dense) and x.weighted else None


def _of_a_table(p: Dense | Shares, table: Table, shape: torch.Size, v: int) -> Affine | None:
    """The rows of V are of one position each. None where they are not."""
    with structure():
        B, (M, K), E = math.prod(p.shape[:-2]), p.shape[-2:], shape[-1]
        rows = table.owner.reshape(B, K, E)
        if bool((rows != rows[:, :, :1]).any()) or v * B * M * K * B * M * E > LARGEST_TABLE:
            return None
        owner = rows[:, None, :, 0].expand(B, M, K).reshape(-1)
        used = _in_place(B, M, K, E)
        source: Dense | Softmaxes = p if isinstance(p, Dense) else p.of
        entry = torch.arange(B * M * K) if isinstance(p, Dense) else p.entry.reshape(-1)
        if isinstance(source, Softmaxes):
            first, second = source.first[entry], source.second[entry]
            owner = torch.where(owner < 0, first, owner)
            if bool(((owner != first) & (owner != second)).any()):
                return None
    values = table.data.reshape(v, B, 1, K, 1, 1, E)
    tables = torch.where(used.to(values.device), values, 0.0).reshape(v, B * M * K, *shape)
    found = Weighted(source, entry, owner, tables, used.reshape(B * M * K, *shape))
    return Affine((), (found,)) if fits(found, found.used, v, LARGEST_TABLE) else None


def _in_place(B: int, M: int, K: int, E: int) -> Tensor:
    """Which share [B, M, K] counts for which entry [B, M, E]."""
    same = (torch.eye(B)[:, None, None, :, None, None] * torch.eye(M)[None, :, None, None, :, None]).bool()
    return same.expand(B, M, K, B, M, E)


def _of_averages(p: Dense, x: Affine, shape: torch.Size, v: int, n: int) -> Affine | None:
    """V is averages by shares w / D: p times the shares are shares again, with the factor p."""
    if any(not isinstance(w.source, Softmaxes) or w.factor is not None for w in x.weighted):
        return None
    dense = reading(x.weighted, [w.used for w in x.weighted], n) + 2 * p.shape.numel() * shape[-1]
    x = folded(x, v, LARGEST_TABLE)
    B, (M, K), E = math.prod(p.shape[:-2]), p.shape[-2:], shape[-1]
    found = []
    for w in x.weighted:
        with structure():
            used = w.used.reshape(-1, B, K, E)
            s, b, k = used.any(-1).nonzero(as_tuple=True)
            if v * len(s) * M * B * M * E > LARGEST_TABLE:
                return None
            m = torch.arange(M)
            there = (torch.arange(B) == b[:, None])[:, None, :, None, None] & (m[:, None] == m)[None, :, None, :, None]
            counts = there & used[s, b, k][:, None, None, None]  # [C, M, B, M, E]
            by = ((b[:, None] * M + m) * K + k[:, None]).reshape(-1)
            again = torch.repeat_interleave(torch.arange(len(s)), M)
        values = w.tables.reshape(v, -1, B, K, E)[:, s, b, k]
        tables = torch.where(counts.to(values.device), values[:, :, None, None, None], 0.0).reshape(v, len(again), *shape)
        found.append(Weighted(w.source, w.entry[s][again], w.owner[s][again], tables, counts.reshape(len(again), *shape), p, by))
    for t in x.tables:
        with structure():
            rows = t.owner.reshape(B, K, E)
            owner = rows.amax(-1)
            if bool(((rows != owner[..., None]) & (rows >= 0)).any()) or v * B * M * K * B * M * E > LARGEST_TABLE:
                return None
            owner = owner.clamp(min=0)[:, None].expand(B, M, K).reshape(-1)
            used = _in_place(B, M, K, E)
        values = t.data.reshape(v, B, 1, K, 1, 1, E)
        tables = torch.where(used.to(values.device), values, 0.0).reshape(v, B * M * K, *shape)
        counts = used.reshape(B * M * K, *shape)
        found.append(Weighted(None, torch.arange(B * M * K), owner, tables, counts, p, torch.arange(B * M * K)))
    pays = reading(found, [w.used for w in found], n) <= dense and all(fits(w, w.used, v, LARGEST_TABLE) for w in found)
    return Affine((), tuple(found)) if pays else None


def rows_times(w: Weighted, W: Tensor, shape: torch.Size) -> Tensor:
    """Tables of shares for entries of a shape [.., K, d], times a constant W [d, E] or [B, d, E]: only the rows that are used."""
    v, S = w.tables.shape[:2]
    K, d = w.tables.shape[-2:]
    W = W.reshape(-1, d, W.shape[-1])
    B = w.tables.shape[2:-2].numel()
    with structure():
        some = w.used.reshape(S, B, K, d).any(-1)
        rows = [some[:, b].nonzero(as_tuple=True) for b in range(B)]
        place = torch.full((S, B, K), sum(len(s) for s, _ in rows))
        start = 0
        for b, (s, k) in enumerate(rows):
            place[s, b, k] = start + torch.arange(len(s))
            start += len(s)
    tables = w.tables.reshape(v, S, B, K, d)
    found = [
        torch.mm(tables[:, s, b, k].reshape(-1, d), W[b if len(W) > 1 else 0]).reshape(v, len(s), -1)
        for b, (s, k) in enumerate(rows)
        if len(s)
    ]
    none = torch.zeros(v, 1, W.shape[2], dtype=torch.float64, device=w.tables.device)
    return torch.cat([*found, none], 1)[:, place].reshape(v, S, *shape)
