"""The rank-one read-out: attention averages one number of each token, and the unembedding reads the average off a parabola.

Let an OV circuit of rank one write lambda[t] + lambdaP[i] in one direction, which the unembedding reads as R[x], and let the mean
direct path add b[x]. With s the attention's average of lambda + lambdaP, x loses to m iff (b + s R)[x] < (b + s R)[m]: logits are
lines in s, and m wins on an interval of s between the slopes of b against R on its two sides. Everything else is error.
"""

from __future__ import annotations

import torch
from torch import Tensor

from compact_proofs.bounds.indices import window_tokens
from compact_proofs.bounds.norms import norm
from compact_proofs.bounds.ranges import largest_by_group
from compact_proofs.bounds.splitting import along
from compact_proofs.core.strategy import finite
from compact_proofs.enclosure import provably
from compact_proofs.length import stage
from compact_proofs.models.attention_only import AttentionOnlyTransformer
from compact_proofs.searches import leading_directions
from compact_proofs.tasks.max_of_k.additive.parts import value_error
from compact_proofs.tasks.max_of_k.additive.ratios import Ratios
from compact_proofs.tasks.max_of_k.additive.rows import Rows
from compact_proofs.tasks.max_of_k.paths import LazyPaths


def readout_ratios(p: LazyPaths, rows: Rows, groups: int, Y: Tensor, Z: Tensor, G: int) -> Ratios:
    """Ratios rho[t, m] from an interval of s, for any hints Y [d, 1] and Z [d].

    Put R = Y^T W_U, b = (c + W_pos[-1]) W_U with c = mean_q W_E[q], e_q = W_E[q] - c, and U' = W_U - Y R - Z b. Exactly,
    e_q W_U = (e_q Y) R + (e_q Z) b + e_q U', so with e1 = e_q Y, e2 = e_q Z and s as above

        logit(x) = (1 + e2) b[x] + (s + e1) R[x] + err(x),   |err(x)| <= E := max_x (|e_q| |U'[:, x]| + error of rank one).

    **The interval.** Let R rise with x, 1 + e2 > 0, and sigma[x] = (b[x] - b[x+1]) / (R[x+1] - R[x]). For x > m,
    (b[m] - b[x]) / (R[x] - R[m]) is a weighted mean of sigma[m ... x-1], hence at least the least sigma from m on; and
    R[x] - R[m] >= R[m+1] - R[m]. So every x > m loses if ``s + e1 < (1 + e2) min_{x >= m} sigma[x] - 2 E / (R[m+1] - R[m])``; for
    x < m likewise with ``s + e1 > (1 + e2) max_{x < m} sigma[x] + 2 E / (R[m] - R[m-1])``. Call the ends s_hi[m] and s_lo[m], for
    the worst query of the group.

    **The ratios.** All tokens are at most m, so s <= max_{t <= m} lambda[t] + max_i lambdaP[i], which must be below s_hi[m]. And
    s > s_lo[m] iff sum_i w_i (lambda[t_i] + lambdaP[i] - s_lo[m]) > 0, which is the additive condition with

        rho[t, m] = max(0, s_lo[m] - lambda[t] - min lambdaP) / (lambda[m] + min lambdaP - s_lo[m]).

    Cost: about 14 v d + 8 d^2 + O(groups v G): no term in v^2.
    """
    model, v = p.model, p.model.d_vocab
    with stage("OV"):
        OY, remainder = along(model.W_O, Y.mT)
        R = (Y.mT @ model.W_U).squeeze(0)
        VOY = (model.W_V @ OY).squeeze(1)
        written, position = model.W_E @ VOY, model.W_pos @ VOY
    with stage("D"):
        b = (p.centre + model.W_pos[-1]) @ model.W_U
        rest = norm(model.W_U - Y * R - Z[:, None] * b, 0).amax()
        by_query = torch.stack([(p.deviations @ Y).squeeze(1), p.deviations @ Z, p.deviation_norms], 1)
        ends = largest_by_group(torch.cat([-by_query[:, :2], by_query], 1), rows.group_of, groups)
        error = 2 * (ends[:, 4] * rest + value_error(p, remainder) * p.output_norms.amax())  # [groups]
    with stage("rho"):
        step = R.diff()
        sigma = -b.diff() / step
        below, above = torch.cummax(sigma, 0).values, -torch.cummax(-sigma.flip(0), 0).values.flip(0)
        factors = 1 + torch.stack([-ends[:, 1], ends[:, 3]])[:, :, None]  # 1 + e2 at the ends of each group, [2, groups, 1]
        s_lo = (factors * below).amax(0) + error[:, None] / step + ends[:, :1]  # [groups, v - 1], for m = 1 ...
        s_hi = (factors * above).amin(0) - error[:, None] / step - ends[:, 2:3]  # for m = 0 ... v - 2
        never = torch.full((groups, 1), -torch.inf, dtype=torch.float64, device=R.device)
        s_lo, s_hi = torch.cat([never, s_lo], 1), torch.cat([s_hi, -never], 1)
        highest = torch.cummax(written, 0).values + position.amax()
        fits = provably(highest < s_hi) & provably(step > 0).all() & provably(factors > 0).all()
        need = s_lo - position.amin()  # [groups, v]
        gap = (written - need)[rows.group, rows.m]
        token, _, behind, _ = window_tokens(v, G, device=R.device)
        here = need[rows.group, rows.m]
        rho = ((here[:, None] - written[token][rows.m]).clamp(min=0)) / gap[:, None]
        lowest = -torch.cummax(-written, 0).values
        far = (here - lowest[behind][rows.m]).clamp(min=0) / gap
    return Ratios(rho, far, provably(gap > 0) & fits[rows.group, rows.m])


def reading_directions(model: AttentionOnlyTransformer) -> dict[str, Tensor]:
    """Search for the hints: Y is the leading output of the OV circuit, turned so that R rises; Z is what b explains of the rest."""
    Y = leading_directions(model.W_V @ model.W_O, 1)
    R = (Y.mT @ model.W_U).squeeze(0)
    if bool((R * torch.linspace(-1, 1, len(R), dtype=R.dtype)).sum() < 0):
        Y, R = -Y, -R
    b = (model.W_E.mean(0) + model.W_pos[-1]) @ model.W_U
    Z = (model.W_U - Y * R) @ b / (b @ b)
    return {"Y": Y, "Z": finite(Z)}
