"""The ratio rho of the additive certificate, for every group of queries and every maximum."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from compact_proofs.bounds.dominance import Gains
from compact_proofs.bounds.indices import away_from, count_up, others, window_pairs
from compact_proofs.bounds.ranges import largest_by_group
from compact_proofs.length import address_table, stage
from compact_proofs.tasks.max_of_k.additive.rows import Rows
from compact_proofs.tasks.max_of_k.paths import query_max_pairs


@dataclass(frozen=True)
class Ratios:
    """Upper bounds of rho[t, m] for each row.

    Attributes
    ----------
    rho : [rows, G]
        For t = m - 1, ..., m - G; 0 where t < 0.
    rho_far : [rows]
        For all t < m - G.
    valid : bool [rows]
        G[m, x] > D[x] is proven for every x != m.
    """

    rho: Tensor
    rho_far: Tensor
    valid: Tensor


def joint_ratios(EVOU: Tensor, PVOU: Tensor, EUPU: Tensor, rows: Rows, G: int) -> Ratios:
    """Bound rho with ``D[x] = max_{q in group, q <= m} (delta_q[x] - delta_q[m]) + max_i (pi_i[x] - pi_i[m])``.

    Cost: v^3 for D, and 3 v for each row and window token.
    """
    v, device = EVOU.shape[0], EVOU.device
    q, m = query_max_pairs(v, device=device)
    with stage("fold"):
        mean, position_mean = EUPU.mean(0), PVOU.mean(0)
        EVOU = EVOU + (mean + position_mean)  # attention sums to 1, so the logits are the same
        delta, pi = EUPU - mean, PVOU - position_mean
    every = torch.arange(v, device=device)
    with stage("D"):
        direct = away_from(delta, q, m)  # [pairs, v - 1]
        position = (pi[:, others(v, device=device)] - pi[:, :, None]).amax(0)
        D = largest_by_group(direct, rows.of_pair, len(rows.m)) + position[rows.m]
    with stage("rho"):
        gains = Gains.of(-away_from(EVOU, every, every)[rows.m] - D)
        harm = away_from(EVOU, *window_pairs(v, G, device=device))  # [window pairs, v - 1]
        entry, pair, slot = _window_of_rows(v, G, *rows.first, device=device)
        rho = _in_slots(gains.ratio(harm[pair] + D[entry], entry), slot)
    with stage("far"):
        behind = torch.cummax(EVOU.amax(1, keepdim=True) - EVOU, 0).values  # [t, m]: worst over tokens <= t
        worst = behind[(every - G - 1).clamp(min=0), every][rows.m] + D.amax(-1)
        rho_far = gains.ratio_of_largest(worst)
    return Ratios(rho, rho_far, gains.valid())


def separate_ratios(token: Tensor, high: Tensor, low: Tensor, rows: Rows, G: int) -> Ratios:
    """Bound rho with ``D[x] = high[x] - low[m]``, where everything that depends on the query or the position has its own range.

    With A[t, x] = token[t, x] + high[x] and c[t] = token[t, m] + low[m], rho[t, m] = max_x (A[t, x] - c[t]) / (c[m] - A[m, x]).

    Parameters
    ----------
    token
        EV', [v, v].
    high, low
        [groups, v]: for the group's queries and all positions, everything else is at most high[x] - low[m].

    Cost: 3 v for each row and window token; no term in v^3.
    """
    v, device = token.shape[0], token.device
    every = torch.arange(v, device=device)
    off = others(v, device=device)
    with stage("rho"):
        A = token + high[:, None]  # [groups, t, x]
        own = (token[every, every] + low)[rows.group, rows.m]  # [rows]
        gains = Gains.of(own[:, None] - A[rows.group[:, None], rows.m[:, None], off[rows.m]])
        t, m = window_pairs(v, G, device=device)
        base = token[t, m] + low[:, m]  # [groups, window pairs]
        entry, pair, slot = _window_of_rows(v, G, *rows.first, device=device)
        group = rows.group[entry]
        harm = A[group[:, None], t[pair][:, None], off[m[pair]]] - base[group, pair][:, None]
        rho = _in_slots(gains.ratio(harm, entry), slot)
    with stage("far"):
        behind = torch.cummax(A.amax(2, keepdim=True) - token, 1).values  # [groups, t, m]
        worst = behind[rows.group, (rows.m - G - 1).clamp(min=0), rows.m] - low[rows.group, rows.m]
        rho_far = gains.ratio_of_largest(worst)
    return Ratios(rho, rho_far, gains.valid())


def _in_slots(ratios: Tensor, slot: Tensor) -> Tensor:
    """Lay out ratios (clamped at 0) as [rows, G], 0 where a slot has none."""
    padding = torch.zeros(1, dtype=torch.float64, device=ratios.device)
    return torch.cat([ratios.clamp(min=0), padding])[slot]


@address_table
def _window_of_rows(v: int, G: int, *first: int) -> tuple[Tensor, Tensor, Tensor]:
    """For the rows (group, m) with m >= first[group]: one entry for each token in the window of m.

    Returns
    -------
    entry, pair : int64 [entries]
        The row of each entry, and its number in `window_pairs`.
    slot : int64 [rows, G]
        The entry of the j-th token below m; the number of entries (one past the last) where there is none.
    """
    m_of = torch.cat([torch.arange(f, v) for f in first])
    lengths = torch.arange(v).clamp(max=G)
    starts = torch.cumsum(lengths, 0) - lengths
    entry = torch.repeat_interleave(torch.arange(len(m_of)), lengths[m_of])
    j = count_up(lengths[m_of])
    slot = torch.full((len(m_of), G), len(entry))
    slot[entry, j] = torch.arange(len(entry))
    return entry, starts[m_of][entry] + j, slot
