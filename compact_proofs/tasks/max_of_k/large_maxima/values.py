"""The direct path by norms or exactly; and the ratios rho, a few rivals one by one, the others together."""

from __future__ import annotations

import torch
from torch import Tensor

from compact_proofs.bounds.norms import norm
from compact_proofs.bounds.ranges import ends_by_group
from compact_proofs.core.strategy import Explanation
from compact_proofs.enclosure import provably
from compact_proofs.length import address_table, stage
from compact_proofs.models.attention_only import AttentionOnlyTransformer
from compact_proofs.tasks.max_of_k.additive.ratios import Rows
from compact_proofs.tasks.max_of_k.large_maxima.tokens import Sizes, Window

Ends = tuple[Tensor, Tensor]
"""high, low [groups, v]: what an output gains from the direct path, at most, and the maximum, at least."""


def direct_by_norms(model: AttentionOnlyTransformer, rows: Rows, hints: Explanation, sizes: Sizes) -> Ends:
    """By the centres and the distances from them."""
    with stage("EU"):
        base, spread = (hints["centres"] + model.W_pos[-1]) @ model.W_U, sizes.query * sizes.output
        return base + spread, base - spread


def exact_direct(model: AttentionOnlyTransformer, rows: Rows, hints: Explanation, sizes: Sizes) -> Ends:
    """Largest and least EUPU[q, x] over the queries of each group."""
    groups = len(rows.first)
    with stage("EU"):
        EUPU = (model.W_E + model.W_pos[-1]) @ model.W_U
        low, high = ends_by_group(EUPU, rows.group_of, groups)
        return high, low


def ratios(
    model: AttentionOnlyTransformer, rows: Rows, hints: Explanation, sizes: Sizes, window: Window, direct: Ends, R: int
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Bound the ratios from the values, for R rivals one by one.

    Returns
    -------
    rho : [rows, G]
        Of the tokens in the window.
    far, small : [rows]
        Of all known tokens beyond it; of all smaller ones, 0 if there are none.
    valid : bool [rows]
        Every denominator is proven to be positive.
    """
    v, start, group, m = model.d_vocab, window.start, rows.group, rows.m
    with stage("OV"):
        VO = model.W_V @ model.W_O
        written = torch.cat([model.W_E[start:], hints["small_centre"][None], model.W_pos]) @ VO @ model.W_U
        EVOU, small, PVOU = written[: v - start], written[v - start], written[v - start + 1 :]
    with stage("rho"):
        high, low = direct[0] + PVOU.amax(0), direct[1] + PVOU.amin(0)  # [groups, v]
        A = EVOU + high[:, None]  # [groups, known t, x]
        upto = torch.cummax(A, 2).values
        rival, below, above = _rivals(v, R, device=m.device)
        maximum, token, x = m - start, window.token, rival[m]
        own = EVOU[maximum, m] + low[group, m]
        gap = own[:, None] - A[group[:, None], maximum[:, None], x]  # [rows, R]
        base = EVOU[token, m[:, None]] + low[group, m][:, None]  # [rows, G]
        rho = ((A[group[:, None, None], token[:, :, None], x[:, None]] - base[:, :, None]) * (1 / gap)[:, None]).amax(2)
        least = gap.amin(1)
        if v - 1 > R:
            downto = torch.cummax(A.flip(2), 2).values.flip(2)
            # on each side, [groups, known t, m]: the largest A[t, x]
            for side, some in ((upto[:, :, below - 1], below > 0), (downto[:, :, above.clamp(max=v - 1)], above < v)):
                gap = torch.where(some[m], own - side[group, maximum, m], torch.inf)
                ratio = (side[group[:, None], token, m[:, None]] - base) / gap[:, None]
                rho, least = torch.maximum(rho, ratio), torch.minimum(least, gap)
    with stage("far"):
        behind = torch.cummax(upto[:, :, -1:] - EVOU, 1).values  # [groups, t, m]: worst over known tokens <= t
        far = behind[group, window.beyond, m] - low[group, m]
        if start:
            radius = sizes.small.amax() * norm(VO) * sizes.output
            worst = (small + radius + high).amax(1)[group] - (small - radius + low)[group, m]
        else:
            worst = torch.zeros_like(far)
    return rho.clamp(min=0), (far / least).clamp(min=0), (worst / least).clamp(min=0), provably(least > 0)


@address_table
def _rivals(v: int, R: int) -> tuple[Tensor, Tensor, Tensor]:
    """For each m: the R outputs nearest to it, [v, R]; how many lie below all of these; the first that lies above (v for none)."""
    m = torch.arange(v)
    below = (m - (R + 1) // 2).clamp(0, v - 1 - R)
    rival = below[:, None] + torch.arange(R)
    return rival + (rival >= m[:, None]), below, below + R + 1
