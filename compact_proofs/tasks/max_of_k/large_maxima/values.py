"""The direct path by norms or exactly; and the ratios rho, a few rivals one by one, the others together."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from compact_proofs.bounds.norms import norm
from compact_proofs.bounds.ranges import ends_by_group
from compact_proofs.core.strategy import Explanation
from compact_proofs.enclosure import provably
from compact_proofs.length import address_table, stage
from compact_proofs.models.attention_only import AttentionOnlyTransformer
from compact_proofs.tasks.max_of_k.additive.rows import Rows
from compact_proofs.tasks.max_of_k.large_maxima.tokens import Sizes, Window, neighbour_pairs, triangle_excess

BLOCK = 4
"""Outputs that are not compared one by one are compared by blocks of so many that follow each other."""


@dataclass(frozen=True)
class Direct:
    """The direct path: EUPU[q, x] - EUPU[q, m] <= high[g, x] - low[g, m] for the queries of group g, and less for neighbours.

    Attributes
    ----------
    high, low : [groups, v]
        What an output gains, at most, and the maximum, at least.
    saved : [groups, v - least, close, 2]
        With i from the smallest maximum on and j = 1, ..., close: what may be taken off the bound, for x = i - j against m = i, and
        for x = i against m = i - j.
    """

    high: Tensor
    low: Tensor
    saved: Tensor


def values_and_last(model: AttentionOnlyTransformer) -> tuple[Tensor, Tensor]:
    """W_V W_O, [d, d]; and p + p W_V W_O, [d], what the last position p adds to every output's direct path.

    Attention sums to 1, so PVOU[K - 1] may be added to the direct path and taken off PVOU[i] for every i: the logits are the same.
    """
    with stage("OV"):
        VO = model.W_V @ model.W_O
        return VO, model.W_pos[-1] + model.W_pos[-1] @ VO


def direct_by_norms(
    model: AttentionOnlyTransformer, last: Tensor, rows: Rows, hints: Explanation, sizes: Sizes, close: int = 0
) -> Direct:
    """By the centres and the distances from them; `last` [d] is what is added to every query."""
    with stage("EU"):
        base, spread = (hints["centres"] + last) @ model.W_U, sizes.query * sizes.output
        excess = triangle_excess((model.W_U - hints["output_centre"][:, None]).mT, sizes.output, min(rows.first), close)
        saved = sizes.query[:, :, None] * excess
        return Direct(base + spread, base - spread, torch.stack([saved, saved], 3))


def exact_direct(
    model: AttentionOnlyTransformer, last: Tensor, rows: Rows, hints: Explanation, sizes: Sizes, close: int = 0
) -> Direct:
    """Largest and least EUPU[q, x] over the queries of each group; for neighbours, of EUPU[q, i] - EUPU[q, i - j].

    EUPU[q] is (W_E[q] + last) W_U.
    """
    groups, v = len(rows.first), model.d_vocab
    upper, lower, _ = neighbour_pairs(v, min(rows.first), close, device=rows.m.device)
    with stage("EU"):
        EUPU = (model.W_E + last) @ model.W_U
        low, high = ends_by_group(EUPU, rows.group_of, groups)
        apart = EUPU[:, upper][:, :, None] - EUPU[:, lower]
        least, most = (end.reshape(groups, *lower.shape) for end in ends_by_group(apart.flatten(1), rows.group_of, groups))
        below = high[:, lower] - low[:, upper][:, :, None] + least
        above = high[:, upper][:, :, None] - low[:, lower] - most
        return Direct(high, low, torch.stack([below, above], 3))


def ratios(
    model: AttentionOnlyTransformer,
    VO: Tensor,
    rows: Rows,
    hints: Explanation,
    sizes: Sizes,
    window: Window,
    direct: Direct,
    R: int,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Bound the ratios from the values, for R rivals one by one; `direct` has the last position's PVOU in it (`values_and_last`).

    Returns
    -------
    rho : [rows, G]
        Of the tokens in the window.
    far, small : [rows]
        Of all known tokens beyond it; of all smaller ones, 0 if there are none.
    valid : bool [rows]
        Every denominator is proven to be positive.
    """
    v, start, group, m, least = model.d_vocab, window.start, rows.group, rows.m, min(rows.first)
    with stage("OV"):
        positions = model.W_pos[:-1] - model.W_pos[-1]
        written = torch.cat([model.W_E[start:], hints["small_centre"][None], positions]) @ VO @ model.W_U
        EVOU, small = written[: v - start], written[v - start]
        PVOU = torch.cat([torch.zeros_like(written[:1]), written[v - start + 1 :]])
    with stage("rho"):
        high, low = direct.high + PVOU.amax(0), direct.low + PVOU.amin(0)  # [groups, v]
        A = EVOU + high[:, None]  # [groups, known t, x]
        blocks = A[:, :, _blocks(v, device=m.device)].amax(3)  # [groups, known t, block]
        A = torch.cat([A, blocks], 2)
        maximum, token, x = m - start, window.token, _rivals(v, R, device=m.device)[m]
        own = EVOU[maximum, m] + low[group, m]
        saved = _of_rivals(direct.saved, rows, R)
        gap = own[:, None] - _less(A[group[:, None], maximum[:, None], x], saved)  # [rows, rivals and blocks]
        base = EVOU[token, m[:, None]] + low[group, m][:, None]  # [rows, G]
        harm = _less(A[group[:, None, None], token[:, :, None], x[:, None]], saved[:, None]) - base[:, :, None]
        rho = (harm * (1 / gap)[:, None]).amax(2)
        narrowest = gap.amin(1)
    with stage("far"):
        # [groups, t, m - least]: worst over known tokens <= t
        behind = torch.cummax(blocks.amax(2, keepdim=True) - EVOU[:, least:], 1).values
        far = behind[group, window.beyond, m - least] - low[group, m]
        if start:
            radius = sizes.small.amax() * norm(VO) * sizes.output
            worst = (small + radius + high).amax(1)[group] - (small - radius + low)[group, m]
        else:
            worst = torch.zeros_like(far)
    return rho.clamp(min=0), (far / narrowest).clamp(min=0), (worst / narrowest).clamp(min=0), provably(narrowest > 0)


def _less(x: Tensor, saved: Tensor) -> Tensor:
    """Subtract `saved` [..., n] from the first n entries along the last axis of x."""
    n = saved.shape[-1]
    return torch.cat([x[..., :n] - saved, x[..., n:]], -1)


def _of_rivals(saved: Tensor, rows: Rows, R: int) -> Tensor:
    """What `Direct.saved` has for the first rivals of each row, 0 where it has nothing: [rows, min(2 close, R)]."""
    groups, n, close, _ = saved.shape
    padded = torch.cat([saved.flatten(1), torch.zeros(groups, 1, dtype=torch.float64, device=saved.device)], 1)
    return padded[rows.group[:, None], _where_saved(len(rows.group_of), R, n, close, device=saved.device)[rows.m]]


@address_table
def _where_saved(v: int, R: int, n: int, close: int) -> Tensor:
    """For each m and its first rivals x: where the flattened `Direct.saved` of a group has the pair; its length if nowhere."""
    m = torch.arange(v)[:, None]
    x = _rivals(v, R)[:, : 2 * close]
    apart, upper = (m - x).abs(), torch.maximum(m, x) - (v - n)
    return torch.where((x < v) & (apart <= close) & (upper >= 0), 2 * (upper * close + apart - 1) + (x > m), 2 * n * close)


@address_table
def _blocks(v: int) -> Tensor:
    """Outputs in blocks of `BLOCK` that follow each other, [blocks, BLOCK]; a last one that is short repeats its last output."""
    return torch.arange(-(-v // BLOCK) * BLOCK).clamp(max=v - 1).reshape(-1, BLOCK)


@address_table
def _rivals(v: int, R: int) -> Tensor:
    """For each m: the other outputs of the blocks around it, the nearest first, and then v + b for every other block b.

    The blocks around m are as many as R + 1 outputs take, m's own among them. Where there are fewer rivals than elsewhere, one of
    them, or a block, is repeated. Shape [v, n], with n - (number of other blocks) at least R if there are so many.
    """
    blocks = _blocks(v)
    around = min(-(-(R + 1) // BLOCK), len(blocks))
    table = []
    for m in range(v):
        first = min(max(round((m + 0.5) / BLOCK - around / 2), 0), len(blocks) - around)
        outputs = blocks[first : first + around].unique()
        rivals = sorted(outputs[outputs != m].tolist(), key=lambda x: (abs(x - m), x))
        others = [v + b for b in range(len(blocks)) if not first <= b < first + around]
        known = rivals + others
        table.append(rivals + [known[0]] * (around * BLOCK - 1 - len(rivals)) + others)
    return torch.tensor(table)
