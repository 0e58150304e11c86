"""The model's values, attention and direct path as the additive certificate uses them, exactly or by cheaper bounds.

* Values EV': the exact matrix (2 v^2 d), or of rank r in hinted directions with the rest bounded by norms (2 v^2 r).
* Attention: exact scores (2 v^2 d), or of rank one in a hinted direction with the rest bounded by norms (v d).
* The direct path delta: exact logits, or Cauchy-Schwarz bounds after splitting off hinted directions (v d r).

Directions are hints: every identity below holds for any vectors whatever, so a bad hint only makes the norms large.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from compact_proofs.bounds.indices import window_tokens
from compact_proofs.bounds.norms import norm
from compact_proofs.bounds.positions import factors_by_group
from compact_proofs.bounds.ranges import ends_by_group, largest_by_group
from compact_proofs.bounds.splitting import along
from compact_proofs.length import stage
from compact_proofs.tasks.max_of_k.additive.rows import Rows
from compact_proofs.tasks.max_of_k.paths import LazyPaths, query_max_pairs


@dataclass(frozen=True)
class Values:
    """What attention writes.

    EV'[t, x] - EV'[t, m] + pi_i[x] - pi_i[m] <= token[t, x] - token[t, m] + high[x] - low[m] for all t and i.

    Attributes
    ----------
    token : [v, v]
        With the mean direct path and the mean positional value folded in.
    high, low : [v]
        Ranges over positions, and the error of a low rank.
    """

    token: Tensor
    high: Tensor
    low: Tensor


def exact_values(EVOU: Tensor, PVOU: Tensor, direct: Tensor) -> Values:
    """Fold the mean direct path and the mean positional value into EVOU; attention sums to 1, so the logits are the same."""
    with stage("fold"):
        position = PVOU.mean(0)
        pi = PVOU - position
        return Values(EVOU + (direct + position), pi.amax(0), pi.amin(0))


def low_rank_values(p: LazyPaths, Y: Tensor, R: Tensor, direct: Tensor) -> Values:
    """Values of rank r, for any hint Y [d, r], with R = Y^T W_U.

    W_O = (W_O Y) Y^T + O' exactly, so (e W_V W_O) W_U = (e W_V W_O Y) R + e W_V O' W_U, where the second term differs between x and
    m by at most `value_error` times (|W_U[:, x]| + |W_U[:, m]|). Cost: 2 v^2 r + 2 v d r + 6 d^2 r.
    """
    model = p.model
    with stage("OV"):
        OY, rest = along(model.W_O, Y.mT)
        VOY = model.W_V @ OY
        values = exact_values((model.W_E @ VOY) @ R, (model.W_pos @ VOY) @ R, direct)
        error = value_error(p, rest) * p.output_norms
        return Values(values.token, values.high + error, values.low - error)


def value_error(p: LazyPaths, rest: Tensor) -> Tensor:
    """Bound |e W_V O'| for every e = W_E[t] + W_pos[i] and a remainder O' of W_O: [].

    |e| <= |c| + max_t |W_E[t] - c| + max_i |W_pos[i]|, and |e W_V O'| <= |e| |W_V|_F |O'|_F.
    """
    return (norm(p.centre) + p.deviation_norms.amax() + p.position_norm) * (norm(rest) * norm(p.model.W_V))


@dataclass(frozen=True)
class Direct:
    """The direct path: its mean over queries, and delta_q[x] - delta_q[m] <= high[g, x] - low[g, m] for the queries of group g.

    Attributes
    ----------
    mean : [v]
    high, low : [groups, v]
    """

    mean: Tensor
    high: Tensor
    low: Tensor


def direct_by_ranges(EUPU: Tensor, rows: Rows, groups: int) -> Direct:
    """Largest and smallest delta_q[x] over the queries of each group: 2 v^2 comparisons."""
    with stage("D"):
        mean = EUPU.mean(0)
        delta = EUPU - mean
        low, high = ends_by_group(delta, rows.group_of, groups)
        return Direct(mean, high, low)


def direct_by_norms(p: LazyPaths, rows: Rows, groups: int, Y: Tensor, R: Tensor) -> Direct:
    """Cauchy-Schwarz, for any hint Y [d, r] (r may be 0), with R = Y^T W_U.

    With c = mean_q W_E[q], delta_q = (W_E[q] - c) W_U =: e_q W_U, and e_q W_U = (e_q Y) R + e_q (W_U - Y R) exactly, so
    ``delta_q[x] - delta_q[m] <= |e_q Y| (|R[:, x]| + |R[:, m]|) + |e_q| (|U'[:, x]| + |U'[:, m]|)`` with U' = W_U - Y R, where
    |U'[:, x]|^2 = |W_U[:, x]|^2 - 2 |R[:, x]|^2 + R[:, x]^T Y^T Y R[:, x]. Cost: 2 v d (r + 1) + 2 v r^2.
    """
    model = p.model
    with stage("D"):
        mean = (p.centre + model.W_pos[-1]) @ model.W_U
        sizes, outputs = p.deviation_norms[:, None], p.output_norms[None]
        if Y.shape[1]:
            sizes = torch.cat([norm(p.deviations @ Y, 1)[:, None], sizes], 1)
            R_squared = (R * R).sum(0)
            rest = outputs[0] * outputs[0] - 2 * R_squared + (R * ((Y.mT @ Y) @ R)).sum(0)
            outputs = torch.stack([torch.sqrt(R_squared), torch.sqrt(rest.clamp(min=0))])
        bound = largest_by_group(sizes, rows.group_of, groups) @ outputs  # [groups, v]
        return Direct(mean, bound, -bound)


@dataclass(frozen=True)
class GroupAttention:
    """Attention of the queries of a group, bounded together: w_i(t) = w[q, t] r[q, i], with r scaled query by query at will.

    Attributes
    ----------
    near : [rows, G]
        log of max_q w[q, t] / w[q, m] for t = m - 1 ... m - G (any value where t < 0).
    beyond : [rows]
        The same over all t < m - G.
    low, high : [groups, K]
        Least and largest positional factor r[q, i]; the last is the query's own.
    """

    near: Tensor
    beyond: Tensor
    low: Tensor
    high: Tensor


def exact_attention(EQKE: Tensor, EQKP: Tensor, rows: Rows, groups: int, G: int) -> GroupAttention:
    """From the exact scores of every query; the geometric mean of its positional factors is made 1."""
    v = len(EQKP)
    q, m = query_max_pairs(v, device=EQKE.device)
    token, _, behind, _ = window_tokens(v, G, device=EQKE.device)
    with stage("attention"):
        at_max = EQKE[q, m]
        near = EQKE[q[:, None], token[m]] - at_max[:, None]
        beyond = torch.cummax(EQKE, 1).values[q, behind[m]] - at_max
        worst = largest_by_group(torch.cat([near, beyond[:, None]], 1), rows.of_pair, len(rows.m))
        low, high = factors_by_group(EQKP, rows.group_of, groups)
    return GroupAttention(worst[:, :G], worst[:, G], low, high)


def rank_one_attention(p: LazyPaths, rows: Rows, groups: int, G: int, z: Tensor) -> GroupAttention:
    """Scores of rank one, for any hint z [d_head] that is not 0.

    Put W_Q = a z^T + Q', W_K = b z^T + K' with a = W_Q z / z.z, b = W_K z / z.z; then Q' z = K' z = 0, so
    W_Q W_K^T = z.z a b^T + Q' K'^T exactly. Under query q the score of token t at position i is
    beta_q (h[t] + hP[i]) + s[t, i], with
    beta_q = z.z (W_E[q] + W_pos[-1]).a / sqrt(d_head), h = W_E b, hP = W_pos b, and any two s of one query differ by at most
    ``eta_q = (|e_q| + |c + W_pos[-1]|) |Q'|_F |K'|_F (2 max_t |e_t| + 2 max_i |W_pos[i]|) / sqrt(d_head)`` with e_t = W_E[t] - c.
    Measured against the smallest s of a copy of m, other tokens gain at most eta_q. beta (h[t] - h[m]) is linear in beta, hence at
    most its larger value at the ends of the group's range of beta. Cost: 4 v d + 8 d d_head + O(groups v).
    """
    model = p.model
    with stage("QK"):
        zz, scale = z @ z, model.attn_scale()
        a, b = model.W_Q @ z / zz, model.W_K @ z / zz
        rest = norm(model.W_Q - a[:, None] * z) * norm(model.W_K - b[:, None] * z)
        slope = a * (zz / scale)
        beta = model.W_E @ slope + model.W_pos[-1] @ slope
        h, hP = model.W_E @ b, model.W_pos @ b
        spread = p.deviation_norms.amax() + p.position_norm
        eta = (p.deviation_norms + norm(p.centre + model.W_pos[-1], 0)) * (rest * spread * 2 / scale)
        ends = largest_by_group(torch.stack([-beta, beta, eta], 1), rows.group_of, groups)
        beta_ends = torch.stack([-ends[:, 0], ends[:, 1]])  # [2, groups]
    token, _, behind, _ = window_tokens(len(h), G, device=h.device)
    with stage("attention"):
        group, m = rows.group, rows.m
        harm = beta_ends[:, group] * h[m]
        near = (beta_ends[:, group, None] * (h[token] - h[:, None])[m]).amax(0) + ends[group, 2, None]
        beyond = torch.cummax(beta_ends[:, :, None] * h, 2).values[:, group, behind[m]]
        beyond = (beyond - harm).amax(0) + ends[group, 2]
        positions = beta_ends[:, :, None] * (hP - hP.mean())  # [2, groups, K], linear in beta
        low, high = torch.exp(positions.amin(0)), torch.exp(positions.amax(0))
    return GroupAttention(near, beyond, low, high)
