"""The additive certificate for large maxima only, from no more of the model than these need.

A sequence whose maximum is below `least` is given up: (least / d_vocab)^K of all. For the others, only tokens from
start = least - window on stand in the window of some maximum. Of these the values are exact; smaller ones are bounded together.
Queries are known by a centre for their group and the longest distance from it::

    W_E[q] = c_g + f_q,  |f_q| <= F_g,      so that  f_q . (z - z') <= F_g (|z - k| + |z' - k|)  for any vectors z, z', k

which bounds what they add to the outputs (z = a column of W_U) and to the scores of tokens beyond a part of rank one. All centres
are hints: any vectors will do, good ones make the distances short (`grouping.smallest_ball`).
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from compact_proofs.claim import Task
from compact_proofs.enclosure import provably
from compact_proofs.errors import BadInput
from compact_proofs.length import address_table, stage
from compact_proofs.models.attention_only import AttentionOnlyTransformer
from compact_proofs.strategy import Explanation, Spec
from compact_proofs.tasks.max_of_k.additive.grid import GroupSymbols, count_on_grid, grid_member, on_grid
from compact_proofs.tasks.max_of_k.additive.parts import GroupAttention, window_tokens
from compact_proofs.tasks.max_of_k.additive.ratios import Rows, segment_max
from compact_proofs.tasks.max_of_k.grouping import leading_pair, smallest_ball
from compact_proofs.tasks.max_of_k.paths import norms, query_max_pairs
from compact_proofs.tasks.max_of_k.task import MaxOfKStrategy


@dataclass(frozen=True)
class LargeMaxima(MaxOfKStrategy):
    """Count sequences with a maximum of at least `least` by the additive certificate, on a grid (`additive.grid`).

    **Direct path and positions.** With k = `output_centre`, u[x] = |W_U[:, x] - k| and any c_g, for the queries of group g and all
    positions i, EUPU[q, x] - EUPU[q, m] + PVOU[i, x] - PVOU[i, m] <= high[g, x] - low[g, m], where

        high[g, x] = (c_g + W_pos[-1]) W_U[:, x] + max_i PVOU[i, x] + F_g u[x],    low[g, m] = ... + min_i PVOU[i, m] - F_g u[m].

    **Ratios.** rho[t, m] = max over x != m of (EVOU[t, x] - EVOU[t, m] + high[x] - low[m]) / (EVOU[m, m] - EVOU[m, x] + low[m] -
    high[x]), if every denominator is positive. The outputs nearest to m, `rivals` of them, are compared one by one. For all
    below these, and for all above, the largest numerator is divided by the least denominator: by running maxima of EVOU[t] + high.

    **Smaller tokens**, t < start, with c = `small_centre`: EVOU[t, x] - EVOU[t, m] differs from the same for c, in the place of
    W_E[t], by at most |W_E[t] - c| |W_V W_O|_F (u[x] + u[m]).

    **Attention.** Put W_Q W_K^T / sqrt(d_head) = a b^T + R, exactly, for any a and b. Under query q, the score of token t is
    beta_q h[t] + e[g, t] + f_q . y[t] with beta_q = (W_E[q] + W_pos[-1]) . a, h = W_E b, e[g] = W_E R^T (c_g + W_pos[-1]) and
    y = W_E R^T. The last differs between t and m by at most F_g (n[t] + n[m]), where n[t] = |y[t] - k'| with k' = `key_centre`; for
    smaller tokens, n[t] <= |W_E[t] - c| |R|_F + |c R^T - k'|. beta (h[t] - h[m]) is linear in beta, so at most its larger value at
    the ends of the group's range. Scores of positions are exact.

    Cost, with s = d_vocab - start: 2 s v d + 4 s d^2 for values and scores, 4 d^3 for folding, 4 K v d for positions, and about
    3 window * rivals + window * reach * K for each (group, maximum).
    """

    least: int = 24
    """The smallest maximum that is looked at."""
    window: int = 8
    """Tokens just below the maximum that get a ratio of their own."""
    groups: int = 2
    """Groups of queries that share their bounds."""
    rivals: int = 16
    """Outputs nearest to the maximum that are compared one by one; d_vocab or more for all."""
    steps: int = 8
    """Grid points in a unit of weight; a power of two."""
    reach: int = 12
    """Largest sum of contributions that is told apart on the grid, in grid points."""
    direct: Literal["norms", "exact"] = "norms"
    """The direct path by the distances from centres (v d), or exactly (2 v^2 d)."""
    attention: Literal["norms", "exact"] = "norms"
    """Scores beyond rank one by the same distances, or exactly for tokens from `start` on (2 s v d)."""

    name: ClassVar[str] = "large-maxima"
    summary: ClassVar[str] = "ours: the additive certificate for large maxima; the shortest for models that were not tuned"

    def __post_init__(self) -> None:
        for option in ("window", "groups", "rivals", "steps", "reach"):
            if getattr(self, option) < 1:
                raise BadInput(f"large-maxima: {option} must be at least 1, not {getattr(self, option)}")
        if self.least < 0:
            raise BadInput(f"large-maxima: least must be at least 0, not {self.least}")
        if self.steps & (self.steps - 1) or self.steps > 2**20 or self.reach > 2**20:
            raise BadInput(
                f"large-maxima: steps must be a power of two up to 2^20, and reach at most 2^20, not {self.steps}, {self.reach}"
            )

    def explain(self, model: AttentionOnlyTransformer, task: Task) -> dict[str, Tensor]:
        """Find small balls around neighbouring queries, means as centres of the rest, and the leading direction of QK."""
        with torch.no_grad():
            m = copy.deepcopy(model).double()
            groups, start = self._groups(m), self._start(m)
            group_of = neighbours(m.d_vocab, groups)
            QK = m.W_Q @ m.W_K.mT / m.attn_scale()
            a, b = leading_pair(QK)
            found = {
                "small_centre": m.W_E[:start].mean(0) if start else m.W_E.mean(0),
                "output_centre": m.W_U.mean(1),
                "a": a,
                "b": b,
            }
            if self._by_norms:
                found["centres"] = torch.stack([smallest_ball(m.W_E[group_of == g]) for g in range(groups)])
            if self.attention == "norms":
                found["key_centre"] = m.W_E[start:].mean(0) @ (QK - a[:, None] * b).mT
        return {"group_of": group_of} | {n: t.nan_to_num(posinf=0.0, neginf=0.0).clamp(-1e100, 1e100) for n, t in found.items()}

    def specs(self, model: AttentionOnlyTransformer, task: Task) -> dict[str, Spec]:
        d, groups = model.d_model, self._groups(model)
        found = {"group_of": Spec((model.d_vocab,), (0, groups - 1))}
        found |= {name: Spec((d,)) for name in ("small_centre", "output_centre", "a", "b")}
        if self._by_norms:
            found["centres"] = Spec((groups, d))
        if self.attention == "norms":
            found["key_centre"] = Spec((d,))
        return found

    def verify(self, model: AttentionOnlyTransformer, task: Task, explanation: Explanation) -> int:
        symbols = self._symbols(model, explanation)
        with stage("counting"):
            return count_on_grid(symbols, model.n_ctx, self.steps, self.reach)

    def member(self, model: AttentionOnlyTransformer, task: Task, explanation: Explanation, inputs: Tensor) -> Tensor:
        symbols = self._symbols(model, explanation)
        found = inputs.amax(-1) >= self._least(model)
        found[found.clone()] = grid_member(symbols.rows, on_grid(symbols, self.steps, self.reach), inputs[found])
        return found

    @property
    def exact_member(self) -> bool:
        """Both read one table of integers."""
        return True

    def unexplained_dimension(self, model: AttentionOnlyTransformer, task: Task) -> int:
        """Numbers that are bounded one by one: exact values, scores of rank one with their slack, positions, and norms."""
        v, K, groups = model.d_vocab, model.n_ctx, self._groups(model)
        known = v - self._start(model)
        direct = 2 * groups * v if self.direct == "exact" else (groups + 1) * v
        scores = known * v if self.attention == "exact" else (3 + groups) * v
        return (known + 1 + K) * v + direct + scores + K * v + v

    def _symbols(self, model: AttentionOnlyTransformer, explanation: Explanation) -> GroupSymbols:
        """Compute what each position can contribute."""
        v, start, G = model.d_vocab, self._start(model), self._window(model)
        rows = Rows.of(explanation["group_of"], self._groups(model), model.W_E.device, self._least(model))
        window = Window.of(v, G, start, rows.m)
        sizes = Sizes.of(model, rows, explanation, start)
        if self.attention == "norms":
            attention, weight_small = split_attention(model, rows, explanation, sizes, window)
        else:
            attention, weight_small = exact_attention(model, rows, explanation, sizes, G, start, self._least(model))
        direct = direct_by_norms if self.direct == "norms" else exact_direct
        ends = direct(model, rows, explanation, sizes)
        rho, rho_far, rho_small, valid = ratios(model, rows, explanation, sizes, window, ends, min(self.rivals, v - 1))
        with stage("symbols"):
            near = torch.where(window.real, attention.near * rho, torch.inf)
            far = torch.where(window.some, attention.beyond * rho_far, 0.0)
            if start:
                far = torch.maximum(far, weight_small * rho_small)
        return GroupSymbols(near, far, attention.low, attention.high, rows, valid)

    @property
    def _by_norms(self) -> bool:
        """Are the distances of queries from centres used?"""
        return "norms" in (self.direct, self.attention)

    def _groups(self, model: AttentionOnlyTransformer) -> int:
        return min(self.groups, model.d_vocab)

    def _window(self, model: AttentionOnlyTransformer) -> int:
        return min(self.window, model.d_vocab)

    def _least(self, model: AttentionOnlyTransformer) -> int:
        return min(self.least, model.d_vocab - 1)

    def _start(self, model: AttentionOnlyTransformer) -> int:
        """The smallest token that is known exactly."""
        return max(self._least(model) - self._window(model), 0)


@dataclass(frozen=True)
class Window:
    """Known tokens below the maximum of each row; tokens are numbered from `start` on.

    Attributes
    ----------
    token : int64 [rows, G]
        Numbers of m - 1, ..., m - G (0 where negative).
    real : bool [rows, G]
        Which of them are tokens.
    beyond : int64 [rows]
        Number of the largest known token beyond the window (0 where there is none).
    some : bool [rows]
        Is there one?
    start
        The smallest known token.
    """

    token: Tensor
    real: Tensor
    beyond: Tensor
    some: Tensor
    start: int

    @classmethod
    def of(cls, v: int, G: int, start: int, m: Tensor) -> Window:
        """Look the maxima `m` [rows] up."""
        token, real, beyond, some = (table[m] for table in _window(v, G, start, device=m.device))
        return cls(token, real, beyond, some, start)


@dataclass(frozen=True)
class Sizes:
    """Norms that everything else is bounded by.

    Attributes
    ----------
    query : [groups, 1]
        F_g >= |W_E[q] - c_g|; 0 where there are no centres because nothing depends on them.
    output : [v]
        u[x] = |W_U[:, x] - k|.
    small : [start]
        |W_E[t] - c| of the small tokens.
    """

    query: Tensor
    output: Tensor
    small: Tensor

    @classmethod
    def of(cls, model: AttentionOnlyTransformer, rows: Rows, hints: Explanation, start: int) -> Sizes:
        """Measure them: 9 v d operations at most."""
        with stage("norms"):
            query = model.W_E - hints["centres"][rows.group_of] if "centres" in hints else model.W_E[:0]
            longest = segment_max(norms(query, 1)[:, None], rows.group_of[: len(query)], len(rows.first))
            output = norms(model.W_U - hints["output_centre"][:, None], 0)
            small = norms(model.W_E[:start] - hints["small_centre"], 1)
        return cls(longest, output, small)


def split_attention(
    model: AttentionOnlyTransformer, rows: Rows, hints: Explanation, sizes: Sizes, window: Window
) -> tuple[GroupAttention, Tensor]:
    """Bound the attention of each group, for tokens from `start` on; and the largest w[q, t] / w[q, m] of all smaller t, [rows]."""
    groups, group, m, start = len(rows.first), rows.group, rows.m, window.start
    a, b, centres = hints["a"], hints["b"], hints["centres"]
    with stage("QK"):
        QK = model.W_Q @ model.W_K.mT / model.attn_scale()
        R = QK - a[:, None] * b
        query = model.W_E + model.W_pos[-1]
        beta, h = query @ a, model.W_E @ b
        shared = ((centres + model.W_pos[-1]) @ R) @ model.W_E.mT  # e, [groups, v]
        rest = norms(torch.cat([model.W_E[start:], hints["small_centre"][None]]) @ R.mT - hints["key_centre"], 1)
        n = torch.cat([sizes.small * norms(R.flatten(), 0) + rest[-1], rest[:-1]])
        EQKP = query @ (model.W_pos @ QK.mT).mT
    with stage("attention"):
        ends = segment_max(torch.stack([-beta, beta], 1), rows.group_of, groups)
        low, high = _positions(EQKP, rows, groups)
        score = torch.stack([-ends[:, 0], ends[:, 1]])[:, :, None] * h + shared  # at both ends of beta, [2, groups, v]
        slack = sizes.query * n
        most, at_max = score + slack, (score - slack)[:, group, m]
        known = most[:, :, start:]
        near = torch.exp((known[:, group[:, None], window.token] - at_max[:, :, None]).amax(0))
        beyond = torch.exp((torch.cummax(known, 2).values[:, group, window.beyond] - at_max).amax(0))
        small = torch.exp((most[:, :, :start].amax(2)[:, group] - at_max).amax(0)) if start else torch.zeros_like(beyond)
    return GroupAttention(near, beyond, low, high), small


def exact_attention(
    model: AttentionOnlyTransformer, rows: Rows, hints: Explanation, sizes: Sizes, G: int, start: int, least: int
) -> tuple[GroupAttention, Tensor]:
    """Bound the same from the exact scores of tokens from `start` on.

    With key_q = W_Q W_K^T / sqrt(d_head) applied to W_E[q] + W_pos[-1], beta_q as before and key_q = beta_q b + k_q, the score of a
    smaller token t is beta_q h[t] + k_q . W_E[t] <= max_{t < start} beta_q h[t] + k_q . c + |k_q| max_{t < start} |W_E[t] - c|.
    """
    groups, device = len(rows.first), rows.m.device
    q, m, at, pair = _pairs_from(model.d_vocab, least, start, device=device)
    row, window = rows.of_pair[pair], Window.of(model.d_vocab, G, start, m)
    with stage("QK"):
        query = model.W_E + model.W_pos[-1]
        keys = query @ (model.W_Q @ model.W_K.mT / model.attn_scale())
        EQKE, EQKP = keys @ model.W_E[start:].mT, keys @ model.W_pos.mT
        if start:
            beta, h = query @ hints["a"], model.W_E[:start] @ hints["b"]
            rest = keys - beta[:, None] * hints["b"]
            ends = torch.maximum(beta * h.amin(), beta * h.amax())
            small = ends + rest @ hints["small_centre"] + norms(rest, 1) * sizes.small.amax()
        else:
            small = torch.zeros_like(EQKE[:, 0])
    with stage("attention"):
        at_max = EQKE[q, at]
        near = EQKE[q[:, None], window.token] - at_max[:, None]
        beyond = torch.cummax(EQKE, 1).values[q, window.beyond] - at_max
        worst = torch.cat([near, beyond[:, None], (small[q] - at_max)[:, None]], 1)
        worst = torch.exp(segment_max(worst, row, len(rows.m)))
        low, high = _positions(EQKP, rows, groups)
    return GroupAttention(worst[:, :G], worst[:, G], low, high), worst[:, G + 1]


def _positions(EQKP: Tensor, rows: Rows, groups: int) -> tuple[Tensor, Tensor]:
    """Least and largest positional factors of each group, with the geometric mean made 1 for every query."""
    centred = EQKP - EQKP.mean(1, keepdim=True)
    ends = torch.exp(torch.stack([-segment_max(-centred, rows.group_of, groups), segment_max(centred, rows.group_of, groups)]))
    return ends[0], ends[1]


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
        return segment_max(EUPU, rows.group_of, groups), -segment_max(-EUPU, rows.group_of, groups)


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
            radius = sizes.small.amax() * norms(VO.flatten(), 0) * sizes.output
            worst = (small + radius + high).amax(1)[group] - (small - radius + low)[group, m]
        else:
            worst = torch.zeros_like(far)
    return rho.clamp(min=0), (far / least).clamp(min=0), (worst / least).clamp(min=0), provably(least > 0)


@address_table
def _pairs_from(v: int, least: int, start: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """All (q, m) with q <= m and m >= least: q, m, m - start, and their numbers in `query_max_pairs`."""
    q, m = query_max_pairs(v)
    number = (m >= least).nonzero().squeeze(1)
    return q[number], m[number], m[number] - start, number


@address_table
def _window(v: int, G: int, start: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The tables of `Window`, for each m."""
    token, real, _, _ = window_tokens(v, G)
    behind = torch.arange(v) - G - 1 - start
    return (token - start).clamp(min=0), real, behind.clamp(min=0), behind >= 0


@address_table
def _rivals(v: int, R: int) -> tuple[Tensor, Tensor, Tensor]:
    """For each m: the R outputs nearest to it, [v, R]; how many lie below all of these; the first that lies above (v for none)."""
    m = torch.arange(v)
    below = (m - (R + 1) // 2).clamp(0, v - 1 - R)
    rival = below[:, None] + torch.arange(R)
    return rival + (rival >= m[:, None]), below, below + R + 1


def neighbours(v: int, groups: int) -> Tensor:
    """Groups of neighbouring queries: of large ones, whose rows are few and whose embeddings are long, finer groups."""
    starts = [round(v * (g / groups) ** 0.7) for g in range(1, groups)]
    return torch.bucketize(torch.arange(v), torch.tensor(starts, dtype=torch.int64), right=True)
