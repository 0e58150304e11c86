"""Values, direct path and positions as rows use them: the hardest rivals of a maximum one by one, the others together."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from compact_proofs.bounds.norms import norm
from compact_proofs.core.strategy import Explanation
from compact_proofs.length import address_table, stage
from compact_proofs.models.attention_only import AttentionOnlyTransformer
from compact_proofs.tasks.max_of_k.large_maxima.values import values_and_last


@dataclass(frozen=True)
class Written:
    """What everything writes to the outputs; what the last position writes is moved to the direct path (`values_and_last`).

    Attributes
    ----------
    EVOU : [v - start, v]
        Tokens from `start` on.
    PVOU : [K, v]
        Positions, less the last one's.
    EUPU : [v, v]
        The direct path of each query, and what the last position adds to it.
    small : [v]
        What the centre of the smaller tokens writes.
    small_sizes : [start]
        |W_E[t] - c| of the smaller tokens, with c their centre.
    radius : [v]
        Under any smaller token t, EVOU[t, x] - EVOU[t, m] differs from small[x] - small[m] by at most radius[x] + radius[m].
    start
        The smallest token that is known exactly.
    """

    EVOU: Tensor
    PVOU: Tensor
    EUPU: Tensor
    small: Tensor
    small_sizes: Tensor
    radius: Tensor
    start: int

    @classmethod
    def of(cls, model: AttentionOnlyTransformer, hints: Explanation, start: int) -> Written:
        """Multiply them out: 2 (2 v - start) v d + 4 v d^2 and lower terms.

        (W_E[t] - c) W_V W_O (W_U[:, x] - W_U[:, m]) <= |W_E[t] - c| |W_V W_O|_F (|W_U[:, x] - k| + |W_U[:, m] - k|).
        """
        known = model.d_vocab - start
        with stage("norms"):
            small_sizes = norm(model.W_E[:start] - hints["small_centre"], 1)
        VO, last = values_and_last(model)
        with stage("OV"):
            positions = model.W_pos[:-1] - model.W_pos[-1]
            written = torch.cat([model.W_E[start:], hints["small_centre"][None], positions]) @ VO @ model.W_U
            PVOU = torch.cat([written[known + 1 :], torch.zeros_like(written[:1])])
            radius = torch.zeros_like(written[known])
            if start:
                radius = (small_sizes.amax() * norm(VO)) * norm(model.W_U - hints["output_centre"][:, None], 0)
        with stage("EU"):
            EUPU = (model.W_E + last) @ model.W_U
        return cls(written[:known], PVOU, EUPU, written[known], small_sizes, radius, start)


@dataclass(frozen=True)
class Rivals:
    """What a maximum m suffers from its rivals, up to what the direct path of a query adds.

    Attributes
    ----------
    outputs : int64 [maxima, R]
        Rivals x that are compared one by one.
    listed : [maxima, G + 1, R]
        EVOU[t, x] - EVOU[t, m] + max_i (PVOU[i, x] - PVOU[i, m]) for t = m, m - 1, ..., m - G (any value where negative).
    others : [maxima, G + 1]
        The largest of the same for all other outputs, with max_i PVOU[i, x] - min_i PVOU[i, m] for positions, and the largest
        EUPU[q, x] over all queries added.
    far, small : [maxima]
        The largest of `others` for all outputs and all known tokens below the window, and for all smaller tokens.
    """

    outputs: Tensor
    listed: Tensor
    others: Tensor
    far: Tensor
    small: Tensor

    @classmethod
    def of(cls, w: Written, outputs: Tensor, least: int, G: int) -> Rivals:
        """Compare. With s = v - start and M maxima: 3 R (G + 1) M + (G + 1) v M + 3 s M + 2 s v operations, about."""
        v, device = w.EUPU.shape[1], w.EUPU.device
        m, token, beyond, maximum = _known_tokens(v, G, least, w.start, device=device)
        with stage("rivals"):
            high, low = w.EUPU.amax(0) + w.PVOU.amax(0), w.PVOU.amin(0)
            position = (w.PVOU[:, outputs] - w.PVOU[:, m][:, :, None]).amax(0)
            at_max = w.EVOU[token, m[:, None]]
            listed = w.EVOU[token[:, :, None], outputs[:, None]] - at_max[:, :, None] + position[:, None]
            A = w.EVOU + high
            passed = _passed(outputs, m, v)
            top = torch.where(passed[:, None], -torch.inf, A[token]).amax(2)
            others = top - at_max - low[m][:, None]
        with stage("far"):
            behind = torch.cummax(A.amax(1, keepdim=True) - w.EVOU[:, least:], 0).values
            far = behind[beyond, maximum] - low[m]
            small = (w.small + w.radius + high).amax() - (w.small - w.radius + low)[m]
        return cls(outputs, listed, others, far, small)


def rivals_of(outputs: Tensor, v: int, least: int) -> Tensor:
    """Read a list of rivals for each maximum, int64 [maxima, R]: m itself in it stands for a neighbour. Two operations a number."""
    m = torch.arange(least, v, device=outputs.device)[:, None]
    neighbour = torch.where(m > 0, m - 1, m + 1).expand_as(outputs)
    return torch.where(outputs == m, neighbour, outputs)


def _passed(outputs: Tensor, m: Tensor, v: int) -> Tensor:
    """bool [maxima, v]: m itself, and the first v - 2 rivals that are listed, so that one output is always left."""
    none = torch.zeros(len(m), v, dtype=torch.bool, device=m.device)
    return none.scatter(1, torch.cat([outputs[:, : v - 2], m[:, None]], 1), True)


@address_table
def _known_tokens(v: int, G: int, least: int, start: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """m for each maximum; numbers, from `start` on, of m, m - 1, ..., m - G and of m - G - 1 (0 where negative); m - least."""
    m = torch.arange(least, v)
    token = m[:, None] - start - torch.arange(G + 2)
    token = token.clamp(min=0)
    return m, token[:, :-1], token[:, -1], m - least
